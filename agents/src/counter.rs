//! Counter-offers, from both sides: what the chair's selector offers bidders, and what a bidder says to an offer.
//!
//! Code makes both menus. The selector sees neither prices nor names, and picks a kind of offer rather than a member; the
//! bidder may accept only what its guardian allows. What an offer pays is nobody's choice.

use std::cmp::Reverse;

use althing_protocol::{
    event::DecidedBy,
    genesis::Contract,
    ids::MemberId,
    machine::{Bidder, CounterOffersQuestion},
    statement::Reply,
};

use crate::policy::{Pick, Policy, Question, Reorder, in_order};

/// An entry of the selector's menu: which counter-offers to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// None: bids stand as they are.
    None,
    /// The next bigger contract to those who have delivered most of what they were hired for.
    Bigger,
    /// The next smaller contract to those who were not hired for longest.
    Smaller,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Bigger, Self::Smaller];

    /// Its name in prompts, events and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bigger => "bigger",
            Self::Smaller => "smaller",
        }
    }

    /// What it means, in a plain line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::None => "make no counter-offer",
            Self::Bigger => "offer a bigger contract to bidders that deliver",
            Self::Smaller => "offer a smaller contract to bidders that were not hired for many rounds",
        }
    }
}

/// The question to the chair's selector once bids are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterQuestion {
    bidders: Vec<Bidder>,
    contracts: Vec<Contract>,
    most: usize,
    menu: Vec<Counter>,
}

impl CounterQuestion {
    /// Which counter-offers to make? Kinds that nobody could get are not on the menu.
    pub fn new(question: CounterOffersQuestion) -> Self {
        let CounterOffersQuestion { most, menu, bidders, .. } = question;
        let mut asked = Self { bidders, contracts: menu, most: most as usize, menu: Vec::new() };
        let possible = |kind: &Counter| *kind == Counter::None || !asked.offers(*kind).is_empty();
        asked.menu = Counter::ALL.into_iter().filter(possible).collect();
        asked
    }

    /// To whom `kind` offers which place of the public menu.
    pub fn offers(&self, kind: Counter) -> Vec<(MemberId, u8)> {
        let mut fitting: Vec<(&Bidder, u8)> = self
            .bidders
            .iter()
            .filter_map(|bidder| Some((bidder, self.other_contract(bidder.contract, kind)?)))
            .collect();
        // Sorting keeps the order of equals, and bidders come in the order of their ids, which mean nothing.
        fitting.sort_by_key(|(bidder, _)| Reverse(suits(bidder, kind)));
        fitting.into_iter().take(self.most).map(|(bidder, place)| (bidder.candidate.member, place)).collect()
    }

    /// The contract next to the one in `place`, by value.
    fn other_contract(&self, place: u8, kind: Counter) -> Option<u8> {
        let own = self.contracts.get(usize::from(place))?.value;
        let others = self.contracts.iter().map(|contract| contract.value).zip(0_u8..);
        match kind {
            Counter::None => None,
            Counter::Bigger => others.filter(|(value, _)| *value > own).min(),
            Counter::Smaller => others.filter(|(value, _)| *value < own).max(),
        }
        .map(|(_, place)| place)
    }
}

/// How well a kind of offer suits a bidder, the best first.
fn suits(bidder: &Bidder, kind: Counter) -> u64 {
    let candidate = &bidder.candidate;
    match kind {
        Counter::None => 0,
        // In thousandths; one more hired than was, so that a newcomer is not taken for somebody who always delivers.
        Counter::Bigger => candidate.delivered.saturating_mul(1_000) / candidate.hired.saturating_add(1),
        Counter::Smaller => candidate.idle_rounds,
    }
}

impl Question for CounterQuestion {
    type Option = Counter;

    fn menu(&self) -> &[Counter] {
        &self.menu
    }
}

impl Reorder for CounterQuestion {
    fn reordered(&self, order: &[usize]) -> Self {
        Self { menu: in_order(&self.menu, order), ..self.clone() }
    }
}

/// The question to a bidder that has got a counter-offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferQuestion {
    /// What the offered contract pays, in micro-credits.
    pub price: u64,
    /// What it costs this member, in micro-credits.
    pub cost: u64,
    /// What the member's bid asks for another contract, which stands if it declines, in micro-credits.
    pub bid_price: u64,
    menu: Vec<Reply>,
}

