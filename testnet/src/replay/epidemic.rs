//! Epidemic exchange beside a server and beside a ring, in synchronous steps: what is lost without an aggregator.
//!
//! The server is federated averaging over all members, which sends every model up and down. The ring is D-PSGD with
//! equal weights: every member averages with its two neighbours. An epidemic member sends its model to a few random
//! others and averages with what it gets (De Vos and others, 2023), by the average that nodes use.

use std::num::NonZeroUsize;

use althing_node::{
    genesis_file::{Draft, draft},
    learn::{
        catalogue::{Catalogue, TaskError},
        facts,
        model::Architecture,
        partition::{self, Partition},
        train::Hyper,
    },
};
use althing_protocol::{
    aggregate, election,
    epidemic::mix,
    genesis::Genesis,
    ids::{Hash, MemberId, Step},
    model::Width,
};
use clap::{Args, value_parser};

use super::{
    Error, Setting,
    corpus::{Corpus, go_on},
    error::RunError,
    federation::{ALL_WHOLE, member_id},
    options::Common,
    plan::{Against, Bar, Case, Facts, Goal, Plan, Point, Replay, Run},
    pool,
};

/// Steps after which accuracies are compared.
const STEPS: u64 = 20;
/// As a genesis has it by default.
const LEARNING_RATE: f64 = 0.05;
/// By how much members without an aggregator may be worse than with one, on average.
const SLACK: f64 = 0.02;
/// What a server and a ring are called.
const SERVER: &str = "server";
const RING: &str = "ring";

/// Options of `testnet replay epidemic`.
#[derive(Debug, Clone, Args)]
pub struct Epidemic {
    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K
    #[arg(long, default_value = "dirichlet:0.5", value_name = "KIND")]
    pub partition: Partition,

    /// Members to which one sends its model in a step; several, with commas between, are compared
    #[arg(long, default_value = "1,2,4", value_name = "S", value_delimiter = ',', value_parser = value_parser!(u16).range(1..=15))]
    pub fanout: Vec<u16>,

    /// What all replays know.
    #[command(flatten)]
    pub common: Common,
}

impl Epidemic {
    fn setting(&self) -> Setting {
        let learning_rate = self.common.lr.unwrap_or(LEARNING_RATE);
        let hyper = Hyper { epochs: 1, batch: 32, learning_rate, momentum: 0.9 };
        Setting { members: 16, participants: 16, partition: self.partition, hyper, cooling: None, widths: ALL_WHOLE }
    }

    fn case(&self, name: String, bars: Vec<Bar>) -> Case {
        let rounds_max = self.common.rounds_max.unwrap_or(STEPS);
        Case { name, facts: Facts::default(), rounds_max, bars }
    }
}

impl Replay for Epidemic {
    fn plan(&self) -> Result<Plan, Error> {
        let bar = Bar { against: Against::Case(0), slack: SLACK };
        let epidemic = self.fanout.iter().map(|fanout| self.case(format!("epidemic:{fanout}"), vec![bar]));
        let setting = self.setting();
        Ok(Plan {
            name: "epidemic",
            architecture: Architecture::TwoNn,
            setting: setting.facts().with("partition", setting.partition.to_string()),
            goal: Goal::FinalAccuracy,
            cost: Some("megabytes"),
            cases: [self.case(SERVER.into(), Vec::new()), self.case(RING.into(), vec![bar])]
                .into_iter()
                .chain(epidemic)
                .collect(),
        })
    }

    fn begin<'a>(&'a self, case: usize, corpus: &'a Corpus, seed: u64) -> Result<Box<dyn Run + 'a>, Error> {
        let audience = match case {
            0 => Audience::Everybody,
            1 => Audience::Neighbours,
            other => Audience::Random(usize::from(self.fanout[other - 2])),
        };
        Ok(Box::new(Members::new(self.setting(), audience, corpus, seed)?))
    }
}

/// Who gets a member's model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// All: each ends with the mean of all, as if a server had made it.
    Everybody,
    /// The one before and the one after.
    Neighbours,
    /// So many, drawn anew in each step.
    Random(usize),
}

/// Members, each with a part of the data and a model of its own.
struct Members<'a> {
    setting: Setting,
    audience: Audience,
    genesis: Genesis,
    corpus: &'a Corpus,
    seed: u64,
    parts: Vec<Vec<u32>>,
    models: Vec<Vec<u8>>,
    step: u64,
}

impl<'a> Members<'a> {
    fn new(setting: Setting, audience: Audience, corpus: &'a Corpus, seed: u64) -> Result<Self, Error> {
        let parts = partition::assign(corpus.train().labels(), setting.members, &setting.partition, seed)?;
        let first = facts::initial_model(corpus.architecture(), seed);
        Ok(Self {
            audience,
            genesis: genesis(corpus.architecture(), seed)?,
            corpus,
            seed,
            parts,
            models: vec![first; setting.members],
            step: 0,
            setting,
        })
    }

