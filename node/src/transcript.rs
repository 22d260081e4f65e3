//! What the agents of a node have decided, and why: kept in the store, shown by `althing decisions`.
//!
//! Nothing of the member's examples is in it: facts are numbers of the ledger, of the machine and of the privacy
//! account, words are the code's own, and a reason is what a model made of those.

use althing_protocol::{
    event::{DecidedBy, Role},
    ids::Round,
};
use serde::{Deserialize, Serialize};

use crate::advice::Cost;

/// Entries that a store keeps; of more, the oldest are forgotten.
pub const ENTRIES_MAX: u64 = 4_096;

/// One entry. Field names are stable; a reader must ignore those that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written, in milliseconds since 1970, by the node's clock.
    pub at_ms: u64,
    /// The round in which it was made.
    pub round: Round,
    /// Whose decision it is.
    pub role: Role,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What an agent did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A model was asked for a standing order.
    Asked(Box<Asked>),
    /// A round was decided.
    Decided {
        /// Who made the decision: a model's standing order, the rules, or the rules because there was no fit order.
        by: DecidedBy,
        /// The entry of the menu, in words.
        choice: String,
        /// Why the rules decided in the model's place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A model did worse than the rules over a window of rounds, and is not asked for a while.
    Benched {
        /// The round from which on it is asked again.
        until: Round,
    },
}

/// A question to a model, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What the order is about.
    pub topic: String,
    /// The menu, as it was shown.
    pub menu: Vec<String>,
    /// What the model was told.
    pub facts: String,
    /// Hash of all words that it was asked with first, in hexadecimal.
    pub prompt: String,
    /// What it thought aloud.
    pub reason: String,
    /// The entry that became an order.
    pub choice: Option<String>,
    /// Why none did.
    pub why: Option<String>,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
}
