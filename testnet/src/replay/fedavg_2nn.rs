//! McMahan and others, "Communication-Efficient Learning of Deep Networks from Decentralized Data" (2017), table 2: the
//! multilayer perceptron, 100 members, a tenth of them in each round, one epoch in batches of ten.

use althing_node::learn::{model::Architecture, partition::Partition, train::Hyper};
use clap::Args;

use super::{
    Error,
    corpus::Corpus,
    federation::{ALL_WHOLE, Federation, Setting},
    options::Common,
    plan::{Bar, Case, Facts, Figure, Goal, Plan, Replay, Run},
};

/// The accuracy for which the published rounds were counted.
const TARGET: f64 = 0.97;
/// The paper chose the learning rate separately for each division of the data. Ours is the best of a grid whose
/// neighbours differ by about the cube root of ten, and it is the same for both divisions (docs/replay.md).
const LEARNING_RATE: f64 = 0.1;
/// More than the published run took on any division.
const ROUNDS_MAX: u64 = 1_000;

/// Options of `testnet replay fedavg-2nn`.
#[derive(Debug, Clone, Args)]
pub struct Fedavg2nn {
    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K; several,
    /// with commas between, are compared
    #[arg(long, default_value = "iid", value_name = "KIND", value_delimiter = ',')]
    pub partition: Vec<Partition>,

    /// Accuracy to reach, above 0 and at most 1; figures are published for 0.97
    #[arg(long, default_value_t = TARGET, value_name = "SHARE", value_parser = share)]
    pub target: f64,

    /// What all replays know.
    #[command(flatten)]
    pub common: Common,
}

impl Fedavg2nn {
    fn setting(&self, partition: Partition) -> Setting {
        let learning_rate = self.common.lr.unwrap_or(LEARNING_RATE);
        let hyper = Hyper { epochs: 1, batch: 10, learning_rate, momentum: 0.0 };
        Setting { members: 100, participants: 10, partition, hyper, cooling: None, widths: ALL_WHOLE }
    }

    fn case(&self, partition: &Partition) -> Case {
        let published = match partition {
            _ if self.target != TARGET => None,
            Partition::Iid => Some(87),
            Partition::Shards { per_member: 2 } => Some(664),
            _ => None,
        };
        Case {
            name: partition.to_string(),
            facts: Facts::default(),
            rounds_max: self.common.rounds_max.unwrap_or(ROUNDS_MAX),
            bars: published.map(|rounds| Bar::published(Figure::Rounds(rounds))).into_iter().collect(),
        }
    }
}

impl Replay for Fedavg2nn {
    fn plan(&self) -> Result<Plan, Error> {
        Ok(Plan {
            name: "fedavg-2nn",
            architecture: Architecture::TwoNn,
            setting: self.setting(Partition::Iid).facts(),
            goal: Goal::RoundsTo(self.target),
            cost: None,
            cases: self.partition.iter().map(|partition| self.case(partition)).collect(),
        })
    }

    fn begin<'a>(&'a self, case: usize, corpus: &'a Corpus, seed: u64) -> Result<Box<dyn Run + 'a>, Error> {
        Ok(Box::new(Federation::new(self.setting(self.partition[case]), corpus, seed)?))
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "it must be a number above 0 and at most 1, such as 0.97".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Experiment, options::tests::parse};

    fn asked(arguments: &[&str]) -> Fedavg2nn {
        match parse(&[&["fedavg-2nn"], arguments].concat()).unwrap() {
            Experiment::Fedavg2nn(options) => options,
            other => panic!("{other:?}"),
        }
    }

    fn bars(arguments: &[&str]) -> Vec<Vec<Bar>> {
        asked(arguments).plan().unwrap().cases.into_iter().map(|case| case.bars).collect()
    }

    #[test]
    fn without_options_the_published_setting_is_replayed() {
        let setting = asked(&[]).setting(Partition::Iid);
        assert_eq!((setting.members, setting.participants), (100, 10));
        assert_eq!((setting.hyper.epochs, setting.hyper.batch, setting.hyper.momentum), (1, 10, 0.0));
        let plan = asked(&[]).plan().unwrap();
        assert_eq!((plan.goal, plan.cases.len(), plan.cases[0].rounds_max), (Goal::RoundsTo(0.97), 1, 1_000));
        let changed = asked(&["--lr", "0.5", "--rounds-max", "7"]);
        assert_eq!(changed.setting(Partition::Iid).hyper.learning_rate, 0.5);
        assert_eq!(changed.plan().unwrap().cases[0].rounds_max, 7);
    }

    #[test]
    fn published_figures_belong_to_exactly_their_setting() {
        let rounds = |rounds| vec![Bar::published(Figure::Rounds(rounds))];
        assert_eq!(bars(&["--partition", "iid,shards:2,shards:3"]), [rounds(87), rounds(664), Vec::new()]);
        assert_eq!(bars(&["--target", "0.96"]), [Vec::new()]);
    }
}
