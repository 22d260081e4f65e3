//! What agents and training do, as a seed draws it.

use std::collections::BTreeMap;

use super::{
    archive::Archive,
    attack::{self, Attack, View},
    byzantine::Lie,
    rng::Rng,
};
use crate::{
    aggregate::{self, Held, Weighted},
    detection::{self, Handed},
    epidemic::bring_back,
    genesis::{Aggregation, Genesis, Noise},
    ids::{BlobRef, MemberId, Round},
    machine::{
        AggregateOrder, AttributeOrder, Attributed, BidQuestion, CounterOffersQuestion, Input, InspectOrder, Made,
        MarksQuestion, OrderedUpdate, ReplyQuestion, Score, TrainOrder,
    },
    model::Width,
    statement::{Bid, HeldOut, Reply},
    update::Format,
};

/// How the agents of a federation behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Questions of a thousand that are never answered.
    pub silence_permille: u32,
    /// Bids of a thousand that are passes.
    pub pass_permille: u32,
    /// Trainings of a thousand that fail.
    pub failure_permille: u32,
    /// Failed trainings of a thousand that their agent knows to have failed; it never hears of the others again.
    pub admission_permille: u32,
    /// How long an answer takes at the most, in milliseconds.
    pub thinking_ms: u64,
    /// How long training takes at the most, in milliseconds.
    pub training_ms: u64,
}

impl Habits {
    /// Agents that always answer, and soon.
    pub const DILIGENT: Self = Self {
        silence_permille: 0,
        pass_permille: 0,
        failure_permille: 0,
        admission_permille: 0,
        thinking_ms: 50,
        training_ms: 600,
    };

    /// Habits as `rng` draws them.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut one_of = |choices: &[u32]| rng.pick(choices).copied().unwrap_or(0);
        Self {
            silence_permille: one_of(&[0, 0, 50, 300]),
            pass_permille: one_of(&[0, 0, 0, 100, 100, 300, 500, 1_000]),
            failure_permille: one_of(&[0, 0, 100, 500]),
            admission_permille: 500,
            thinking_ms: one_of(&[10, 100, 400]).into(),
            training_ms: one_of(&[200, 800, 2_000]).into(),
        }
    }
}

/// An answer: the input to come, after how many milliseconds, and the blob that is stored with it.
pub(super) type Answer = Option<(u64, Input, Option<BlobRef>)>;

/// The agents of one member.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) rng: Rng,
    pub(super) habits: Habits,
    format: Format,
    max_norm: u32,
    /// What its updates have left out, over the whole model.
    residual: Vec<f32>,
    aggregation: Aggregation,
    noise: Noise,
    /// How it attacks what is learnt, if it does.
    pub(super) assault: Option<Assault>,
}

/// How a member attacks what is learnt. In everything else it keeps to the protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assault {
    pub(super) attack: Attack,
    /// Members in all.
    pub(super) members: usize,
    /// Those of them that attack.
    pub(super) liars: usize,
}

impl Assault {
    /// What is handed in for `own`, with the honest updates of the round that were trained by now in sight.
    fn craft(self, base: &[f32], own: &[f32], seen: &[&[f32]], rng: &mut Rng) -> Vec<f32> {
        let Self { attack, members, liars } = self;
        attack::craft(attack, &View { base, own, seen, previous: None, members, liars }, rng)
    }
}

/// What honest members have trained in the latest round. Attackers see it before anybody else does.
#[derive(Debug, Default)]
pub(super) struct Workshop {
    round: Round,
    made: Vec<Vec<f32>>,
}

impl Workshop {
    fn take(&mut self, round: Round, trained: Vec<f32>) {
        if round > self.round {
            *self = Self { round, made: Vec::new() };
        }
        self.made.push(trained);
    }

    /// Slices of other widths say nothing of this one.
    fn seen(&self, round: Round, length: usize) -> Vec<&[f32]> {
        let made = self.made.iter().filter(|made| round == self.round && made.len() == length);
        made.map(Vec::as_slice).collect()
    }
}

impl Agent {
    pub(super) fn new(rng: Rng, habits: Habits, genesis: &Genesis) -> Self {
        let residual = vec![0.0; genesis.task.tensors.parameters() as usize];
        let (format, aggregation, noise) = (Format::of(genesis), genesis.aggregation, genesis.market.noise);
        let max_norm = genesis.limits.max_update_norm;
        Self { rng, habits, format, max_norm, residual, aggregation, noise, assault: None }
    }

    fn pause(&mut self) -> u64 {
        self.rng.within(1, self.habits.thinking_ms)
    }

