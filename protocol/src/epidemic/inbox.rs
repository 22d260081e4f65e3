//! Models of others that wait to be averaged with: at most one of each sender, at most so many in all.

use std::collections::{BTreeMap, BTreeSet};

use super::Step;
use crate::ids::{BlobRef, MemberId};

/// A model that has not come within so many steps of this member will not be waited for any longer.
pub const STALE_STEPS: u64 = 3;

/// A model on offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    model: BlobRef,
    /// The member's own step in which it was offered.
    since: Step,
}

/// What an offer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// Its model is to be fetched.
    Wanted,
    /// It is of no use, and nobody is to blame: it is known, old, or more than there is room for.
    Useless,
    /// Its sender has offered another model for the same step.
    Contradicts,
}

/// Models that wait.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: BTreeMap<MemberId, Waiting>,
    /// The last offer that each sender has made, by its own count.
    last: BTreeMap<MemberId, (Step, BlobRef)>,
}

impl Inbox {
    /// E6: takes an offer that a member has made in its step `theirs` while this one is in its step `ours`.
    pub(super) fn take(
        &mut self,
        from: MemberId,
        (theirs, model): (Step, BlobRef),
        ours: Step,
        room: usize,
    ) -> Offered {
        match self.last.get(&from) {
            Some(&(step, known)) if step == theirs && known != model => return Offered::Contradicts,
            Some(&(step, _)) if step >= theirs => return Offered::Useless,
            _ => {}
        }
        // A sender counts once in each step of this member, however fast it claims to be.
        let known = self.waiting.get(&from);
        if known.is_some_and(|waiting| waiting.since == ours) || (known.is_none() && self.waiting.len() >= room) {
            return Offered::Useless;
        }
        self.last.insert(from, (theirs, model));
        self.waiting.insert(from, Waiting { model, since: ours });
        Offered::Wanted
    }

    /// Takes out the models that are `here`, by their senders.
    pub(super) fn take_ready(&mut self, here: &BTreeSet<BlobRef>) -> Vec<(MemberId, BlobRef)> {
        let ready: Vec<_> = self.ready(here).collect();
        self.waiting.retain(|member, _| !ready.iter().any(|(taken, _)| taken == member));
        ready
    }

    /// How many are `here`.
    pub(super) fn ready_count(&self, here: &BTreeSet<BlobRef>) -> usize {
        self.ready(here).count()
    }

    fn ready<'a>(&'a self, here: &'a BTreeSet<BlobRef>) -> impl Iterator<Item = (MemberId, BlobRef)> + 'a {
        let offers = self.waiting.iter().map(|(member, waiting)| (*member, waiting.model));
        offers.filter(|(_, model)| here.contains(model))
    }

    /// E8: gives up what has not come for too long.
    pub(super) fn expire(&mut self, ours: Step) {
        self.waiting.retain(|_, waiting| ours.0.saturating_sub(waiting.since.0) < STALE_STEPS);
    }

    /// Those whose offer of `model` waits.
    pub(super) fn senders(&self, model: BlobRef) -> impl Iterator<Item = MemberId> + '_ {
        self.waiting.iter().filter(move |(_, waiting)| waiting.model == model).map(|(member, _)| *member)
    }

    /// Models that wait, here or not.
    pub(super) fn models(&self) -> impl Iterator<Item = BlobRef> + '_ {
        self.waiting.values().map(|waiting| waiting.model)
    }

    /// Forgets what waits. What senders have offered before stays known.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}
