//! Aggregation where not everybody holds everything.
//!
//! Slices divide the model into parts whose every coordinate has the same holders. Each part is aggregated on its own,
//! as if it were a model and its holders all there are: they are the ones who can tell a liar there, and as many liars
//! are borne as they can bear. No distance ever spans what one of two updates says nothing about.

use super::{Mixing, Rule, WIDTH, Weighted, aggregate_within};
use crate::model::Slice;

/// An update of a slice of the model.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// What it holds.
    pub slice: &'a Slice,
    /// Its examples, and the parameters of the slice.
    pub update: Weighted<'a>,
}

/// The aggregate of `updates` of slices, each coordinate over those who hold it. What nobody holds stays as in `base`.
///
/// `base` is the round's first model. The updates must have passed [`super::check`] against their slices of it and
/// stand in the order of their makers' ids. A radius of clipping is for the whole model: in a part of it, the square
/// root of the part's share of the coordinates counts. `None` for no update, or for lengths that do not fit.
pub fn aggregate_slices(rule: Rule, mixing: Mixing, base: &[u8], updates: &[Held<'_>]) -> Option<Vec<u8>> {
    let (base_parameters, rest) = base.as_chunks::<WIDTH>();
    let fits = |held: &Held<'_>| {
        let (parameters, rest) = held.update.bytes.as_chunks::<WIDTH>();
        rest.is_empty() && parameters.len() == held.slice.len() && held.slice.whole() == base_parameters.len()
    };
    if updates.is_empty() || !rest.is_empty() || !updates.iter().all(fits) {
        return None;
    }
    if updates.iter().all(|held| held.slice.is_whole()) {
        let whole: Vec<_> = updates.iter().map(|held| held.update).collect();
        return aggregate_within(rule, mixing, base, &whole, 1.0);
    }
    let mut model = base_parameters.to_vec();
    for part in Slice::parts(&updates.iter().map(|held| held.slice).collect::<Vec<_>>()) {
        let base = part.slice.gather(base_parameters).into_flattened();
        let held = part.holders.iter().filter_map(|place| updates.get(*place));
        let held: Vec<_> = held.map(|held| (held.update.samples, part_of(held, &part.slice))).collect();
        let held: Vec<_> = held.iter().map(|(samples, bytes)| Weighted { samples: *samples, bytes }).collect();
        let share = part.slice.len() as f64 / base_parameters.len() as f64;
        let made = aggregate_within(rule, mixing, &base, &held, share.sqrt())?;
        part.slice.scatter(made.as_chunks::<WIDTH>().0, &mut model);
    }
    Some(model.into_flattened())
}

/// What an update says about a part of what it holds.
fn part_of(held: &Held<'_>, part: &Slice) -> Vec<u8> {
    let (parameters, _) = held.update.bytes.as_chunks::<WIDTH>();
    held.slice.own_places(part).gather(parameters).into_flattened()
}

#[cfg(test)]
mod tests;
