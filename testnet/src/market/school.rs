//! What training brings, by training: members teach a small model on real examples, with the nodes' own training,
//! aggregation and contribution.
//!
//! The examples are divided among the places of the federation. A member trains on so many of its place's as it has
//! drawn, from the first again where these are fewer, and keeps the first few to appraise with. Of its labels only the
//! part that its data are worth is right.

use std::{cell::RefCell, collections::BTreeMap, path::Path};

use althing_node::learn::{
    data::{self, Dataset, Subset},
    facts,
    model::Architecture,
    params,
    partition::{self, Partition},
    train::{EvaluateOn, Evaluation, Hyper, LearnError, Learner},
};
use althing_protocol::{
    aggregate::{self, Held, Mixing, Rule, Weighted},
    contribution::{self, Coalition, Contribution, Updates},
    ids::{Hash, MemberId},
    model::Width,
    statement::HeldOut,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{
    config::{Config, within},
    draw::stream,
    error::Error,
    learning::Work,
};
use crate::replay::go_on;

/// Classes of the examples.
const CLASSES: u8 = 10;

/// Examples that a place keeps to train on, at the least, however many are held out.
const TRAIN_LEAST: usize = 1;

/// How members train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Training {
    /// What is trained: `2nn`, `lenet` or `fedavg-cnn`.
    pub(super) model: String,
    /// How the examples are divided: `iid`, `dirichlet:0.5`, `shards:2` or `label:2`.
    pub(super) partition: String,
    /// Examples of a step.
    pub(super) batch: usize,
    pub(super) learning_rate: f64,
    pub(super) momentum: f64,
    /// Examples of each place that it appraises with.
    pub(super) held_out: usize,
    /// Examples of the test set that accuracy is measured on.
    pub(super) test: u32,
}

impl Training {
    /// Checks every word and number.
    ///
    /// # Errors
    /// [`Error::Config`] names what will not do.
    pub(super) fn validate(&self) -> Result<(), Error> {
        self.architecture()?;
        self.partition()?;
        within("training.batch", self.batch as u64, 1, 10_000)?;
        within("training.held_out", self.held_out as u64, 1, 10_000)?;
        within("training.test", self.test.into(), 1, 10_000)
    }

    fn architecture(&self) -> Result<Architecture, Error> {
        self.model.parse().map_err(|why| Error::Config(format!("training.model: {why}")))
    }

    fn partition(&self) -> Result<Partition, Error> {
        self.partition.parse().map_err(|why| Error::Config(format!("training.partition: {why}")))
    }

    fn hyper(&self, epochs: u32) -> Hyper {
        Hyper { epochs, batch: self.batch, learning_rate: self.learning_rate, momentum: self.momentum }
    }
}

/// The examples of an experiment, loaded once for all its runs.
pub(super) struct Library {
    train: Dataset,
    test: Dataset,
}

impl Library {
    /// MNIST from `folder`.
    ///
    /// # Errors
    /// [`Error::Data`] if a file is missing or malformed.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self { train: data::load_all(folder, Subset::Train)?, test: data::load_all(folder, Subset::Test)? })
    }
}

/// A winner that hands something in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pupil {
    pub(super) id: MemberId,
    /// Its place, and which of its names it goes by.
    pub(super) place: (usize, usize),
    pub(super) work: Work,
    /// Whether it trains, or hands back what it was given.
    pub(super) trains: bool,
}

/// A federation that trains.
pub(super) struct School<'a> {
    library: &'a Library,
    training: &'a Training,
    architecture: Architecture,
    contribution: Contribution,
    epochs: u32,
    seed: u64,
    /// Examples of each place: those to appraise with, and those to train on.
    places: Vec<(Vec<u32>, Vec<u32>)>,
    judge: Learner,
    model: Vec<f32>,
    round: Option<Lesson>,
}

/// What was handed in in a round, and what coalitions of it make.
struct Lesson {
    makers: Vec<MemberId>,
    updates: Updates,
    /// In the order of [`Contribution::coalitions`].
    models: Vec<Vec<f32>>,
    cosines: Vec<f64>,
    whole: Vec<f32>,
}

impl<'a> School<'a> {
    /// The first model, and everybody's examples.
    ///
    /// # Errors
    /// [`Error::Config`] if there are too few examples for so many members.
    pub(super) fn new(config: &'a Config, library: &'a Library, seed: u64) -> Result<Self, Error> {
        let training = &config.training;
        let (architecture, partition) = (training.architecture()?, training.partition()?);
        let places = partition::assign(library.train.labels(), config.members.count, &partition, seed)
            .map_err(|why| Error::Config(format!("training.partition: {why}")))?;
        let split = |mut place: Vec<u32>| {
            let own = place.split_off(training.held_out.min(place.len().saturating_sub(TRAIN_LEAST)));
            (place, own)
        };
        let test = library.test.select(&(0..training.test).collect::<Vec<_>>()).unwrap_or_default();
        Ok(Self {
            library,
            training,
            architecture,
            contribution: config.market.contribution,
            epochs: config.contract.epochs,
            seed,
            places: places.into_iter().map(split).collect(),
            judge: Learner::new(architecture, Dataset::default(), Dataset::default(), test),
            model: facts::first_model(architecture, seed),
            round: None,
        })
    }

