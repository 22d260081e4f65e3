//! Jobs: who pays for a round, what comes back, and when a job ends.

use super::{
    instruct::{nothing, only, village},
    *,
};
use crate::{
    ids::JobId,
    ledger::{End, InstructionError, Work},
    statement::{Action, JobTerms},
};

fn terms(rounds: u32, deadline: u64) -> JobTerms {
    JobTerms {
        budget_per_round: 1_000,
        rounds,
        deadline: Round(deadline),
        target_accuracy_ppm: None,
        min_epsilon_micro: 0,
    }
}

/// The state in which round 2 opens, after the sponsor has funded these jobs in round 1.
fn funded(world: &World, jobs: &[JobTerms]) -> State {
    let said = jobs.iter().zip(0..).map(|(terms, nonce)| world.instruct(&world.sponsor(), nonce, Action::Fund(*terms)));
    let planned = world.after(&State::genesis(&world.federation), said.collect()).unwrap();
    empty(world, &planned)
}

/// The state after a Settle without updates.
fn empty(world: &World, planned: &State) -> State {
    let evidence = SettleEvidence { turn: world.turn(planned), ..nothing(planned) };
    world.decide(planned, Evidence::Settle(evidence)).unwrap().0
}

/// A Plan of the state's round in which all four members bid 100, 200, 300 and 400.
fn plan(world: &World, state: &State) -> State {
    let bids = world.members().iter().zip(1..).map(|(who, n)| world.bid_in(state.round, who, n * 100, None)).collect();
    world.decide(state, Evidence::Plan(PlanEvidence { bids, ..only(Vec::new()) })).unwrap().0
}

/// A Settle in which the two winners deliver, at this cost in privacy.
fn deliver(world: &World, planned: &State, epsilon_micro: u64) -> Result<(State, Outcome), Invalid> {
    let winners = world.members().into_iter().take(2);
    let updates = winners.zip(1..).map(|(who, n)| {
        let update = BlobRef { hash: Hash([n; 32]), size: 400 };
        let offer =
            UpdateOffer { round: planned.round, contract: 0, update, samples: 10, training_ms: 5, epsilon_micro };
        world.sign(&who, &offer)
    });
    let gains = world.members().into_iter().zip([300, 100]).collect();
    let appraisal = world.sign(
        &world.members()[3],
        &Appraisal { round: planned.round, gains, held_out: HELD_OUT, arrivals: ByteBuf::new() },
    );
    let model = BlobRef { hash: Hash([planned.round.0 as u8; 32]), size: 400 };
    let evidence = SettleEvidence {
        updates: updates.collect(),
        appraisals: vec![appraisal],
        model,
        turn: world.turn(planned),
        ..nothing(planned)
    };
    world.decide(planned, Evidence::Settle(evidence))
}

#[test]
fn a_job_pays_for_its_round_and_gets_back_what_is_left() {
    let world = village();
    let state = funded(&world, &[terms(1, 9)]);
    assert_eq!(state.ledger.open_job, Some(JobId(1)));
    assert_eq!(
        (state.ledger.jobs[&JobId(1)].left, state.ledger.standing(&world.sponsor())),
        (1_000, Some((1, 999_000)))
    );
    let minted = state.ledger.minted;

    let planned = plan(&world, &state);
    assert_eq!(planned.ledger.minted, minted, "a round that a sponsor pays for mints nothing");
    assert_eq!(planned.ledger.pool, state.ledger.pool);
    // Of the 1,000 a fifth is for contribution. The two cheapest are paid the third's price, 300 each.
    assert_eq!((planned.ledger.jobs[&JobId(1)].left, planned.ledger.escrow.bonus), (200, 200));
    assert_conserved(&planned);

    let (next, outcome) = deliver(&world, &planned, 0).unwrap();
    let Outcome::Settled(settlement) = outcome else { panic!("{outcome:?}") };
    let [ended] = &settlement.ended[..] else { panic!("{:?}", settlement.ended) };
    assert_eq!((ended.id, ended.end, ended.round, ended.job.rounds), (JobId(1), End::Worked, Round(2), 1));
    assert_eq!((ended.model, ended.job.left), (next.model, 200));
    let work = |updates, paid| Work { updates, paid };
    let [first, second, ..] = world.members()[..] else { unreachable!() };
    assert_eq!(ended.job.work, BTreeMap::from([(first, work(1, 300 + 150)), (second, work(1, 300 + 50))]));
    assert_eq!(next.ledger.standing(&world.sponsor()), Some((1, 999_200)));
    assert!(next.ledger.jobs.is_empty() && next.ledger.open_job.is_none());
    assert_conserved(&next);
    assert!(plan(&world, &next).ledger.minted > minted, "without a sponsor the schedule goes on");
}

