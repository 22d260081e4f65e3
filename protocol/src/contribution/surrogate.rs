//! The values of coalitions that were not evaluated, inferred from those that were.
//!
//! A coalition's model is the mean of its updates, and its value a smooth function of that mean: close to the model that
//! the round starts from, of little more than second degree. A Gaussian process over the means' weights, with a
//! polynomial kernel, is the smoothest function of them through what was measured (Rasmussen and Williams 2006, chapter
//! 2). `node/tests/it/contribution.rs` says how close it comes with real updates.

use super::{Coalition, Updates};

/// Degree of the kernel: one more than values have nearly, so that it does not bind.
const DEGREE: i32 = 3;

/// What the measurements may be wrong by, as a part of what values vary by. It keeps the sums below well-behaved.
const NUGGET: f64 = 1e-5;

/// A function of coalitions.
#[derive(Debug)]
pub(super) struct Surrogate<'a> {
    updates: &'a Updates,
    /// Those that were evaluated, by their updates' parts in their means.
    known: Vec<Vec<f64>>,
    factors: Vec<f64>,
}

impl<'a> Surrogate<'a> {
    /// The smoothest function by which `coalitions` are worth `values`; nothing if these are no numbers.
    pub(super) fn fit(updates: &'a Updates, coalitions: &[Coalition], values: &[f64]) -> Option<Self> {
        let known: Vec<Vec<f64>> = coalitions.iter().map(|coalition| parts(updates, *coalition)).collect();
        let mut kernels: Vec<Vec<f64>> =
            known.iter().map(|one| known.iter().map(|other| kernel(one, other)).collect()).collect();
        let variance = (0..known.len()).map(|place| kernels[place][place]).sum::<f64>() / known.len() as f64;
        for (place, row) in kernels.iter_mut().enumerate() {
            row[place] += NUGGET * variance;
        }
        let factors = solve(kernels, values)?;
        Some(Self { updates, known, factors })
    }

    /// What a coalition is worth by it.
    pub(super) fn value(&self, coalition: Coalition) -> f64 {
        let parts = parts(self.updates, coalition);
        self.known.iter().zip(&self.factors).map(|(known, factor)| factor * kernel(&parts, known)).sum()
    }
}

/// The part of each update in the mean of a coalition.
fn parts(updates: &Updates, coalition: Coalition) -> Vec<f64> {
    let weight = |place: usize| if coalition.contains(place) { updates.weights[place] } else { 0.0 };
    let total: f64 = coalition.places().map(weight).sum();
    (0..updates.len()).map(|place| weight(place) / total).collect()
}

fn kernel(one: &[f64], other: &[f64]) -> f64 {
    (1.0 + one.iter().zip(other).map(|(one, other)| one * other).sum::<f64>()).powi(DEGREE)
}

/// The `x` of `matrix x = values`, for a symmetric positive definite matrix, by its Cholesky decomposition; nothing if
/// it is not.
fn solve(mut matrix: Vec<Vec<f64>>, values: &[f64]) -> Option<Vec<f64>> {
    let size = matrix.len();
    for row in 0..size {
        for column in 0..=row {
            let (above, below) = matrix.split_at(row);
            let done = if column < row { &above[column] } else { &below[0] };
            let known: f64 = below[0].iter().zip(done).take(column).map(|(one, other)| one * other).sum();
            let rest = below[0][column] - known;
            matrix[row][column] = if column < row {
                rest / matrix[column][column]
            } else if rest > 0.0 {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    let mut solved = values.to_vec();
    for row in 0..size {
        let known: f64 = (0..row).map(|column| matrix[row][column] * solved[column]).sum();
        solved[row] = (solved[row] - known) / matrix[row][row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|below| matrix[below][row] * solved[below]).sum();
        solved[row] = (solved[row] - known) / matrix[row][row];
    }
    solved.iter().all(|factor| factor.is_finite()).then_some(solved)
}
