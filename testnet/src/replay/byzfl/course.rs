//! One run: distributed SGD with liars among the members.
//!
//! In each step every honest member adds the gradient of a batch to its momentum and hands in the model moved along
//! it; the liars see all of that and hand in what they crafted; every update is clipped, and the protocol's own
//! aggregation makes the next model of them. A member's momentum is the decaying mean of its gradients, weight decay
//! belongs to the model that the step starts from, and the lies are made of updates that are not yet clipped: all of
//! this is as in the published code.

use std::ops::ControlFlow;

use althing_node::learn::{
    facts,
    model::Architecture,
    params,
    train::{EvaluateOn, LearnError, Learner},
};
use althing_protocol::{
    aggregate::{self, Weighted},
    model::Width,
    sim::{
        Rng,
        attack::{self, View, search::Search},
    },
};

use super::{
    grid::{HONEST, Run},
    partition::{self, Deck},
};

/// What is trained. The published convolutional network has 431,080 parameters, ten times as many.
pub(super) const ARCHITECTURE: Architecture = Architecture::LeNet;
/// Samples of a batch.
pub(super) const BATCH: usize = 25;
/// Step size.
pub(super) const LEARNING_RATE: f32 = 0.1;
/// How much of a member's momentum lives on in the next step.
pub(super) const MOMENTUM: f32 = 0.9;
/// What is taken from each parameter in a step, before the step size.
pub(super) const WEIGHT_DECAY: f32 = 1e-4;
/// Longest momentum that counts in full (Euclidean norm).
pub(super) const CLIP: f64 = 2.0;
/// Steps between two readings of the test set.
pub(super) const READING: u32 = 100;
/// Steps for which a strength that was searched for is kept. The published attackers search in every step.
const SEARCH_INTERVAL: u32 = 4;
/// Of so many parameters a search looks at one: what it compares are lengths, and those barely change by it.
const SEARCH_STRIDE: usize = 8;

/// A reading of the test set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// After which step.
    pub step: u32,
    /// Share of the test set that the model names right, from 0 to 1.
    pub accuracy: f64,
}

/// Plays `run` over the training and test samples of `corpus` and reads the test set now and then. `stepped` hears of
/// every step.
///
/// A model that has left the numbers names nothing right, then and ever after.
///
/// # Errors
/// [`LearnError`] if the backend fails or there is nothing to be read.
pub(super) fn play(
    corpus: &Learner,
    labels: &[u8],
    run: &Run,
    stepped: &(dyn Fn() + Sync),
) -> Result<Vec<Reading>, LearnError> {
    let mut course = Course::new(labels, run);
    let mut readings = Vec::new();
    for step in 1..=run.steps {
        course.advance(corpus, step)?;
        if step.is_multiple_of(READING) || step == run.steps {
            let accuracy = if course.is_lost { 0.0 } else { accuracy(corpus, &course.model)? };
            readings.push(Reading { step, accuracy });
        }
        stepped();
    }
    Ok(readings)
}

fn accuracy(corpus: &Learner, model: &[f32]) -> Result<f64, LearnError> {
    Ok(corpus.evaluate(model, Width::Full, EvaluateOn::Test, &mut || ControlFlow::Continue(()))?.accuracy())
}

/// A run at some step.
struct Course<'a> {
    run: &'a Run,
    decks: Vec<Deck>,
    /// The decaying mean of each honest member's gradients.
    momenta: Vec<Vec<f32>>,
    model: Vec<f32>,
    /// The model before that, decayed as every model is when a step starts from it.
    previous: Option<Vec<f32>>,
    /// Whether the model has left the numbers.
    is_lost: bool,
    rng: Rng,
    /// The strength that the last search found.
    strength: f64,
}

impl<'a> Course<'a> {
    fn new(labels: &[u8], run: &'a Run) -> Self {
        let model: Vec<f32> = aggregate::parameters(&facts::initial_model(ARCHITECTURE, run.seed)).collect();
        let parts = partition::assign(labels, HONEST, run.similarity, run.seed).into_iter();
        Self {
            run,
            decks: parts.enumerate().map(|(member, part)| Deck::new(part, run.seed, member)).collect(),
            momenta: vec![vec![0.0; model.len()]; HONEST],
            model,
            previous: None,
            is_lost: false,
            rng: Rng::new(run.seed),
            strength: 0.0,
        }
    }

