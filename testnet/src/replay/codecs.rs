//! Coded updates beside plain ones: LeNet, ten members who all take part in every round, one epoch in batches of 64. Only
//! what updates are coded by differs, so runs of one seed begin alike and train on the same samples in the same order.

use std::num::NonZeroUsize;

use althing_node::learn::{
    facts,
    model::Architecture,
    params,
    partition::{self, Partition},
    train::Hyper,
};
use althing_protocol::{
    aggregate::{self, Weighted},
    ids::Hash,
    model::Width,
    update::Codec,
};
use clap::Args;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::{
    Error,
    corpus::{Corpus, go_on},
    error::RunError,
    options::Common,
    plan::{Against, Bar, Case, Facts, Goal, Plan, Point, Replay, Run},
    pool,
};

/// What is trained.
const ARCHITECTURE: Architecture = Architecture::LeNet;
/// Members, all of whom train in every round.
const MEMBERS: usize = 10;
/// Rounds of a run.
const ROUNDS: u64 = 25;
/// Step size.
const LEARNING_RATE: f64 = 0.01;
/// Bytes in the unit of the cost.
const MEGABYTE: f64 = 1e6;

/// Options of `testnet replay codecs`.
#[derive(Debug, Clone, Args)]
pub struct Codecs {
    /// How updates are coded: f32, q8 or topk:P for P of a thousand parameters; all others are compared with the first
    #[arg(long, default_value = "f32,q8,topk:50", value_name = "CODEC", value_delimiter = ',')]
    pub codec: Vec<Codec>,

    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K
    #[arg(long, default_value = "dirichlet:0.5", value_name = "KIND")]
    pub partition: Partition,

    /// What all replays know.
    #[command(flatten)]
    pub common: Common,
}

impl Codecs {
    fn hyper(&self) -> Hyper {
        Hyper { epochs: 1, batch: 64, learning_rate: self.common.lr.unwrap_or(LEARNING_RATE), momentum: 0.9 }
    }

    fn case(&self, (place, codec): (usize, &Codec)) -> Case {
        let parameters = params::manifest(ARCHITECTURE).parameters();
        let most = |codec: Codec| *codec.sizes(parameters).end();
        let times = most(Codec::F32) as f64 / most(*codec) as f64;
        // Points of accuracy that a codec may cost.
        let slack = if matches!(codec, Codec::TopK { .. }) { 0.007 } else { 0.003 };
        Case {
            name: codec.to_string(),
            facts: Facts::default()
                .with("bytes_at_most", most(*codec))
                .with("times_fewer_than_f32", (100.0 * times).floor() / 100.0),
            rounds_max: self.common.rounds_max.unwrap_or(ROUNDS),
            bars: (place > 0).then_some(Bar { against: Against::Case(0), slack }).into_iter().collect(),
        }
    }
}

impl Replay for Codecs {
    fn plan(&self) -> Result<Plan, Error> {
        let Hyper { epochs, batch, learning_rate, momentum } = self.hyper();
        Ok(Plan {
            name: "codecs",
            architecture: ARCHITECTURE,
            setting: Facts::default()
                .with("members", MEMBERS)
                .with("partition", self.partition.to_string())
                .with("epochs", epochs)
                .with("batch", batch)
                .with("learning_rate", learning_rate)
                .with("momentum", momentum),
            goal: Goal::FinalAccuracy,
            cost: Some("megabytes"),
            cases: self.codec.iter().enumerate().map(|case| self.case(case)).collect(),
        })
    }

    fn begin<'a>(&'a self, case: usize, corpus: &'a Corpus, seed: u64) -> Result<Box<dyn Run + 'a>, Error> {
        Ok(Box::new(Exchange::new(self.codec[case], (self.hyper(), self.partition), corpus, seed)?))
    }
}

/// Members who send coded updates, and the model that they share.
struct Exchange<'a> {
    codec: Codec,
    hyper: Hyper,
    corpus: &'a Corpus,
    seed: u64,
    /// The samples of each member.
    parts: Vec<Vec<u32>>,
    /// What each member's updates have left out.
    residuals: Vec<Vec<f32>>,
    /// Little-endian parameters, as they go from node to node.
    model: Vec<u8>,
    round: u64,
    /// Bytes of all updates so far, each counted once.
    bytes: u64,
}

/// What a member hands in, and what it leaves out.
struct Update {
    samples: u64,
    coded: Vec<u8>,
    residual: Vec<f32>,
}

