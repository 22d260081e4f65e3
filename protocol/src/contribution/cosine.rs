//! How far updates go where all go together.

use crate::aggregate::{Held, parameters};

/// The cosine of each update's step from `base` with the step of the model that all have `made`, from -1 to 1; 0 for
/// one that does not move. What an update says nothing of, it leaves where it is.
pub fn cosines(base: &[u8], made: &[u8], updates: &[Held<'_>]) -> Vec<f64> {
    let (base, made): (Vec<f32>, Vec<f32>) = (parameters(base).collect(), parameters(made).collect());
    let length = base.iter().zip(&made).map(|(base, made)| square(step(*base, *made))).sum::<f64>().sqrt();
    let cosine = |held: &Held<'_>| {
        let (starts, wholes) = (held.slice.gather(&base), held.slice.gather(&made));
        let (mut along, mut own) = (0.0, 0.0);
        for ((start, whole), end) in starts.iter().zip(&wholes).zip(parameters(held.update.bytes)) {
            along += step(*start, *whole) * step(*start, end);
            own += square(step(*start, end));
        }
        let lengths = length * own.sqrt();
        if lengths > 0.0 { along / lengths } else { 0.0 }
    };
    updates.iter().map(cosine).collect()
}

fn step(from: f32, to: f32) -> f64 {
    f64::from(to) - f64::from(from)
}

fn square(number: f64) -> f64 {
    number * number
}
