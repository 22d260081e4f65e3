//! Counter-offers in a Plan: which may stand there, and what they pay.

use std::collections::BTreeMap;

use super::{Federation, Invalid, State, sorted};
use crate::{
    body::PlanEvidence,
    consensus::ValidatorSet,
    ids::{Hash, MemberId},
    market::floor,
    statement::{BidReveal, CounterOffer, CounterOffers, Reply},
};

/// Bids, by who has opened them.
pub(crate) type Bids = BTreeMap<MemberId, BidReveal>;

impl State {
    /// What a counter-offer for the contract in this place of the menu pays a bidder with so many examples in the open
    /// round, in micro-credits.
    ///
    /// It is the floor price: no price moves it, so no bidder gains by asking anything but its cost.
    pub fn counter_price(&self, federation: &Federation, contract: u8, samples: u64) -> u64 {
        floor::price(federation.genesis.worth(contract, samples), self.call(federation).budget(&self.ledger).0)
    }

    /// Whether `member` may get a counter-offer: it must not be the chair, which makes them, nor overdue, for then it
    /// is hired first in any case.
    pub(crate) fn may_be_offered(&self, federation: &Federation, chair: &MemberId, member: &MemberId) -> bool {
        *member != *chair && self.call(federation).overdue(&self.ledger, member).is_none()
    }

    /// The counter-offers of a Plan that are accepted, in the order in which the chair has made them.
    pub(crate) fn open_counter_offers(
        &self,
        federation: &Federation,
        validators: &ValidatorSet,
        evidence: &PlanEvidence,
        bids: &Bids,
    ) -> Result<Vec<CounterOffer>, Invalid> {
        let what = "replies to counter-offers";
        let Some(signed) = &evidence.counter_offers else {
            return match evidence.replies.first() {
                Some(reply) => Err(Invalid::NoSay { member: reply.signer, what }),
                None => Ok(Vec::new()),
            };
        };
        let chair = signed.signer;
        if chair != validators.proposer(0) {
            return Err(Invalid::NoSay { member: chair, what: "counter-offers" });
        }
        let made = signed.open(&federation.network)?;
        let in_place = made.round == self.round && made.is_allowed(&federation.genesis);
        if !in_place || !made.offers.iter().all(|offer| self.is_on_terms(federation, &chair, offer, bids)) {
            return Err(Invalid::OutOfBounds { member: chair, what: "list of counter-offers" });
        }
        sorted(evidence.replies.iter().map(|reply| &reply.signer), what)?;
        self.open_replies(federation, evidence, &made, signed.digest())
    }

    /// To a bidder, for another contract than its own, at the posted price.
    fn is_on_terms(&self, federation: &Federation, chair: &MemberId, offer: &CounterOffer, bids: &Bids) -> bool {
        let Some(BidReveal { bid, .. }) = bids.get(&offer.member) else { return false };
        let is_posted = offer.price == self.counter_price(federation, offer.contract, bid.samples);
        bid.contract != offer.contract && is_posted && self.may_be_offered(federation, chair, &offer.member)
    }

    fn open_replies(
        &self,
        federation: &Federation,
        evidence: &PlanEvidence,
        made: &CounterOffers,
        digest: Hash,
    ) -> Result<Vec<CounterOffer>, Invalid> {
        let mut accepted = Vec::new();
        for signed in &evidence.replies {
            let member = signed.signer;
            if made.to(&member).is_none() {
                return Err(Invalid::NoSay { member, what: "replies to counter-offers" });
            }
            let said = signed.open(&federation.network)?;
            if said.round != self.round || said.offers != digest {
                return Err(Invalid::OutOfBounds { member, what: "reply to a counter-offer" });
            }
            if said.reply == Reply::Accept {
                accepted.push(member);
            }
        }
        Ok(made.offers.iter().filter(|offer| accepted.contains(&offer.member)).copied().collect())
    }
}
