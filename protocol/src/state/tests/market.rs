//! Plans under every mechanism, with too few bidders, caps and deposits.

use super::*;

/// A federation of four, two of whom a round can hire, with a market of its own.
fn village(change: impl Fn(&mut Market)) -> World {
    let mut world = World::new();
    let mut genesis = world.federation.genesis;
    change(&mut genesis.market);
    genesis.validate().unwrap();
    world.federation = Federation::new(genesis);
    world
}

/// A state in which every member owns so much.
fn rich(world: &World, each: u64) -> State {
    let mut state = State::genesis(&world.federation);
    for account in state.ledger.accounts.values_mut() {
        account.balance = each;
        state.ledger.minted += each;
    }
    state
}

/// Who is hired of four that ask 100, 200, 300 and 400 for ten units of value, and for what payment.
fn hired(world: &World) -> Vec<(usize, u64)> {
    let Stage::Settling(awards) = world.planned().stage else { return Vec::new() };
    let place = |member| world.ids().iter().position(|id| *id == member).unwrap();
    let mut hired: Vec<_> = awards.iter().map(|award| (place(award.member), award.payment)).collect();
    hired.sort_unstable();
    hired
}

#[test]
fn the_genesis_says_how_a_plan_is_cleared() {
    let under = |mechanism| hired(&village(|market| market.mechanism = mechanism));
    assert_eq!(under(Mechanism::Critical), [(0, 300), (1, 300)]);
    // There are 1,600 for delivery, so twenty units of value may cost 80 each, less than the reserve price of 100.
    assert_eq!(under(Mechanism::Vcg), [(0, 300), (1, 300)]);
    assert_eq!(under(Mechanism::FirstPrice), [(0, 100), (1, 200)]);
    assert_eq!(under(Mechanism::Posted { per_value: 20 }), [(0, 200), (1, 200)]);
    let fixed = under(Mechanism::Fixed);
    assert!(fixed.len() == 2 && fixed.iter().all(|(_, payment)| *payment == 800), "{fixed:?}");
}

#[test]
fn too_few_bidders_do_not_compete() {
    assert_eq!(hired(&village(|market| market.min_bidders = 4)).len(), 2);
    let world = village(|market| market.min_bidders = 4);
    let state = State::genesis(&world.federation);
    let mut evidence = world.plan_evidence();
    evidence.bids.pop();
    let (next, outcome) = world.decide(&state, Evidence::Plan(evidence)).unwrap();
    let Outcome::Planned { awards, bids: 3, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((awards, next.ledger.pool), (Vec::new(), 10_000));
    assert_conserved(&next);
}

#[test]
fn nobody_is_paid_more_than_its_share() {
    let world = village(|market| {
        market.max_share_permille = 500;
        market.max_winners = 3;
    });
    // Half of 1,600; the second and third are dropped from the bids, so nothing else would hold the first price down.
    let state = State::genesis(&world.federation);
    let mut evidence = world.plan_evidence();
    evidence.bids.truncate(1);
    let (_, outcome) = world.decide(&state, Evidence::Plan(evidence)).unwrap();
    let Outcome::Planned { awards, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(awards.iter().map(|award| award.payment).collect::<Vec<_>>(), [800]);
}

#[test]
fn a_deposit_comes_back_with_delivery_and_is_forfeited_without() {
    let world = village(|market| market.deposit_permille = 500);
    let ids = world.ids();
    let state = world.decide(&rich(&world, 120), Evidence::Plan(world.plan_evidence())).unwrap().0;
    // Half of 300 is more than they have.
    assert_eq!(state.ledger.escrow.deposits, BTreeMap::from([(ids[0], 120), (ids[1], 120)]));
    assert_eq!([0, 1, 2].map(|n| state.ledger.accounts[&ids[n]].balance), [0, 0, 120]);
    assert_conserved(&state);
    let mut evidence = world.settle_evidence(&state);
    evidence.updates.truncate(1);
    let pool = state.ledger.pool;
    let (next, outcome) = world.decide(&state, Evidence::Settle(evidence)).unwrap();
    let Outcome::Settled(settlement) = outcome else { panic!("{outcome:?}") };
    assert_eq!(settlement.payments, BTreeMap::from([(ids[0], 300 + 400)]), "a deposit is no pay");
    assert_eq!([0, 1].map(|n| next.ledger.accounts[&ids[n]].balance), [120 + 700, 0]);
    assert_eq!(next.ledger.pool, pool + 300 + 120, "the award and the deposit of who has not delivered");
    assert_conserved(&next);
}

#[test]
fn who_owns_nothing_is_hired_without_a_deposit() {
    let world = village(|market| market.deposit_permille = 1_000);
    let state = world.planned();
    assert_eq!((state.ledger.escrow.awards.len(), state.ledger.escrow.deposits.len()), (2, 0));
    assert_conserved(&state);
}

#[test]
fn a_deposit_that_appears_from_nowhere_is_refused() {
    let world = village(|market| market.deposit_permille = 500);
    let mut state = world.decide(&rich(&world, 120), Evidence::Plan(world.plan_evidence())).unwrap().0;
    *state.ledger.escrow.deposits.get_mut(&world.ids()[0]).unwrap() += 1;
    let error = world.decide(&state, Evidence::Settle(world.settle_evidence(&state))).unwrap_err();
    assert!(matches!(error, Invalid::Ledger(LedgerError::Unbalanced { .. })), "{error:?}");
}
