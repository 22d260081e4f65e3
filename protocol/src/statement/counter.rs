//! Counter-offers: another contract for a bidder, at a price that code posts, and what the bidder says to it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    crypto::{Domain, Statement},
    genesis::Genesis,
    ids::{Hash, MemberId, Round},
    limits::MAX_STATEMENT_BYTES,
};

/// Another contract than the one that a member has bid for: take it or leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterOffer {
    /// To whom.
    pub member: MemberId,
    /// Place of the contract on the menu.
    pub contract: u8,
    /// What delivery pays, in micro-credits. Nobody's to choose: the floor price of the contract in this round.
    pub price: u64,
}

/// All counter-offers that the chair makes in a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterOffers {
    /// The round they are for.
    pub round: Round,
    /// At least one, each to another member.
    pub offers: Vec<CounterOffer>,
}

impl CounterOffers {
    /// Whether there are no more than the genesis allows, each for a contract of the menu and to another member.
    pub fn is_allowed(&self, genesis: &Genesis) -> bool {
        let members: BTreeSet<_> = self.offers.iter().map(|offer| offer.member).collect();
        let all_on_menu = self.offers.iter().all(|offer| genesis.contract(offer.contract).is_some());
        let most = genesis.market.max_counter_offers as usize;
        (1..=most).contains(&self.offers.len()) && members.len() == self.offers.len() && all_on_menu
    }

    /// What is offered to `member`.
    pub fn to(&self, member: &MemberId) -> Option<&CounterOffer> {
        self.offers.iter().find(|offer| offer.member == *member)
    }
}

impl Statement for CounterOffers {
    const DOMAIN: Domain = Domain::CounterOffers;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// What a bidder says to a counter-offer. Silence declines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It takes the offer in place of its bid.
    Accept,
    /// Its bid stands.
    Decline,
}

/// The signed answer to a counter-offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterReply {
    /// The round it is for.
    pub round: Round,
    /// Digest of the chair's counter-offers.
    pub offers: Hash,
    /// The answer.
    pub reply: Reply,
}

impl Statement for CounterReply {
    const DOMAIN: Domain = Domain::CounterReply;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}
