//! Who answers: a model behind a trait, so that the server can be tested without one.

pub(crate) mod local;
mod memory;
mod recorder;
mod translate;

use std::{future::Future, pin::Pin, time::Duration};

use serde_json::Value;

/// The answer that is to come. Dropping it stops the generation.
pub(crate) type Pending<'a> = Pin<Box<dyn Future<Output = Result<Answer, EngineError>> + Send + 'a>>;

/// A model that answers one question at a time.
pub(crate) trait Engine: Send + Sync {
    /// Answers `ask`, decoding greedily: always the likeliest token.
    ///
    /// # Errors
    /// [`EngineError`], in the future, when the question is none for this model or the model fails.
    fn answer(&self, ask: Ask) -> Pending<'_>;
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// Whoever sets the task.
    System,
    /// Whoever asks.
    User,
    /// The model itself, earlier.
    Assistant,
}

/// Part of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Who says it.
    pub(crate) speaker: Speaker,
    /// What is said.
    pub(crate) text: String,
}

/// A question to the model, within all limits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    /// The conversation so far.
    pub(crate) messages: Vec<Message>,
    /// How many tokens the answer may have.
    pub(crate) max_tokens: usize,
    /// What the answer must look like, as a JSON schema.
    pub(crate) schema: Option<Value>,
    /// Whether to say how likely each token was, and how many others to say it of.
    pub(crate) odds: Option<usize>,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// It had said all.
    Complete,
    /// The answer had reached its limit.
    Truncated,
}

/// What the model said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// Its words.
    pub(crate) text: String,
    /// Why it stopped.
    pub(crate) finish: Finish,
    /// What it cost.
    pub(crate) usage: Usage,
    /// The probability of each token, if asked for.
    pub(crate) odds: Option<Vec<Odds>>,
}

/// What an answer cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// Tokens of the question, in the form that the model reads.
    pub(crate) prompt_tokens: usize,
    /// As many of them, from the first on, were known from an earlier question and cost nothing. A lower bound.
    pub(crate) reused_tokens: usize,
    /// Tokens of the answer, with the one that ends it.
    pub(crate) completion_tokens: usize,
    /// Time until the first token of the answer.
    pub(crate) prompt_time: Duration,
    /// Time from then to the last.
    pub(crate) completion_time: Duration,
}

/// How likely a token was, to the model itself: before a schema forbids anything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Odds {
    /// The token that was taken.
    pub(crate) taken: Likelihood,
    /// The likeliest tokens in its place, likeliest first.
    pub(crate) likeliest: Vec<Likelihood>,
}

/// A token and how likely it was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Likelihood {
    /// The token's text.
    pub(crate) token: String,
    /// The natural logarithm of its probability.
    pub(crate) ln: f64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EngineError {
    /// The question is none for this model.
    #[error("{0}")]
    Refused(String),
    /// The model failed.
    #[error("the model failed: {0}; ask again, and if it persists, start althing-lm with ALTHING_LM_LOG=info")]
    Failed(String),
}
