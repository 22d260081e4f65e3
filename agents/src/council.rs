//! The three agents of a node together, and the code around them.

mod counter;

pub use counter::Replying;

use std::collections::BTreeMap;

use althing_protocol::{
    event::{DecidedBy, Role},
    genesis::Contract,
    ids::MemberId,
    machine::{BidQuestion, MarksQuestion},
    statement::Bid,
};

use crate::{
    bidder::{self, BidOption, BidderQuestion, Cheapest, Offer},
    counter::{CounterQuestion, LetBidsStand, OfferQuestion, Profitable},
    guardian::{Capacity, Evenly, GuardianQuestion, Means, PaceOption, PaceQuestion, Stint, WhatFits},
    orders::{
        BidMade, BidderFacts, Choice, GuardianFacts, Offered, Orders, Reckoning, SelectorFacts, Situation, Topic,
        obey::Obedient,
    },
    policy::{Pick, Policy, Question, ask},
    selector::{Coverage, Focus, SelectorOption, SelectorQuestion},
};

/// A decision of one agent, for the observers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliberation {
    /// Whose it was.
    pub role: Role,
    /// Who made it.
    pub by: DecidedBy,
    /// The entry of the menu, in words.
    pub choice: String,
    /// The standing orders that it follows; none if the rules decided.
    pub followed: Vec<Choice>,
}

/// What a member bids, and how that came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bidding {
    /// The bid; `None` passes.
    pub bid: Option<Bid>,
    /// The bid beside that of the rules, to be reckoned with later.
    pub made: Option<BidMade>,
    /// The guardian's decision, and the bidder's.
    pub said: Vec<Deliberation>,
}

/// What the agents can know of a round beforehand.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// What the bidder will be asked.
    pub bidding: BidQuestion,
    /// What the machine can do.
    pub capacity: Capacity,
    /// What pays for training.
    pub means: Means<'a>,
    /// What the selector would be asked if all members bid.
    pub marking: MarksQuestion,
    /// How many counter-offers a chair may make.
    pub counters: u32,
}

/// A node's guardian, bidder and selector, with two questions each.
pub struct Council {
    guardian: Box<dyn Policy<GuardianQuestion>>,
    spender: Box<dyn Policy<PaceQuestion>>,
    bidder: Box<dyn Policy<BidderQuestion>>,
    selector: Box<dyn Policy<SelectorQuestion>>,
    /// The selector's other question.
    negotiator: Box<dyn Policy<CounterQuestion>>,
    /// The bidder's other question.
    replier: Box<dyn Policy<OfferQuestion>>,
    orders: Orders,
    cost_per_sample: u64,
}

impl Council {
    /// A council that decides by rules. An example costs this member `cost_per_sample` micro-credits.
    pub fn by_rules(cost_per_sample: u64) -> Self {
        Self {
            guardian: Box::new(WhatFits),
            spender: Box::new(Evenly),
            bidder: Box::new(Cheapest),
            selector: Box::new(Coverage),
            negotiator: Box::new(LetBidsStand),
            replier: Box::new(Profitable),
            orders: Orders::default(),
            cost_per_sample,
        }
    }

    /// The orders that stand: all agents follow them as far as they fit.
    pub const fn orders(&mut self) -> &mut Orders {
        &mut self.orders
    }

    /// The member's bid, within what its guardian allows.
    pub fn bid(&mut self, question: BidQuestion, capacity: Capacity, means: Means<'_>) -> Bidding {
        let samples = capacity.samples;
        let guarded = GuardianQuestion::new(capacity, &question.menu, means);
        let stint = self.stint(&guarded);
        let work = self.said(Role::Guardian, &[Topic::Stint], stint.by, guarded.words(stint.option));

        let offers = self.offers(&guarded, stint.option, &question, samples);
        let asked = BidderQuestion::new(offers, question.reserve_price, question.reputation, question.idle_rounds);
        let pick = ask(&mut Obedient { orders: &self.orders, rules: &mut *self.bidder }, &asked)
            .unwrap_or(Pick { option: BidOption::Pass, by: DecidedBy::Fallback });
        let choice = match pick.option {
            BidOption::Pass => "pass".to_owned(),
            BidOption::Ask(place, margin) => {
                let name = question.menu.get(usize::from(place)).map_or("", |contract| &contract.name);
                format!("{name} at {} margin", margin.name())
            }
        };
        let price = self.said(Role::Bidder, &[Topic::Contract, Topic::Margin], pick.by, choice);
        let ruled = self.bidder.decide(&asked).option;
        Bidding { bid: asked.bid(pick.option), made: made(&asked, pick.option, ruled), said: vec![work, price] }
    }