    /// One step of all members. A model that is lost stays as it is.
    fn advance(&mut self, corpus: &Learner, step: u32) -> Result<(), LearnError> {
        if self.is_lost || !self.feel(corpus)? {
            self.is_lost = true;
            return Ok(());
        }
        let base: Vec<f32> = self.model.iter().map(|value| value * (1.0 - LEARNING_RATE * WEIGHT_DECAY)).collect();
        let honest: Vec<Vec<f32>> = self.momenta.iter().map(|momentum| moved(&base, momentum)).collect();
        if self.run.play.searches() && (step - 1).is_multiple_of(SEARCH_INTERVAL) {
            self.strength = strongest(self.run, &base, &honest);
        }
        let lie = lie(self.run, self.strength, &base, &honest, self.previous.as_deref(), &mut self.rng);
        let model = aggregated(self.run, &base, &honest, &lie, radius(1));
        self.is_lost = params::check_finite(&model).is_err();
        self.model = model;
        self.previous = Some(base);
        Ok(())
    }

    /// Adds a gradient to every momentum. False if one left the numbers.
    fn feel(&mut self, corpus: &Learner) -> Result<bool, LearnError> {
        let batches: Vec<&[usize]> = self.decks.iter_mut().map(|deck| deck.deal(BATCH)).collect();
        let gradients = match corpus.gradients(&self.model, &batches) {
            Ok(gradients) => gradients,
            Err(LearnError::Diverged { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        for (momentum, gradient) in self.momenta.iter_mut().zip(&gradients) {
            for (momentum, value) in momentum.iter_mut().zip(&gradient.values) {
                *momentum = MOMENTUM * *momentum + (1.0 - MOMENTUM) * value;
            }
        }
        Ok(true)
    }
}

/// Longest step that counts in full, when only one of `stride` parameters is looked at.
fn radius(stride: usize) -> f64 {
    f64::from(LEARNING_RATE) * CLIP / (stride as f64).sqrt()
}

fn moved(base: &[f32], momentum: &[f32]) -> Vec<f32> {
    base.iter().zip(momentum).map(|(base, momentum)| base - LEARNING_RATE * momentum).collect()
}

/// What every liar hands in. The liars hold no data: what they take for their own is the mean of the honest.
fn lie(
    run: &Run,
    strength: f64,
    base: &[f32],
    honest: &[Vec<f32>],
    previous: Option<&[f32]>,
    rng: &mut Rng,
) -> Vec<f32> {
    let seen: Vec<&[f32]> = honest.iter().map(Vec::as_slice).collect();
    let own = mean(honest);
    let view = View { base, own: &own, seen: &seen, previous, members: HONEST + run.liars, liars: run.liars };
    attack::craft(run.play.at(strength), &view, rng)
}

/// The strength that drives the aggregate farthest from the mean of the honest updates.
fn strongest(run: &Run, base: &[f32], honest: &[Vec<f32>]) -> f64 {
    let thin = |values: &[f32]| values.iter().step_by(SEARCH_STRIDE).copied().collect::<Vec<f32>>();
    let (base, honest) = (thin(base), honest.iter().map(|update| thin(update)).collect::<Vec<_>>());
    let mean = mean(&honest);
    Search::PUBLISHED.strongest(|strength| {
        let lie = lie(run, strength, &base, &honest, None, &mut Rng::new(0));
        distance(&aggregated(run, &base, &honest, &lie, radius(SEARCH_STRIDE)), &mean)
    })
}

/// The model that the rule makes of the honest updates and the lies, all of them clipped. A lie that is not a number is
/// left out, as it is by every node.
fn aggregated(run: &Run, base: &[f32], honest: &[Vec<f32>], lie: &[f32], radius: f64) -> Vec<f32> {
    let honest = honest.iter().map(|update| clipped(base, update, radius));
    let lie = clipped(base, lie, radius);
    let lies = if params::check_finite(&lie).is_ok() { run.liars } else { 0 };
    let bytes: Vec<Vec<u8>> = honest.chain(std::iter::once(lie)).map(|update| aggregate::encode(&update)).collect();
    let (honest, lie) = bytes.split_at(HONEST);
    let all = honest.iter().chain(std::iter::repeat_n(&lie[0], lies));
    let updates: Vec<_> = all.map(|bytes| Weighted { samples: 1, bytes }).collect();
    let made = aggregate::aggregate(run.rule, run.mixing, &aggregate::encode(base), &updates);
    made.map_or_else(|| base.to_vec(), |made| aggregate::parameters(&made).collect())
}

/// `update`, with a step from `base` that is no longer than `radius`.
fn clipped(base: &[f32], update: &[f32], radius: f64) -> Vec<f32> {
    let length = distance(base, update);
    if length <= radius {
        return update.to_vec();
    }
    let share = (radius / length) as f32;
    base.iter().zip(update).map(|(base, update)| base + share * (update - base)).collect()
}

fn distance(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum::<f64>().sqrt()
}

fn mean(updates: &[Vec<f32>]) -> Vec<f32> {
    let mut sums = vec![0.0_f32; updates.first().map_or(0, Vec::len)];
    for update in updates {
        sums.iter_mut().zip(update).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().map(|sum| sum / updates.len() as f32).collect()
}
