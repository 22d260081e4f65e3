//! Renyi divergence of one step of the Poisson-subsampled Gaussian mechanism.
//!
//! Mironov, Talwar and Zhang, "Renyi Differential Privacy of the Sampled Gaussian Mechanism" (2019): with neighbours that
//! differ by one example more or less, the divergence of order a is `ln A / (a - 1)`, where A is the a-th moment of
//! `1 - q + q exp((2z - 1) / (2 sigma²))` over `z ~ N(0, sigma²)`. A whole order gives a binomial sum, a broken one two
//! alternating series. What is returned errs upwards, never by more than rounding matters.

use std::f64::consts::{LN_2, SQRT_2};

use super::special::{LogSum, ln_1p_exp, ln_erfc, ln_expm1};

/// Largest order for which a divergence is computed; it is taken for infinite above.
pub const MAX_ORDER: f64 = 1024.0;

/// Terms of an alternating series that are added before the rest is bounded by its first term.
const MAX_TERMS: u32 = 10_000;

/// Terms below this part of the sum (its logarithm) are the rest.
const LN_NEGLIGIBLE: f64 = -35.0;

/// Renyi divergence of order `order` that one step with sampling rate `q` (0 to 1) and noise multiplier `sigma` costs.
///
/// Infinite without noise, for orders outside 1 to [`MAX_ORDER`] (both outside), and for arguments that mean nothing;
/// never less than zero and always a number.
pub fn rdp(q: f64, sigma: f64, order: f64) -> f64 {
    let meant = (0.0..=1.0).contains(&q) && sigma >= 0.0 && order > 1.0 && order <= MAX_ORDER;
    if !meant {
        return f64::INFINITY;
    }
    if q == 0.0 {
        return 0.0;
    }
    let cost = if q == 1.0 { order / (2.0 * sigma * sigma) } else { ln_moment(q, sigma, order) / (order - 1.0) };
    if cost.is_nan() { f64::INFINITY } else { cost.max(0.0) }
}

fn ln_moment(q: f64, sigma: f64, order: f64) -> f64 {
    let below = order.floor();
    if below == order {
        return ln_moment_whole(q, sigma, order);
    }
    // The logarithm of a moment is convex in the order, so a chord lies above it: the series may fail, the chord holds.
    let (low, high) = (ln_moment_whole(q, sigma, below), ln_moment_whole(q, sigma, below + 1.0));
    let chord = low + (high - low) * (order - below);
    ln_moment_broken(q, sigma, order).min(chord)
}

/// The binomial sum, without the one that the weights add up to: `A - 1` keeps its digits where A is near one.
fn ln_moment_whole(q: f64, sigma: f64, order: f64) -> f64 {
    let (ln_q, ln_rest) = (q.ln(), (-q).ln_1p());
    let mut excess = LogSum::new();
    let mut ln_choose = order.ln();
    let mut k = 2.0;
    while k <= order {
        ln_choose += ((order - k + 1.0) / k).ln();
        let exponent = k * (k - 1.0) / (2.0 * sigma * sigma);
        excess.add(ln_choose + k * ln_q + (order - k) * ln_rest + ln_expm1(exponent), 1.0);
        k += 1.0;
    }
    ln_1p_exp(excess.ln())
}

/// The two series of section 3.3 of the paper: one for noise below the point where both mixed densities are equal, one
/// for noise above it.
fn ln_moment_broken(q: f64, sigma: f64, order: f64) -> f64 {
    let (ln_q, ln_rest) = (q.ln(), (-q).ln_1p());
    let equal_at = sigma * sigma * (ln_rest - ln_q) + 0.5;
    let half = |x: f64| ln_erfc(x / (SQRT_2 * sigma)) - LN_2;
    let growth = |k: f64| k * (k - 1.0) / (2.0 * sigma * sigma);
    let (mut ln_choose, mut sign) = (0.0, 1.0);
    let mut sum = LogSum::new();
    for term in 0..=MAX_TERMS {
        let i = f64::from(term);
        let j = order - i;
        let below = ln_choose + i * ln_q + j * ln_rest + growth(i) + half(i - equal_at);
        let above = ln_choose + j * ln_q + i * ln_rest + growth(j) + half(equal_at - j);
        let rest = i > order && below.max(above) < sum.ln_sizes() + LN_NEGLIGIBLE;
        if rest || term == MAX_TERMS {
            // Beyond the order, signs alternate and sizes fall, so what is left out is at most its first term.
            sum.add(below, 1.0);
            sum.add(above, 1.0);
            break;
        }
        sum.add(below, sign);
        sum.add(above, sign);
        ln_choose += (j.abs() / (i + 1.0)).ln();
        sign *= j.signum();
    }
    sum.ln_rounded_up()
}
