//! The norm that gradients are clipped to: one that stays, or one that follows a quantile of the gradients' norms.
//!
//! The second is "Differentially Private Learning with Adaptive Clipping" (Andrew, Thakkar, McMahan and Ramaswamy, 2021),
//! with samples in the place of users. Each step also releases, with noise of its own, how many of the gradients that it
//! took were within the norm, and moves the norm by that. Both releases together are one Gaussian mechanism of the
//! noise multiplier that is accounted for, so an accountant needs to know nothing of this.

use rand_chacha::ChaCha20Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// Norms that a clip may come to: beyond them nothing is left of a gradient, or of the numbers.
const NORMS: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// The norm that no sample's gradient may exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Clip {
    /// Always this one, above 0.
    Fixed(f64),
    /// One that follows a quantile.
    Adaptive(AdaptiveClip),
}

/// A norm that follows a quantile of the norms of the gradients, without looking at them more than is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdaptiveClip {
    /// Norm of the first step, above 0.
    pub initial: f64,
    /// Part of the gradients that are to be within the norm, from 0 to 1; the paper finds one half to do everywhere.
    pub quantile: f64,
    /// How fast the norm follows, above 0: a step changes it by at most about this factor's exponential. The paper's
    /// is 0.2.
    pub rate: f64,
    /// Standard deviation of the noise on the number of gradients within the norm, in samples; above half the noise
    /// multiplier. The paper's is a twentieth of the lot. The more of it, the less the gradients bear in its place.
    pub count_noise: f64,
}

impl Clip {
    /// The norm of the first step.
    pub const fn initial(&self) -> f64 {
        match self {
            Self::Fixed(norm) => *norm,
            Self::Adaptive(adaptive) => adaptive.initial,
        }
    }

    /// The noise multiplier of the sum of gradients, when the whole step is to have that of `sigma`.
    ///
    /// A sample moves the sum by at most one norm and the count, whose middle is taken off, by half. So the step has
    /// `sigma^-2 = z^-2 + (2 count_noise)^-2`, where z is what is returned (theorem 1 of the paper). Not a number if
    /// the count alone says more than `sigma` allows.
    pub fn gradient_sigma(&self, sigma: f64) -> f64 {
        match self {
            Self::Fixed(_) => sigma,
            Self::Adaptive(adaptive) => (sigma.powi(-2) - (2.0 * adaptive.count_noise).powi(-2)).sqrt().recip(),
        }
    }

    /// The first field that is out of its bounds with noise of `sigma`: its name, value and bounds.
    pub(super) fn fault(&self, sigma: f64) -> Option<(&'static str, f64, &'static str)> {
        let is_above_zero = |value: f64| value.is_finite() && value > 0.0;
        if !is_above_zero(self.initial()) {
            return Some(("clip", self.initial(), "a number above 0"));
        }
        let Self::Adaptive(adaptive) = self else { return None };
        if !(0.0..=1.0).contains(&adaptive.quantile) {
            return Some(("clip quantile", adaptive.quantile, "from 0 to 1"));
        }
        if !is_above_zero(adaptive.rate) {
            return Some(("clip rate", adaptive.rate, "a number above 0"));
        }
        let z = self.gradient_sigma(sigma);
        let fits = adaptive.count_noise.is_finite() && z.is_finite();
        (!fits).then_some(("clip count noise", adaptive.count_noise, "above half the noise multiplier"))
    }
}

/// A clip on its way through a training.
pub(super) struct Clipper {
    clip: Clip,
    norm: f64,
    /// Where the noise on the count comes from.
    noise: ChaCha20Rng,
}

impl Clipper {
    pub(super) fn new(clip: Clip, noise: ChaCha20Rng) -> Self {
        Self { clip, norm: clip.initial(), noise }
    }

    /// The norm of the next step.
    pub(super) const fn norm(&self) -> f64 {
        self.norm
    }

