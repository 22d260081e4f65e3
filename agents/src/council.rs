//! The three agents of a node together, and the code around them.

mod counter;

use std::collections::BTreeMap;

use althing_protocol::{
    event::{DecidedBy, Role},
    ids::MemberId,
    machine::{BidQuestion, MarksQuestion},
    statement::Bid,
};

use crate::{
    bidder::{self, BidOption, BidderQuestion, Offer, Truthful},
    counter::{CounterQuestion, LetBidsStand, OfferQuestion, Profitable},
    guardian::{Capacity, Evenly, GuardianQuestion, Means, PaceOption, PaceQuestion, Stint, WhatFits},
    policy::{Pick, Policy, ask},
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
    cost_per_sample: u64,
}

impl Council {
    /// A council that decides by rules. An example costs this member `cost_per_sample` micro-credits.
    pub fn by_rules(cost_per_sample: u64) -> Self {
        Self {
            guardian: Box::new(WhatFits),
            spender: Box::new(Evenly),
            bidder: Box::new(Truthful),
            selector: Box::new(Coverage),
            negotiator: Box::new(LetBidsStand),
            replier: Box::new(Profitable),
            cost_per_sample,
        }
    }

    /// The member's bid, within what its guardian allows; `None` passes.
    pub fn bid(
        &mut self,
        question: BidQuestion,
        capacity: Capacity,
        means: Means<'_>,
    ) -> (Option<Bid>, Vec<Deliberation>) {
        let samples = capacity.samples;
        let guarded = GuardianQuestion::new(capacity, &question.menu, means);
        let stint = ask(&mut *self.guardian, &guarded).unwrap_or(Pick { option: Stint::Rest, by: DecidedBy::Fallback });
        let mut said = vec![Deliberation { role: Role::Guardian, by: stint.by, choice: guarded.words(stint.option) }];

        let contracts = question.menu.iter().zip(0_u8..);
        let fitting = contracts.filter(|(contract, _)| guarded.allows(stint.option, contract));
        let offers = fitting.map(|(contract, place)| Offer {
            place,
            value: contract.value,
            cost: bidder::cost(contract, samples, self.cost_per_sample),
        });
        let asked =
            BidderQuestion::new(offers.collect(), question.reserve_price, question.reputation, question.idle_rounds);
        let pick = ask(&mut *self.bidder, &asked).unwrap_or(Pick { option: BidOption::Pass, by: DecidedBy::Fallback });
        let choice = match pick.option {
            BidOption::Pass => "pass".to_owned(),
            BidOption::Ask(place, margin) => {
                let name = question.menu.get(usize::from(place)).map_or("", |contract| &contract.name);
                format!("{name} at {} margin", margin.name())
            }
        };
        said.push(Deliberation { role: Role::Bidder, by: pick.by, choice });
        (asked.bid(pick.option), said)
    }

    /// How fast to spend the privacy budget on a contract that was won; nothing if what is left is not worth a round.
    pub fn pace(&mut self, question: &PaceQuestion) -> (Option<PaceOption>, Deliberation) {
        let pick = ask(&mut *self.spender, question);
        let choice = pick.map_or_else(
            || "rest: the privacy budget is spent".to_owned(),
            |pick| format!("{} pace, {} steps", pick.option.pace.name(), pick.option.terms.steps),
        );
        let by = pick.map_or(DecidedBy::Rules, |pick| pick.by);
        (pick.map(|pick| pick.option), Deliberation { role: Role::Guardian, by, choice })
    }

    /// How many to hire, and the candidates' weights.
    pub fn marks(&mut self, question: MarksQuestion) -> (u32, BTreeMap<MemberId, u16>, Deliberation) {
        let fallback = SelectorOption { hire: question.max_winners, focus: Focus::Even };
        let asked = SelectorQuestion::new(question);
        let pick = ask(&mut *self.selector, &asked).unwrap_or(Pick { option: fallback, by: DecidedBy::Fallback });
        let choice = format!("hire {} with {} focus", pick.option.hire, pick.option.focus.name());
        let said = Deliberation { role: Role::Selector, by: pick.by, choice };
        (pick.option.hire, asked.weights(pick.option.focus), said)
    }
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
        BidQuestion { round: Round(1), menu, reserve_price: 1_000, reputation: 500, idle_rounds: 1 }
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
        let (bid, said) = Council::by_rules(10).bid(question(), capacity(1_000), Means::Unlimited);
        assert_eq!(bid, Some(Bid { contract: 0, price: 10_000 }));
        assert_eq!(said.iter().map(|s| s.role).collect::<Vec<_>>(), [Role::Guardian, Role::Bidder]);
        assert_eq!(said[1].choice, "one at none margin");

        let (bid, said) = Council::by_rules(10).bid(question(), capacity(20_000), Means::Unlimited);
        assert_eq!(
            (bid, said[0].choice.as_str(), said[1].choice.as_str()),
            (None, "rest: no contract fits this machine in time", "pass")
        );
    }

    #[test]
    fn a_price_above_the_reserve_passes() {
        let (bid, _) = Council::by_rules(1_000).bid(question(), capacity(1_000), Means::Unlimited);
        assert_eq!(bid, None);
    }
}
