//! Rounds in a row, in which those who lose too often go first.

use super::*;
use crate::event::HiredBy::{self, Auction, Floor};

/// A federation of four, two of whom a round can hire, where nobody is to lose more than `max_losses` bids in a row.
fn village(max_losses: u32) -> World {
    let mut world = World::new();
    let mut genesis = world.federation.genesis;
    genesis.market.max_losses = max_losses;
    genesis.validate().unwrap();
    world.federation = Federation::new(genesis);
    world
}

/// One equal part of what the budget has for delivery.
const FLOOR_PRICE: u64 = 800;

/// What four members bid in a round, and which of the winners deliver.
struct Bids {
    prices: [Option<u64>; 4],
    marks: Option<fn(&[MemberId]) -> Marks>,
    deliver: fn(usize) -> bool,
}

impl Bids {
    const fn of(prices: [u64; 4]) -> Self {
        let [a, b, c, d] = prices;
        Self { prices: [Some(a), Some(b), Some(c), Some(d)], marks: None, deliver: |_| true }
    }
}

/// Plays a round; who is hired, for what payment and by what.
fn play(world: &World, state: &mut State, bids: &Bids) -> Vec<(usize, u64, HiredBy)> {
    let (ids, chair) = (world.ids(), state.validators().unwrap().proposer(0));
    let marks = bids.marks.map(|marks| world.sign(&chair, &marks(&ids)));
    let seen = marks.as_ref().map(Signed::digest);
    let asked = ids.iter().zip(bids.prices).filter_map(|(who, price)| Some((who, price?)));
    let evidence = PlanEvidence {
        instructions: Vec::new(),
        bids: asked.map(|(who, price)| world.bid_in(state.round, who, price, seen)).collect(),
        marks,
        counter_offers: None,
        replies: Vec::new(),
    };
    let (planned, outcome) = world.decide(state, Evidence::Plan(evidence)).unwrap();
    assert_conserved(&planned);
    let Outcome::Planned { awards, .. } = outcome else { panic!("{outcome:?}") };
    let place = |who: &MemberId| ids.iter().position(|id| id == who).unwrap();
    let mut updates: Vec<_> =
        awards.iter().map(|award| award.member).filter(|who| (bids.deliver)(place(who))).collect();
    updates.sort_unstable();
    let offer = |who: &MemberId| {
        let offer = UpdateOffer { round: planned.round, ..world.update(who, 1).peek().unwrap() };
        world.sign(who, &offer)
    };
    let settle = SettleEvidence {
        updates: updates.iter().map(offer).collect(),
        refused: BTreeMap::new(),
        appraisals: Vec::new(),
        model: planned.model,
        turn: world.turn(&planned),
        equivocations: Vec::new(),
    };
    *state = world.decide(&planned, Evidence::Settle(settle)).unwrap().0;
    awards.iter().map(|award| (place(&award.member), award.payment, award.hired_by)).collect()
}

const USUAL: Bids = Bids::of([100, 200, 300, 400]);

/// What the auction makes of the usual bids.
const CHEAPEST: [(usize, u64, HiredBy); 2] = [(0, 300, Auction), (1, 300, Auction)];

/// The round's hired, in the order of their places.
fn sorted_hires(mut hires: Vec<(usize, u64, HiredBy)>) -> Vec<(usize, u64, HiredBy)> {
    hires.sort_unstable();
    hires
}

#[test]
fn who_loses_too_often_goes_first_and_then_takes_its_turn_again() {
    // Hiring all four takes two rounds, so a member is overdue with one loss fewer than the three that are allowed.
    let (world, mut state) = (village(3), State::genesis(&village(3).federation));
    for round in 1..=3 {
        let begun = 3 * (round - 1) + 1;
        assert_eq!(state.round, Round(begun));
        assert_eq!(play(&world, &mut state, &USUAL), CHEAPEST, "in round {begun}");
        assert_eq!(play(&world, &mut state, &USUAL), CHEAPEST, "in the round after {begun}");
        let served = sorted_hires(play(&world, &mut state, &USUAL));
        assert_eq!(served, [(2, FLOOR_PRICE, Floor), (3, FLOOR_PRICE, Floor)], "in the third round from {begun}");
    }
}

