//! What a hostile node can see of a round or step: who trains in it, and what honest members have sent.

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
    event::{Award, Event},
    genesis::Genesis,
    ids::{BlobRef, MemberId},
    model::Width,
    update::Codec,
};

use crate::observer::Line;

/// How long updates of others are waited for. Longer, and the round might be over.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How often it is looked whether the training is still wanted.
const GLANCE: Duration = Duration::from_millis(50);

/// What members train in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Unit {
    /// A round, in which all start from one model and everybody sees every update.
    #[default]
    Round,
    /// A step of epidemic exchange: everybody has a model and a count of its own, and few send theirs here.
    Step,
}

/// What is known of the present.
#[derive(Debug, Default)]
struct Known {
    unit: Unit,
    /// Its number.
    number: u64,
    /// Everybody who trains in it, and how much of the model.
    trainers: BTreeMap<MemberId, Width>,
    /// What honest members have sent, as it was coded: in a round the updates, in a step each member's latest model.
    sent: BTreeMap<MemberId, Vec<u8>>,
}

/// What a hostile node overhears of itself.
pub(super) struct Sight {
    genesis: Genesis,
    accomplices: BTreeSet<MemberId>,
    /// Where updates of others lie.
    blobs: PathBuf,
    known: Mutex<Known>,
    /// Something has become known.
    news: Condvar,
}

