//! The few subjects that members gossip about.

/// A subject of gossip. Every node follows all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Statements of a round: bids, marks, updates, appraisals.
    Round,
    /// What owners of accounts want done with their credits.
    Instructions,
    /// Votes and proposals of the agreement.
    Consensus,
    /// Proposed bodies on their way.
    Bodies,
    /// Who has which blob.
    Have,
    /// Heights that members have reached.
    Tip,
}

/// Longest message of most topics, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Longest message of [`Topic::Bodies`], in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

impl Topic {
    /// All topics.
    pub const ALL: [Self; 6] = [Self::Round, Self::Instructions, Self::Consensus, Self::Bodies, Self::Have, Self::Tip];

    /// Longest message, in bytes; longer ones are neither sent nor taken.
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::Bodies => BODY_BYTES_MAX,
            Self::Round | Self::Instructions | Self::Consensus | Self::Have | Self::Tip => MESSAGE_BYTES_MAX,
        }
    }

    /// The word that stands in the topic's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Round => "round",
            Self::Instructions => "instructions",
            Self::Consensus => "consensus",
            Self::Bodies => "bodies",
            Self::Have => "have",
            Self::Tip => "tip",
        }
    }
}
