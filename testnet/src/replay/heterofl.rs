//! Diao and others, "HeteroFL: Computation and Communication Efficient Federated Learning for Heterogeneous Clients"
//! (2021): members whose machines train a part of each layer only, beside full width for all, on MNIST.
//!
//! The published network normalises its layers and ours does not, so what is compared is what the paper claims and not
//! its figures: the mix is nearly as good as full width for everybody. The other choice that a federation has is to
//! leave the weak members out, which the mix must beat.

use althing_node::learn::{model::Architecture, params, partition::Partition, train::Hyper};
use althing_protocol::model::{Slice, Width};
use clap::{Args, value_parser};

use super::{
    Error,
    corpus::Corpus,
    federation::{ALL_WHOLE, Federation, Setting},
    options::Common,
    plan::{Against, Bar, Case, Facts, Goal, Plan, Replay, Run},
};

/// Rounds of a run.
const ROUNDS: u64 = 100;
/// Step size until half of the rounds are over, as published; then it is a tenth.
const LEARNING_RATE: f64 = 0.05;
/// What the mix may be worse than full width, as a share of the test set.
const SLACK: f64 = 0.005;

/// A name, and how much of each layer members train in turn.
type Variant = (&'static str, &'static [Option<Width>]);

/// The mix that the paper calls a-b-c-d-e, what it is to match, and what it is to beat.
const VARIANTS: [Variant; 3] = [
    ("mix", &[Some(Width::Full), Some(Width::Half), Some(Width::Quarter), Some(Width::Eighth), Some(Width::Sixteenth)]),
    ("full", ALL_WHOLE),
    ("strong only", &[Some(Width::Full), None, None, None, None]),
];

/// Options of `testnet replay heterofl`.
#[derive(Debug, Clone, Args)]
pub struct Heterofl {
    /// What is trained: 2nn, lenet or fedavg-cnn; the last is nearest to the published network, the others are quick
    #[arg(long, default_value = "fedavg-cnn", value_name = "MODEL")]
    pub model: Architecture,

    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K
    #[arg(long, default_value = "iid", value_name = "KIND")]
    pub partition: Partition,

    /// Passes over a member's samples in a round; the paper makes five
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000))]
    pub epochs: u32,

    /// Momentum of a member's steps, from 0 to below 1; the paper uses 0.9
    #[arg(long, default_value_t = 0.0, value_name = "RATE")]
    pub momentum: f64,

    /// What all replays know.
    #[command(flatten)]
    pub common: Common,
}

impl Heterofl {
    fn rounds_max(&self) -> u64 {
        self.common.rounds_max.unwrap_or(ROUNDS)
    }

    fn setting(&self, widths: &'static [Option<Width>]) -> Setting {
        let learning_rate = self.common.lr.unwrap_or(LEARNING_RATE);
        let hyper = Hyper { epochs: self.epochs, batch: 10, learning_rate, momentum: self.momentum };
        let cooling = Some(self.rounds_max() / 2);
        Setting { members: 100, participants: 10, partition: self.partition, hyper, cooling, widths }
    }

    /// The parameters that a member who takes part trains on average, of the whole model's, to four digits.
    fn share(&self, widths: &[Option<Width>]) -> f64 {
        let manifest = params::manifest(self.model);
        let slices: Vec<_> = widths.iter().flatten().filter_map(|&width| manifest.slice(width)).collect();
        let held: usize = slices.iter().map(Slice::len).sum();
        let share = held as f64 / slices.len() as f64 / manifest.parameters() as f64;
        (share * 1e4).round() / 1e4
    }

    fn case(&self, (name, widths): Variant) -> Case {
        let words: Vec<_> = widths.iter().flatten().map(ToString::to_string).collect();
        let bars = match name {
            "mix" => {
                vec![Bar { against: Against::Case(1), slack: SLACK }, Bar { against: Against::Case(2), slack: 0.0 }]
            }
            _ => Vec::new(),
        };
        Case {
            name: name.to_owned(),
            facts: Facts::default().with("widths", words.join(" ")).with("share_of_parameters", self.share(widths)),
            rounds_max: self.rounds_max(),
            bars,
        }
    }
}

impl Replay for Heterofl {
    fn plan(&self) -> Result<Plan, Error> {
        let setting = self.setting(ALL_WHOLE).facts().with("partition", self.partition.to_string());
        Ok(Plan {
            name: "heterofl",
            architecture: self.model,
            setting: setting.with("rounds", self.rounds_max()),
            goal: Goal::FinalAccuracy,
            cost: None,
            cases: VARIANTS.map(|variant| self.case(variant)).into(),
        })
    }

    fn begin<'a>(&'a self, case: usize, corpus: &'a Corpus, seed: u64) -> Result<Box<dyn Run + 'a>, Error> {
        Ok(Box::new(Federation::new(self.setting(VARIANTS[case].1), corpus, seed)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Experiment, options::tests::parse};

    fn asked(arguments: &[&str]) -> Heterofl {
        match parse(&[&["heterofl"], arguments].concat()).unwrap() {
            Experiment::Heterofl(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_mix_is_compared_with_both_others() {
        let plan = asked(&[]).plan().unwrap();
        let names: Vec<&str> = plan.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["mix", "full", "strong only"]);
        let bars: Vec<_> = plan.cases[0].bars.iter().map(|bar| (bar.against, bar.slack)).collect();
        assert_eq!(bars, [(Against::Case(1), 0.005), (Against::Case(2), 0.0)]);
        assert!(plan.cases[1..].iter().all(|case| case.bars.is_empty()));
    }

    #[test]
    fn the_mix_trains_about_a_quarter_of_the_parameters() {
        let share = |model| asked(&["--model", model]).share(VARIANTS[0].1);
        assert_eq!((share("lenet"), share("fedavg-cnn")), (0.2706, 0.2669));
        assert_eq!((asked(&[]).share(ALL_WHOLE), asked(&[]).share(VARIANTS[2].1)), (1.0, 1.0));
    }

    #[test]
    fn the_learning_rate_falls_after_half_of_the_rounds() {
        let cooling = |arguments| asked(arguments).setting(ALL_WHOLE).cooling;
        assert_eq!((cooling(&[]), cooling(&["--rounds-max", "9"])), (Some(ROUNDS / 2), Some(4)));
    }
}
