//! Catching up: decisions that others made without this member are fetched, verified and applied in order.

use std::collections::{BTreeMap, BTreeSet};

use super::{Effect, Machine, Result};
use crate::{
    body::Body,
    event::Event,
    ids::{Height, MemberId},
    wire::{Decision, Request, Response},
};

/// Where the others are, and who is being asked.
#[derive(Debug, Default)]
pub(super) struct Sync {
    tips: BTreeMap<MemberId, Height>,
    asked: Option<MemberId>,
    /// Members that promised decisions and sent none. Others are asked before them, so that nobody who claims much
    /// keeps this member from catching up.
    failed: BTreeSet<MemberId>,
}

impl Machine {
    /// A member says that it has decided `height`.
    pub(super) fn heard_tip(&mut self, member: MemberId, height: Height) {
        self.sync.tips.insert(member, height);
        if height > self.state.height {
            self.ask_for_decisions();
        } else if height < self.state.height {
            self.repeat_soon();
        }
    }

    /// `height` is decided, but its body is not here: anybody who is may have it.
    pub(super) fn sync_from_anyone(&mut self, height: Height) {
        for member in &self.present {
            let tip = self.sync.tips.entry(*member).or_default();
            *tip = height.max(*tip);
        }
        self.ask_for_decisions();
    }

    /// Asks the member that claims to be farthest ahead, one at a time.
    pub(super) fn ask_for_decisions(&mut self) {
        if self.sync.asked.is_some() {
            return;
        }
        let ahead = self.sync.tips.iter().filter(|(m, h)| **h > self.state.height && self.present.contains(m));
        let worth = |(member, height): &(&MemberId, &Height)| (!self.sync.failed.contains(*member), **height);
        let Some((&to, _)) = ahead.max_by_key(worth) else { return };
        self.sync.asked = Some(to);
        self.effects.push(Effect::Request { to, request: Request::Decisions(self.state.height.next()) });
    }

    /// R21: decisions are believed for their certificates, in order, and applied as if decided here.
    pub(super) fn answered(&mut self, from: MemberId, bytes: &[u8]) -> Result {
        if self.sync.asked != Some(from) {
            return Ok(());
        }
        self.sync.asked = None;
        let Ok(Response::Decisions(decisions)) = Response::decode(bytes) else {
            self.distrust(from);
            return Ok(());
        };
        let mut synced = false;
        for decision in decisions {
            if decision.certificate.height <= self.state.height {
                continue;
            }
            if !self.is_next(&decision) {
                self.distrust(from);
                break;
            }
            self.apply(decision.body.into_vec(), decision.certificate)?;
            synced = true;
        }
        if synced {
            self.sync.failed.clear();
            self.tell(Event::Synced { height: self.state.height });
            self.advance()?;
        } else {
            self.disappointed_by(from);
        }
        self.ask_for_decisions();
        Ok(())
    }

    /// A peer does not answer: others may.
    pub(super) fn unanswered(&mut self, from: MemberId) {
        if self.sync.asked == Some(from) {
            self.sync.asked = None;
        }
        self.disappointed_by(from);
        self.ask_for_decisions();
    }

    fn disappointed_by(&mut self, member: MemberId) {
        self.sync.tips.remove(&member);
        self.sync.failed.insert(member);
    }

    fn is_next(&self, decision: &Decision) -> bool {
        let certificate = &decision.certificate;
        certificate.height == self.state.height.next()
            && certificate.body == Body::id_of(&decision.body)
            && certificate.verify(&self.federation.network, &self.validators).is_ok()
    }

    fn distrust(&mut self, member: MemberId) {
        self.disappointed_by(member);
        self.effects.push(Effect::Blame { member });
        self.tell(Event::Misbehaved { member, why: "it answered with decisions that are none".into() });
    }
}
