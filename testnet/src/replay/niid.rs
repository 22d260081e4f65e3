//! Li and others, "Federated Learning on Non-IID Data Silos: An Experimental Study" (2022): LeNet, ten members who all
//! take part in each of fifty rounds, ten epochs in batches of 64.

use althing_node::learn::{model::Architecture, partition::Partition, train::Hyper};
use clap::Args;

use super::{
    Error,
    corpus::Corpus,
    federation::{ALL_WHOLE, Federation, Setting},
    options::Common,
    plan::{Bar, Case, Facts, Figure, Goal, Plan, Replay, Run},
};

/// Rounds after which the published accuracies were taken.
const ROUNDS: u64 = 50;
/// As published.
const LEARNING_RATE: f64 = 0.01;

/// Options of `testnet replay niid`.
#[derive(Debug, Clone, Args)]
pub struct Niid {
    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K; several,
    /// with commas between, are compared
    #[arg(long, default_value = "iid", value_name = "KIND", value_delimiter = ',')]
    pub partition: Vec<Partition>,

    /// What all replays know.
    #[command(flatten)]
    pub common: Common,
}

impl Niid {
    fn setting(&self, partition: Partition) -> Setting {
        let learning_rate = self.common.lr.unwrap_or(LEARNING_RATE);
        let hyper = Hyper { epochs: 10, batch: 64, learning_rate, momentum: 0.9 };
        Setting { members: 10, participants: 10, partition, hyper, cooling: None, widths: ALL_WHOLE }
    }

    fn case(&self, partition: &Partition) -> Case {
        let rounds_max = self.common.rounds_max.unwrap_or(ROUNDS);
        let published = match partition {
            _ if rounds_max != ROUNDS => None,
            Partition::Iid => Some(0.991),
            Partition::Dirichlet { alpha: 0.5 } => Some(0.989),
            Partition::LabelK { k: 2 } => Some(0.966),
            Partition::LabelK { k: 3 } => Some(0.982),
            _ => None,
        };
        Case {
            name: partition.to_string(),
            facts: Facts::default(),
            rounds_max,
            bars: published.map(|share| Bar::published(Figure::Accuracy(share))).into_iter().collect(),
        }
    }
}

impl Replay for Niid {
    fn plan(&self) -> Result<Plan, Error> {
        Ok(Plan {
            name: "niid",
            architecture: Architecture::LeNet,
            setting: self.setting(Partition::Iid).facts(),
            goal: Goal::FinalAccuracy,
            cost: None,
            cases: self.partition.iter().map(|partition| self.case(partition)).collect(),
        })
    }

    fn begin<'a>(&'a self, case: usize, corpus: &'a Corpus, seed: u64) -> Result<Box<dyn Run + 'a>, Error> {
        Ok(Box::new(Federation::new(self.setting(self.partition[case]), corpus, seed)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Experiment, options::tests::parse};

    fn plan(arguments: &[&str]) -> Plan {
        match parse(&[&["niid"], arguments].concat()).unwrap() {
            Experiment::Niid(options) => options.plan().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn published_figures_belong_to_exactly_their_setting() {
        let cases = plan(&["--partition", "label:2,label:4"]).cases;
        assert_eq!((cases[0].rounds_max, &cases[0].bars[..]), (50, &[Bar::published(Figure::Accuracy(0.966))][..]));
        assert!(cases[1].bars.is_empty());
        assert!(plan(&["--rounds-max", "5"]).cases[0].bars.is_empty());
    }
}
