//! Contexts for a guardian's two questions, and whole shifts under its rule.
//!
//! What an entry is worth shows only at the end of the shift, so each is tried to that end, with rules deciding the rounds
//! that follow: its value is the work done in time by then, less that after resting in this round.

use althing_agents::{
    guardian::{Evenly, GuardianQuestion, PaceOption, PaceQuestion, Stint, WhatFits},
    policy::{Question, ask},
    privacy::{Pace, Terms},
    rivals::Random,
};

use super::{
    contest::decide,
    contestant::Contestant,
    scored::Scored,
    shift::{Progress, Shift, ShiftError},
};

/// The pace of who answers a question without a menu.
pub(super) const NO_PACE: PaceOption = PaceOption { pace: Pace::Save, terms: Terms { sigma_milli: 0, steps: 0 } };

/// Who decides in a shift beside the rules.
pub(super) enum Hand<'a> {
    /// The contestant decides how hard the machine works.
    Guardian(&'a mut dyn Contestant<Scored<GuardianQuestion>>),
    /// The contestant decides how fast the budget is spent.
    Pace(&'a mut dyn Contestant<Scored<PaceQuestion>>),
}

/// What came of a shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ShiftEnd {
    /// As [`Progress::work`].
    pub work: f64,
    /// Part of the budget that was spent, from 0 to 1.
    pub spent: f64,
    /// Contracts that came too late.
    pub late: u64,
}

/// The first rounds, so many at the most, of the `number`th shift in which the member is hired, as a random guardian comes upon them: what may the
/// machine be used for?
///
/// # Errors
/// [`ShiftError`] if there is no such shift.
pub(super) fn stints(seed: u64, number: u64, most: usize) -> Result<Vec<Scored<GuardianQuestion>>, ShiftError> {
    wander((seed, number), most, |shift, progress| {
        let question = shift.stints(progress);
        if question.menu().len() < 2 {
            return None;
        }
        let rested = shift.by_rules(&shift.rest(progress)).work;
        let mut known: Vec<(u32, f64)> = Vec::new();
        let value = |stint: &Stint| {
            let Some(contract) = shift.contract(&question, *stint) else { return 0.0 };
            // Stints under which the same contract is won are worth the same.
            if let Some((_, value)) = known.iter().find(|(value, _)| *value == contract.value) {
                return *value;
            }
            let pace = ask(&mut Evenly, &shift.paces(progress, contract));
            let next = pace.map_or_else(|| shift.rest(progress), |pace| shift.work(progress, contract, pace.option));
            let value = shift.by_rules(&next).work - rested;
            known.push((contract.value, value));
            value
        };
        Some(Scored::new(question.clone(), shift.situation(progress), value))
    })
}

/// The same rounds: how fast is the budget spent on the contract that rules would have bid for?
///
/// # Errors
/// [`ShiftError`] if there is no such shift.
pub(super) fn paces(seed: u64, number: u64, most: usize) -> Result<Vec<Scored<PaceQuestion>>, ShiftError> {
    wander((seed, number), most, |shift, progress| {
        let stints = shift.stints(progress);
        let stint = ask(&mut WhatFits, &stints)?.option;
        let contract = shift.contract(&stints, stint)?;
        let question = shift.paces(progress, contract);
        if question.menu().len() < 2 {
            return None;
        }
        let rested = shift.by_rules(&shift.rest(progress)).work;
        let value = |pace: &PaceOption| shift.by_rules(&shift.work(progress, contract, *pace)).work - rested;
        Some(Scored::new(question, shift.situation(progress), value))
    })
}

/// Goes through a shift at random, and asks in every round in which the member is hired.
fn wander<T>(
    (seed, number): (u64, u64),
    most: usize,
    mut context: impl FnMut(&Shift, &Progress) -> Option<T>,
) -> Result<Vec<T>, ShiftError> {
    let (shift, mut progress) = Shift::begin(seed, number)?;
    let mut contexts = Vec::new();
    let lots = seed ^ number.rotate_left(32);
    while contexts.len() < most && !shift.is_over(&progress) {
        if shift.hires(progress.round) {
            contexts.extend(context(&shift, &progress));
        }
        let mut guardian = Random::new(lots ^ progress.round, Stint::Rest);
        progress = shift.round(&progress, &mut guardian, &mut Random::new(lots ^ progress.round, NO_PACE));
    }
    Ok(contexts)
}

/// What comes of the `number`th shift in the contestant's hand. It learns what each of its rounds brought at once.
///
/// # Errors
/// [`ShiftError`] if there is no such shift.
pub(super) fn play(seed: u64, number: u64, hand: &mut Hand<'_>) -> Result<ShiftEnd, ShiftError> {
    let (shift, mut progress) = Shift::begin(seed, number)?;
    while !shift.is_over(&progress) {
        progress = if shift.hires(progress.round) { round(&shift, &progress, hand) } else { shift.rest(&progress) };
    }
    Ok(ShiftEnd { work: progress.work, spent: progress.spent(), late: progress.late() })
}

fn round(shift: &Shift, progress: &Progress, hand: &mut Hand<'_>) -> Progress {
    let question = shift.stints(progress);
    match hand {
        Hand::Guardian(contestant) => {
            let context = Scored::new(question.clone(), shift.situation(progress), |_| 0.0);
            let stint = decide(&mut **contestant, &context).choice.unwrap_or(Stint::Rest);
            let next = shift.contract(&question, stint).and_then(|contract| {
                let pace = ask(&mut Evenly, &shift.paces(progress, contract))?;
                Some(shift.work(progress, contract, pace.option))
            });
            let next = next.unwrap_or_else(|| shift.rest(progress));
            contestant.learn(&context, &stint, next.work - progress.work);
            next
        }
        Hand::Pace(contestant) => {
            let stint = ask(&mut WhatFits, &question).map_or(Stint::Rest, |pick| pick.option);
            let Some(contract) = shift.contract(&question, stint) else { return shift.rest(progress) };
            let context = Scored::new(shift.paces(progress, contract), shift.situation(progress), |_| 0.0);
            let Some(pace) = decide(&mut **contestant, &context).choice else { return shift.rest(progress) };
            let next = shift.work(progress, contract, pace);
            contestant.learn(&context, &pace, next.work - progress.work);
            next
        }
    }
}

#[cfg(test)]
mod tests;
