//! Logarithms of what overflows.

use std::f64::consts::PI;

/// From here on the asymptotic series is exact to the last digits, while `erfc` itself soon underflows.
const ASYMPTOTIC_FROM: f64 = 25.0;

/// Rounding errors of a sum of logarithms, relative to the sum of its terms' sizes; measured below a tenth of this.
const ROUNDING: f64 = 1e-13;

/// `ln(erfc(x))`, for every `x`.
pub(super) fn ln_erfc(x: f64) -> f64 {
    if x < ASYMPTOTIC_FROM {
        return libm::erfc(x).ln();
    }
    // erfc(x) = exp(-x²) / (x √π) · (1 - u + 3u² - 15u³ + ...) with u = 1 / (2x²).
    let u = 0.5 / (x * x);
    let series = u * (-1.0 + u * (3.0 + u * (-15.0 + u * (105.0 - u * 945.0))));
    -x * x - (x * PI.sqrt()).ln() + series.ln_1p()
}

/// `ln(exp(x) - 1)` for `x` of zero or more: minus infinity at zero.
pub(super) fn ln_expm1(x: f64) -> f64 {
    x + (-(-x).exp_m1()).ln()
}

/// `ln(1 + exp(x))`.
pub(super) fn ln_1p_exp(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// A sum of signed numbers that are known by the logarithms of their sizes.
pub(super) struct LogSum {
    /// Logarithm of the largest size so far; the other two are multiples of its exponential.
    scale: f64,
    sum: f64,
    sizes: f64,
}

impl LogSum {
    /// The empty sum.
    pub(super) const fn new() -> Self {
        Self { scale: f64::NEG_INFINITY, sum: 0.0, sizes: 0.0 }
    }

    /// Adds `sign · exp(ln_size)`.
    pub(super) fn add(&mut self, ln_size: f64, sign: f64) {
        if ln_size == f64::NEG_INFINITY {
            return;
        }
        if ln_size > self.scale {
            let shrink = (self.scale - ln_size).exp();
            self.sum *= shrink;
            self.sizes *= shrink;
            self.scale = ln_size;
        }
        let size = (ln_size - self.scale).exp();
        self.sum += sign * size;
        self.sizes += size;
    }

    /// The logarithm of the sum.
    pub(super) fn ln(&self) -> f64 {
        self.scale + self.sum.ln()
    }

    /// The logarithm of the sum plus all that rounding may have taken from it. Not a number if terms were none.
    pub(super) fn ln_rounded_up(&self) -> f64 {
        self.scale + (self.sum + ROUNDING * self.sizes).ln()
    }

    /// The logarithm of the sum of all sizes.
    pub(super) fn ln_sizes(&self) -> f64 {
        self.scale + self.sizes.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, tolerance: f64) {
        assert!((left - right).abs() <= tolerance * right.abs(), "{left} is not {right}");
    }

    /// Arguments and values, from 50-digit arithmetic.
    const LN_ERFC: [(f64, f64); 7] = [
        (-3.0, 0.693_136_135_250_446_8),
        (0.0, 0.0),
        (0.5, -0.735_011_129_837_084_4),
        (5.0, -27.200_889_545_537_434),
        (24.9, -623.798_037_565_574_4),
        (26.0, -679.831_199_763_194_2),
        (100.0, -10_005.177_585_122_664),
    ];

    #[test]
    fn ln_erfc_is_right_where_erfc_is_nothing() {
        for (x, wanted) in LN_ERFC {
            near(ln_erfc(x), wanted, 1e-14);
        }
        near(ln_erfc(ASYMPTOTIC_FROM), libm::erfc(ASYMPTOTIC_FROM).ln(), 1e-15);
        assert_eq!(ln_erfc(f64::INFINITY), f64::NEG_INFINITY);
        assert_eq!(ln_erfc(f64::NEG_INFINITY), 2f64.ln());
    }

    #[test]
    fn logarithms_of_one_more_and_one_less() {
        near(ln_expm1(1e-20), (1e-20f64).ln(), 1e-15);
        near(ln_expm1(1.0), 1f64.exp_m1().ln(), 1e-15);
        near(ln_expm1(1e5), 1e5, 1e-15);
        assert_eq!(ln_expm1(0.0), f64::NEG_INFINITY);
        near(ln_1p_exp(-50.0), (-50f64).exp(), 1e-15);
        near(ln_1p_exp(1e5), 1e5, 1e-15);
        assert_eq!(ln_1p_exp(f64::NEG_INFINITY), 0.0);
    }

    #[test]
    fn sums_of_what_overflows() {
        let mut sum = LogSum::new();
        for (ln, sign) in [(1000.0, 1.0), (f64::NEG_INFINITY, 1.0), (1002.0, 1.0), (1001.0, -1.0)] {
            sum.add(ln, sign);
        }
        near(sum.ln(), 1000.0 + (1.0 + 2f64.exp() - 1f64.exp()).ln(), 1e-15);
        near(sum.ln_sizes(), 1000.0 + (1.0 + 2f64.exp() + 1f64.exp()).ln(), 1e-15);
        assert!(sum.ln_rounded_up() > sum.ln());
        assert_eq!(LogSum::new().ln(), f64::NEG_INFINITY);
    }
}
