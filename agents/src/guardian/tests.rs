use std::time::Duration;

use althing_protocol::ids::{Hash, Round};

use super::*;
use crate::privacy::{Budget, Debit, Ticket, Training};

fn contract(epochs: u32, width: Width) -> Contract {
    Contract { name: format!("{epochs} epochs of {width}"), epochs, width, value: 100 }
}

/// A machine that takes so long for one of its 1,000 examples, and for a quarter of the model a tenth of that.
fn capacity(us_per_sample: u64) -> Capacity {
    let need = |us| Need { time_per_sample: Duration::from_micros(us), load_permille: 1_000, memory_bytes: 1_000_000 };
    Capacity {
        samples: 1_000,
        deadline: Duration::from_secs(10),
        machine: Machine { cores: 2, free_memory_bytes: 1 << 30, load_permille: 1_000 },
        max_load_permille: None,
        needs: [(Width::Full, need(us_per_sample)), (Width::Quarter, need(us_per_sample / 10))].into(),
    }
}

fn contracts() -> [Contract; 3] {
    [contract(1, Width::Full), contract(2, Width::Full), contract(1, Width::Quarter)]
}

/// What the rule lets a machine do, in words and contract by contract.
fn ruled(capacity: Capacity, means: Means<'_>) -> (String, [bool; 3]) {
    let question = GuardianQuestion::new(capacity, &contracts(), means);
    let stint = WhatFits.decide(&question).option;
    assert!(question.menu().contains(&stint));
    (question.words(stint), contracts().map(|contract| question.allows(stint, &contract)))
}

#[test]
fn a_slow_machine_works_on_narrow_contracts_only() {
    let allowed = |us| ruled(capacity(us), Means::Unlimited);
    assert_eq!(allowed(5_000).1, [true, true, true]);
    assert_eq!(allowed(10_000).1, [true, false, true]);
    assert_eq!(allowed(50_000), ("all the time, width 1/4 at most".into(), [false, false, true]));
    assert_eq!(allowed(200_000), ("rest: no contract fits this machine in time".into(), [false; 3]));
}

#[test]
fn the_menu_goes_from_rest_to_all_that_fits_and_holds_nothing_else() {
    let question = GuardianQuestion::new(capacity(10_000), &contracts(), Means::Unlimited);
    let work = |effort, widest| Stint::Work { effort, widest };
    assert_eq!(
        question.menu(),
        [
            Stint::Rest,
            work(Effort::Half, Width::Quarter),
            work(Effort::Full, Width::Quarter),
            work(Effort::Full, Width::Full)
        ]
    );
    let narrow = work(Effort::Full, Width::Quarter);
    assert_eq!(contracts().map(|contract| question.allows(narrow, &contract)), [false, false, true]);
}

#[test]
fn a_loaded_machine_rests_and_says_so() {
    let mut busy = Capacity { max_load_permille: Some(1_500), ..capacity(1_000) };
    assert_eq!(ruled(busy.clone(), Means::Unlimited).1, [true; 3]);
    busy.machine.load_permille = 1_501;
    assert_eq!(ruled(busy.clone(), Means::Unlimited), ("rest: the machine is busy".into(), [false; 3]));
    // Without a limit, it works while it can in time.
    busy.max_load_permille = None;
    assert_eq!(ruled(busy.clone(), Means::Unlimited).1, [true; 3]);
    busy.machine.load_permille = 11_000;
    assert_eq!(ruled(busy, Means::Unlimited).1, [false, false, true]);
}

#[test]
fn a_spent_budget_rests_and_says_so() {
    let plan = Plan::new(100, 1_000, 2).unwrap();
    let mut filter = plan.open(Budget::new(2.0, 1e-5).unwrap(), 1).unwrap();
    for round in [1, 2].map(Round) {
        let means = Means::Budget { plan: &plan, filter: &filter, round, least_micro: 0 };
        assert_eq!(ruled(capacity(1_000), means).1, [true; 3]);
        let terms = plan.terms(&filter, &Training::of(round, 1), Pace::Even).unwrap();
        let ticket = Ticket { round, contract: Hash::ZERO };
        let debit = filter.debit(plan.spend(terms).unwrap(), ticket).unwrap();
        assert!(matches!(debit, Debit::Fresh(_)));
    }
    let means = Means::Budget { plan: &plan, filter: &filter, round: Round(3), least_micro: 0 };
    let (words, allowed) = ruled(capacity(1_000), means);
    assert_eq!((words.as_str(), allowed), ("rest: the privacy budget does not pay for it", [false; 3]));
}

#[test]
fn a_sponsor_that_wants_clearer_updates_than_the_budget_pays_for_gets_none() {
    let plan = Plan::new(100, 1_000, 2).unwrap();
    let filter = plan.open(Budget::new(2.0, 1e-5).unwrap(), 1).unwrap();
    let round = Round(1);
    let means = |least_micro| Means::Budget { plan: &plan, filter: &filter, round, least_micro };
    let wanting = |least_micro| ruled(capacity(1_000), means(least_micro)).1;
    let most =
        filter.cost_micro(&plan.spend(plan.terms(&filter, &Training::of(round, 1), Pace::Spend).unwrap()).unwrap());
    assert_eq!(wanting(most), [true; 3]);
    assert_eq!(wanting(most + 1), [false, true, false], "two passes cost more than one");
    assert_eq!(wanting(2_000_000), [false; 3]);
}

#[test]
fn a_machine_without_data_rests() {
    let idle = Capacity { samples: 0, ..capacity(1) };
    assert_eq!(GuardianQuestion::new(idle, &contracts(), Means::Unlimited).menu(), [Stint::Rest]);
}