#[test]
fn without_a_floor_the_cheapest_always_win() {
    let (world, mut state) = (village(0), State::genesis(&village(0).federation));
    for _ in 0..8 {
        assert_eq!(play(&world, &mut state, &USUAL), CHEAPEST);
    }
    assert_eq!(state.ledger.accounts[&world.ids()[3]].losses, 8, "it is counted all the same");
}

#[test]
fn neither_marks_nor_the_chairs_number_of_winners_keep_the_overdue_out() {
    let (world, mut state) = (village(3), State::genesis(&village(3).federation));
    let against = |ids: &[MemberId]| Marks {
        round: Round(3),
        hire: 1,
        weights: BTreeMap::from([(ids[0], Marks::MOST), (ids[2], Marks::LEAST), (ids[3], Marks::LEAST)]),
    };
    play(&world, &mut state, &USUAL);
    play(&world, &mut state, &USUAL);
    let served = sorted_hires(play(&world, &mut state, &Bids { marks: Some(against), ..USUAL }));
    assert_eq!(served, [(2, FLOOR_PRICE, Floor), (3, FLOOR_PRICE, Floor)]);
}

#[test]
fn the_auction_has_what_the_floor_leaves() {
    let (world, mut state) = (village(3), State::genesis(&village(3).federation));
    let three = Bids { prices: [Some(100), Some(200), Some(300), None], ..USUAL };
    play(&world, &mut state, &three);
    play(&world, &mut state, &three);
    assert_eq!(play(&world, &mut state, &three), [(2, FLOOR_PRICE, Floor), (0, 200, Auction)]);
}

#[test]
fn who_asks_more_than_the_floor_pays_begins_anew() {
    let (world, mut state) = (village(3), State::genesis(&village(3).federation));
    play(&world, &mut state, &USUAL);
    play(&world, &mut state, &USUAL);
    // Alone with this price the third would win the auction; but it is overdue, and has one price to hope for.
    let dear = Bids { prices: [Some(100), None, Some(FLOOR_PRICE + 1), None], ..USUAL };
    assert_eq!(play(&world, &mut state, &dear), [(0, 1_000, Auction)]);
    assert_eq!(state.ledger.accounts[&world.ids()[2]].losses, 0);
    assert_eq!(state.ledger.accounts[&world.ids()[3]].losses, 2, "a round without its bid changes nothing");
    assert_eq!(play(&world, &mut state, &USUAL), [(3, FLOOR_PRICE, Floor), (0, 200, Auction)]);
}

#[test]
fn who_does_not_deliver_waits_longer() {
    let (world, mut state) = (village(3), State::genesis(&village(3).federation));
    let idle = Bids { deliver: |place| place != 3, ..USUAL };
    let mut waits = Vec::new();
    let mut waited = 0;
    for _ in 0..12 {
        match play(&world, &mut state, &idle).contains(&(3, FLOOR_PRICE, Floor)) {
            true => waits.push(std::mem::take(&mut waited)),
            false => waited += 1,
        }
    }
    assert_eq!(waits, [2, 4], "twice as long after one delivery that is missing, and so on");
}

#[test]
fn a_round_that_hires_nobody_passes_nobody_over() {
    let mut world = village(3);
    let mut genesis = world.federation.genesis;
    genesis.market.min_winners = 2;
    world.federation = Federation::new(genesis);
    let mut state = State::genesis(&world.federation);
    let alone = Bids { prices: [None, None, None, Some(1)], ..USUAL };
    assert_eq!(play(&world, &mut state, &alone), []);
    assert_eq!(state.ledger.accounts[&world.ids()[3]].losses, 0);
}
