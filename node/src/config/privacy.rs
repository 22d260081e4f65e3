//! What a member is willing to lose of its examples' privacy, and over how long.

use althing_agents::privacy::{Budget, BudgetError};
use serde::Deserialize;

use super::bounds;

/// A privacy budget and how to spend it. Without this section, a node trains without noise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// All that training may ever tell about one example: about 1 is strong, 8 is weak. It may be lowered later, and
    /// raised by `althing privacy raise` alone.
    #[serde(deserialize_with = "bounds::positive")]
    pub epsilon: f64,
    /// Chance that epsilon does not hold: less than one in the number of examples. It never changes.
    #[serde(deserialize_with = "bounds::probability")]
    pub delta: f64,
    /// Rounds of the federation that the budget is to last, from the first training on, 1 to 1,000,000. Default: 100.
    #[serde(default = "rounds", deserialize_with = "bounds::number::<1, 1_000_000, _, _>")]
    pub rounds: u64,
    /// Examples that a step takes on average, 1 to 1,000,000. Default: 64.
    #[serde(default = "lot", deserialize_with = "bounds::number::<1, 1_000_000, _, _>")]
    pub lot: u64,
    /// Norm that no example's gradient may exceed; the first of it with `clip_quantile`. Default: 1.
    #[serde(default = "clip", deserialize_with = "bounds::positive")]
    pub clip: f64,
    /// Part of the gradients that are to be within the norm: the norm then follows them, at a small cost that is
    /// accounted for. Default: the norm stays.
    #[serde(default, deserialize_with = "bounds::some_probability")]
    pub clip_quantile: Option<f64>,
    /// Step size. Default: the one of the genesis, which is meant for training without noise.
    #[serde(default, deserialize_with = "bounds::some_positive")]
    pub learning_rate: Option<f64>,
}

const fn rounds() -> u64 {
    100
}

const fn lot() -> u64 {
    64
}

const fn clip() -> f64 {
    1.0
}

impl Privacy {
    /// The budget.
    ///
    /// # Errors
    /// [`BudgetError::TooSmall`] if nothing can be done within it.
    pub fn budget(&self) -> Result<Budget, BudgetError> {
        Budget::new(self.epsilon, self.delta)
    }
}
