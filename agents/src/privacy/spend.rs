//! What a piece of training asks of the budget.

use serde::{Deserialize, Serialize};

/// Largest noise multiplier: more noise than any training survives, and far from where its square loses digits.
pub const MAX_SIGMA: f64 = 1e6;

/// Most steps of one spend: more than a machine takes in its life, and exact as a floating-point number.
pub const MAX_STEPS: u64 = 1 << 40;

/// Why numbers are not a spend.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpendError {
    /// The sampling rate is no probability.
    #[error("the sampling rate q is {0}; give the probability with which a step takes an example, from 0 to 1")]
    Rate(f64),
    /// The noise multiplier is negative, too large or not a number.
    #[error("the noise multiplier sigma is {0}; give the noise's deviation in clipping norms, from 0 to {MAX_SIGMA}")]
    Noise(f64),
    /// Too many steps.
    #[error("{0} steps are more than the {MAX_STEPS} that one entry may have; split them or check the number")]
    Steps(u64),
}

/// Steps of the Poisson-subsampled Gaussian mechanism, all with the same rate and noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Numbers")]
pub struct Spend {
    q: f64,
    sigma: f64,
    steps: u64,
}

/// A spend as it is stored, before it is believed.
#[derive(Deserialize)]
struct Numbers {
    q: f64,
    sigma: f64,
    steps: u64,
}

impl TryFrom<Numbers> for Spend {
    type Error = SpendError;

    fn try_from(numbers: Numbers) -> Result<Self, SpendError> {
        Self::new(numbers.q, numbers.sigma, numbers.steps)
    }
}

impl Spend {
    /// `steps` steps that each take every example with probability `q` and add noise of `sigma` clipping norms.
    ///
    /// # Errors
    /// [`SpendError`] when a number is out of its range.
    pub fn new(q: f64, sigma: f64, steps: u64) -> Result<Self, SpendError> {
        if !(0.0..=1.0).contains(&q) {
            return Err(SpendError::Rate(q));
        }
        if !(0.0..=MAX_SIGMA).contains(&sigma) {
            return Err(SpendError::Noise(sigma));
        }
        if steps > MAX_STEPS {
            return Err(SpendError::Steps(steps));
        }
        Ok(Self { q, sigma, steps })
    }

    /// Probability with which a step takes an example.
    pub const fn q(&self) -> f64 {
        self.q
    }

    /// Standard deviation of the noise, in clipping norms.
    pub const fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Number of steps.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The same mechanism for another number of steps, at most [`MAX_STEPS`].
    #[must_use]
    pub fn with_steps(self, steps: u64) -> Self {
        Self { steps: steps.min(MAX_STEPS), ..self }
    }

    /// What it costs if one step costs `step`, rounded up; no steps cost nothing, even without noise.
    pub(super) fn cost(&self, step: f64) -> f64 {
        if self.steps == 0 || step == 0.0 { 0.0 } else { (self.steps as f64 * step).next_up() }
    }
}
