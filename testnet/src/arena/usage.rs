//! What answers of a language model cost beside time.

use althing_node::advice::Cost;
use serde::{Deserialize, Serialize};

/// Questions to a language model, and their tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Questions that the model answered: several for each decision.
    pub questions: u64,
    /// Their tokens.
    pub prompt_tokens: u64,
    /// Those of them that the server knew already.
    pub cached_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            questions: self.questions + other.questions,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
        }
    }
}

impl From<Cost> for Usage {
    fn from(cost: Cost) -> Self {
        Self {
            questions: cost.answers.into(),
            prompt_tokens: cost.prompt_tokens.into(),
            cached_tokens: cost.cached_tokens.into(),
            completion_tokens: cost.completion_tokens.into(),
        }
    }
}
