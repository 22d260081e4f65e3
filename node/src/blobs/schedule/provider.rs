//! What is known of a member's part of one blob.

use std::time::Duration;

use althing_protocol::time::Time;

use crate::blobs::pieces::Pieces;

/// Pause between two surveys of a member that has a part: what it gets meanwhile is not known here.
const SURVEY_EVERY: Duration = Duration::from_millis(100);
/// How much longer that pause is for each provider, so that many are not surveyed more often in all.
const LONGER_FOR_EACH: Duration = Duration::from_millis(10);
/// Pause between two surveys of a member that has all: only whom it names may change.
const SURVEY_WHOLE_EVERY: Duration = Duration::from_secs(1);

/// A member that may be asked for pieces of a blob.
#[derive(Debug)]
pub(super) struct Provider {
    holds: Holds,
    /// When to survey it.
    survey_at: Time,
}

#[derive(Debug)]
enum Holds {
    /// All, as somebody has said who need not know; it is taken to be so until it has been surveyed.
    Presumed,
    All,
    Part(Pieces),
    /// It fetches the blob itself, and has not said yet what it has.
    Unknown,
}

impl Provider {
    /// One that is said to have the blob.
    pub(super) fn named() -> Self {
        Self { holds: Holds::Presumed, survey_at: Time(0) }
    }

    /// One that is fetching the blob itself.
    pub(super) fn fellow() -> Self {
        Self { holds: Holds::Unknown, survey_at: Time(0) }
    }

    pub(super) fn has(&self, piece: u32) -> bool {
        match &self.holds {
            Holds::Presumed | Holds::All => true,
            Holds::Part(pieces) => pieces.contains(piece),
            Holds::Unknown => false,
        }
    }

    /// Whether it may turn out to have anything.
    pub(super) const fn is_unknown(&self) -> bool {
        matches!(self.holds, Holds::Unknown)
    }

    /// Whether it lacks some of the blob, and so is asked first: whoever has all is needed by others for the rest.
    pub(super) const fn has_part(&self) -> bool {
        matches!(self.holds, Holds::Part(_) | Holds::Unknown)
    }

    /// When to survey it.
    pub(super) const fn survey_at(&self) -> Time {
        self.survey_at
    }

    /// What it has, when the blob has so many providers.
    pub(super) fn surveyed(&mut self, pieces: Pieces, providers: usize, now: Time) {
        self.holds = if pieces.is_whole() { Holds::All } else { Holds::Part(pieces) };
        let longer = LONGER_FOR_EACH * u32::try_from(providers).unwrap_or(u32::MAX);
        let pause = if self.has_part() { SURVEY_EVERY + longer } else { SURVEY_WHOLE_EVERY };
        self.survey_at = now + pause;
    }

    /// It lacks this piece, of so many, and was thought to have it. What else it has will be asked.
    pub(super) fn lacks(&mut self, piece: u32, of: u32) {
        match &mut self.holds {
            Holds::Part(pieces) => pieces.remove(piece),
            Holds::Presumed | Holds::All | Holds::Unknown => self.holds = Holds::Part(Pieces::none(of)),
        }
    }

    /// A survey of it has come to nothing, and is due again: before it, the member does not know that this one shares.
    pub(super) fn survey_lost(&mut self, now: Time) {
        self.survey_at = now;
    }
}
