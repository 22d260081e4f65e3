//! Plan: from instructions, bids and marks to a budget and those it hires.

use std::collections::BTreeMap;

use super::{Federation, Invalid, Outcome, Stage, State, counter::Bids, sorted};
use crate::{
    body::PlanEvidence,
    consensus::ValidatorSet,
    crypto::Signed,
    genesis::Market,
    hiring::{Answers, OpenBid},
    ids::{Hash, MemberId},
    statement::{BidCommit, BidReveal, Marks},
};

/// The chair's marks, with the digest by which bidders say that they have seen them.
type SeenMarks = (Hash, Marks);

impl State {
    /// Carries out instructions, mints, clears the market and holds back what the round may cost.
    pub(super) fn plan(
        &mut self,
        federation: &Federation,
        validators: &ValidatorSet,
        evidence: &PlanEvidence,
    ) -> Result<Outcome, Invalid> {
        let answers = self.open(federation, validators, evidence)?;
        let instructions = self.carry_out(federation, &evidence.instructions)?;
        let awards = self.call(federation).hire(&mut self.ledger, &answers)?;
        answers.bids.keys().for_each(|bidder| self.ledger.see(bidder, self.round));
        self.stage = Stage::Settling(awards.clone());
        Ok(Outcome::Planned { awards, bids: answers.bids.len(), instructions })
    }

    /// What `evidence` answers to the open round's call, opened as every member opens it.
    ///
    /// # Errors
    /// [`Invalid`] when the evidence does not hold.
    pub fn answers(&self, federation: &Federation, evidence: &PlanEvidence) -> Result<Answers, Invalid> {
        self.open(federation, &self.validators()?, evidence)
    }

    fn open(
        &self,
        federation: &Federation,
        validators: &ValidatorSet,
        evidence: &PlanEvidence,
    ) -> Result<Answers, Invalid> {
        sorted(evidence.bids.iter().map(|(commit, _)| &commit.signer), "bids")?;
        let mut bids = BTreeMap::new();
        for (commit, reveal) in &evidence.bids {
            bids.insert(commit.signer, self.open_bid(federation, commit, reveal)?);
        }
        let marks = evidence.marks.as_ref().map(|marks| self.open_marks(federation, validators, marks)).transpose()?;
        let countered = self.open_counter_offers(federation, validators, evidence, &bids)?;
        let places = places(marks.as_ref(), &bids, &federation.genesis.market);
        let open = |(member, reveal): (MemberId, BidReveal)| {
            let (bid, weight) = (reveal.bid, weight(marks.as_ref(), &member, &reveal));
            (member, OpenBid { bid, worth: federation.genesis.worth(bid.contract, bid.samples), weight })
        };
        Ok(Answers { bids: bids.into_iter().map(open).collect(), countered, places })
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
    ) -> Result<SeenMarks, Invalid> {
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

/// A mark counts for a bidder that had seen it before it opened its bid: then the marker had not seen the price.
fn weight(marks: Option<&SeenMarks>, member: &MemberId, reveal: &BidReveal) -> u16 {
    match marks {
        Some((digest, marks)) if reveal.marks == Some(*digest) => {
            marks.weights.get(member).copied().unwrap_or(Marks::NEUTRAL)
        }
        _ => Marks::NEUTRAL,
    }
}

/// The selector's number of winners counts if more than half of the bidders had seen it in time.
fn places(marks: Option<&SeenMarks>, bids: &Bids, market: &Market) -> usize {
    let most = market.max_winners as usize;
    let Some((digest, marks)) = marks else { return most };
    let seen = bids.values().filter(|reveal| reveal.marks == Some(*digest)).count();
    if 2 * seen <= bids.len() {
        return most;
    }
    (marks.hire as usize).clamp(market.min_winners as usize, most)
}
