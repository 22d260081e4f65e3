//! Plan: from bids and marks to a budget and those it hires.

use std::collections::BTreeMap;

use super::{Federation, Invalid, Outcome, Stage, State, sorted};
use crate::{
    body::PlanEvidence,
    consensus::ValidatorSet,
    crypto::Signed,
    genesis::{Market, part},
    ids::{Hash, MemberId, Round},
    market::Terms,
    statement::{BidCommit, BidReveal, CounterOffer, Marks},
};

/// Bids that were opened, and what the chair's marks and counter-offers make of them.
pub(super) struct Opened {
    pub(super) bids: BTreeMap<MemberId, BidReveal>,
    /// Counter-offers that are accepted.
    pub(super) countered: Vec<CounterOffer>,
    marks: Option<(Hash, Marks)>,
}

impl State {
    /// Mints, clears the market and holds back what the round may cost.
    pub(super) fn plan(
        &mut self,
        federation: &Federation,
        validators: &ValidatorSet,
        evidence: &PlanEvidence,
    ) -> Result<Outcome, Invalid> {
        let opened = self.open(federation, validators, evidence)?;
        let market = &federation.genesis.market;
        let (terms, bonus) = self.budget(market);
        self.ledger.mint(mint(market, self.round))?;
        let awards = self.award(federation, &opened, terms);
        let hired = opened.bids.len() >= market.min_bidders as usize && awards.len() >= market.min_winners as usize;
        let awards = if hired { awards } else { Vec::new() };
        if hired {
            self.count_losses(federation, &opened, &awards, terms)?;
        }
        self.ledger.hold(if hired { bonus } else { 0 })?;
        for award in &awards {
            self.ledger.hire(&award.member, self.round)?;
            self.ledger.hold_award(&award.member, award.payment, part(award.payment, market.deposit_permille))?;
        }
        self.stage = Stage::Settling(awards.clone());
        Ok(Outcome::Planned { awards, bids: opened.bids.len() })
    }

    /// What the open round's Plan can pay for delivery, to a full house, and for contribution.
    pub(super) fn budget(&self, market: &Market) -> (Terms, u64) {
        let budget = market.budget_per_round.min(self.ledger.pool.saturating_add(mint(market, self.round)));
        let bonus = part(budget, market.bonus_permille);
        (market.terms(budget - bonus), bonus)
    }

    fn open(
        &self,
        federation: &Federation,
        validators: &ValidatorSet,
        evidence: &PlanEvidence,
    ) -> Result<Opened, Invalid> {
        sorted(evidence.bids.iter().map(|(commit, _)| &commit.signer), "bids")?;
        let mut bids = BTreeMap::new();
        for (commit, reveal) in &evidence.bids {
            bids.insert(commit.signer, self.open_bid(federation, commit, reveal)?);
        }
        let marks = evidence.marks.as_ref().map(|marks| self.open_marks(federation, validators, marks)).transpose()?;
        let countered = self.open_counter_offers(federation, validators, evidence, &bids)?;
        Ok(Opened { bids, marks, countered })
    }

    fn open_bid(
        &self,
        federation: &Federation,
        commit: &Signed<BidCommit>,
        reveal: &Signed<BidReveal>,
    ) -> Result<BidReveal, Invalid> {
        let member = commit.signer;
        if reveal.signer != member || !self.ledger.accounts.contains_key(&member) {
            return Err(Invalid::NoSay { member, what: "bid" });
        }
        let sealed = commit.open(&federation.network)?;
        let opened = reveal.open(&federation.network)?;
        let of_this_round = sealed.round == self.round && opened.round == self.round;
        let fits = Some(opened.bid.seal(&member, self.round, &opened.salt)) == sealed.seal;
        if !opened.bid.is_allowed(&federation.genesis) || !of_this_round || !fits {
            return Err(Invalid::OutOfBounds { member, what: "bid" });
        }
        Ok(opened)
    }

    fn open_marks(
        &self,
        federation: &Federation,
        validators: &ValidatorSet,
        signed: &Signed<Marks>,
    ) -> Result<(Hash, Marks), Invalid> {
        let member = signed.signer;
        if member != validators.proposer(0) {
            return Err(Invalid::NoSay { member, what: "marks" });
        }
        let marks = signed.open(&federation.network)?;
        if marks.round != self.round || !marks.is_allowed() {
            return Err(Invalid::OutOfBounds { member, what: "marks" });
        }
        Ok((signed.digest(), marks))
    }
}

impl Opened {
    /// A mark counts for a bidder that had seen it before it opened its bid: then the marker had not seen the price.
    pub(super) fn weight(&self, member: &MemberId, reveal: &BidReveal) -> u16 {
        match &self.marks {
            Some((digest, marks)) if reveal.marks == Some(*digest) => {
                marks.weights.get(member).copied().unwrap_or(Marks::NEUTRAL)
            }
            _ => Marks::NEUTRAL,
        }
    }

    /// The selector's number of winners counts if more than half of the bidders had seen it in time.
    pub(super) fn hire(&self, market: &Market) -> usize {
        let most = market.max_winners as usize;
        let Some((digest, marks)) = &self.marks else { return most };
        let seen = self.bids.values().filter(|reveal| reveal.marks == Some(*digest)).count();
        if 2 * seen <= self.bids.len() {
            return most;
        }
        (marks.hire as usize).clamp(market.min_winners as usize, most)
    }
}

/// What `round` mints: the base, halved by the schedule.
fn mint(market: &Market, round: Round) -> u64 {
    let halvings = (round.0 - 1).checked_div(market.mint_halves_every).unwrap_or(0);
    u32::try_from(halvings).ok().and_then(|n| market.mint_per_round.checked_shr(n)).unwrap_or(0)
}