    pub(super) fn bid(&mut self, question: &BidQuestion) -> Answer {
        if self.rng.chance(self.habits.silence_permille) {
            return None;
        }
        let contract = self.rng.below(question.menu.len() as u64) as u8;
        let price = self.rng.within(1_000, 400_000);
        // More examples than a genesis allows must be cut, not counted.
        let samples = self.rng.within(100, 1_200);
        let bid = (!self.rng.chance(self.habits.pass_permille)).then_some(Bid { contract, price, samples });
        Some((self.pause(), Input::BidChosen { round: question.round, bid }, None))
    }

    pub(super) fn marks(&mut self, question: &MarksQuestion) -> Answer {
        if self.rng.chance(self.habits.silence_permille) {
            return None;
        }
        let mut weight = || self.rng.within(0, 300) as u16;
        let weights: BTreeMap<_, _> = question.candidates.iter().map(|c| (c.member, weight())).collect();
        let hire = self.rng.within(0, 5) as u32;
        Some((self.pause(), Input::MarksChosen { round: question.round, hire, weights }, None))
    }

    /// None, or offers to some of the bidders, now and then one that its machine must not make.
    pub(super) fn counter_offers(&mut self, question: &CounterOffersQuestion) -> Answer {
        if self.rng.chance(self.habits.silence_permille) {
            return None;
        }
        let mut offers = Vec::new();
        for _ in 0..self.rng.below(u64::from(question.most) + 2) {
            let member = self.rng.pick(&question.bidders).map(|bidder| bidder.candidate.member);
            offers.extend(member.map(|member| (member, self.rng.below(question.menu.len() as u64 + 1) as u8)));
        }
        Some((self.pause(), Input::CounterOffersChosen { round: question.round, offers }, None))
    }

    pub(super) fn reply(&mut self, question: &ReplyQuestion) -> Answer {
        if self.rng.chance(self.habits.silence_permille) {
            return None;
        }
        let reply = if self.rng.chance(600) { Reply::Accept } else { Reply::Decline };
        Some((self.pause(), Input::ReplyChosen { round: question.round, reply }, None))
    }

    /// Trains the contract's slice from the order's seed alone, as real training does. Poison is bytes that no codec
    /// writes, or a step beyond all bounds.
    pub(super) fn train(
        &mut self,
        order: &TrainOrder,
        archive: &mut Archive,
        workshop: &mut Workshop,
        poison: bool,
    ) -> Answer {
        let took = self.rng.within(self.habits.training_ms / 4, self.habits.training_ms);
        if self.rng.chance(self.habits.failure_permille) {
            let untrained = Input::Untrained { round: order.round };
            return self.rng.chance(self.habits.admission_permille).then_some((took, untrained, None));
        }
        let model = archive.get(&order.base)?;
        let progress = order.progress.and_then(|progress| archive.get(&progress));
        let start = progress.and_then(|progress| bring_back(&model, &progress, self.max_norm));
        let [base, start] = [&model[..], start.as_deref().unwrap_or(&model)]
            .map(|bytes| aggregate::parameters(bytes).collect::<Vec<f32>>());
        let slice = self.format.slice(order.contract.width)?;
        let (base, start, mut residual) = (slice.gather(&base), slice.gather(&start), slice.gather(&self.residual));
        let mut draws = Rng::new(order.seed.as_bytes().iter().fold(0, |sum, &byte| (sum << 7) ^ u64::from(byte)));
        let mut step = || (draws.below(2_001) as f32 - 1_000.0) / 5_000.0;
        let mut trained: Vec<f32> = start.iter().map(|parameter| parameter + step()).collect();
        let mut garbled = poison && self.rng.chance(500);
        if let Some(assault) = self.assault {
            let lie = assault.craft(&base, &trained, &workshop.seen(order.round, base.len()), &mut self.rng);
            // No codec writes what is not a number, so such a lie goes out as bytes that say so.
            garbled |= lie.iter().any(|value| !value.is_finite());
            trained = if garbled { trained } else { lie };
        } else if !poison {
            workshop.take(order.round, trained.clone());
        }
        if let Some(first) = trained.first_mut().filter(|_| poison && !garbled) {
            *first = 1e9;
        }
        let mut coded =
            self.format.codec().encode(&base, &trained, &mut residual, &mut || draws.below(1 << 32) as u32).ok()?;
        slice.scatter(&residual, &mut self.residual);
        if garbled {
            // A number that is none, a scale that is none, or more changes than there are parameters.
            coded.iter_mut().take(size_of::<f32>()).for_each(|byte| *byte = 0xff);
        }
        let update = archive.put(coded);
        // Now and then its data has shrunk since it bid.
        let samples = self.rng.within(order.samples.saturating_sub(5), 1_200);
        let made = Made { update, samples, training_ms: took, epsilon_micro: 0 };
        let trained = Input::Trained { round: order.round, made };
        Some((took, trained, Some(update)))
    }

