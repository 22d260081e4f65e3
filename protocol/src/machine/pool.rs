//! The statements of one round, as they come in. Each member has one say of each kind; a second, other one convicts it.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::{
    crypto::{Signed, Statement},
    genesis::Genesis,
    ids::{Hash, MemberId, Round},
    statement::{Appraisal, BidCommit, BidReveal, CounterOffers, CounterReply, Marks, UpdateOffer, Withdrawal},
};

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is new.
    New,
    /// It was here before.
    Known,
    /// Its signer has said something else before; the first counts.
    Contradicts,
}

/// A signed statement with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said<T> {
    pub(super) signed: Signed<T>,
    pub(super) what: T,
}

/// One say for each member.
#[derive(Debug, Clone)]
pub(super) struct Says<T> {
    by: BTreeMap<MemberId, Said<T>>,
    /// Who has said something, the first to be heard first.
    order: Vec<MemberId>,
}

impl<T> Default for Says<T> {
    fn default() -> Self {
        Self { by: BTreeMap::new(), order: Vec::new() }
    }
}

impl<T: Statement> Says<T> {
    pub(super) fn take(&mut self, signed: Signed<T>, what: T) -> Taken {
        match self.by.entry(signed.signer) {
            Entry::Vacant(slot) => {
                self.order.push(signed.signer);
                slot.insert(Said { signed, what });
                Taken::New
            }
            Entry::Occupied(slot) if slot.get().signed.digest() == signed.digest() => Taken::Known,
            Entry::Occupied(_) => Taken::Contradicts,
        }
    }

    pub(super) fn get(&self, member: &MemberId) -> Option<&Said<T>> {
        self.by.get(member)
    }

    pub(super) fn contains(&self, member: &MemberId) -> bool {
        self.by.contains_key(member)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&MemberId, &Said<T>)> {
        self.by.iter()
    }

    /// Who has said something, the first to be heard first.
    pub(super) fn order(&self) -> &[MemberId] {
        &self.order
    }
}

/// The statements of one round.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    pub(super) round: Round,
    pub(super) commits: Says<BidCommit>,
    pub(super) marks: Says<Marks>,
    pub(super) reveals: Says<BidReveal>,
    pub(super) counter_offers: Says<CounterOffers>,
    pub(super) replies: Says<CounterReply>,
    pub(super) updates: Says<UpdateOffer>,
    pub(super) withdrawals: Says<Withdrawal>,
    pub(super) appraisals: Says<Appraisal>,
}

impl Pool {
    pub(super) fn new(round: Round) -> Self {
        Self { round, ..Self::default() }
    }

    /// Members that have sealed a bid, with the seal.
    pub(super) fn bidders(&self) -> impl Iterator<Item = (&MemberId, Hash)> {
        self.commits.iter().filter_map(|(member, commit)| Some((member, commit.what.seal?)))
    }

    /// Whether `reveal` opens the bid that its member sealed.
    pub(super) fn opens(&self, member: &MemberId, reveal: &BidReveal) -> bool {
        let sealed = self.commits.get(member).and_then(|commit| commit.what.seal);
        sealed == Some(reveal.bid.seal(member, reveal.round, &reveal.salt))
    }
}

/// A statement that has its place in a round.
pub(super) trait OfRound: Statement {
    /// The round that it is for.
    fn round(&self) -> Round;

    /// Whether it is one that a member may make at all.
    fn is_allowed(&self, genesis: &Genesis) -> bool;

    /// Its kind's place in `pool`.
    fn says(pool: &mut Pool) -> &mut Says<Self>;
}

impl OfRound for BidCommit {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, _: &Genesis) -> bool {
        true
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.commits
    }
}

impl OfRound for Marks {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, _: &Genesis) -> bool {
        self.is_allowed()
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.marks
    }
}

impl OfRound for BidReveal {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, genesis: &Genesis) -> bool {
        self.bid.is_allowed(genesis)
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.reveals
    }
}

impl OfRound for CounterOffers {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, genesis: &Genesis) -> bool {
        self.is_allowed(genesis)
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.counter_offers
    }
}

impl OfRound for CounterReply {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, _: &Genesis) -> bool {
        true
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.replies
    }
}

impl OfRound for UpdateOffer {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, genesis: &Genesis) -> bool {
        self.is_allowed(genesis)
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.updates
    }
}

impl OfRound for Withdrawal {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, _: &Genesis) -> bool {
        true
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.withdrawals
    }
}

impl OfRound for Appraisal {
    fn round(&self) -> Round {
        self.round
    }

    fn is_allowed(&self, _: &Genesis) -> bool {
        self.is_allowed()
    }

    fn says(pool: &mut Pool) -> &mut Says<Self> {
        &mut pool.appraisals
    }
}
