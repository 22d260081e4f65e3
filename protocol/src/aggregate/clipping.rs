//! Centred clipping.

use super::{
    blocks::{self, BLOCK, Row, Updates, ZEROS},
    distance::Squares,
};

/// Steps from the round's first model.
const STEPS: usize = 3;

/// From `base`, steps of the mean of the updates' differences to the centre, each shortened to `radius` where it is
/// longer. The centre is rounded to single precision after each step.
pub(super) fn centred(updates: &Updates<'_>, base: &[u8], radius: f64) -> Vec<u8> {
    let mut centre = base.to_vec();
    let mut shares = vec![0.0; updates.count()];
    // The first turn moves nothing: it measures how far the updates lie from the first model.
    for _ in 0..=STEPS {
        shares = step(updates, &mut centre, &shares).into_iter().map(|distance| share(distance, radius)).collect();
    }
    centre
}

/// The part of a difference that counts.
fn share(distance: f64, radius: f64) -> f64 {
    if distance > radius { radius / distance } else { 1.0 }
}

/// Moves the centre by the mean of the shares of the differences, and measures how far the updates lie from it then.
fn step(updates: &Updates<'_>, centre: &mut [u8], shares: &[f64]) -> Vec<f64> {
    let mut squares = vec![Squares::default(); updates.count()];
    let mut row = ZEROS;
    updates.for_each_block(|block, rows| {
        blocks::load(block, centre, &mut row);
        advance(&mut row, rows, shares);
        blocks::store(block, &row, centre);
        for (squares, update) in squares.iter_mut().zip(rows) {
            squares.add(update, &row);
        }
    });
    squares.into_iter().map(|squares| squares.total().sqrt()).collect()
}

fn advance(centre: &mut Row, rows: &[Row], shares: &[f64]) {
    let (mut sums, count) = ([0.0_f64; BLOCK], rows.len() as f64);
    for (row, share) in rows.iter().zip(shares) {
        for ((sum, value), centre) in sums.iter_mut().zip(row).zip(centre.iter()) {
            *sum += share * (f64::from(*value) - f64::from(*centre));
        }
    }
    for (centre, sum) in centre.iter_mut().zip(sums) {
        *centre = (f64::from(*centre) + sum / count) as f32;
    }
}
