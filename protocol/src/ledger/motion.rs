//! Motions: what members decide about each other, by votes that Plans take and Settles count.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Carried, Exit, Ledger,
    instruct::InstructionError,
    roll::{Roll, RollError},
};
use crate::{
    ids::{MemberId, Round},
    limits::{MAX_VOTES, MOTION_ROUNDS},
    statement::Motion,
};

/// The votes for a motion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// Who has voted for it. What each vote weighs is asked when they are counted.
    pub votes: BTreeSet<MemberId>,
    /// The last round in which they are.
    pub last_round: Round,
}

impl Roll {
    /// Open motions that `member` has voted for.
    fn votes_of(&self, member: &MemberId) -> usize {
        self.removals.values().filter(|ballot| ballot.votes.contains(member)).count()
    }

    /// Forgets what `member` has voted for, and what others have about it.
    pub(super) fn forget_votes(&mut self, member: &MemberId) {
        self.removals.remove(member);
        self.removals.values_mut().for_each(|ballot| _ = ballot.votes.remove(member));
        self.removals.retain(|_, ballot| !ballot.votes.is_empty());
    }
}

impl Ledger {
    /// L54: `voter` is for `motion`. The first who is opens it.
    pub(super) fn vote(
        &mut self,
        voter: &MemberId,
        motion: &Motion,
        round: Round,
    ) -> Result<Carried, InstructionError> {
        let Motion::Remove(member) = motion;
        if self.accounts.get(voter).is_none_or(|account| account.power == 0) {
            return Err(RollError::NoVote(*voter).into());
        }
        if !self.accounts.contains_key(member) || self.roll.leaving.contains_key(member) {
            return Err(RollError::NoMember(*member).into());
        }
        if self.roll.removals.get(member).is_some_and(|ballot| ballot.votes.contains(voter)) {
            return Err(RollError::VotedAlready(*voter).into());
        }
        if self.roll.votes_of(voter) >= MAX_VOTES {
            return Err(RollError::TooManyVotes(*voter).into());
        }
        let last_round = Round(round.0.saturating_add(MOTION_ROUNDS));
        let open = Ballot { votes: BTreeSet::new(), last_round };
        self.roll.removals.entry(*member).or_insert(open).votes.insert(*voter);
        Ok(Carried::Enrolled)
    }

    /// Counts the votes when a round is settled: who is voted out leaves, and a motion whose time is over lapses.
    pub(super) fn count_votes(&mut self, settled: Round) {
        let total: u128 = self.accounts.values().map(|account| u128::from(account.power)).sum();
        let powers = |ballot: &Ballot| -> u128 {
            let voters = ballot.votes.iter().filter_map(|voter| self.accounts.get(voter));
            voters.map(|account| u128::from(account.power)).sum()
        };
        let carried = |ballot: &Ballot| 3 * powers(ballot) > 2 * total;
        let removals = self.roll.removals.iter();
        let out: Vec<MemberId> = removals.filter(|(_, ballot)| carried(ballot)).map(|(member, _)| *member).collect();
        for member in out {
            self.roll.removals.remove(&member);
            self.roll.leaving.insert(member, Exit::Removed);
        }
        self.roll.removals.retain(|_, ballot| ballot.last_round > settled);
    }
}