impl<'a> Exchange<'a> {
    fn new(codec: Codec, (hyper, partition): (Hyper, Partition), corpus: &'a Corpus, seed: u64) -> Result<Self, Error> {
        let parts = partition::assign(corpus.train().labels(), MEMBERS, &partition, seed)?;
        let model = facts::initial_model(corpus.architecture(), seed);
        let residuals = vec![vec![0.0; aggregate::parameters(&model).count()]; MEMBERS];
        Ok(Self { codec, hyper, corpus, seed, parts, residuals, model, round: 0, bytes: 0 })
    }

    /// What the member at this place makes of `weights`.
    fn train(&self, weights: &[f32], member: usize) -> Result<Update, RunError> {
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), &self.round.to_le_bytes(), &(member as u64).to_le_bytes()];
        let seed = Hash::derive("althing replay training", &parts);
        let learner = self.corpus.learner(&self.parts[member]);
        let trained = learner.train(weights, Width::Full, &self.hyper, seed.0, &mut go_on)?;
        let mut chance = ChaCha20Rng::from_seed(Hash::derive("althing replay rounding", &[seed.as_bytes()]).0);
        let mut residual = self.residuals[member].clone();
        let coded = self.codec.encode(weights, &trained.weights, &mut residual, &mut || chance.next_u32())?;
        Ok(Update { samples: trained.samples, coded, residual })
    }
}

impl Run for Exchange<'_> {
    /// All train, what their coded updates stand for becomes the next model, and the test set judges it.
    fn advance(&mut self, threads: NonZeroUsize) -> Result<Point, RunError> {
        self.round += 1;
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        let members: Vec<usize> = (0..MEMBERS).collect();
        let updates = pool::map(threads, &members, |&member| self.train(&weights, member));
        let mut opened = Vec::with_capacity(MEMBERS);
        for (update, residual) in updates.into_iter().zip(&mut self.residuals) {
            let update = update?;
            self.bytes += update.coded.len() as u64;
            *residual = update.residual;
            opened.push((update.samples, self.codec.decode(&self.model, &update.coded)?.into_owned()));
        }
        let weighted: Vec<_> = opened.iter().map(|(samples, bytes)| Weighted { samples: *samples, bytes }).collect();
        self.model = aggregate::weighted_mean(&weighted).unwrap_or_else(|| self.model.clone());
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        let point = self.corpus.judge(&weights, self.round, threads)?;
        Ok(Point { cost: Some(self.bytes as f64 / MEGABYTE), ..point })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Experiment, corpus::tests::corpus, options::tests::parse};

    fn codecs(arguments: &[&str]) -> Codecs {
        match parse(&[&["codecs"], arguments].concat()).unwrap() {
            Experiment::Codecs(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codecs_are_compared_with_the_first() {
        let plan = codecs(&[]).plan().unwrap();
        let names: Vec<&str> = plan.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!((names.as_slice(), plan.cases[0].rounds_max), (&["f32", "q8", "topk:50"][..], 25));
        assert!(plan.cases[0].bars.is_empty());
        let slacks: Vec<_> = plan.cases[1..].iter().map(|case| (case.bars[0].against, case.bars[0].slack)).collect();
        assert_eq!(slacks, [(Against::Case(0), 0.003), (Against::Case(0), 0.007)]);
        assert_eq!(plan.cases[1].facts.to_string(), "bytes at most 45122, times fewer than f32 3.93");
        assert!(parse(&["codecs", "--codec", "f32,q9"]).is_err());
    }

    #[test]
    fn a_round_counts_its_bytes_and_does_not_depend_on_threads() {
        let corpus = corpus(400, 100);
        let hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.05, momentum: 0.0 };
        let play = |codec: Codec, threads| {
            let mut run = Exchange::new(codec, (hyper, Partition::Iid), &corpus, 3).unwrap();
            let points = [(); 2].map(|()| run.advance(NonZeroUsize::new(threads).unwrap()).unwrap());
            (points, run)
        };
        for codec in [Codec::F32, Codec::Q8, Codec::TopK { permille: 50 }] {
            let ((points, run), (again, other)) = (play(codec, 1), play(codec, 3));
            assert_eq!((points, &run.model), (again, &other.model), "{codec}");
            assert!(points[1].loss < points[0].loss, "{codec}: {points:?}");
            let (most, sent) = (20 * codec.sizes(199_210).end(), points[1].cost.unwrap() * MEGABYTE);
            assert!(sent <= most as f64 && sent > 0.9 * most as f64, "{codec}: {sent} of at most {most} bytes");
            let left_out = run.residuals.iter().flatten().any(|left| *left != 0.0);
            assert_eq!(left_out, matches!(codec, Codec::TopK { .. }), "{codec}");
        }
    }
}