    fn stint(&mut self, guarded: &GuardianQuestion) -> Pick<Stint> {
        ask(&mut Obedient { orders: &self.orders, rules: &mut *self.guardian }, guarded)
            .unwrap_or(Pick { option: Stint::Rest, by: DecidedBy::Fallback })
    }

    /// The contracts that `stint` allows, with what they cost.
    fn offers(&self, guarded: &GuardianQuestion, stint: Stint, question: &BidQuestion, samples: u64) -> Vec<Offer> {
        let fitting = question.menu.iter().zip(0_u8..).filter(|(contract, _)| guarded.allows(stint, contract));
        let offer = |(contract, place): (&Contract, u8)| Offer {
            place,
            samples,
            value: contract.worth(samples, question.usual_samples),
            cost: bidder::cost(contract, samples, self.cost_per_sample),
        };
        fitting.map(offer).collect()
    }

    fn said(&self, role: Role, topics: &[Topic], by: DecidedBy, choice: String) -> Deliberation {
        let followed = match by {
            DecidedBy::Model => topics.iter().filter_map(|topic| self.orders.about(*topic)).collect(),
            DecidedBy::Rules | DecidedBy::Fallback => Vec::new(),
        };
        Deliberation { role, by, choice, followed }
    }

    /// How fast to spend the privacy budget on a contract that was won; nothing if what is left is not worth a round.
    pub fn pace(&mut self, question: &PaceQuestion) -> (Option<PaceOption>, Deliberation) {
        let pick = ask(&mut Obedient { orders: &self.orders, rules: &mut *self.spender }, question);
        let choice = pick.map_or_else(
            || "rest: the privacy budget does not pay for it".to_owned(),
            |pick| format!("{} pace, {} steps", pick.option.pace.name(), pick.option.terms.steps),
        );
        let by = pick.map_or(DecidedBy::Rules, |pick| pick.by);
        (pick.map(|pick| pick.option), self.said(Role::Guardian, &[Topic::Pace], by, choice))
    }

    /// How many to hire, and the candidates' weights.
    pub fn marks(&mut self, question: MarksQuestion) -> (u32, BTreeMap<MemberId, u16>, Deliberation) {
        let fallback = SelectorOption { hire: question.max_winners, focus: Focus::Even };
        let asked = SelectorQuestion::new(question);
        let pick = ask(&mut Obedient { orders: &self.orders, rules: &mut *self.selector }, &asked)
            .unwrap_or(Pick { option: fallback, by: DecidedBy::Fallback });
        let choice = format!("hire {} with {} focus", pick.option.hire, pick.option.focus.name());
        let said = self.said(Role::Selector, &[Topic::Hire, Topic::Focus], pick.by, choice);
        (pick.option.hire, asked.weights(pick.option.focus), said)
    }

