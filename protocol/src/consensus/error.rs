//! The end of an engine.

use crate::ids::Height;

/// Why the engine stopped for good: the process must end, and its next run resume from the log.
///
/// Going on after a failure could sign two things for one slot. Therefore no effect leaves with an error, and every
/// later call fails too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The height was started or decided before.
    #[error("height {asked} was started before (the last was {last}): start a later one")]
    HeightOver {
        /// Height that was asked for.
        asked: Height,
        /// The last one that was started, or that is known to be decided.
        last: Height,
    },
    /// The log holds an entry of another height.
    #[error("the log of height {asked} holds an entry of height {found}: replay only the entries of one height")]
    ForeignEntry {
        /// Height to resume.
        asked: Height,
        /// Height of the entry.
        found: Height,
    },
    /// About to sign something else for a slot that was signed before.
    #[error("refused to sign a second {what} for height {height}, round {round}: this process must end")]
    WouldEquivocate {
        /// What kind of statement.
        what: &'static str,
        /// Its height.
        height: Height,
        /// Its round.
        round: u32,
    },
    /// The core of the agreement failed or asked for something that it never should.
    #[error("the agreement failed ({0}): this process must end; on restart it resumes from its log")]
    Core(String),
    /// The engine failed before.
    #[error("the agreement has failed before: this process must end; on restart it resumes from its log")]
    Stopped,
}
