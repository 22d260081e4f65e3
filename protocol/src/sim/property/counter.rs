//! Who is hired by a counter-offer: nobody but whom the chair has asked and who has said yes.

use super::{Property, Sight, floor};
use crate::{
    body::{Body, Evidence, PlanEvidence},
    event::{Award, HiredBy},
    genesis::Genesis,
    state::{Stage, State},
    statement::{Bid, Reply},
};

/// Every counter-offer that hires somebody is the chair's, is posted, and is accepted by a signature in the body.
#[derive(Debug)]
pub(super) struct Consent {
    genesis: Genesis,
}

impl Consent {
    pub(super) fn new(genesis: &Genesis) -> Self {
        Self { genesis: genesis.clone() }
    }

    fn check_award(&self, plan: &PlanEvidence, state: &State, award: &Award) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{} is hired in round {}, but {why}", award.member, state.round));
        let Some(signed) = &plan.counter_offers else { return wrong("nothing was offered") };
        let Ok(made) = signed.peek() else { return wrong("the offers cannot be read") };
        let offered = made.offers.iter().find(|offer| offer.member == award.member);
        if offered.is_none_or(|offer| (offer.contract, offer.price) != (award.contract, award.payment)) {
            return wrong("something else was offered");
        }
        let bid = plan.bids.iter().find(|(_, reveal)| reveal.signer == award.member);
        let Some(Ok(reveal)) = bid.map(|(_, reveal)| reveal.peek()) else { return wrong("it has not bid") };
        let posted = floor::price(&self.genesis, state, Bid { contract: award.contract, ..reveal.bid });
        if award.payment != posted {
            return wrong("not at the posted price");
        }
        let said = plan.replies.iter().find(|reply| reply.signer == award.member).and_then(|reply| reply.peek().ok());
        match said {
            Some(said) if said.reply == Reply::Accept && said.offers == signed.digest() => Ok(()),
            _ => wrong("it has not accepted"),
        }
    }
}

impl Property for Consent {
    fn name(&self) -> &'static str {
        "counter-offers hire those who accept"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Commit { commit, .. } = sight else { return Ok(()) };
        let body = Body::decode(&commit.decision.body).map_err(|error| error.to_string())?;
        let (Evidence::Plan(plan), Stage::Settling(awards)) = (&body.evidence, &commit.state.stage) else {
            return Ok(());
        };
        let countered: Vec<_> = awards.iter().filter(|award| award.hired_by == HiredBy::CounterOffer).collect();
        if countered.len() > self.genesis.market.max_counter_offers as usize {
            return Err(format!("{} counter-offers in round {}", countered.len(), commit.state.round));
        }
        countered.into_iter().try_for_each(|award| self.check_award(plan, &commit.state, award))
    }
}