    /// What there is to ask a model about, before anybody asks the agents.
    pub fn situation(&self, known: Circumstances<'_>, reckoning: &Reckoning) -> Situation {
        let Circumstances { bidding, capacity, means, marking, counters } = known;
        let (samples, load) = (capacity.samples, capacity.machine.load_permille);
        let guarded = GuardianQuestion::new(capacity, &bidding.menu, means);
        let widest = guarded.menu().last().copied().unwrap_or(Stint::Rest);
        let offers = self.offers(&guarded, widest, &bidding, samples).into_iter().filter_map(|offer| {
            let contract = bidding.menu.get(usize::from(offer.place))?;
            let most = bidding.reserve_price.saturating_mul(offer.value);
            Some(Offered { place: offer.place, epochs: contract.epochs, width: contract.width, cost: offer.cost, most })
        });
        let stints = guarded.menu().iter().filter_map(|stint| match *stint {
            Stint::Rest => None,
            Stint::Work { effort, widest } => Some((effort, widest, guarded.fills_percent(*stint))),
        });
        let ((bids, won), (hired, delivered)) = (reckoning.bids(), reckoning.deliveries());
        Situation {
            round: bidding.round,
            bidder: BidderFacts { offers: offers.collect(), bids, won },
            selector: SelectorFacts {
                places: marking.max_winners,
                counters: if bidding.menu.len() > 1 { counters } else { 0 },
                candidates: marking.candidates,
                gains: reckoning.gains(),
            },
            guardian: GuardianFacts {
                load_percent: load / 10,
                stints: stints.collect(),
                hired,
                delivered,
                spending: means.spending(),
            },
        }
    }
}

/// The bid that was made, beside that of the rules; none if there was none, or the rules would have passed.
fn made(asked: &BidderQuestion, option: BidOption, ruled: BidOption) -> Option<BidMade> {
    let offer = |option| match option {
        BidOption::Ask(place, _) => asked.offers.iter().find(|offer| offer.place == place),
        BidOption::Pass => None,
    };
    let (made, ruled) = (offer(option)?, offer(ruled)?);
    Some(BidMade { cost: made.cost, ruled_value: ruled.value, ruled_cost: ruled.cost })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use althing_protocol::{genesis::Contract, ids::Round, model::Width};

    use super::*;
    use crate::guardian::{Machine, Need};

    fn question() -> BidQuestion {
        let contract =
            |name: &str, epochs, value| Contract { name: name.to_owned(), epochs, width: Width::Full, value };
        let menu = vec![contract("one", 1, 100), contract("two", 2, 190)];
        BidQuestion { round: Round(1), menu, reserve_price: 1_000, usual_samples: 0, reputation: 500, idle_rounds: 1 }
    }

    fn capacity(samples: u64) -> Capacity {
        let need = Need { time_per_sample: Duration::from_micros(100), load_permille: 0, memory_bytes: 0 };
        Capacity {
            samples,
            deadline: Duration::from_secs(1),
            machine: Machine { cores: 1, free_memory_bytes: u64::MAX, load_permille: 0 },
            max_load_permille: None,
            needs: [(Width::Full, need)].into(),
        }
    }

    #[test]
    fn the_bidder_bids_only_for_what_the_guardian_allows() {
        let Bidding { bid, said, .. } = Council::by_rules(10).bid(question(), capacity(1_000), Means::Unlimited);
        assert_eq!(bid, Some(Bid { contract: 0, price: 10_000, samples: 1_000 }));
        assert_eq!(said.iter().map(|s| s.role).collect::<Vec<_>>(), [Role::Guardian, Role::Bidder]);
        assert_eq!(said[1].choice, "one at none margin");

        let Bidding { bid, .. } = Council::by_rules(10).bid(question(), capacity(6_000), Means::Unlimited);
        assert_eq!(
            bid,
            Some(Bid { contract: 0, price: 60_000, samples: 6_000 }),
            "twice would take longer than there is time"
        );

        let Bidding { bid, said, .. } = Council::by_rules(10).bid(question(), capacity(20_000), Means::Unlimited);
        assert_eq!(
            (bid, said[0].choice.as_str(), said[1].choice.as_str()),
            (None, "rest: no contract fits this machine in time", "pass")
        );
    }

    #[test]
    fn a_price_above_the_reserve_passes() {
        let Bidding { bid, .. } = Council::by_rules(1_000).bid(question(), capacity(1_000), Means::Unlimited);
        assert_eq!(bid, None);
    }
}
