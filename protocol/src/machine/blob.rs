//! Blobs come, and get lost again: a disk may be damaged under what lies on it.

use super::{Machine, Result};
use crate::{
    epidemic,
    ids::{BlobRef, MemberId},
    state::Stage,
    wire::Message,
};

impl Machine {
    /// R27: a blob has come: an update to score and to pass on, or the model.
    pub(super) fn blob_ready(&mut self, blob: BlobRef) -> Result {
        if self.epidemic.awaits(&blob) {
            self.exchange(epidemic::Input::BlobReady(blob));
            if !self.rounds_want(&blob) {
                return Ok(());
            }
        }
        if !self.blobs.insert(blob) {
            return Ok(());
        }
        if blob == self.state.model {
            self.adopted();
            self.order_training();
        } else {
            self.publish(&Message::Have(blob));
        }
        self.order_appraisals();
        self.judge_again()?;
        self.build_again()
    }

    /// Orders the appraisals of all updates that are here.
    fn order_appraisals(&mut self) {
        if !matches!(self.state.stage, Stage::Settling(_)) {
            return;
        }
        let offers: Vec<_> = self.pool.updates.iter().map(|(maker, said)| (*maker, said.what)).collect();
        for (maker, offer) in offers {
            let wanted = self.training.is_hired(&maker) && self.blobs.contains(&offer.update);
            match wanted {
                true if maker == self.me => self.training.own_is_here(maker, self.now),
                true => self.order_appraisal(&maker, offer),
                false => {}
            }
        }
    }

    /// R41: work that was ordered has found that `blob` is not here any more. It is fetched again, and what was ordered and
    /// has no result yet is ordered once more when it is needed.
    pub(super) fn blob_lost(&mut self, blob: BlobRef) {
        if !self.blobs.remove(&blob) {
            return;
        }
        let of_it = self.pool.updates.iter().filter(|(_, said)| said.what.update == blob);
        let makers: Vec<MemberId> = of_it.map(|(maker, _)| *maker).collect();
        makers.iter().for_each(|maker| self.training.lose(maker));
        if blob == self.state.model {
            self.training.start_over();
        }
        self.bodies.findings.start_over();
        self.fetch_what_is_missing();
    }
}
