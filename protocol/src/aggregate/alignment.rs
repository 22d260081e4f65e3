//! Mixing by direction: updates are brought together by where their steps point, not by how far apart they end.
//!
//! Whoever hides near the round's first model is near to everybody whose data differ, so the nearest updates are not
//! always the honest ones; a step backwards is one at any length. The idea is FLAME's (Nguyen and others, "FLAME: Taming
//! Backdoors in Federated Learning", 2022), which clusters updates by the cosine between them and shortens the long ones
//! to the median length; circles of fixed size take the place of its clusters, so that there is always a result.

use super::{
    blocks::{self, Row, Shortened, Updates, ZEROS},
    distance::{self, PARTS},
};

/// A scalar product while it is measured, in double precision.
#[derive(Debug, Clone, Copy, Default)]
struct Product([f64; PARTS]);

impl Product {
    fn add(&mut self, a: &Row, b: &Row) {
        let mut sums = self.0;
        let ((a, _), (b, _)) = (a.as_chunks::<PARTS>(), b.as_chunks::<PARTS>());
        for (a, b) in a.iter().zip(b) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += f64::from(*a) * f64::from(*b);
            }
        }
        self.0 = sums;
    }

    fn total(self) -> f64 {
        self.0.into_iter().fold(0.0, |sum, part| sum + part)
    }
}

/// The updates, each replaced by the mean of those whose steps from `base` point most nearly as its own does, all but
/// `liars`: as many fewer as leave a majority. Steps longer than the median one are shortened to it first.
pub(super) fn mix<'a>(updates: Updates<'a>, base: &'a [u8], liars: usize) -> Updates<'a> {
    let products = products(&updates, base);
    let lengths: Vec<f64> = products.iter().enumerate().map(|(own, line)| line[own].sqrt()).collect();
    let median = median(&lengths);
    let shares = lengths.iter().map(|length| if *length > median { median / length } else { 1.0 }).collect();
    let far: Vec<Vec<f64>> = products.iter().map(|line| far(line, &lengths)).collect();
    let circles = distance::circles(&far, liars);
    updates.shortened(Shortened { base, shares }).mixed(circles)
}

/// The lower one of an even number.
fn median(lengths: &[f64]) -> f64 {
    let mut sorted = lengths.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len().saturating_sub(1)) / 2).copied().unwrap_or_default()
}

/// How far each step is from pointing as the one whose scalar `products` with all these are; a step of no length points
/// nowhere. The length of that one is the same in all of them, so it changes no order.
fn far(products: &[f64], lengths: &[f64]) -> Vec<f64> {
    let against = |(product, length): (&f64, &f64)| if *length > 0.0 { -product / length } else { f64::INFINITY };
    products.iter().zip(lengths).map(against).collect()
}

/// The scalar products of all steps from `base` with each other and themselves, in one pass. A step is rounded to
/// single precision first.
pub(super) fn products(updates: &Updates<'_>, base: &[u8]) -> Vec<Vec<f64>> {
    let count = updates.count();
    let mut products = vec![vec![Product::default(); count]; count];
    let (mut start, mut steps) = (ZEROS, vec![ZEROS; count]);
    updates.for_each_block(|block, rows| {
        blocks::load(block, base, &mut start);
        for (step, row) in steps.iter_mut().zip(rows) {
            step.iter_mut().zip(row).zip(&start).for_each(|((step, value), start)| *step = value - start);
        }
        for (line, (place, step)) in products.iter_mut().zip(steps.iter().enumerate()) {
            for (product, other) in line.iter_mut().zip(&steps).take(place + 1) {
                product.add(step, other);
            }
        }
    });
    let between = |a: usize, b: usize| products[a.max(b)][a.min(b)].total();
    (0..count).map(|a| (0..count).map(|b| between(a, b)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_counts_and_length_does_not() {
        // Steps (3, 0), (0.1, 0.1), (-1, 0) and (0, 0), as their products.
        let lengths = [3.0, 0.02_f64.sqrt(), 1.0, 0.0];
        let far = [
            far(&[9.0, 0.3, -3.0, 0.0], &lengths),
            far(&[0.3, 0.02, -0.1, 0.0], &lengths),
            far(&[-3.0, -0.1, 1.0, 0.0], &lengths),
            far(&[0.0; 4], &lengths),
        ];
        let circles = distance::circles(&far, 1);
        assert_eq!(circles[..2], [[0, 1, 2], [0, 1, 2]], "a step of no length points nowhere");
        assert_eq!(circles[3], [0, 1, 3], "an update stays in its own circle");
        assert!(far[0][1] < far[0][2] && far[0][0] < far[0][1]);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_lower_one() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.0);
        assert_eq!(median(&[7.0]), 7.0);
    }
}
