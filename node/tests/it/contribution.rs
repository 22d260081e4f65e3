//! Shapley values from real updates: eight members train on MNIST, divided in four ways, and what three evaluations for
//! each infer is compared with what all 255 coalitions say.

use std::ops::ControlFlow;

use althing_node::learn::{
    data::{self, Dataset, Subset},
    model::Architecture,
    params,
    partition::{self, Partition},
    train::{EvaluateOn, Hyper, Learner},
};
use althing_protocol::{
    aggregate::{self, Held, Mixing, Rule, Weighted},
    contribution::{self, Coalition, Contribution, Updates},
    ids::Hash,
    model::Width,
};

use crate::harness::mnist;

const MEMBERS: usize = 8;
const ROUNDS: usize = 3;
const SAMPLES: usize = 6_000;
const HYPER: Hyper = Hyper { epochs: 1, batch: 32, learning_rate: 0.01, momentum: 0.9 };

#[test]
fn three_evaluations_for_each_update_rank_them_as_all_coalitions_do() {
    let labels = data::labels(&mnist(), Subset::Train).expect("the data is there");
    let held_out = load(&(50_000..50_250).collect::<Vec<_>>());
    for partition in ["iid", "dirichlet:0.5", "shards:2", "label:3"] {
        let partition: Partition = partition.parse().expect("a partition");
        let places = partition::assign(&labels[..SAMPLES], MEMBERS, &partition, 7).expect("enough for all");
        let mut base = params::init(Architecture::LeNet, [1; 32]);
        let mut close = Vec::new();
        for number in 0..ROUNDS {
            let round = Round::train(&base, &places);
            let game = Game::new(&round, &held_out);
            let exact = game.exact();
            let (estimated, evaluated) = game.divided(Contribution::Shapley);
            assert!(evaluated <= 3 * MEMBERS, "{partition}: {evaluated} evaluations");
            close.push(spearman(&estimated, &exact));
            let cheaper = [Contribution::Alone, Contribution::LeaveOneOut, Contribution::Cosine];
            let cheaper = cheaper.map(|way| spearman(&game.divided(way).0, &exact));
            println!(
                "{partition}, round {number}: {:.3}; alone, leave-one-out and cosine {cheaper:.3?}",
                close[number]
            );
            base = round.made_of(Coalition::whole(MEMBERS));
        }
        // Of eight that are nearly equal, two neighbours may change places.
        let mean = close.iter().sum::<f64>() / ROUNDS as f64;
        assert!(mean >= 0.95, "{partition}: {close:?}");
    }
}

fn load(places: &[u32]) -> Dataset {
    data::load(&mnist(), Subset::Train, places).expect("the data is there")
}

fn go_on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// What each member has made of one model.
struct Round {
    base: Vec<f32>,
    updates: Vec<Vec<u8>>,
    samples: Vec<u64>,
}

impl Round {
    fn train(base: &[f32], places: &[Vec<u32>]) -> Self {
        let train = |(member, places): (usize, &Vec<u32>)| {
            let learner = Learner::new(Architecture::LeNet, load(places), Dataset::default(), Dataset::default());
            learner.train(base, Width::Full, &HYPER, [member as u8; 32], &mut go_on).expect("it trains")
        };
        let trained: Vec<_> = places.iter().enumerate().map(train).collect();
        Self {
            base: base.to_vec(),
            updates: trained.iter().map(|trained| aggregate::encode(&trained.weights)).collect(),
            samples: trained.iter().map(|trained| trained.samples).collect(),
        }
    }

    fn made_of(&self, coalition: Coalition) -> Vec<f32> {
        let weigh = |place: usize| Weighted { samples: self.samples[place], bytes: &self.updates[place] };
        let updates: Vec<_> = coalition.places().map(weigh).collect();
        let base = aggregate::encode(&self.base);
        let made = aggregate::aggregate(Rule::WeightedMean, Mixing::None, &base, &updates).expect("updates that fit");
        aggregate::parameters(&made).collect()
    }

    fn cosines(&self) -> Vec<f64> {
        let slice = params::manifest(Architecture::LeNet).slice(Width::Full).expect("the whole model");
        let weigh = |place: usize| Weighted { samples: self.samples[place], bytes: &self.updates[place] };
        let held: Vec<_> = (0..MEMBERS).map(|place| Held { slice: &slice, update: weigh(place) }).collect();
        let made = aggregate::encode(&self.made_of(Coalition::whole(MEMBERS)));
        contribution::cosines(&aggregate::encode(&self.base), &made, &held)
    }
}

/// The updates of a round, and how much every coalition gains in it.
struct Game {
    updates: Updates,
    values: Vec<f64>,
    cosines: Vec<f64>,
}

impl Game {
    fn new(round: &Round, held_out: &Dataset) -> Self {
        let learner = Learner::new(Architecture::LeNet, Dataset::default(), held_out.clone(), Dataset::default());
        let loss = |weights: &[f32]| {
            let scored = learner.evaluate(weights, Width::Full, EvaluateOn::HeldOut, &mut go_on);
            f64::from(scored.expect("there is held-out data").loss)
        };
        let before = loss(&round.base);
        let value = |set: usize| if set == 0 { 0.0 } else { before - loss(&round.made_of(coalition(set))) };
        let updates = Updates::new(&round.samples, Hash([3; 32]));
        Self { updates, values: (0..1 << MEMBERS).map(value).collect(), cosines: round.cosines() }
    }

    /// What a way to divide makes of it, and how many values it has asked for.
    fn divided(&self, contribution: Contribution) -> (Vec<f64>, usize) {
        let coalitions = contribution.coalitions(&self.updates);
        let set = |coalition: &Coalition| coalition.places().fold(0, |set, place| set | 1 << place);
        let values: Vec<f64> = coalitions.iter().map(|coalition| self.values[set(coalition)]).collect();
        (contribution.shares(&self.updates, &values, &self.cosines), coalitions.len())
    }

    /// What each adds, on average over the sizes of what may come before it.
    fn exact(&self) -> Vec<f64> {
        let share = |place: usize| {
            let (mut sums, mut counts) = ([0.0; MEMBERS], [0.0; MEMBERS]);
            for set in (0..1_usize << MEMBERS).filter(|set| set >> place & 1 == 0) {
                let size = set.count_ones() as usize;
                sums[size] += self.values[set | 1 << place] - self.values[set];
                counts[size] += 1.0;
            }
            sums.iter().zip(counts).map(|(sum, count)| sum / count).sum::<f64>() / MEMBERS as f64
        };
        (0..MEMBERS).map(share).collect()
    }
}

fn coalition(set: usize) -> Coalition {
    (0..MEMBERS).filter(|place| set >> place & 1 == 1).fold(Coalition::NOBODY, Coalition::with)
}

/// Spearman's rank correlation of values without ties.
fn spearman(one: &[f64], other: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        values.iter().map(|value| values.iter().filter(|other| *other < value).count() as f64).collect()
    };
    let count = one.len() as f64;
    let apart: f64 = ranks(one).iter().zip(ranks(other)).map(|(one, other)| (one - other) * (one - other)).sum();
    1.0 - 6.0 * apart / (count * (count * count - 1.0))
}
