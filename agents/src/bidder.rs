//! The bidder: which contract, and at what price.

use althing_protocol::{event::DecidedBy, genesis::Contract, statement::Bid};

use crate::policy::{Pick, Policy, Question, Reorder, in_order};

/// How much to ask above cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Margin {
    /// Cost: what a truthful bidder asks.
    None,
    /// A tenth more.
    Slim,
    /// A quarter more.
    Fair,
    /// Half as much again.
    Wide,
}

impl Margin {
    /// All of them, the lowest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Slim, Self::Fair, Self::Wide];

    /// Its name in prompts, events and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Slim => "slim",
            Self::Fair => "fair",
            Self::Wide => "wide",
        }
    }

    /// What it means, in a plain line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::None => "ask what the work costs",
            Self::Slim => "ask a tenth more than the work costs",
            Self::Fair => "ask a quarter more than the work costs",
            Self::Wide => "ask half as much again as the work costs",
        }
    }

    const fn permille(self) -> u64 {
        match self {
            Self::None => 1_000,
            Self::Slim => 1_100,
            Self::Fair => 1_250,
            Self::Wide => 1_500,
        }
    }
}

/// An entry of the bidder's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BidOption {
    /// No bid in this round.
    Pass,
    /// A contract, by its place on the public menu, at a margin.
    Ask(u8, Margin),
}

/// A contract that the guardian lets the bidder bid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its place on the public menu.
    pub place: u8,
    /// Examples that the member would train on.
    pub samples: u64,
    /// What it is worth to the federation with so many examples.
    pub value: u64,
    /// What it costs the member, in micro-credits.
    pub cost: u64,
}

/// The question to a bidder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BidderQuestion {
    /// Contracts within the guardian's limits.
    pub offers: Vec<Offer>,
    /// Highest price for one unit of value, in micro-credits.
    pub reserve_price: u64,
    /// The member's reputation, from 0 to 1,000.
    pub reputation: u32,
    /// Rounds since the member was last hired.
    pub idle_rounds: u64,
    /// The lowest payment for one unit of value in the last auction that hired anybody, in micro-credits, if the bidder
    /// was told. The rules have no use for it.
    pub last_unit: Option<u64>,
    menu: Vec<BidOption>,
}

impl BidderQuestion {
    /// What to bid? Prices above the reserve could not win and are not on the menu.
    pub fn new(offers: Vec<Offer>, reserve_price: u64, reputation: u32, idle_rounds: u64) -> Self {
        let mut menu = vec![BidOption::Pass];
        for offer in &offers {
            let most = reserve_price.saturating_mul(offer.value);
            let affordable = Margin::ALL.into_iter().filter(|margin| price(offer.cost, *margin) <= most);
            menu.extend(affordable.map(|margin| BidOption::Ask(offer.place, margin)));
        }
        Self { offers, reserve_price, reputation, idle_rounds, last_unit: None, menu }
    }

    /// The same, by somebody who knows what a unit of value was last paid.
    #[must_use]
    pub fn priced(self, last_unit: Option<u64>) -> Self {
        Self { last_unit, ..self }
    }

    /// The bid that `option` stands for.
    pub fn bid(&self, option: BidOption) -> Option<Bid> {
        let BidOption::Ask(place, margin) = option else { return None };
        let offer = self.offers.iter().find(|offer| offer.place == place)?;
        Some(Bid { contract: place, price: price(offer.cost, margin), samples: offer.samples })
    }
}

impl Question for BidderQuestion {
    type Option = BidOption;

    fn menu(&self) -> &[BidOption] {
        &self.menu
    }
}

impl Reorder for BidderQuestion {
    fn reordered(&self, order: &[usize]) -> Self {
        Self { menu: in_order(&self.menu, order), ..self.clone() }
    }
}

/// `cost` with `margin`, rounded up: nobody asks less than its cost by rounding.
pub(crate) fn price(cost: u64, margin: Margin) -> u64 {
    let price = (u128::from(cost) * u128::from(margin.permille())).div_ceil(1_000);
    u64::try_from(price).unwrap_or(u64::MAX)
}

/// What a contract costs a member, in micro-credits.
///
/// A slice of `1/d` of every layer takes between a `d`th and a `d²`th of the work: the dearer counts, rounded up, so that
/// nobody asks less than its cost.
pub fn cost(contract: &Contract, samples: u64, cost_per_sample: u64) -> u64 {
    let whole = samples.saturating_mul(u64::from(contract.epochs)).saturating_mul(cost_per_sample);
    whole.div_ceil(contract.width.divisor().into())
}

/// Asks its cost, for the contract that is cheapest per unit of value.
///
/// Under the default mechanism no other price pays better for that contract. A larger contract may earn one member more
/// ([`Surplus`](crate::rivals::Surplus)), but where all ask for it, the federation pays more for the same model:
/// `testnet agents` measures both, and this is the default because it gets most for its pay where all bid by it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cheapest;

impl Policy<BidderQuestion> for Cheapest {
    fn decide(&mut self, question: &BidderQuestion) -> Pick<BidOption> {
        let on_menu = |offer: &&Offer| question.menu().contains(&BidOption::Ask(offer.place, Margin::None));
        let unit_cost = |a: &&Offer, b: &&Offer| {
            (u128::from(a.cost) * u128::from(b.value)).cmp(&(u128::from(b.cost) * u128::from(a.value)))
        };
        let best = question.offers.iter().filter(on_menu).min_by(unit_cost);
        let option = best.map_or(BidOption::Pass, |offer| BidOption::Ask(offer.place, Margin::None));
        Pick { option, by: DecidedBy::Rules }
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::model::Width;

    use super::*;

    fn offer(place: u8, value: u64, cost: u64) -> Offer {
        Offer { place, samples: 100, value, cost }
    }

    #[test]
    fn the_rule_asks_the_cost_of_the_cheapest_unit() {
        let asks = |reserve| {
            let offers = vec![offer(0, 100, 1_000), offer(1, 190, 2_000), offer(2, 30, 200)];
            let question = BidderQuestion::new(offers, reserve, 500, 1);
            question.bid(Cheapest.decide(&question).option)
        };
        assert_eq!(
            [20, 9].map(asks),
            [Some(Bid { contract: 2, price: 200, samples: 100 }); 2],
            "whatever may be paid at the most"
        );
        assert_eq!(asks(5), None, "nothing could pay for any");
    }

    #[test]
    fn a_slice_costs_no_less_than_it_may() {
        let contract = |width| Contract { name: "two".into(), epochs: 2, width, value: 1 };
        let cost = |width| cost(&contract(width), 1_001, 3);
        assert_eq!(Width::ALL.map(cost), [6_006, 3_003, 1_502, 751, 376]);
    }

    #[test]
    fn prices_above_the_reserve_are_not_on_the_menu() {
        let question = BidderQuestion::new(vec![offer(0, 10, 100)], 11, 500, 1);
        use BidOption::{Ask, Pass};
        assert_eq!(question.menu(), [Pass, Ask(0, Margin::None), Ask(0, Margin::Slim)]);
        let dear = BidderQuestion::new(vec![offer(0, 10, 111)], 11, 500, 1);
        assert_eq!(Cheapest.decide(&dear).option, Pass);
    }
}
