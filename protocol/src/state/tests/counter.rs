//! Plans with counter-offers, good and bad.

use super::*;
use crate::{
    event::HiredBy::{self, Auction, CounterOffer as Countered},
    statement::{CounterOffer, CounterOffers, CounterReply, Reply},
};

/// What a contract of the menu pays in the first round: half of what the budget has for delivery.
const POSTED: u64 = 800;

/// A federation of four with two contracts, two of whom a round can hire and two of whom the chair may make an offer.
fn market_town() -> World {
    let mut world = World::new();
    let mut genesis = world.federation.genesis;
    genesis.market.max_counter_offers = 2;
    genesis.agreement.propose_ms = 200;
    genesis.contracts.push(Contract { name: "two".into(), epochs: 2, width: Width::Full, value: 20 });
    genesis.validate().unwrap();
    world.federation = Federation::new(genesis);
    world
}

/// The chair of the first round, and the others.
fn roles(world: &World) -> (MemberId, Vec<MemberId>) {
    let chair = State::genesis(&world.federation).validators().unwrap().proposer(0);
    (chair, world.ids().into_iter().filter(|id| *id != chair).collect())
}

fn offer(member: MemberId) -> CounterOffer {
    CounterOffer { member, contract: 1, price: POSTED }
}

/// Four bids for the first contract, at these prices, with offers of the chair's and replies to them.
fn plan(world: &World, prices: [u64; 4], offers: Vec<CounterOffer>, replies: &[(MemberId, Reply)]) -> PlanEvidence {
    let (chair, _) = roles(world);
    let bids = world.ids().iter().zip(prices).map(|(who, price)| world.bid(who, price, None)).collect();
    let made = world.sign(&chair, &CounterOffers { round: Round(1), offers });
    let digest = made.digest();
    let mut replies: Vec<_> = replies
        .iter()
        .map(|(who, reply)| world.sign(who, &CounterReply { round: Round(1), offers: digest, reply: *reply }))
        .collect();
    replies.sort_by_key(|reply| reply.signer);
    PlanEvidence { instructions: Vec::new(), marks: None, bids, counter_offers: Some(made), replies }
}

fn awards(world: &World, evidence: PlanEvidence) -> Vec<(MemberId, u8, u64, HiredBy)> {
    let (state, outcome) = world.decide(&State::genesis(&world.federation), Evidence::Plan(evidence)).unwrap();
    assert_conserved(&state);
    let Outcome::Planned { awards, .. } = outcome else { panic!("{outcome:?}") };
    awards.into_iter().map(|award| (award.member, award.contract, award.payment, award.hired_by)).collect()
}

/// Everybody asks the same but the first of those who are not in the chair, who asks too much to win.
fn prices(world: &World) -> [u64; 4] {
    let (_, others) = roles(world);
    let ids = world.ids();
    [0, 1, 2, 3].map(|place| if ids[place] == others[0] { 900 } else { 100 })
}

#[test]
fn who_accepts_is_hired_under_the_other_contract_and_the_auction_has_the_rest() {
    let world = market_town();
    let (_, others) = roles(&world);
    let evidence = plan(&world, prices(&world), vec![offer(others[0])], &[(others[0], Reply::Accept)]);
    let awards = awards(&world, evidence);
    assert_eq!(awards[0], (others[0], 1, POSTED, Countered));
    assert_eq!(awards.len(), 2, "one place of two is left");
    assert_eq!((awards[1].1, awards[1].3), (0, Auction));
    assert!(awards[1].2 <= POSTED, "half of the budget is left");
}

#[test]
fn silence_and_refusal_leave_the_bids_as_they_are() {
    let world = market_town();
    let (_, others) = roles(&world);
    let without = PlanEvidence { counter_offers: None, ..plan(&world, prices(&world), vec![offer(others[0])], &[]) };
    let usual = awards(&world, without);
    assert!(usual.iter().all(|(_, contract, _, by)| (*contract, *by) == (0, Auction)));
    let silent = plan(&world, prices(&world), vec![offer(others[0]), offer(others[1])], &[]);
    assert_eq!(awards(&world, silent), usual);
    let declined = plan(&world, prices(&world), vec![offer(others[0])], &[(others[0], Reply::Decline)]);
    assert_eq!(awards(&world, declined), usual);
}

#[test]
fn two_who_accept_fill_the_house() {
    let world = market_town();
    let (_, others) = roles(&world);
    let both = vec![offer(others[1]), offer(others[0])];
    let yes = [(others[0], Reply::Accept), (others[1], Reply::Accept)];
    let awards = awards(&world, plan(&world, [1; 4], both, &yes));
    assert_eq!(awards, [(others[1], 1, POSTED, Countered), (others[0], 1, POSTED, Countered)]);
}