#[test]
fn jobs_take_turns_in_the_order_of_funding() {
    let world = village();
    let mut state = funded(&world, &[terms(2, 99), terms(3, 99), terms(1, 99)]);
    let mut turns = Vec::new();
    while let Some(job) = state.ledger.open_job {
        turns.push(job.0);
        state = deliver(&world, &plan(&world, &state), 0).unwrap().0;
    }
    assert_eq!(turns, [1, 2, 3, 1, 2, 2]);
    assert_conserved(&state);
}

#[test]
fn a_job_ends_early_once_its_accuracy_is_measured() {
    let world = village();
    let measured = HELD_OUT.accuracy_ppm;
    let state = funded(&world, &[JobTerms { target_accuracy_ppm: Some(measured + 1), ..terms(3, 99) }]);
    let state = deliver(&world, &plan(&world, &state), 0).unwrap().0;
    assert!(state.ledger.ended.is_empty(), "a millionth is missing");

    let state = funded(&world, &[JobTerms { target_accuracy_ppm: Some(measured), ..terms(3, 99) }]);
    let state = deliver(&world, &plan(&world, &state), 0).unwrap().0;
    let [ended] = &state.ledger.ended[..] else { panic!("{:?}", state.ledger.ended) };
    assert_eq!((ended.end, ended.job.rounds, ended.job.left), (End::Reached, 1, 2_200));
    assert_eq!(state.ledger.standing(&world.sponsor()), Some((1, 999_200)));
    assert_conserved(&state);
}

#[test]
fn a_round_without_work_costs_a_job_nothing_until_it_expires() {
    let world = village();
    let mut state = funded(&world, &[terms(5, 3)]);
    for round in [2, 3] {
        assert_eq!((state.round, state.ledger.open_job), (Round(round), Some(JobId(1))));
        state = empty(&world, &world.after(&state, Vec::new()).unwrap());
    }
    let [ended] = &state.ledger.ended[..] else { panic!("{:?}", state.ledger.ended) };
    assert_eq!((ended.end, ended.job.rounds, ended.job.left), (End::Expired, 0, 5_000));
    assert_eq!(state.ledger.standing(&world.sponsor()), Some((1, 1_000_000)));
    let later = empty(&world, &world.after(&state, Vec::new()).unwrap());
    assert!(later.ledger.ended.is_empty(), "a state remembers the jobs of one Settle");
    assert_conserved(&later);
}

#[test]
fn an_update_that_is_too_noisy_for_the_sponsor_is_not_settled() {
    let world = village();
    let state = funded(&world, &[JobTerms { min_epsilon_micro: 500, ..terms(1, 9) }]);
    let planned = plan(&world, &state);
    assert!(matches!(deliver(&world, &planned, 499), Err(Invalid::OutOfBounds { what: "update", .. })));
    assert!(deliver(&world, &planned, 500).is_ok());
    assert!(deliver(&world, &planned, 0).is_ok(), "without noise nothing is hidden");
}

#[test]
fn terms_that_nobody_could_keep_are_refused() {
    let world = village();
    let state = State::genesis(&world.federation);
    let refused =
        |terms| world.after(&state, vec![world.instruct(&world.sponsor(), 0, Action::Fund(terms))]).unwrap_err();
    let table = [
        JobTerms { budget_per_round: 0, ..terms(1, 9) },
        terms(0, 9),
        terms(1, 1),
        JobTerms { target_accuracy_ppm: Some(1_000_001), ..terms(1, 9) },
    ];
    for terms in table {
        assert_eq!(refused(terms), Invalid::Instruction(InstructionError::Terms(Round(1))), "{terms:?}");
    }
    let dear = refused(terms(1_001, 9)).to_string();
    assert!(dear.contains("owns 1000000 micro-credits, and 1001000 are asked for"), "{dear}");
}
