//! One member: its machine while it lives, and what survives its death.

use std::collections::{BTreeMap, BTreeSet};

use super::{agent::Agent, byzantine::Liar, epidemic::Stepped, fault::Moment, queue::Life};
use crate::{
    ids::{BlobRef, Hash, Height, MemberId},
    machine::{Commit, Durable, Identity, JournalEntry, Machine, ReplyId, Timer, Voice},
    state::State,
    wire::Decision,
};

/// What survives a crash.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    voice: Voice,
    state: Option<Vec<u8>>,
    journal: Vec<JournalEntry>,
    pub(super) step: Option<Vec<u8>>,
    pub(super) decisions: BTreeMap<Height, Decision>,
    pub(super) blobs: BTreeSet<BlobRef>,
    /// Those of them that are damaged, which nobody has noticed yet.
    rotten: BTreeSet<BlobRef>,
}

impl Store {
    /// A new store, with the first model in it.
    pub(super) fn holding(model: BlobRef) -> Self {
        Self { blobs: [model].into(), ..Self::default() }
    }

    /// Damages all blobs.
    pub(super) fn rot(&mut self) {
        self.rotten = self.blobs.clone();
    }

    /// Whether `blob` is here and whole.
    pub(super) fn can_give(&self, blob: &BlobRef) -> bool {
        self.blobs.contains(blob) && !self.rotten.contains(blob)
    }

    /// A damaged blob among those that are `needed`.
    pub(super) fn find_rotten(&self, needed: &[BlobRef]) -> Option<BlobRef> {
        needed.iter().copied().find(|blob| self.rotten.contains(blob) && self.blobs.contains(blob))
    }

    /// Deletes a damaged blob.
    pub(super) fn clear(&mut self, blob: &BlobRef) {
        if self.rotten.remove(blob) {
            self.blobs.remove(blob);
        }
    }

    /// The last decision, if there is one.
    pub(super) fn head(&self) -> (Height, Hash) {
        let last = self.decisions.last_key_value();
        last.map_or((Height(0), Hash::ZERO), |(height, decision)| (*height, Hash::of(&decision.body)))
    }

    /// A copy that somebody has put in the place of the store.
    pub(super) fn restored(self, voice: Voice) -> Self {
        Self { voice, ..self }
    }

    pub(super) fn append(&mut self, entry: JournalEntry) {
        self.journal.push(entry);
    }

    pub(super) fn commit(&mut self, commit: Commit) {
        self.state = Some(commit.state.encode());
        self.journal.retain(|entry| entry.until > commit.height);
        self.decisions.insert(commit.height, commit.decision);
    }

    pub(super) fn durable(&self) -> Durable {
        let journal = self.journal.iter().map(|entry| entry.bytes.to_vec()).collect();
        Durable {
            state: self.state.clone(),
            journal,
            step: self.step.clone(),
            blobs: self.blobs.clone(),
            voice: self.voice,
        }
    }

    /// Whether `needle` stands anywhere in the journal.
    pub(super) fn holds(&self, needle: &[u8]) -> bool {
        self.journal.iter().any(|entry| entry.bytes.windows(needle.len()).any(|window| window == needle))
    }
}

/// A death that awaits its write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doom {
    pub(super) writes: u32,
    pub(super) moment: Moment,
    pub(super) down_ms: u64,
}

/// One member.
pub(super) struct Node {
    pub(super) id: MemberId,
    pub(super) identity: Identity,
    pub(super) machine: Option<Machine>,
    pub(super) life: Life,
    pub(super) store: Store,
    /// What somebody has copied of it.
    pub(super) copy: Option<Store>,
    /// Where it stood when it died.
    pub(super) last: State,
    /// Steps of epidemic exchange that it has ended, over all its lives.
    pub(super) steps: Vec<Stepped>,
    /// The setting that counts, of each timer that runs.
    pub(super) timers: BTreeMap<Timer, u64>,
    pub(super) set: u64,
    /// Whom it believes to be connected to, and in which of their lives.
    pub(super) peers: BTreeMap<usize, Life>,
    /// Blobs that it seeks, and who may have them.
    pub(super) seeking: BTreeMap<BlobRef, BTreeSet<usize>>,
    /// Questions of others that wait for an answer.
    pub(super) questions: BTreeMap<ReplyId, (usize, Life)>,
    /// Its own question, while that waits.
    pub(super) asking: Option<(usize, ReplyId)>,
    pub(super) asked: ReplyId,
    pub(super) agent: Agent,
    pub(super) liar: Option<Liar>,
    pub(super) doom: Option<Doom>,
}

impl Node {
    /// Whether its next write kills it, and on which side of it.
    pub(super) fn fate(&mut self) -> Option<Doom> {
        let doom = self.doom.as_mut()?;
        if doom.writes == 0 {
            return self.doom.take();
        }
        doom.writes -= 1;
        None
    }

    /// Ends this life.
    pub(super) fn die(&mut self) {
        if let Some(machine) = self.machine.take() {
            self.last = machine.state().clone();
        }
        self.life += 1;
        self.timers.clear();
        self.peers.clear();
        self.seeking.clear();
        self.questions.clear();
        self.asking = None;
        self.doom = None;
    }

    pub(super) fn state(&self) -> &State {
        self.machine.as_ref().map_or(&self.last, Machine::state)
    }

    /// The setting of `timer` that starts now.
    pub(super) fn set_timer(&mut self, timer: Timer) -> u64 {
        self.set += 1;
        self.timers.insert(timer, self.set);
        self.set
    }

    /// Whether `set` is what counts for `timer`; it no longer runs then.
    pub(super) fn rings(&mut self, timer: Timer, set: u64) -> bool {
        let counts = self.timers.get(&timer) == Some(&set);
        if counts {
            self.timers.remove(&timer);
        }
        counts
    }
}
