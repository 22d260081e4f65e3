//! The mean of the updates: ordered once for each set of them, and compared with what a body claims.

use std::collections::BTreeMap;

use super::{AggregateOrder, BatchId, Effect, Machine, OrderedUpdate, Result};
use crate::{
    body::SettleEvidence,
    codec,
    consensus::Verdict,
    ids::{BlobRef, Hash, MemberId},
    state::Stage,
    statement::UpdateOffer,
};

/// The mean of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mean {
    /// It is being computed.
    Ordered,
    /// It is this, and stored here.
    Known(BlobRef),
    /// There is none: one of the updates cannot enter it.
    None,
}

/// The means of the batches that were asked for in the open round.
#[derive(Debug, Default)]
pub(super) struct Means(BTreeMap<BatchId, Mean>);

impl Machine {
    /// Updates that this member would aggregate: here, sound, and signed for.
    pub(super) fn sound_updates(&self) -> BTreeMap<MemberId, UpdateOffer> {
        let offers = self.pool.updates.iter().filter(|(maker, _)| self.training.is_sound(maker));
        offers.map(|(maker, said)| (*maker, said.what)).collect()
    }

    /// Orders the mean that this member would propose, before anybody asks for it.
    pub(super) fn prepare_mean(&mut self) {
        let updates = self.sound_updates();
        if !updates.is_empty() {
            self.mean_of(&updates);
        }
    }

    /// The mean of `updates`, which is ordered if need be. Updates that are not here are fetched first.
    pub(super) fn mean_of(&mut self, updates: &BTreeMap<MemberId, UpdateOffer>) -> Mean {
        let updates = self.ordered(updates);
        let batch = BatchId(Hash::derive("althing 1 batch", &[&codec::encode(&(self.state.model, &updates))]));
        if let Some(mean) = self.bodies.means.0.get(&batch) {
            return mean.clone();
        }
        let needed = updates.iter().map(|ordered| ordered.update).chain([self.state.model]);
        let missing: Vec<BlobRef> = needed.filter(|blob| !self.blobs.contains(blob)).collect();
        if missing.is_empty() {
            self.bodies.means.0.insert(batch, Mean::Ordered);
            self.effects.push(Effect::Aggregate(AggregateOrder { batch, base: self.state.model, updates }));
        }
        for blob in missing {
            let from = self.present.iter().copied().collect();
            self.effects.push(Effect::Fetch { blob, from });
        }
        Mean::Ordered
    }

    /// Each update with the width of its contract, which is on the menu: other offers were refused.
    fn ordered(&self, updates: &BTreeMap<MemberId, UpdateOffer>) -> Vec<OrderedUpdate> {
        let ordered = |(maker, offer): (&MemberId, &UpdateOffer)| {
            let width = self.federation.genesis.contract(offer.contract)?.width;
            Some(OrderedUpdate { maker: *maker, update: offer.update, samples: offer.samples, width })
        };
        updates.iter().filter_map(ordered).collect()
    }

    /// A mean has been computed.
    pub(super) fn aggregated(&mut self, batch: BatchId, mean: std::result::Result<BlobRef, Vec<MemberId>>) -> Result {
        // An order of a round that is over is of no use any more.
        let Some(slot) = self.bodies.means.0.get_mut(&batch) else { return Ok(()) };
        *slot = match mean {
            Ok(blob) => {
                self.blobs.insert(blob);
                Mean::Known(blob)
            }
            Err(_) => Mean::None,
        };
        self.judge_again()?;
        self.build_again()
    }

    /// Whether a Settle's model is the mean of its updates; `None` while that is being found out.
    pub(super) fn judge_model(&mut self, evidence: &SettleEvidence) -> Option<Verdict> {
        let mut updates = BTreeMap::new();
        for signed in &evidence.updates {
            // The evidence was opened before, so every update can be read.
            let Ok(offer) = signed.peek() else { return Some(Verdict::Invalid) };
            updates.insert(signed.signer, offer);
        }
        if updates.is_empty() {
            return Some(Verdict::Valid);
        }
        match self.mean_of(&updates) {
            Mean::Ordered => None,
            Mean::Known(model) if model == evidence.model => Some(Verdict::Valid),
            Mean::Known(_) | Mean::None => Some(Verdict::Invalid),
        }
    }

    /// Fetches again what this member still lacks, from those who are here now.
    pub(super) fn fetch_what_is_missing(&mut self) {
        let mut missing = Vec::new();
        if matches!(self.state.stage, Stage::Settling(_)) {
            missing.extend(self.pool.updates.iter().map(|(_, said)| said.what.update));
        }
        missing.push(self.state.model);
        for blob in missing.into_iter().filter(|blob| !self.blobs.contains(blob)).collect::<Vec<_>>() {
            let from = self.present.iter().copied().collect();
            self.effects.push(Effect::Fetch { blob, from });
        }
    }
}
