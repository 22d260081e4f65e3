//! Why there is no answer.

use serde::{Deserialize, Serialize};

/// Why a language model has not answered. It is a value and no fault of the node's: who asked falls back on a rule and
/// writes the name down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Nobody listens there, or the name is unknown.
    #[error("nobody can be reached there; start the server, or correct the address")]
    Unreachable,
    /// The server's certificate does not prove that it is who was meant.
    #[error("the server's certificate is not trusted; have the system trust who issued it, or correct the address")]
    Untrusted,
    /// The connection ended before the answer did.
    #[error("the server closed the connection before it had answered; look into its log")]
    Dropped,
    /// The deadline has passed.
    #[error("the answer did not come in time; allow more, ask for fewer tokens, or take a smaller model")]
    Late,
    /// Too many questions wait already (status 429).
    #[error("the server has too many questions waiting; ask later, or less often")]
    Busy,
    /// The key is missing, wrong or not enough (status 401 or 403).
    #[error("the server does not accept the key; check the variable that key_env names")]
    Denied,
    /// The server names another address (status 3xx), which nobody here follows.
    #[error("the server points to another address, which is not followed; write down the one that it points to")]
    Redirected,
    /// Any other status that is no success.
    #[error("the server answered with status {0}; ALTHING_LOG=althing_node::endpoint=debug shows what it said")]
    Status(u16),
    /// The answer is longer than may be read.
    #[error("the answer is longer than is read; check that the address is that of a language model")]
    TooLong,
    /// The answer is not what the protocol or the schema says.
    #[error("the answer is not understood; check that the server speaks OpenAI's protocol and follows JSON schemas")]
    Malformed,
    /// The answer is well made, but its word was not on the menu.
    #[error("the answer is none of those asked for; the server does not follow JSON schemas")]
    OffMenu,
    /// The answer was cut off at its greatest length before it was whole.
    #[error("the answer was cut off at its greatest length; allow more tokens")]
    Truncated,
    /// The server was asked how likely an answer is, and did not say.
    #[error("the server gives no log-probabilities; use one that does")]
    NoLogProbabilities,
    /// The server serves no model, or not the one that was named.
    #[error("the server does not list the model; load it, or correct its name")]
    NoModel,
    /// The question itself is out of bounds; nothing was sent.
    #[error("the question cannot be asked; keep its menu, its length and its tokens within bounds")]
    Unaskable,
}

impl Refusal {
    /// A short name for transcripts and reports, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Untrusted => "untrusted",
            Self::Dropped => "dropped",
            Self::Late => "late",
            Self::Busy => "busy",
            Self::Denied => "denied",
            Self::Redirected => "redirected",
            Self::Status(_) => "status",
            Self::TooLong => "too-long",
            Self::Malformed => "malformed",
            Self::OffMenu => "off-menu",
            Self::Truncated => "truncated",
            Self::NoLogProbabilities => "no-log-probabilities",
            Self::NoModel => "no-model",
            Self::Unaskable => "unaskable",
        }
    }
}
