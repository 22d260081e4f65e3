//! Whole federations under a selector's rule.

use althing_agents::{
    Policy, Rival,
    rivals::Random,
    selector::{Focus, SelectorOption},
};
use althing_node::learn::train::LearnError;
use althing_protocol::aggregate;
use serde::{Deserialize, Serialize};

use super::{
    contest::decide,
    contestant::{Contestant, Context},
    selector::{Favour, Selection},
    stats,
    world::World,
};

/// A round of a federation, as it went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RoundPoint {
    /// The round, from 1.
    pub round: u64,
    /// Bytes of all updates so far.
    pub bytes: u64,
    /// Of the global model on the test set, from 0 to 1.
    pub accuracy: f64,
}

/// A federation, as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FederationEnd {
    /// Round by round.
    pub points: Vec<RoundPoint>,
    /// Jain's index of how often members delivered.
    pub participation: f64,
    /// Mean accuracy of the worst tenth of the members, from 0 to 1.
    pub worst_decile: f64,
}

/// Goes through `rounds` rounds with what `choose` decides.
///
/// # Errors
/// [`LearnError`] if somebody could not train or a model not be judged.
pub(super) fn go(
    mut world: World,
    rounds: u64,
    mut choose: impl FnMut(&Selection) -> Favour,
) -> Result<FederationEnd, LearnError> {
    let mut points: Vec<RoundPoint> = Vec::new();
    let mut bytes = 0;
    for round in 1..=rounds {
        let selection = Selection::of(&world)?;
        let choice = choose(&selection);
        let accuracy = settle(&mut world, &selection, &choice, &mut bytes)?;
        points.push(RoundPoint { round, bytes, accuracy });
    }
    let worst_decile = stats::worst_decile(&world.members_accuracy()?).unwrap_or(0.0);
    Ok(FederationEnd { points, participation: world.participation(), worst_decile })
}

/// Carries the choice out, and returns the accuracy of the next model.
pub(super) fn settle(
    world: &mut World,
    selection: &Selection,
    choice: &Favour,
    bytes: &mut u64,
) -> Result<f64, LearnError> {
    let trial = selection.trial();
    let (hired, delivered) = selection.outcome(choice);
    let score = trial.score(&delivered);
    // What each update brings alone, as appraisals would have it.
    let gains: Vec<(usize, f64)> =
        delivered.iter().map(|place| (*place, trial.loss() - trial.score(&[*place]).loss)).collect();
    let losses: Vec<f64> = delivered.iter().map(|place| trial.own_loss(*place)).collect();
    trial.check()?;
    *bytes += (score.model.len() * delivered.len()) as u64;
    world.close(&hired, &gains, &losses, aggregate::parameters(&score.model).collect());
    world.improved(trial.loss() - score.loss);
    Ok(score.accuracy)
}

/// Has a contestant decide in a federation of its own. It learns what each round was worth.
///
/// # Errors
/// As [`go`].
pub(super) fn play(
    world: World,
    rounds: u64,
    contestant: &mut dyn Contestant<Selection>,
) -> Result<FederationEnd, LearnError> {
    go(world, rounds, |selection| {
        let choice = decide(contestant, selection).choice.unwrap_or(EVERYBODY);
        contestant.learn(selection, &choice, selection.value(&choice));
        choice
    })
}

/// Has `look` see every round of a federation in which chance decides.
///
/// # Errors
/// As [`go`].
pub(super) fn wander(
    world: World,
    rounds: u64,
    seed: u64,
    mut look: impl FnMut(&Selection),
) -> Result<FederationEnd, LearnError> {
    let mut chance = Random::new(seed, SelectorOption { hire: 1, focus: Focus::Even });
    go(world, rounds, |selection| {
        look(selection);
        let option = chance.decide(selection.question()).option;
        chance.learn(selection.question(), option, 0.0);
        Favour::Entry(option)
    })
}

/// What is done where there is no menu, which there always is.
const EVERYBODY: Favour = Favour::Entry(SelectorOption { hire: u32::MAX, focus: Focus::Even });