/// How a round or step stands for its attackers.
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
    pub(super) fn new(genesis: Genesis, accomplices: BTreeSet<MemberId>, blobs: PathBuf) -> Self {
        Self { genesis, accomplices, blobs, known: Mutex::default(), news: Condvar::new() }
    }

    /// What is going on.
    pub(super) fn round(&self) -> Round {
        let known = self.known();
        let liars = known.trainers.keys().filter(|member| self.accomplices.contains(*member)).count();
        Round { number: known.number, members: known.trainers.len(), liars }
    }

    /// What honest members of this width have made of `base`, in the order of their ids: once it is known of enough of
    /// them, or the time is up.
    pub(super) fn updates(
        &self,
        base: &[f32],
        width: Width,
        pause: &mut Pause<'_>,
    ) -> Result<Vec<Vec<f32>>, LearnError> {
        let deadline = Instant::now() + PATIENCE;
        let mut known = self.known();
        while !self.is_enough(&known) && Instant::now() < deadline {
            known = self.news.wait_timeout(known, GLANCE).unwrap_or_else(PoisonError::into_inner).0;
            drop(known);
            if pause().is_break() {
                return Err(LearnError::Cancelled);
            }
            known = self.known();
        }
        let is_alike = |member: &MemberId| known.trainers.get(member) == Some(&width);
        let sent = known.sent.iter().filter(|(member, _)| is_alike(member));
        let base = aggregate::encode(base);
        Ok(sent.filter_map(|(_, coded)| decode(self.codec(known.unit), &base, coded)).collect())
    }

    /// In a round everybody's update comes; in a step whoever has sent nothing yet may never do so.
    fn is_enough(&self, known: &Known) -> bool {
        let mut honest = known.trainers.keys().filter(|member| !self.accomplices.contains(*member));
        match known.unit {
            Unit::Round => honest.all(|member| known.sent.contains_key(member)),
            Unit::Step => !known.sent.is_empty(),
        }
    }

    const fn codec(&self, unit: Unit) -> Codec {
        match unit {
            Unit::Round => self.genesis.exchange.codec,
            // Models travel as they are.
            Unit::Step => Codec::F32,
        }
    }

    fn hear(&self, event: Event) {
        let mut known = self.known();
        match event {
            Event::Planned { round, awards, .. } => {
                let trainers = awards.iter().filter_map(|award| self.hired(award)).collect();
                *known = Known { unit: Unit::Round, number: round.0, trainers, sent: BTreeMap::new() };
            }
            Event::ExchangeBegun { step, .. } => {
                let trainers = self.genesis.members.iter().map(|member| (member.id, Width::Full)).collect();
                *known = Known { unit: Unit::Step, number: step.0, trainers, sent: BTreeMap::new() };
            }
            Event::Stepped { step, .. } => known.number = step.next().0,
            Event::Received { round, member, update } if round.0 == known.number => {
                self.note(&mut known, member, update);
            }
            Event::Arrived { member, model, .. } => self.note(&mut known, member, model),
            _ => return,
        }
        self.news.notify_all();
    }

    fn hired(&self, award: &Award) -> Option<(MemberId, Width)> {
        Some((award.member, self.genesis.contract(award.contract)?.width))
    }

    /// Keeps what an honest member has sent: the node itself may soon delete it. What it has deleted is not seen.
    fn note(&self, known: &mut Known, member: MemberId, blob: BlobRef) {
        if self.accomplices.contains(&member) {
            return;
        }
        if let Ok(bytes) = fs::read(self.blobs.join(blob.hash.to_string())) {
            known.sent.insert(member, bytes);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked has replaced the whole or inserted one entry; both are sound.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parameters that `coded` stands for. What no honest member would have sent is not seen.
fn decode(codec: Codec, base: &[u8], coded: &[u8]) -> Option<Vec<f32>> {
    let bytes = codec.decode(base, coded).ok()?;
    Some(aggregate::parameters(&bytes).collect())
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
    use std::{ops::ControlFlow, path::Path};

    use althing_protocol::{
        event::HiredBy,
        ids::{Height, Round, Step},
        sim::Scenario,
    };

    use super::*;

    pub(in crate::hostile) fn member(number: u8) -> MemberId {
        MemberId([number; 32])
    }

    /// A federation of the members 1 to `count`.
    pub(in crate::hostile) fn genesis(count: u8) -> Genesis {
        let mut genesis = Scenario::quiet(1, count.into()).genesis();
        for (entry, number) in genesis.members.iter_mut().zip(1..) {
            entry.id = member(number);
        }
        genesis
    }

    pub(in crate::hostile) fn tell(ear: &mut impl Write, event: Event) {
        let line = serde_json::to_string(&Line { at_ms: 1, event }).unwrap();
        // In pieces, as a pipe may bring it.
        let (one, other) = line.as_bytes().split_at(line.len() / 2);
        [one, other, b"\n"].iter().for_each(|part| ear.write_all(part).unwrap());
    }

    pub(in crate::hostile) fn planned(round: u64, hired: &[u8]) -> Event {
        let hired_by = HiredBy::Auction;
        let award =
            |&number| Award { member: member(number), contract: 0, samples: 100, price: 1, payment: 1, hired_by };
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

    fn store(blobs: &Path, bytes: &[u8]) -> BlobRef {
        let blob = BlobRef::of(bytes);
        fs::write(blobs.join(blob.hash.to_string()), bytes).unwrap();
        blob
    }

    /// Lets `ear` hear of an update of round 3 with these parameters, which lies in `blobs` then.
    pub(in crate::hostile) fn receive(ear: &mut impl Write, blobs: &Path, maker: u8, parameters: &[f32]) {
        let update = store(blobs, &aggregate::encode(parameters));
        tell(ear, Event::Received { round: Round(3), member: member(maker), update });
    }

    fn go_on() -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn seen(sight: &Sight, base: &[f32]) -> Vec<Vec<f32>> {
        sight.updates(base, Width::Full, &mut go_on).unwrap()
    }

    #[test]
    fn honest_updates_of_the_round_are_seen_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let sight = Arc::new(Sight::new(genesis(5), [member(4), member(5)].into(), folder.path().to_owned()));
        let mut out = Vec::new();
        let mut ear = Ear::new(&mut out, Arc::clone(&sight));
        tell(&mut ear, planned(3, &[1, 2, 4]));
        assert_eq!(sight.round(), super::Round { number: 3, members: 3, liars: 1 });
        receive(&mut ear, folder.path(), 4, &[9.0, 9.0]);
        receive(&mut ear, folder.path(), 2, &[2.0, 2.5]);
        receive(&mut ear, folder.path(), 1, &[1.0, 1.5]);
        assert_eq!(seen(&sight, &[0.0; 2]), [[1.0, 1.5], [2.0, 2.5]]);
        assert!(seen(&sight, &[0.0; 3]).is_empty(), "they are of another length");
        assert!(sight.updates(&[0.0; 2], Width::Half, &mut go_on).unwrap().is_empty(), "they are of another width");
        tell(&mut ear, planned(4, &[4]));
        receive(&mut ear, folder.path(), 1, &[1.0, 1.5]);
        assert!(seen(&sight, &[0.0; 2]).is_empty(), "they are of another round");
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 6, "everything is handed on");
    }

    #[test]
    fn coded_updates_are_seen_as_what_they_stand_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut genesis = genesis(2);
        genesis.exchange.codec = Codec::TopK { permille: 500 };
        let sight = Arc::new(Sight::new(genesis, [member(2)].into(), folder.path().to_owned()));
        let mut ear = Ear::new(Vec::new(), Arc::clone(&sight));
        tell(&mut ear, planned(3, &[1, 2]));
        let (base, trained) = ([1.0_f32, 1.0], [1.0_f32, 3.0]);
        let coded = Codec::TopK { permille: 500 }.encode(&base, &trained, &mut [0.0; 2], &mut || 0).unwrap();
        let update = store(folder.path(), &coded);
        tell(&mut ear, Event::Received { round: Round(3), member: member(1), update });
        assert_eq!(seen(&sight, &base), [[1.0, 3.0]]);
    }

    #[test]
    fn the_latest_model_of_each_is_seen_in_a_step_though_the_node_deletes_it() {
        let folder = tempfile::tempdir().unwrap();
        let sight = Arc::new(Sight::new(genesis(4), [member(4)].into(), folder.path().to_owned()));
        let mut ear = Ear::new(Vec::new(), Arc::clone(&sight));
        let first = BlobRef::of(b"first");
        tell(&mut ear, Event::ExchangeBegun { step: Step(1), from: first });
        let mut arrive = |step, maker, model: &[f32]| {
            let model = store(folder.path(), &aggregate::encode(model));
            tell(&mut ear, Event::Arrived { step: Step(step), member: member(maker), model });
            fs::remove_file(folder.path().join(model.hash.to_string())).unwrap();
        };
        arrive(1, 4, &[9.0]);
        arrive(1, 1, &[1.0]);
        arrive(1, 2, &[2.0]);
        arrive(2, 1, &[1.5]);
        let (received, accepted, refused, samples, training_ms) = (2, 2, 0, 50, 9);
        tell(
            &mut ear,
            Event::Stepped { step: Step(2), model: first, received, accepted, refused, samples, training_ms },
        );
        assert_eq!(sight.round(), super::Round { number: 3, members: 4, liars: 1 });
        assert_eq!(seen(&sight, &[0.0]), [[1.5], [2.0]], "nobody waits for the third, who may never send");
    }

    #[test]
    fn nobody_is_waited_for_for_ever_nor_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let sight = Arc::new(Sight::new(genesis(4), [member(4)].into(), folder.path().to_owned()));
        let mut ear = Ear::new(Vec::new(), Arc::clone(&sight));
        tell(&mut ear, planned(3, &[1, 4]));
        let begin = Instant::now();
        assert!(seen(&sight, &[0.0; 2]).is_empty());
        assert!(begin.elapsed() >= PATIENCE);
        let broken_off = sight.updates(&[0.0; 2], Width::Full, &mut || ControlFlow::Break(()));
        assert_eq!(broken_off, Err(LearnError::Cancelled));
    }
}