    pub(super) fn appraise(&mut self, round: Round, maker: MemberId, sound: bool) -> Answer {
        let gain = self.rng.within(0, 2_000_000) as i64 - 500_000;
        let score = match (sound, self.rng.chance(100)) {
            (false, _) => Score::Faulty,
            (true, true) => Score::Unscored,
            (true, false) => Score::Gain { gain, held_out: self.held_out() },
        };
        Some((self.pause(), Input::Appraised { round, maker, score }, None))
    }

    fn held_out(&mut self) -> HeldOut {
        HeldOut { samples: 100, accuracy_ppm: self.rng.within(0, HeldOut::WHOLE.into()) as u32 }
    }

    pub(super) fn attribute(&mut self, order: &AttributeOrder) -> Answer {
        // Some have no held-out data.
        let measured = !self.rng.chance(100);
        let gain = |rng: &mut Rng| rng.within(0, 2_000_000) as i64 - 500_000;
        let gains: BTreeMap<MemberId, i64> =
            order.updates.iter().filter(|_| measured).map(|ordered| (ordered.maker, gain(&mut self.rng))).collect();
        let held_out = if measured { self.held_out() } else { HeldOut::default() };
        let found = Attributed { gains, held_out };
        Some((self.pause(), Input::Attributed { round: order.round, found }, None))
    }

    pub(super) fn inspect(&mut self, order: &InspectOrder, archive: &Archive) -> Answer {
        let batch = order.batch;
        let unsound = self.unsound(&order.base, &order.updates, archive);
        if !unsound.is_empty() {
            return Some((self.pause(), Input::Inspected { batch, signs: Err(unsound) }, None));
        }
        let (base, previous) = (archive.get(&order.base)?, archive.get(&order.previous)?);
        let opened = self.open(&base, &order.updates, archive)?;
        let handed: Option<Vec<Handed<'_>>> = opened
            .iter()
            .map(|(ordered, bytes)| {
                Some(Handed { maker: ordered.maker, slice: self.format.slice(ordered.width)?, bytes })
            })
            .collect();
        let signs = detection::inspect(self.noise, &base, &previous, &handed?);
        Some((self.pause(), Input::Inspected { batch, signs: Ok(signs) }, None))
    }

    pub(super) fn aggregate(&mut self, order: &AggregateOrder, archive: &mut Archive) -> Answer {
        let batch = order.batch;
        let unsound = self.unsound(&order.base, &order.updates, archive);
        if !unsound.is_empty() {
            return Some((self.pause(), Input::Aggregated { batch, mean: Err(unsound) }, None));
        }
        let base = archive.get(&order.base)?;
        let opened = self.open(&base, &order.updates, archive)?;
        let held: Option<Vec<Held<'_>>> = opened
            .iter()
            .map(|(ordered, bytes)| {
                let update = Weighted { samples: ordered.samples, bytes };
                Some(Held { slice: self.format.slice(ordered.width)?, update })
            })
            .collect();
        let Aggregation { rule, mixing } = self.aggregation;
        let mean = aggregate::aggregate_slices(rule, mixing, &base, &held?)?;
        let mean = archive.put(mean);
        Some((self.pause(), Input::Aggregated { batch, mean: Ok(mean) }, Some(mean)))
    }

    /// The makers of updates that cannot enter an aggregate.
    fn unsound(&self, base: &BlobRef, updates: &[OrderedUpdate], archive: &Archive) -> Vec<MemberId> {
        let unsound = |ordered: &&OrderedUpdate| !self.is_sound(archive, base, &ordered.update, ordered.width);
        updates.iter().filter(unsound).map(|ordered| ordered.maker).collect()
    }

    fn open(&self, base: &[u8], updates: &[OrderedUpdate], archive: &Archive) -> Option<Vec<(OrderedUpdate, Vec<u8>)>> {
        let open = |ordered: &OrderedUpdate| {
            let update = archive.get(&ordered.update)?;
            Some((*ordered, self.format.open(ordered.width, base, &update).ok()?.into_owned()))
        };
        updates.iter().map(open).collect()
    }

    pub(super) fn is_sound(&self, archive: &Archive, base: &BlobRef, update: &BlobRef, width: Width) -> bool {
        let (Some(base), Some(update)) = (archive.get(base), archive.get(update)) else { return false };
        self.format.open(width, &base, &update).is_ok()
    }
}

/// Whether a member with these lies poisons its updates.
pub(super) fn poisons(lies: &std::collections::BTreeSet<Lie>) -> bool {
    lies.contains(&Lie::PoisonUpdate)
}
