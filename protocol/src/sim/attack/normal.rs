//! The normal distribution, as exactly as an attacker needs it.

use std::f64::consts::PI;

use crate::sim::Rng;

/// Beyond this many deviations the distribution function is one for our purposes.
const REACH: f64 = 8.0;

/// The share of a normal distribution below `z` deviations, by its Taylor series around zero times the density.
pub(super) fn below(z: f64) -> f64 {
    let z = z.clamp(-REACH, REACH);
    let (mut term, mut sum, mut odd) = (z, z, 1.0);
    while term.abs() > f64::EPSILON * sum.abs() {
        odd += 2.0;
        term *= z * z / odd;
        sum += term;
    }
    0.5 + sum * (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The number of deviations below which `share` of a normal distribution lies, by bisection.
pub(super) fn quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-REACH, REACH);
    // Each turn halves the interval, until it is one rounding wide.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if below(middle) < share { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// A draw from the standard normal distribution, after Box and Muller.
pub(super) fn draw(rng: &mut Rng) -> f64 {
    // Above zero, so that it has a logarithm.
    let first = ((rng.next() >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    let second = (rng.next() >> 11) as f64 / (1_u64 << 53) as f64;
    (-2.0 * first.ln()).sqrt() * (2.0 * PI * second).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_tables() {
        for (z, share) in [(0.0, 0.5), (1.0, 0.841_344_746), (-1.96, 0.024_997_895), (3.0, 0.998_650_102)] {
            assert!((below(z) - share).abs() < 1e-8, "{z}: {}", below(z));
            assert!((quantile(share) - z).abs() < 1e-5, "{share}: {}", quantile(share));
        }
        assert!(below(f64::INFINITY) > 0.999_999 && below(f64::NEG_INFINITY) < 1e-6);
    }

    #[test]
    fn draws_have_mean_zero_and_deviation_one() {
        let mut rng = Rng::new(3);
        let draws: Vec<f64> = (0..20_000).map(|_| draw(&mut rng)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let square = draws.iter().map(|draw| draw * draw).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
        assert!(draws.iter().all(|draw| draw.is_finite()));
    }
}
