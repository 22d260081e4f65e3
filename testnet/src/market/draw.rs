//! Draws of an experiment. Each purpose has a stream of its own, so that more draws for one leave the others as they were.

use althing_protocol::ids::Hash;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution as _, Gamma, LogNormal};
use serde::{Deserialize, Serialize};

/// Draws for one purpose.
pub(super) type Stream = ChaCha8Rng;

/// The stream of a seed for `purpose`, and of these numbers.
pub(super) fn stream(seed: u64, purpose: &str, numbers: &[u64]) -> Stream {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let seed = Hash::derive("althing market draws", &[&seed.to_le_bytes(), purpose.as_bytes(), &numbers]);
    ChaCha8Rng::from_seed(seed.0)
}

/// Whether something happens that happens in so many thousandths of cases.
pub(super) fn happens(permille: u32, stream: &mut Stream) -> bool {
    stream.random_range(0..1_000) < permille
}

/// How a number is drawn that members differ in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Distribution {
    /// The same for all.
    Constant(f64),
    /// Evenly between two numbers.
    Uniform {
        /// The least.
        low: f64,
        /// The most.
        high: f64,
    },
    /// Whose logarithm is normal.
    LogNormal {
        /// Half are below.
        median: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma.
    Gamma {
        /// The mean.
        mean: f64,
        /// The shape: the smaller, the more uneven.
        shape: f64,
    },
    /// Beta, between 0 and 1.
    Beta {
        /// Weight towards 1.
        alpha: f64,
        /// Weight towards 0.
        beta: f64,
    },
}

impl Distribution {
    /// A number, not negative.
    pub(super) fn draw(&self, stream: &mut Stream) -> f64 {
        let drawn = match *self {
            Self::Constant(value) => Some(value),
            Self::Uniform { low, high } => Some(low + (high - low) * stream.random::<f64>()),
            Self::LogNormal { median, sigma } => LogNormal::new(median.ln(), sigma).ok().map(|law| law.sample(stream)),
            Self::Gamma { mean, shape } => Gamma::new(shape, mean / shape).ok().map(|law| law.sample(stream)),
            Self::Beta { alpha, beta } => Beta::new(alpha, beta).ok().map(|law| law.sample(stream)),
        };
        // `check` has seen to it that there is a law.
        drawn.unwrap_or(0.0).max(0.0)
    }

    /// Why nothing can be drawn so, if that is the case.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let above_zero = |value: f64| value > 0.0 && value.is_finite();
        let holds = match *self {
            Self::Constant(value) => value >= 0.0 && value.is_finite(),
            Self::Uniform { low, high } => low >= 0.0 && high >= low && high.is_finite(),
            Self::LogNormal { median, sigma } => above_zero(median) && sigma >= 0.0 && sigma.is_finite(),
            Self::Gamma { mean, shape } => above_zero(mean) && above_zero(shape),
            Self::Beta { alpha, beta } => above_zero(alpha) && above_zero(beta),
        };
        if holds { Ok(()) } else { Err("the numbers must be finite and not negative, and all but the least above 0") }
    }
}
