//! Means.

use super::{
    Weighted,
    blocks::{BLOCK, Row, Updates},
};

/// The mean of `updates`, weighted by their examples, as little-endian single-precision parameters.
///
/// The updates must have passed [`super::check`] and stand in the order of their makers' ids. If none claims an
/// example, all weigh the same. `None` for no update, or updates of different lengths.
pub fn weighted_mean(updates: &[Weighted<'_>]) -> Option<Vec<u8>> {
    let unweighted = updates.iter().all(|update| update.samples == 0);
    let weight = |update: &Weighted<'_>| if unweighted { 1.0 } else { update.samples as f64 };
    let weights: Vec<f64> = updates.iter().map(weight).collect();
    Some(Updates::new(updates)?.combine(|rows, made| of(weights.iter().copied().zip(rows), made)))
}

/// The mean of `updates`, each counted once.
pub(super) fn equal(updates: &Updates<'_>) -> Vec<u8> {
    updates.combine(|rows, made| of(rows.iter().map(|row| (1.0, row)), made))
}

/// The mean of rows with their weights: summed in double precision in the order given, divided, rounded once.
pub(super) fn of<'a>(rows: impl Iterator<Item = (f64, &'a Row)>, made: &mut Row) {
    let (mut sums, mut total) = ([0.0_f64; BLOCK], 0.0_f64);
    for (weight, row) in rows {
        total += weight;
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += weight * f64::from(*value);
        }
    }
    for (value, sum) in made.iter_mut().zip(sums) {
        *value = (sum / total) as f32;
    }
}
