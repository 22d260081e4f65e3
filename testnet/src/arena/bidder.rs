//! Auctions for a bidder, cleared by the protocol's own market against drawn rivals.

use althing_agents::{
    Policy,
    bidder::{self, BidOption, BidderQuestion, Cheapest, Offer},
    orders::{BidderFacts, Offered, Situation},
};
use althing_protocol::{
    genesis::Contract,
    ids::{Hash, MemberId},
    market::{self, Ask, Mechanism, Terms, Win},
    model::Width,
    statement::Marks,
};

use super::{dice::Dice, scored::Scored};

/// What it costs to train on one example, in micro-credits: from the cheapest moment of the cheapest member on.
const COST: (f64, f64) = (6.0, 18.0);

/// Examples of a member.
const SAMPLES: (f64, f64) = (100.0, 400.0);

/// Members who bid beside the contestant.
const RIVALS: (f64, f64) = (6.0, 12.0);

/// Members whom an auction hires at the most.
const WINNERS: usize = 4;

/// For all of them together, in micro-credits.
const BUDGET: u64 = 20_000;

/// For one unit of value at the most, in micro-credits.
const RESERVE: u64 = 50;

/// How often the guardian leaves a contract out.
const FORBIDDEN: f64 = 0.2;

/// The `number`th auction of `seed`. An entry is worth what delivery would pay less what the work costs, in thousands of
/// micro-credits. Resting earns nothing, and so does losing.
pub(super) fn auction(seed: u64, number: u64) -> Scored<BidderQuestion> {
    let dice = Dice::new("bidder", seed);
    let terms = Terms::new(Mechanism::Critical, BUDGET, RESERVE, WINNERS);
    let count = dice.between(RIVALS, "rivals", &[number]) as u64;
    let rivals: Vec<Ask> = (1..=count).filter_map(|rival| Some(rival_ask(&dice, number, rival)?.0)).collect();
    let own = question(&dice, number, 0).priced(last_unit(&dice, number, seed));
    let mark = mark(&dice, number, 0);
    let tie = Hash::derive("althing arena auction", &[&seed.to_le_bytes(), &number.to_le_bytes()]);
    let gain = |option: &BidOption| {
        let Some(bid) = own.bid(*option) else { return 0.0 };
        let Some(offer) = own.offers.iter().find(|offer| offer.place == bid.contract) else { return 0.0 };
        let member = id(0);
        let asks = [&rivals[..], &[Ask { member, price: bid.price, value: weighed(offer.value, mark) }]].concat();
        let won = market::clear(&asks, terms, &tie).wins.into_iter().find(|win| win.member == member);
        let paid = won.map_or(0.0, |win| win.payment as f64 - offer.cost as f64);
        paid / 1e3
    };
    let situation = Situation { bidder: told(&own, &contracts()), ..Situation::default() };
    Scored::new(own.clone(), situation, gain)
}

/// The lowest payment for one unit of value in the auction before, which the rivals had among themselves.
fn last_unit(dice: &Dice, number: u64, seed: u64) -> Option<u64> {
    let before = number.wrapping_sub(1);
    let count = dice.between(RIVALS, "rivals", &[before]) as u64;
    let bids: Vec<(Ask, u64)> = (1..=count).filter_map(|rival| rival_ask(dice, before, rival)).collect();
    let asks: Vec<Ask> = bids.iter().map(|(ask, _)| *ask).collect();
    let tie = Hash::derive("althing arena auction", &[&seed.to_le_bytes(), &before.to_le_bytes()]);
    let terms = Terms::new(Mechanism::Critical, BUDGET, RESERVE, WINNERS);
    let unit = |win: &Win| {
        let (_, value) = bids.iter().find(|(ask, _)| ask.member == win.member)?;
        win.payment.checked_div(*value)
    };
    market::clear(&asks, terms, &tie).wins.iter().filter_map(unit).min()
}