    fn train(&self, member: usize) -> Result<Vec<u8>, RunError> {
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), &self.step.to_le_bytes(), &(member as u64).to_le_bytes()];
        let seed = Hash::derive("althing replay training", &parts);
        let weights: Vec<f32> = aggregate::parameters(&self.models[member]).collect();
        let learner = self.corpus.learner(&self.parts[member]);
        Ok(aggregate::encode(&learner.train(&weights, Width::Full, &self.setting.hyper, seed.0, &mut go_on)?.weights))
    }

    /// Places of those who get the model of the member at this place.
    fn audience_of(&self, member: usize) -> Vec<usize> {
        let count = self.setting.members;
        match self.audience {
            Audience::Everybody => (0..count).filter(|other| *other != member).collect(),
            Audience::Neighbours => vec![(member + 1) % count, (member + count - 1) % count],
            Audience::Random(fanout) => {
                let parts: [&[u8]; 3] =
                    [&self.seed.to_le_bytes(), &self.step.to_le_bytes(), &(member as u64).to_le_bytes()];
                let seed = Hash::derive("althing replay audience", &parts);
                let others = (0..count).filter(|other| *other != member).map(|other| (member_id(other as u64), 1));
                let order = election::order(&seed, &others.collect::<Vec<_>>());
                let place = |id: &MemberId| (0..count).find(|other| member_id(*other as u64) == *id);
                order.iter().take(fanout).filter_map(place).collect()
            }
        }
    }

    /// Models that are sent in a step. A server gets and sends one for each member.
    fn sent(&self) -> usize {
        let each = match self.audience {
            Audience::Everybody | Audience::Neighbours => 2,
            Audience::Random(fanout) => fanout,
        };
        each * self.setting.members
    }
}

/// What the average needs to know of a federation: the defaults of a genesis.
fn genesis(architecture: Architecture, seed: u64) -> Result<Genesis, TaskError> {
    let (model, dataset) = (architecture.to_string(), "mnist".to_owned());
    let facts = Catalogue::built_in().facts(&model, &dataset, seed)?;
    Ok(draft(Draft { name: "replay".into(), model, dataset, seed, members: Vec::new() }, facts))
}

impl Run for Members<'_> {
    /// Everybody trains, sends, and averages with what it got; the test set judges every member's model.
    fn advance(&mut self, threads: NonZeroUsize) -> Result<Point, RunError> {
        self.step += 1;
        let places: Vec<usize> = (0..self.setting.members).collect();
        let trained = pool::map(threads, &places, |member| self.train(*member));
        let trained = trained.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut heard: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
        for &member in &places {
            self.audience_of(member).into_iter().for_each(|other| heard[other].push(member));
        }
        self.models = pool::map(threads, &places, |member| {
            let received: Vec<(MemberId, &[u8])> =
                heard[*member].iter().map(|from| (member_id(*from as u64), &trained[*from][..])).collect();
            mix(&self.genesis, Step(self.step), (member_id(*member as u64), &trained[*member]), &received).model
        });
        let mut mean = Point { round: self.step, accuracy: 0.0, loss: 0.0, cost: None };
        for model in &self.models {
            let weights: Vec<f32> = aggregate::parameters(model).collect();
            let point = self.corpus.judge(&weights, self.step, threads)?;
            mean.accuracy += point.accuracy / self.models.len() as f64;
            mean.loss += point.loss / self.models.len() as f64;
        }
        let model_bytes = self.models.first().map_or(0, Vec::len);
        mean.cost = Some((self.step as usize * self.sent() * model_bytes) as f64 / 1e6);
        Ok(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::corpus::tests::corpus;

    fn members(audience: Audience, corpus: &Corpus) -> Members<'_> {
        let hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.1, momentum: 0.0 };
        let partition = Partition::Iid;
        let setting = Setting { members: 6, participants: 6, partition, hyper, cooling: None, widths: ALL_WHOLE };
        Members::new(setting, audience, corpus, 1).unwrap()
    }

    #[test]
    fn a_server_makes_all_equal_and_nobody_else_does() {
        let corpus = corpus(120, 20);
        for (audience, different, sent) in
            [(Audience::Everybody, 1, 12), (Audience::Neighbours, 6, 12), (Audience::Random(2), 6, 12)]
        {
            let mut members = members(audience, &corpus);
            let point = members.advance(NonZeroUsize::MIN).unwrap();
            let models: std::collections::BTreeSet<&Vec<u8>> = members.models.iter().collect();
            assert_eq!((models.len(), members.sent()), (different, sent), "{audience:?}");
            assert_eq!(point.cost, Some((sent * members.models[0].len()) as f64 / 1e6));
        }
    }

    #[test]
    fn everybody_sends_to_as_many_others_as_it_should() {
        let corpus = corpus(60, 20);
        for (audience, count) in [(Audience::Everybody, 5), (Audience::Neighbours, 2), (Audience::Random(3), 3)] {
            let mut members = members(audience, &corpus);
            for step in 0..20 {
                members.step = step;
                for member in 0..6 {
                    let to: std::collections::BTreeSet<usize> = members.audience_of(member).into_iter().collect();
                    assert!(to.len() == count && !to.contains(&member), "{audience:?}: {member} to {to:?}");
                }
            }
        }
    }
}
