//! Hostile parameters, made of what an attacker can see.

use super::{Attack, normal};
use crate::sim::Rng;

/// What an attacker can see when it has to hand something in. All vectors are as long as `base`.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The model that the round started from.
    pub base: &'a [f32],
    /// What honest training would have made of it here; the base itself for one that does not train.
    pub own: &'a [f32],
    /// The updates of honest members that have come so far, in the order of their makers' ids.
    pub seen: &'a [&'a [f32]],
    /// The model that the round before started from, if there was one.
    pub previous: Option<&'a [f32]>,
    /// Members who hand something in, liars included.
    pub members: usize,
    /// Liars among them.
    pub liars: usize,
}

/// What an attacker hands in. Whoever has seen no honest update takes its own for one.
pub fn craft(attack: Attack, view: &View<'_>, rng: &mut Rng) -> Vec<f32> {
    let own = [view.own];
    let honest: &[&[f32]] = if view.seen.is_empty() { &own } else { view.seen };
    match attack {
        Attack::SignFlip => along(view.base, view.own, -1.0),
        Attack::Scaled { factor } => along(view.base, view.own, factor),
        Attack::LabelFlip => view.own.to_vec(),
        Attack::InnerProduct { epsilon } => spread(honest, |mean, _, base| base - epsilon * (mean - base), view.base),
        Attack::LittleIsEnough { z } => {
            let z = z.unwrap_or_else(|| little_is_enough_factor(view.members, view.liars));
            spread(honest, |mean, deviation, _| mean - z * deviation, view.base)
        }
        Attack::Mimic => honest.first().map_or_else(Vec::new, |update| update.to_vec()),
        Attack::Nan => {
            let mut update = view.own.to_vec();
            update.first_mut().into_iter().for_each(|first| *first = f32::NAN);
            update
        }
        Attack::Zero => view.base.to_vec(),
        Attack::Stale => view.previous.map_or_else(|| view.base.to_vec(), |previous| along(view.base, previous, -1.0)),
        Attack::Noise { sigma } => {
            view.base.iter().map(|value| (f64::from(*value) + sigma * normal::draw(rng)) as f32).collect()
        }
        Attack::Copied => rng.pick(honest).map_or_else(Vec::new, |update| update.to_vec()),
    }
}

/// `base` and so many times the step from there to `update`.
fn along(base: &[f32], update: &[f32], times: f64) -> Vec<f32> {
    let step = |(base, update): (&f32, &f32)| {
        let base = f64::from(*base);
        (base + times * (f64::from(*update) - base)) as f32
    };
    base.iter().zip(update).map(step).collect()
}

/// What `make` makes of the mean, the standard deviation (with `n - 1`) and the base of each parameter.
fn spread(honest: &[&[f32]], make: impl Fn(f64, f64, f64) -> f64, base: &[f32]) -> Vec<f32> {
    let count = honest.len() as f64;
    let at = |place: usize| honest.iter().filter_map(move |update| update.get(place)).map(|value| f64::from(*value));
    let crafted = base.iter().enumerate().map(|(place, base)| {
        let mean = at(place).sum::<f64>() / count;
        let squares: f64 = at(place).map(|value| (value - mean) * (value - mean)).sum();
        make(mean, (squares / (count - 1.0).max(1.0)).sqrt(), f64::from(*base)) as f32
    });
    crafted.collect()
}

/// How many deviations from the mean a lie may be among `members` of whom `liars` lie: the most at which enough honest
/// members lie farther out for the lie to be in the middle. Zero if there are too few liars for any.
///
/// With `s = floor(n / 2 + 1) - f` honest supporters needed, the factor is the largest `z` for which the normal
/// distribution function stays below `(n - f - s) / (n - f)` (Baruch and others, algorithm 3).
pub fn little_is_enough_factor(members: usize, liars: usize) -> f64 {
    let honest = members.saturating_sub(liars).max(1);
    let supporters = (members / 2 + 1).saturating_sub(liars).min(honest);
    normal::quantile((honest - supporters) as f64 / honest as f64).max(0.0)
}
