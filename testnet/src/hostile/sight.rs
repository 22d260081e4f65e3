//! What a hostile node can see of a round: who was hired, and which updates of honest members have come.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use althing_node::learn::{job::Pause, train::LearnError};
use althing_protocol::{
    aggregate,
    event::Event,
    ids::{BlobRef, MemberId},
};

use crate::observer::Line;

/// How long updates of others are waited for. Longer, and the round might be over.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How often it is looked whether the training is still wanted.
const GLANCE: Duration = Duration::from_millis(50);

/// What is known of the round that is going on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    round: u64,
    /// Everybody who trains in it.
    hired: BTreeSet<MemberId>,
    /// The updates of honest members that are here.
    updates: BTreeMap<MemberId, BlobRef>,
}

/// What a hostile node overhears of itself.
pub(super) struct Sight {
    accomplices: BTreeSet<MemberId>,
    /// Where its updates lie.
    blobs: PathBuf,
    known: Mutex<Known>,
    /// Something has become known.
    news: Condvar,
}

/// How a round stands for its attackers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Round {
    /// Its number.
    pub(super) number: u64,
    /// Members who hand something in.
    pub(super) members: usize,
    /// Accomplices among them.
    pub(super) liars: usize,
}

impl Sight {
    pub(super) fn new(accomplices: BTreeSet<MemberId>, blobs: PathBuf) -> Self {
        Self { accomplices, blobs, known: Mutex::default(), news: Condvar::new() }
    }

    /// The round that is going on.
    pub(super) fn round(&self) -> Round {
        let known = self.known();
        let liars = known.hired.intersection(&self.accomplices).count();
        Round { number: known.round, members: known.hired.len(), liars }
    }

    /// The updates of honest members, each of `length` parameters, in the order of their makers: once all are here or
    /// the time is up.
    pub(super) fn updates(&self, length: usize, pause: &mut Pause<'_>) -> Result<Vec<Vec<f32>>, LearnError> {
        let deadline = Instant::now() + PATIENCE;
        let mut known = self.known();
        while known.hired.difference(&self.accomplices).any(|member| !known.updates.contains_key(member)) {
            if Instant::now() >= deadline {
                break;
            }
            known = self.news.wait_timeout(known, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
            drop(known);
            if pause().is_break() {
                return Err(LearnError::Cancelled);
            }
            known = self.known();
        }
        let updates: Vec<BlobRef> = known.updates.values().copied().collect();
        drop(known);
        Ok(updates.iter().filter_map(|update| self.read(update)).filter(|update| update.len() == length).collect())
    }

    /// An update. One that was cleared away meanwhile is none.
    fn read(&self, update: &BlobRef) -> Option<Vec<f32>> {
        let bytes = fs::read(self.blobs.join(update.hash.to_string())).ok()?;
        Some(aggregate::parameters(&bytes).collect())
    }

    fn hear(&self, event: Event) {
        let mut known = self.known();
        match event {
            Event::Planned { round, awards, .. } => {
                let hired = awards.into_iter().map(|award| award.member).collect();
                *known = Known { round: round.0, hired, updates: BTreeMap::new() };
            }
            Event::Received { round, member, update }
                if round.0 == known.round && !self.accomplices.contains(&member) =>
            {
                known.updates.insert(member, update);
            }
            _ => return,
        }
        self.news.notify_all();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked has replaced the whole or inserted one entry; both are sound.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands on what a node prints, and lets a [`Sight`] hear it.
pub(super) struct Ear<W> {
    out: W,
    line: Vec<u8>,
    sight: Arc<Sight>,
}

impl<W> Ear<W> {
    pub(super) const fn new(out: W, sight: Arc<Sight>) -> Self {
        Self { out, line: Vec::new(), sight }
    }
}

impl<W: Write> Write for Ear<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Some(line) = std::str::from_utf8(&line).ok().and_then(Line::parse) {
                self.sight.hear(line.event);
            }
        }
        self.out.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::ControlFlow;

    use althing_protocol::{
        event::Award,
        ids::{Height, Round},
    };

    use super::*;

    pub(in crate::hostile) fn member(number: u8) -> MemberId {
        MemberId([number; 32])
    }

    pub(in crate::hostile) fn tell(ear: &mut impl Write, event: Event) {
        let line = serde_json::to_string(&Line { at_ms: 1, event }).unwrap();
        // In pieces, as a pipe may bring it.
        let (one, other) = line.as_bytes().split_at(line.len() / 2);
        [one, other, b"\n"].iter().for_each(|part| ear.write_all(part).unwrap());
    }

    pub(in crate::hostile) fn planned(round: u64, hired: &[u8]) -> Event {
        let award = |&number| Award { member: member(number), contract: 0, price: 1, payment: 1 };
        Event::Planned {
            round: Round(round),
            height: Height(1),
            elected: member(1),
            proposer: member(1),
            agreement_round: 0,
            bids: hired.len(),
            awards: hired.iter().map(award).collect(),
        }
    }

    /// Lets `ear` hear of an update with these parameters, which lies in `blobs` then.
    pub(in crate::hostile) fn receive(ear: &mut impl Write, blobs: &std::path::Path, maker: u8, parameters: &[f32]) {
        let bytes = aggregate::encode(parameters);
        let update = BlobRef::of(&bytes);
        fs::write(blobs.join(update.hash.to_string()), bytes).unwrap();
        tell(ear, Event::Received { round: Round(3), member: member(maker), update });
    }

    fn go_on() -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[test]
    fn honest_updates_of_the_round_are_seen_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let sight = Arc::new(Sight::new([member(4), member(5)].into(), folder.path().to_owned()));
        let mut out = Vec::new();
        let mut ear = Ear::new(&mut out, Arc::clone(&sight));
        tell(&mut ear, planned(3, &[1, 2, 4]));
        assert_eq!(sight.round(), super::Round { number: 3, members: 3, liars: 1 });
        receive(&mut ear, folder.path(), 4, &[9.0, 9.0]);
        receive(&mut ear, folder.path(), 2, &[2.0, 2.5]);
        receive(&mut ear, folder.path(), 1, &[1.0, 1.5]);
        assert_eq!(sight.updates(2, &mut go_on).unwrap(), [[1.0, 1.5], [2.0, 2.5]]);
        assert!(sight.updates(3, &mut go_on).unwrap().is_empty(), "they are of another length");
        tell(&mut ear, planned(4, &[4]));
        receive(&mut ear, folder.path(), 1, &[1.0, 1.5]);
        assert!(sight.updates(2, &mut go_on).unwrap().is_empty(), "they are of another round");
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 6, "everything is handed on");
    }

    #[test]
    fn nobody_is_waited_for_for_ever_nor_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let sight = Arc::new(Sight::new([member(4)].into(), folder.path().to_owned()));
        let mut ear = Ear::new(Vec::new(), Arc::clone(&sight));
        tell(&mut ear, planned(3, &[1, 4]));
        let begin = Instant::now();
        assert!(sight.updates(2, &mut go_on).unwrap().is_empty());
        assert!(begin.elapsed() >= PATIENCE);
        assert_eq!(sight.updates(2, &mut || ControlFlow::Break(())), Err(LearnError::Cancelled));
    }
}
