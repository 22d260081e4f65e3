//! A member whose memory of what it has signed may be out of date says nothing until it cannot contradict itself.
//!
//! Such a member was restored from a copy. The life that the copy was taken of went on, and may have signed at every height
//! up to the one after its last decision, D + 1. More than two thirds of the power signed for D, and so had decided D - 1.
//! Once this member has reached what members with more than two thirds of the power, itself left out, say that they have
//! decided, at least one honest member of both sets is among them; so the height T that it stands at is at least D - 1.
//! What it signs above T + 2 is therefore the first that its key signs there. Whole rounds are left out, since statements
//! belong to rounds.
//!
//! Only what a member says of itself over its own connection counts, and nothing of the first seconds: gossip keeps
//! messages for a while, and an older one would tell of a lower height.

use std::{collections::BTreeMap, time::Duration};

use super::Machine;
use crate::{
    event::Event,
    ids::{Height, MemberId},
    state::Stage,
    time::Time,
};

/// Time for which gossip may still bring what was said before this member came back: more than it keeps messages for.
const ECHOES_FOR: Duration = Duration::from_secs(10);

/// Heights above the one that is surely reached at which a former life may have signed.
const HEIGHTS_SIGNED: u64 = 2;

/// Whether a member knows all that its key has signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Voice {
    /// It does: its journal is whole.
    #[default]
    Speaks,
    /// Its store is a copy, and what was signed since is not known.
    Silent,
}

/// What a silent member knows.
#[derive(Debug)]
pub(super) struct Silence {
    since: Time,
    /// The first height that each member says it has decided.
    heard: BTreeMap<MemberId, Height>,
    /// The height at which it may speak again, once that is known.
    until: Option<Height>,
}

impl Silence {
    pub(super) const fn new(since: Time) -> Self {
        Self { since, heard: BTreeMap::new(), until: None }
    }
}

impl Machine {
    /// R39: whether this member says nothing, because it was restored from a copy.
    pub const fn is_silent(&self) -> bool {
        self.silence.is_some()
    }

    /// Says why nothing will be heard of this member for a while.
    pub(super) fn begin_silence(&mut self) {
        let why = "this node was restored from a copy, and says nothing until its key cannot sign anything twice; \
                   it waits for members with more than two thirds of the votes beside its own";
        self.tell(Event::Hindered { why: why.into() });
    }

    /// A member says over its own connection that it has decided `height`.
    pub(super) fn heard_directly(&mut self, member: MemberId, height: Height) {
        let now = self.now;
        if let Some(silence) = &mut self.silence
            && now.since(silence.since) >= ECHOES_FOR
        {
            silence.heard.entry(member).or_insert(height);
            self.look_for_the_end();
        }
    }

    /// Finds out at which height this member may speak again.
    fn look_for_the_end(&mut self) {
        let (validators, height) = (&self.validators, self.state.height);
        let Some(silence) = &mut self.silence else { return };
        if silence.until.is_some() {
            return;
        }
        let reached = silence.heard.iter().filter(|(member, said)| **member != self.me && **said <= height);
        if validators.is_quorum(reached.map(|(member, _)| validators.power(member)).sum()) {
            silence.until = Some(Height(height.0.saturating_add(HEIGHTS_SIGNED)));
        }
    }

    /// Whether to go on saying nothing, now that a height is decided.
    pub(super) fn stays_silent(&mut self) -> bool {
        self.look_for_the_end();
        let Some(silence) = &self.silence else { return false };
        let over = silence.until.is_some_and(|until| self.state.height >= until);
        if over && matches!(self.state.stage, Stage::Planning) {
            self.silence = None;
        }
        self.is_silent()
    }
}
