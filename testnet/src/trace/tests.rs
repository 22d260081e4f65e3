//! A round by hand, replayed.

use althing_protocol::{
    hiring::{Answers, OpenBid},
    market::Mechanism,
    sim::Scenario,
    statement::{Bid, HeldOut},
};

use super::*;
use crate::trace::replay::Difference;

/// Three members, who ask 1,000, 2,000 and 3,000 for work of the same worth; two are hired, and deliver.
///
/// The budget of 900,000 is a fifth bonus. Both are paid what the third asks. Their gains are as three to one, and so are
/// their parts of the bonus of 180,000.
fn trace() -> Trace {
    let genesis = Scenario::quiet(1, 3).genesis();
    let ids: Vec<MemberId> = genesis.members.iter().map(|member| member.id).collect();
    let bid = |price| OpenBid { bid: Bid { contract: 0, price, samples: 100 }, worth: 100, weight: 100 };
    let bids = ids.iter().copied().zip([1_000, 2_000, 3_000].map(bid)).collect();
    let round = TracedRound {
        round: Round(1),
        seed: Hash([5; 32]),
        instructions: Vec::new(),
        answers: Answers { bids, countered: Vec::new(), places: 2 },
        hired: vec![ids[0], ids[1]],
        gains: [(ids[0], 300), (ids[1], 100)].into(),
        appraisals: BTreeMap::new(),
        accuracy_ppm: Some(900_000),
        convicted: Vec::new(),
        height: Height(2),
        model: genesis.task.initial_model,
        payments: [(ids[0], 3_000 + 135_000), (ids[1], 3_000 + 45_000)].into(),
        balances: [(ids[0], 138_000), (ids[1], 48_000), (ids[2], 0)].into(),
    };
    Trace { format: FORMAT.into(), genesis, rounds: vec![round] }
}

#[test]
fn the_simulator_pays_what_was_paid() {
    let trace = trace();
    let replayed = trace.replay(None).unwrap();
    assert_eq!((replayed.is_same(), &replayed.payments), (true, &trace.rounds[0].payments), "{replayed:?}");
}

#[test]
fn a_micro_credit_more_is_a_difference() {
    let mut trace = trace();
    let member = *trace.rounds[0].balances.keys().next().unwrap();
    let live = trace.rounds[0].balances.get_mut(&member).unwrap();
    *live += 1;
    let (live, replayed) = (*live, *live - 1);
    let differences = trace.replay(None).unwrap().differences;
    assert_eq!(differences, [Difference { round: Round(1), member, replayed, live }]);
}

#[test]
fn another_mechanism_pays_otherwise_and_supposes_what_nobody_measured() {
    let mut trace = trace();
    let ids: Vec<MemberId> = trace.genesis.members.iter().map(|member| member.id).collect();
    let paid = |trace: &Trace| trace.replay(Some(Mechanism::FirstPrice)).unwrap();
    let first_price = paid(&trace);
    assert_eq!(first_price.payments, [(ids[0], 136_000), (ids[1], 47_000)].into(), "each what it asked");
    assert_eq!(first_price.supposed, 0);

    trace.rounds[0].hired = vec![ids[0]];
    trace.rounds[0].gains.remove(&ids[1]);
    let supposed = paid(&trace);
    assert_eq!(supposed.payments, [(ids[0], 181_000), (ids[1], 2_000)].into(), "it never delivered, so brings nothing");
    assert_eq!(supposed.supposed, 1);
}

/// Eight members, all of whom are hired and deliver in four rounds, and find of each other's updates what is so.
fn honest_federation() -> Trace {
    let genesis = Scenario::quiet(1, 8).genesis();
    let ids: Vec<MemberId> = genesis.members.iter().map(|member| member.id).collect();
    let bid = |_| OpenBid { bid: Bid { contract: 0, price: 1_000, samples: 500 }, worth: 100, weight: 100 };
    let bids: BTreeMap<_, _> = ids.iter().map(|id| (*id, bid(id))).collect();
    let found = |appraiser: usize| {
        let of = |(maker, id): (usize, &MemberId)| {
            let near = (3 * appraiser + 5 * maker) as i64 % 7;
            (maker != appraiser).then_some((*id, 1_000 + 100 * maker as i64 + near))
        };
        let gains = ids.iter().enumerate().filter_map(of).collect();
        let held_out = HeldOut { samples: 10, accuracy_ppm: 500_000 };
        Appraisal { round: Round(1), gains, held_out, arrivals: Default::default() }
    };
    let round = |number| TracedRound {
        round: Round(number),
        seed: Hash([number as u8; 32]),
        instructions: Vec::new(),
        answers: Answers { bids: bids.clone(), countered: Vec::new(), places: 8 },
        hired: ids.clone(),
        gains: ids.iter().map(|id| (*id, 0)).collect(),
        appraisals: ids.iter().enumerate().map(|(place, id)| (*id, found(place))).collect(),
        accuracy_ppm: None,
        convicted: Vec::new(),
        height: Height(2 * number),
        model: genesis.task.initial_model,
        payments: BTreeMap::new(),
        balances: BTreeMap::new(),
    };
    let rounds = (1..=4).map(round).collect();
    Trace { format: FORMAT.into(), genesis, rounds }
}

#[test]
fn two_flatterers_of_eight_change_what_others_are_paid_by_no_more_than_their_silence() {
    let flattered = honest_federation().flatter(2).unwrap();
    assert_eq!((flattered.flatterers, flattered.groups), (2, 28));
    assert!(flattered.lied.one < 0.01 && flattered.silent.one < 0.01, "{flattered:?}");
    assert!(flattered.earned.abs() < 0.01, "{flattered:?}");
}

#[test]
fn a_majority_of_flatterers_takes_the_bonus() {
    let flattered = honest_federation().flatter(6).unwrap();
    assert!(flattered.lied.together > 0.05 && flattered.lied.above_a_twentieth > 0.5, "{flattered:?}");
    assert!(flattered.lied.one > flattered.silent.one && flattered.earned > 0.0, "{flattered:?}");
}

#[test]
fn who_cannot_flatter_is_told_so() {
    let why = |trace: &Trace, flatterers| trace.flatter(flatterers).unwrap_err().to_string();
    assert!(why(&honest_federation(), 8).contains("8 of 8 members cannot flatter"));
    assert!(why(&trace(), 1).contains("the trace holds no appraisals"));
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.json");
    let trace = trace();
    trace.save(&file).unwrap();
    assert_eq!(Trace::load(&file).unwrap(), trace);
    std::fs::write(&file, "{}").unwrap();
    assert!(Trace::load(&file).unwrap_err().to_string().contains("give the trace.json of a report"));
}
