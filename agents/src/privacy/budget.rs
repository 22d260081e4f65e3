//! What a member is willing to lose.

use serde::{Deserialize, Serialize};

use super::{curve::default_orders, line::LEAD_SHARE, line::bound};

/// Why numbers are not a budget.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BudgetError {
    /// Epsilon is zero, negative, infinite or not a number.
    #[error("epsilon is {0}; give a number above 0: about 1 is strong, 8 is weak")]
    Epsilon(f64),
    /// Delta is no probability.
    #[error("delta is {0}; give a number above 0 and below 1: less than one in the number of your examples, as 1e-5")]
    Delta(f64),
    /// Nothing at all can be done within it.
    #[error("no training fits within epsilon {epsilon} at delta {delta}; raise epsilon or delta")]
    TooSmall {
        /// Epsilon.
        epsilon: f64,
        /// Delta.
        delta: f64,
    },
}

/// The (epsilon, delta) that a member's whole life in training may cost one example.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Numbers")]
pub struct Budget {
    epsilon: f64,
    delta: f64,
}

/// A budget as it is stored, before it is believed.
#[derive(Deserialize)]
struct Numbers {
    epsilon: f64,
    delta: f64,
}

impl TryFrom<Numbers> for Budget {
    type Error = BudgetError;

    fn try_from(numbers: Numbers) -> Result<Self, BudgetError> {
        Self::new(numbers.epsilon, numbers.delta)
    }
}

impl Budget {
    /// A budget of `epsilon` at `delta`.
    ///
    /// # Errors
    /// [`BudgetError`] when a number is out of its range or the budget allows nothing.
    pub fn new(epsilon: f64, delta: f64) -> Result<Self, BudgetError> {
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(BudgetError::Epsilon(epsilon));
        }
        if !(delta > 0.0 && delta < 1.0) {
            return Err(BudgetError::Delta(delta));
        }
        let budget = Self { epsilon, delta };
        if default_orders().all(|order| bound(&budget, order, LEAD_SHARE) <= 0.0) {
            return Err(BudgetError::TooSmall { epsilon, delta });
        }
        Ok(budget)
    }

    /// Epsilon.
    pub const fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Delta.
    pub const fn delta(&self) -> f64 {
        self.delta
    }
}