    /// Moves the norm after a step that took gradients of `norms`, out of an expected `lot` of them.
    ///
    /// The division is by the expected number: the number taken is itself private.
    pub(super) fn follow(&mut self, norms: &[f32], lot: usize) {
        let Clip::Adaptive(AdaptiveClip { quantile, rate, count_noise, .. }) = self.clip else { return };
        let within = norms.iter().filter(|norm| f64::from(**norm) <= self.norm).count();
        let noise: f64 = StandardNormal.sample(&mut self.noise);
        let centred = within as f64 - norms.len() as f64 / 2.0 + count_noise * noise;
        let part = centred / lot as f64 + 0.5;
        self.norm = (self.norm * (-rate * (part - quantile)).exp()).clamp(*NORMS.start(), *NORMS.end());
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn adaptive(initial: f64, quantile: f64, count_noise: f64) -> Clip {
        Clip::Adaptive(AdaptiveClip { initial, quantile, rate: 0.2, count_noise })
    }

    fn clipper(clip: Clip) -> Clipper {
        Clipper::new(clip, ChaCha20Rng::from_seed([3; 32]))
    }

    /// Worked by hand: 1 - 1/4 = 3/4, whose root is 0.8660; 1/4 - 1/400 = 0.2475, whose root is 0.49749.
    #[test]
    fn the_count_takes_its_share_of_the_noise_from_the_gradients() {
        assert_eq!(Clip::Fixed(1.0).gradient_sigma(1.3), 1.3);
        assert!((adaptive(1.0, 0.5, 1.0).gradient_sigma(1.0) - 1.154_700_5).abs() < 1e-6);
        assert!((adaptive(1.0, 0.5, 10.0).gradient_sigma(2.0) - 2.010_075_6).abs() < 1e-6);
    }

    /// The divergence of order a between two Gaussians of deviations s at distance d is `a d² / (2 s²)`, and those of
    /// independent releases add up: together they are what is accounted for.
    #[test]
    fn both_releases_together_cost_what_is_accounted_for() {
        let gaussian = |order: f64, distance: f64, deviation: f64| order * (distance / deviation).powi(2) / 2.0;
        for (sigma, count_noise, order) in [(0.7, 0.36, 2.0), (1.1, 12.8, 8.5), (4.0, 51.2, 32.0)] {
            let norm = 0.37;
            let gradients = gaussian(order, norm, adaptive(norm, 0.5, count_noise).gradient_sigma(sigma) * norm);
            let count = gaussian(order, 0.5, count_noise);
            let accounted = gaussian(order, 1.0, sigma);
            assert!(((gradients + count) / accounted - 1.0).abs() < 1e-12, "{sigma} {count_noise}");
        }
    }

    #[test]
    fn the_norm_comes_to_the_quantile_from_either_side() {
        let mut norms = ChaCha20Rng::from_seed([5; 32]);
        for initial in [0.01, 40.0] {
            let mut clipper = clipper(adaptive(initial, 0.75, 3.0));
            for _ in 0..200 {
                // Norms are even from 0 to 4, so three quarters are within 3.
                let lot: Vec<f32> = (0..60).map(|_| norms.random::<f32>() * 4.0).collect();
                clipper.follow(&lot, 60);
            }
            assert!((clipper.norm() - 3.0).abs() < 0.4, "from {initial} to {}", clipper.norm());
        }
    }

    #[test]
    fn the_count_is_released_with_its_noise_and_no_less() {
        let (mut sum, mut squares, count) = (0.0, 0.0, 4_000);
        let mut clipper = clipper(adaptive(1.0, 0.5, 5.0));
        for _ in 0..count {
            clipper.norm = 1.0;
            clipper.follow(&[0.5; 30], 50);
            // Undo the step to see what was released: the part within, of 50 expected samples.
            let part = 0.5 - clipper.norm.ln() / 0.2;
            sum += part;
            squares += part * part;
        }
        let mean = sum / f64::from(count);
        let deviation = (squares / f64::from(count) - mean * mean).sqrt();
        // 30 are within, 15 above the middle: 15 / 50 + 1/2.
        assert!((mean - 0.8).abs() < 0.01 && (deviation / 0.1 - 1.0).abs() < 0.05, "{mean}, {deviation}");
    }

    #[test]
    fn a_fixed_norm_stays_and_an_adaptive_one_stays_a_number() {
        let mut fixed = clipper(Clip::Fixed(0.3));
        fixed.follow(&[9.0; 10], 1);
        assert_eq!(fixed.norm(), 0.3);
        let mut wild =
            clipper(Clip::Adaptive(AdaptiveClip { initial: 1.0, quantile: 1.0, rate: 50.0, count_noise: 99.0 }));
        for _ in 0..50 {
            wild.follow(&[2.0; 10], 1);
            assert!(NORMS.contains(&wild.norm()), "{}", wild.norm());
        }
    }
}