#[test]
fn no_other_price_earns_more_than_the_true_cost_beside_counter_offers() {
    let world = market_town();
    let (ids, (_, others)) = (world.ids(), roles(&world));
    let costs = [150, 300, 450, 600];
    for reply in [Reply::Accept, Reply::Decline] {
        let gain = |prices: [u64; 4], place: usize| {
            let evidence = plan(&world, prices, vec![offer(others[1])], &[(others[1], reply)]);
            let won = awards(&world, evidence).into_iter().find(|award| award.0 == ids[place]);
            // The other contract takes twice the work.
            won.map_or(0, |(_, contract, payment, _)| payment as i64 - costs[place] as i64 * (1 + i64::from(contract)))
        };
        for place in 0..4 {
            let honest = gain(costs, place);
            for lie in (0..=1_200).step_by(100) {
                let mut prices = costs;
                prices[place] = lie;
                assert!(gain(prices, place) <= honest, "{place} asks {lie}, {reply:?}");
            }
        }
    }
}

#[test]
fn counter_offers_that_break_the_rules_are_invalid() {
    let world = market_town();
    let (chair, others) = roles(&world);
    let by = |who: &MemberId, round| {
        let made = CounterOffers { round, offers: vec![offer(others[0])] };
        PlanEvidence { counter_offers: Some(world.sign(who, &made)), ..plan(&world, prices(&world), Vec::new(), &[]) }
    };
    let with = |offers: Vec<CounterOffer>| plan(&world, prices(&world), offers, &[]);
    let yes =
        |who: &MemberId, round, digest| world.sign(who, &CounterReply { round, offers: digest, reply: Reply::Accept });
    let good = || with(vec![offer(others[0]), offer(others[1])]);
    let digest = good().counter_offers.unwrap().digest();
    let replied = |replies| PlanEvidence { replies, ..good() };
    let mut absent = good();
    absent.bids.retain(|(commit, _)| commit.signer != others[0]);
    let table: Vec<(&str, &str, PlanEvidence)> = vec![
        ("three offers", "out of bounds", with(others.iter().map(|who| offer(*who)).collect())),
        ("no offer", "out of bounds", with(Vec::new())),
        ("two to one", "out of bounds", with(vec![offer(others[0]); 2])),
        ("to the chair", "out of bounds", with(vec![offer(chair)])),
        ("to no bidder", "out of bounds", absent),
        ("a price off the rule", "out of bounds", with(vec![CounterOffer { price: POSTED + 1, ..offer(others[0]) }])),
        ("a lower price", "out of bounds", with(vec![CounterOffer { price: POSTED - 1, ..offer(others[0]) }])),
        ("off the menu", "out of bounds", with(vec![CounterOffer { contract: 2, ..offer(others[0]) }])),
        ("what it has bid for", "out of bounds", with(vec![CounterOffer { contract: 0, ..offer(others[0]) }])),
        ("another round's", "out of bounds", by(&chair, Round(2))),
        ("not the chair's", "had no say in its counter-offers", by(&others[2], Round(1))),
        ("a reply of one not asked", "had no say", replied(vec![yes(&others[2], Round(1), digest)])),
        ("a reply to other offers", "out of bounds", replied(vec![yes(&others[0], Round(1), Hash::ZERO)])),
        ("a reply of another round", "out of bounds", replied(vec![yes(&others[0], Round(2), digest)])),
        ("two replies of one", "twice", replied(vec![yes(&others[0], Round(1), digest); 2])),
        (
            "a reply to nothing",
            "had no say",
            PlanEvidence { counter_offers: None, ..replied(vec![yes(&others[0], Round(1), digest)]) },
        ),
    ];
    let state = State::genesis(&world.federation);
    for (what, wanted, evidence) in table {
        let error = world.decide(&state, Evidence::Plan(evidence)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{what}: {error:?} where {wanted:?} was expected");
    }
    assert!(world.decide(&state, Evidence::Plan(good())).is_ok());
    let closed = World::new();
    let (_, others) = roles(&closed);
    let error = closed
        .decide(&State::genesis(&closed.federation), Evidence::Plan(plan(&closed, [1; 4], vec![offer(others[0])], &[])))
        .unwrap_err();
    assert!(error.to_string().contains("out of bounds"), "a genesis without counter-offers: {error}");
}

#[test]
fn who_is_overdue_gets_no_counter_offer() {
    let world = market_town();
    let (chair, others) = roles(&world);
    let mut federation = world.federation.clone();
    federation.genesis.market.max_losses = 3;
    let mut state = State::genesis(&federation);
    assert!(state.may_be_offered(&federation, &chair, &others[0]));
    assert!(!state.may_be_offered(&federation, &chair, &chair));
    if let Some(account) = state.ledger.accounts.get_mut(&others[0]) {
        account.losses = 2;
    }
    assert!(!state.may_be_offered(&federation, &chair, &others[0]));
}