/// Whether the guardian lets the member take a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It fits the machine and the privacy budget.
    Granted,
    /// It does not.
    Refused,
}

impl OfferQuestion {
    /// Accept or decline? What the guardian refuses cannot be accepted.
    pub fn new(price: u64, cost: u64, bid_price: u64, leave: Leave) -> Self {
        let menu = match leave {
            Leave::Granted => vec![Reply::Decline, Reply::Accept],
            Leave::Refused => vec![Reply::Decline],
        };
        Self { price, cost, bid_price, menu }
    }
}

impl Question for OfferQuestion {
    type Option = Reply;

    fn menu(&self) -> &[Reply] {
        &self.menu
    }
}

impl Reorder for OfferQuestion {
    fn reordered(&self, order: &[usize]) -> Self {
        Self { menu: in_order(&self.menu, order), ..self.clone() }
    }
}

/// Makes no counter-offers: whom the auction hires has asked least for what it offers.
#[derive(Debug, Clone, Copy, Default)]
pub struct LetBidsStand;

impl Policy<CounterQuestion> for LetBidsStand {
    fn decide(&mut self, _: &CounterQuestion) -> Pick<Counter> {
        Pick { option: Counter::None, by: DecidedBy::Rules }
    }
}

/// Accepts what pays more than it costs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Profitable;

impl Policy<OfferQuestion> for Profitable {
    fn decide(&mut self, question: &OfferQuestion) -> Pick<Reply> {
        let pays = question.price > question.cost && question.menu.contains(&Reply::Accept);
        Pick { option: if pays { Reply::Accept } else { Reply::Decline }, by: DecidedBy::Rules }
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::{ids::Round, machine::Candidate, model::Width};

    use super::*;
    use crate::policy::ask;

    fn bidder(n: u8, contract: u8, record: (u64, u64), idle_rounds: u64) -> Bidder {
        let (hired, delivered) = record;
        let member = MemberId([n; 32]);
        Bidder {
            candidate: Candidate { member, reputation: 500, idle_rounds, hired, delivered, bonus: 0 },
            contract,
            samples: 100,
        }
    }

    fn question(bidders: Vec<Bidder>) -> CounterQuestion {
        let contract = |value: u32| Contract { name: value.to_string(), epochs: 1, width: Width::Full, value };
        let menu = [100, 160, 25].map(contract).to_vec();
        CounterQuestion::new(CounterOffersQuestion { round: Round(1), most: 2, menu, bidders })
    }

    #[test]
    fn offers_go_to_whom_they_suit_for_the_next_contract() {
        let bidders = vec![bidder(1, 0, (4, 2), 9), bidder(2, 0, (4, 4), 1), bidder(3, 1, (0, 0), 3)];
        let asked = question(bidders);
        let to = |n, place| (MemberId([n; 32]), place);
        assert_eq!(asked.menu(), Counter::ALL);
        assert_eq!(asked.offers(Counter::None), []);
        assert_eq!(asked.offers(Counter::Bigger), [to(2, 1), to(1, 1)], "the third has bid for the biggest");
        assert_eq!(asked.offers(Counter::Smaller), [to(1, 2), to(3, 0)], "no more than two");
    }

    #[test]
    fn what_nobody_could_get_is_not_on_the_menu() {
        assert_eq!(question(vec![bidder(1, 1, (1, 1), 1)]).menu(), [Counter::None, Counter::Smaller]);
        assert_eq!(question(vec![bidder(1, 2, (1, 1), 1)]).menu(), [Counter::None, Counter::Bigger]);
        assert_eq!(question(Vec::new()).menu(), [Counter::None]);
    }

    #[test]
    fn a_bidder_accepts_what_pays_and_what_its_guardian_allows() {
        let reply = |price, cost, leave| {
            ask(&mut Profitable, &OfferQuestion::new(price, cost, 1, leave)).map(|pick| pick.option)
        };
        assert_eq!(reply(101, 100, Leave::Granted), Some(Reply::Accept));
        assert_eq!(reply(100, 100, Leave::Granted), Some(Reply::Decline));
        assert_eq!(reply(101, 100, Leave::Refused), Some(Reply::Decline));
    }
}