/// What a rival asks, and for a contract of which value: it is truthful, and passes where it must.
fn rival_ask(dice: &Dice, number: u64, rival: u64) -> Option<(Ask, u64)> {
    let question = question(dice, number, rival);
    let bid = question.bid(Cheapest.decide(&question).option)?;
    let offer = question.offers.iter().find(|offer| offer.place == bid.contract)?;
    let value = weighed(offer.value, mark(dice, number, rival));
    Some((Ask { member: id(rival), price: bid.price, value }, offer.value))
}

/// What a member may bid for in this auction. Its data stays the same, its costs and its guardian do not.
fn question(dice: &Dice, number: u64, member: u64) -> BidderQuestion {
    let samples = dice.between(SAMPLES, "samples", &[member]) as u64;
    let cost = dice.between(COST, "cost", &[number, member]) as u64;
    let offer = |(place, contract): (u8, &Contract)| {
        let is_forbidden = dice.happens(FORBIDDEN, "forbidden", &[number, member, place.into()]);
        let cost = bidder::cost(contract, samples, cost);
        (!is_forbidden).then_some(Offer { place, samples, value: contract.value.into(), cost })
    };
    let offers = (0_u8..).zip(&contracts()).filter_map(offer).collect();
    let reputation = dice.between((300.0, 1_000.0), "reputation", &[number, member]) as u32;
    let idle_rounds = dice.between((1.0, 12.0), "idle", &[number, member]) as u64;
    BidderQuestion::new(offers, RESERVE, reputation, idle_rounds)
}

/// What a language model is told of it, but for what came of its last bids.
pub(super) fn told(question: &BidderQuestion, menu: &[Contract]) -> BidderFacts {
    let offered = |offer: &Offer| {
        let Contract { epochs, width, .. } = *menu.get(usize::from(offer.place))?;
        let most = question.reserve_price * offer.value;
        Some(Offered { place: offer.place, epochs, width, cost: offer.cost, most })
    };
    BidderFacts { offers: question.offers.iter().filter_map(offered).collect(), ..BidderFacts::default() }
}

/// The public menu.
fn contracts() -> [Contract; 4] {
    let contract = |name: &str, epochs, width, value| Contract { name: name.to_owned(), epochs, width, value };
    [
        contract("one", 1, Width::Full, 100),
        contract("two", 2, Width::Full, 180),
        contract("half", 1, Width::Half, 60),
        contract("quarter", 1, Width::Quarter, 35),
    ]
}

/// The chair's mark, which bidders learn only when they open their bids.
fn mark(dice: &Dice, number: u64, member: u64) -> u64 {
    dice.between((Marks::LEAST.into(), Marks::MOST.into()), "mark", &[number, member]) as u64
}

fn weighed(value: u64, mark: u64) -> u64 {
    value * mark / u64::from(Marks::NEUTRAL)
}

fn id(number: u64) -> MemberId {
    MemberId(Hash::derive("althing arena bidder", &[&number.to_le_bytes()]).0)
}

#[cfg(test)]
mod tests {
    use althing_agents::{bidder::Margin, policy::Question};

    use super::*;
    use crate::arena::contestant::Context;

    #[test]
    fn asking_more_than_ones_cost_never_earns_more() {
        let mut won = 0;
        for number in 0..200 {
            let auction = auction(3, number);
            for option in auction.question().menu() {
                let BidOption::Ask(place, _) = *option else { continue };
                let honest = auction.value(&BidOption::Ask(place, Margin::None));
                assert!(honest >= auction.value(option) && honest >= 0.0, "auction {number}, {option:?}");
                won += usize::from(auction.value(option) > 0.0);
            }
        }
        assert!(won > 100, "{won} entries of 200 auctions earn something");
    }

    #[test]
    fn equal_seeds_hold_equal_auctions_and_others_do_not() {
        let all = |seed| {
            let auctions = (0..5).map(|number| auction(seed, number));
            auctions.map(|a| a.question().menu().iter().map(|o| a.value(o)).collect()).collect::<Vec<Vec<f64>>>()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        assert!(all(1).windows(2).any(|pair| pair[0] != pair[1]));
    }
}
