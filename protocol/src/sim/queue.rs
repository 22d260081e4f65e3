//! What is going to happen, by time.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use crate::{
    ids::{BlobRef, MemberId},
    machine::{Input, ReplyId, Timer},
    time::Time,
};

/// A life of a member: from one start to the next crash. What was meant for an earlier one is lost.
pub(super) type Life = u64;

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Event {
    /// A message arrives.
    Gossip { to: usize, life: Life, from: usize, bytes: Rc<[u8]> },
    /// A message arrives that no honest member could have sent.
    Forgery { to: usize, life: Life, from: usize, author: MemberId, bytes: Rc<[u8]> },
    /// A question arrives.
    Question { to: usize, life: Life, from: usize, asked_in: Life, bytes: Vec<u8> },
    /// An answer arrives.
    Answer { to: usize, life: Life, from: usize, bytes: Vec<u8> },
    /// A question has waited long enough.
    Patience { who: usize, life: Life, from: usize, question: ReplyId },
    /// A timer's time is up, unless it was set anew.
    Timer { who: usize, life: Life, timer: Timer, set: u64 },
    /// An agent or the store is done.
    Done { who: usize, life: Life, input: Input, stored: Option<BlobRef> },
    /// A member looks for somebody who has a blob.
    Seek { who: usize, life: Life, blob: BlobRef },
    /// A blob arrives.
    Blob { who: usize, life: Life, blob: BlobRef, from: usize, sent_in: Life },
    /// A member looks whether it is connected to another.
    Look { who: usize, peer: usize },
    /// A member starts again.
    Restart { who: usize },
    /// A spammer speaks up.
    Spam { who: usize },
    /// The owner of some account wants something done.
    Instruct,
    /// Newcomers come, or go.
    Knock,
    /// Some member votes for another's removal.
    Vote,
    /// A fault of the scenario, by its place there.
    Fault(usize),
    /// From here on there are no new faults.
    Calm,
}

/// The clock with everything that is to come. Events of one time happen in the order in which they were put.
#[derive(Debug, Default)]
pub(super) struct Queue {
    now: Time,
    put: u64,
    events: BTreeMap<(Time, u64), Event>,
}

impl Queue {
    pub(super) const fn now(&self) -> Time {
        self.now
    }

    pub(super) fn put(&mut self, at: Time, event: Event) {
        self.put += 1;
        self.events.insert((at.max(self.now), self.put), event);
    }

    pub(super) fn put_in(&mut self, span: Duration, event: Event) {
        self.put(self.now + span, event);
    }

    pub(super) fn put_in_ms(&mut self, ms: u64, event: Event) {
        self.put_in(Duration::from_millis(ms), event);
    }

    /// The next event; the clock moves on to it.
    pub(super) fn take(&mut self) -> Option<Event> {
        let ((at, _), event) = self.events.pop_first()?;
        self.now = at;
        Some(event)
    }
}
