use super::*;
use crate::arena::contestant::{Context, Failure};

/// Answers by a rule.
struct By<F>(F);

impl<Q, F> Contestant<Scored<Q>> for By<F>
where
    Q: althing_agents::policy::Reorder + Clone,
    F: FnMut(&Q) -> Q::Option + Send,
{
    fn answer(&mut self, context: &Scored<Q>) -> Result<Q::Option, Failure> {
        Ok((self.0)(context.question()))
    }
}

#[test]
fn resting_is_the_measure_and_equal_seeds_ask_alike() {
    let contexts = stints(3, 0, 3).unwrap();
    assert!(!contexts.is_empty());
    for context in &contexts {
        assert_eq!(context.value(&Stint::Rest), 0.0);
        let best = context.question().menu().iter().map(|stint| context.value(stint)).fold(0.0, f64::max);
        assert!((0.0..3.0).contains(&best), "{best} contracts of a full pass");
    }
    let values = |contexts: Vec<Scored<GuardianQuestion>>| -> Vec<Vec<f64>> {
        contexts
            .iter()
            .map(|context| context.question().menu().iter().map(|stint| context.value(stint)).collect())
            .collect()
    };
    assert_eq!(values(contexts), values(stints(3, 0, 3).unwrap()));
    assert_ne!(values(stints(3, 1, 3).unwrap()), values(stints(3, 0, 3).unwrap()));
}

#[test]
fn a_pace_is_judged_by_the_whole_shift() {
    let contexts: Vec<_> = (0..3).flat_map(|number| paces(3, number, 4).unwrap()).collect();
    let first_round = |context: &&Scored<PaceQuestion>| context.question().trainings_ahead == 12;
    let early = contexts.iter().find(first_round).unwrap();
    let [save, even, spend] = [0, 1, 2].map(|place| early.question().menu()[place]);
    assert!(even.terms.sigma_milli < save.terms.sigma_milli && spend.terms.sigma_milli < even.terms.sigma_milli);
    // Less noise teaches more in the round itself; only what it takes from later ones can turn that around.
    let turned = contexts.iter().filter(|context| {
        let menu = context.question().menu();
        menu.first().zip(menu.last()).is_some_and(|(slow, fast)| context.value(fast) < context.value(slow))
    });
    assert!(turned.count() > 0, "spending is not always best");
}

#[test]
fn nobody_spends_more_than_the_budget_and_nobody_who_rests_spends_any() {
    let fastest = |question: &PaceQuestion| *question.menu().iter().max_by_key(|option| option.pace).unwrap();
    let end = play(1, 0, &mut Hand::Pace(&mut By(fastest))).unwrap();
    assert!(end.spent > 0.9 && end.spent <= 1.0 && end.work > 0.0, "{end:?}");
    let end = play(1, 0, &mut Hand::Guardian(&mut By(|_: &GuardianQuestion| Stint::Rest))).unwrap();
    assert_eq!(end, ShiftEnd { work: 0.0, spent: 0.0, late: 0 });
}

#[test]
fn rules_in_a_contestants_hand_are_the_rules() {
    let rule = |question: &GuardianQuestion| ask(&mut WhatFits, question).unwrap().option;
    for number in 0..4 {
        let (shift, begin) = Shift::begin(5, number).unwrap();
        let by_rules = shift.by_rules(&begin);
        let end = play(5, number, &mut Hand::Guardian(&mut By(rule))).unwrap();
        assert_eq!(end, ShiftEnd { work: by_rules.work, spent: by_rules.spent(), late: by_rules.late() });
    }
}

#[test]
fn work_that_fills_the_time_is_sometimes_late() {
    let half = |question: &GuardianQuestion| {
        let half = |stint: &&Stint| matches!(stint, Stint::Work { effort: althing_agents::guardian::Effort::Half, .. });
        question.menu().iter().rfind(half).copied().unwrap_or(Stint::Rest)
    };
    let full = |question: &GuardianQuestion| *question.menu().last().unwrap();
    let late = |hand: &mut Hand<'_>| (0..6).map(|number| play(2, number, hand).unwrap().late).sum::<u64>();
    let (careful, bold) = (late(&mut Hand::Guardian(&mut By(half))), late(&mut Hand::Guardian(&mut By(full))));
    assert!(careful == 0 && bold > 0, "{careful} and {bold} late");
}