    /// Has everybody who hands something in train.
    ///
    /// # Errors
    /// [`LearnError`] if training left the numbers.
    pub(super) fn train(&mut self, round: u64, pupils: &[Pupil]) -> Result<(), LearnError> {
        let mut handed = Vec::with_capacity(pupils.len());
        for pupil in pupils {
            let trained = if pupil.trains { self.trained(round, pupil)? } else { self.model.clone() };
            handed.push(aggregate::encode(&trained));
        }
        let samples: Vec<u64> = pupils.iter().map(|pupil| pupil.work.samples.round() as u64).collect();
        let seed = Hash::derive("althing market lesson", &[&self.seed.to_le_bytes(), &round.to_le_bytes()]);
        let (updates, base) = (Updates::new(&samples, seed), aggregate::encode(&self.model));
        let weighted: Vec<_> =
            samples.iter().zip(&handed).map(|(samples, bytes)| Weighted { samples: *samples, bytes }).collect();
        let made_of = |coalition: Coalition| {
            let chosen: Vec<_> = coalition.places().filter_map(|place| weighted.get(place).copied()).collect();
            let made = aggregate::aggregate(Rule::WeightedMean, Mixing::None, &base, &chosen);
            made.unwrap_or_else(|| base.clone())
        };
        let whole = made_of(Coalition::whole(pupils.len()));
        let slice = params::manifest(self.architecture).slice(Width::Full);
        let hold = |&update| Some(Held { slice: slice.as_ref()?, update });
        let held: Vec<_> = weighted.iter().filter_map(hold).collect();
        let models = self.contribution.coalitions(&updates).into_iter().map(|coalition| decode(&made_of(coalition)));
        self.round = Some(Lesson {
            makers: pupils.iter().map(|pupil| pupil.id).collect(),
            models: models.collect(),
            updates,
            cosines: contribution::cosines(&base, &whole, &held),
            whole: decode(&whole),
        });
        Ok(())
    }

    fn trained(&self, round: u64, pupil: &Pupil) -> Result<Vec<f32>, LearnError> {
        let (place, name) = pupil.place;
        let own = self.places.get(place).map_or(&[][..], |(_, own)| own);
        let wanted = (pupil.work.samples / f64::from(self.epochs)).round() as usize;
        // Names of one member have other parts of its examples.
        let chosen: Vec<u32> =
            own.iter().copied().cycle().skip(name * wanted % own.len().max(1)).take(wanted).collect();
        let draws = RefCell::new(stream(self.seed, "labels", &[place as u64, name as u64]));
        let label = |right: u8| {
            let mut draws = draws.borrow_mut();
            if draws.random::<f64>() < pupil.work.quality { right } else { draws.random_range(0..CLASSES) }
        };
        let examples = self.library.train.select(&chosen).unwrap_or_default();
        let examples = examples.relabelled(label).unwrap_or_default();
        let learner = Learner::new(self.architecture, examples, Dataset::default(), Dataset::default());
        let seed =
            Hash::derive("althing market training", &[&self.seed.to_le_bytes(), &round.to_le_bytes(), &pupil.id.0]);
        let hyper = self.training.hyper(self.epochs);
        Ok(learner.train(&self.model, Width::Full, &hyper, seed.0, &mut go_on)?.weights)
    }

    /// What the examples of a place say of the round's updates, in millionths of loss, and what they are.
    ///
    /// # Errors
    /// [`LearnError`] if there is nothing to appraise with.
    pub(super) fn appraise(&self, place: usize) -> Result<(BTreeMap<MemberId, i64>, HeldOut), LearnError> {
        let Some(lesson) = &self.round else { return Ok(Default::default()) };
        let own = self.places.get(place).map_or(&[][..], |(held_out, _)| held_out);
        let examples = self.library.train.select(own).unwrap_or_default();
        let learner = Learner::new(self.architecture, Dataset::default(), examples, Dataset::default());
        let score = |weights: &[f32]| learner.evaluate(weights, Width::Full, EvaluateOn::HeldOut, &mut go_on);
        let before = score(&self.model)?;
        let gain = |weights: &Vec<f32>| Ok(f64::from(before.loss) - f64::from(score(weights)?.loss));
        let values = lesson.models.iter().map(gain).collect::<Result<Vec<f64>, LearnError>>()?;
        let shares = self.contribution.shares(&lesson.updates, &values, &lesson.cosines);
        let gains = lesson.makers.iter().zip(shares).map(|(maker, share)| (*maker, (share * 1e6) as i64)).collect();
        Ok((gains, HeldOut { samples: before.samples, accuracy_ppm: (before.accuracy() * 1e6) as u32 }))
    }

    /// Adopts what all updates make, and tests it: accuracy from 0 to 1.
    ///
    /// # Errors
    /// [`LearnError`] if the model is no model.
    pub(super) fn adopt(&mut self) -> Result<f64, LearnError> {
        if let Some(lesson) = self.round.take() {
            self.model = lesson.whole;
        }
        let tested: Evaluation = self.judge.evaluate(&self.model, Width::Full, EvaluateOn::Test, &mut go_on)?;
        Ok(tested.accuracy())
    }
}

fn decode(model: &[u8]) -> Vec<f32> {
    aggregate::parameters(model).collect()
}
