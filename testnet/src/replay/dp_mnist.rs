//! Example-level privacy on MNIST, in one place as published: the tutorial of TensorFlow Privacy gives what its
//! convolutional network reached at three epsilons, by the classic conversion and as the mean of ten runs.
//!
//! The network, the lot and the schedule are ours; what must be equal is the data, epsilon and delta. The training is the
//! node's, and so is the filter: it holds the published budget and is debited for each pass before the noise is drawn.

use std::{convert::Infallible, num::NonZeroUsize};

use althing_agents::privacy::{self, Budget, Conversion, Debit, Filter, Spend, Ticket};
use althing_node::learn::{
    facts,
    model::Architecture,
    private::{Clip, NoiseLicence, PrivateHyper},
    train::{LearnError, Learner},
};
use althing_protocol::{
    ids::{Hash, Round},
    model::Width,
};
use clap::Args;

use super::{
    Error,
    corpus::{Corpus, go_on},
    error::RunError,
    options::Common,
    plan::{Bar, Case, Facts, Figure, Goal, Plan, Point, Replay, Run},
};

/// Of all published figures.
const DELTA: f64 = 1e-5;
/// Samples that the budget is accounted for.
const SAMPLES: usize = 60_000;
/// Samples that a step takes on average. A large lot under as much noise as that allows learns more than a small one.
const LOT: usize = 2_048;
/// Norm that no sample's gradient may exceed.
const CLIP: f64 = 0.5;

/// One published figure and the schedule with which we answer it.
struct Course {
    /// Epsilon, by the classic conversion.
    epsilon: f64,
    /// What was reached within it, from 0 to 1.
    published: f64,
    /// Our noise multiplier.
    sigma: f64,
    /// Our passes over the samples on average.
    passes: u32,
    /// Our step size in the first pass. It falls evenly to nothing after the last, so that the last steps average the
    /// noise of those before instead of adding as much again.
    learning_rate: f64,
}

const COURSES: [Course; 2] = [
    Course { epsilon: 1.20, published: 0.950, sigma: 3.122, passes: 15, learning_rate: 8.0 },
    Course { epsilon: 2.92, published: 0.966, sigma: 1.679, passes: 20, learning_rate: 12.0 },
];

/// Options of `testnet replay dp-mnist`.
#[derive(Debug, Clone, Args)]
pub struct DpMnist {
    /// What all replays know.
    #[command(flatten)]
    pub common: Common,
}

impl Course {
    fn hyper(&self, learning_rate: Option<f64>) -> PrivateHyper {
        PrivateHyper {
            lot: LOT,
            clip: Clip::Fixed(CLIP),
            sigma: self.sigma,
            steps: (f64::from(self.passes) * SAMPLES as f64 / LOT as f64).round() as u32,
            learning_rate: learning_rate.unwrap_or(self.learning_rate),
            momentum: 0.0,
        }
    }
}

impl DpMnist {
    fn case(&self, course: &Course) -> Result<Case, Error> {
        let hyper = course.hyper(self.common.lr);
        let cost = privacy::Curve::of(&hyper.spend(SAMPLES).map_err(Error::Hyper)?);
        let epsilon = |conversion| rounded_up(cost.guarantee(DELTA, conversion).epsilon);
        let passes = u64::from(course.passes);
        let rounds_max = self.common.rounds_max.unwrap_or(passes).min(passes);
        Ok(Case {
            name: format!("epsilon {:.2}", course.epsilon),
            facts: Facts::default()
                .with("sigma", course.sigma)
                .with("steps", hyper.steps)
                .with("learning_rate", hyper.learning_rate)
                .with("epsilon_classic", epsilon(Conversion::Classic))
                .with("epsilon_tight", epsilon(Conversion::Tight)),
            rounds_max,
            bars: (rounds_max == passes)
                .then(|| Bar::published(Figure::Accuracy(course.published)))
                .into_iter()
                .collect(),
        })
    }
}

impl Replay for DpMnist {
    fn plan(&self) -> Result<Plan, Error> {
        Ok(Plan {
            name: "dp-mnist",
            architecture: Architecture::LeNet,
            setting: Facts::default()
                .with("members", 1)
                .with("lot", LOT)
                .with("clip", CLIP)
                .with("sampling_rate", LOT as f64 / SAMPLES as f64)
                .with("delta", DELTA),
            goal: Goal::FinalAccuracy,
            cost: Some("epsilon"),
            cases: COURSES.iter().map(|course| self.case(course)).collect::<Result<_, _>>()?,
        })
    }

    fn begin<'a>(&'a self, case: usize, corpus: &'a Corpus, seed: u64) -> Result<Box<dyn Run + 'a>, Error> {
        let course = &COURSES[case];
        Ok(Box::new(Training::new(corpus, course, course.hyper(self.common.lr), seed)?))
    }
}

/// A member that has all samples and trains alone, a pass in a round.
struct Training<'a> {
    corpus: &'a Corpus,
    learner: Learner,
    hyper: PrivateHyper,
    passes: u32,
    filter: Filter,
    /// The cost of what was done so far.
    spent: privacy::Curve,
    weights: Vec<f32>,
    seed: u64,
    /// The last round that was played.
    round: u32,
}

impl<'a> Training<'a> {
    fn new(corpus: &'a Corpus, course: &Course, hyper: PrivateHyper, seed: u64) -> Result<Self, Error> {
        let samples: Vec<u32> = (0..corpus.train().len() as u32).collect();
        let whole = hyper.spend(samples.len()).map_err(Error::Hyper)?;
        Ok(Self {
            corpus,
            learner: corpus.learner(&samples),
            hyper,
            passes: course.passes,
            filter: Filter::new(Budget::new(course.epsilon, DELTA)?, &whole),
            spent: privacy::Curve::zero(),
            weights: facts::first_model(corpus.architecture(), seed),
            seed,
            round: 0,
        })
    }

    /// The steps of this round: all of them, divided as evenly as whole numbers can be.
    fn steps(&self) -> u32 {
        let until = |round| (u64::from(self.hyper.steps) * u64::from(round) / u64::from(self.passes)) as u32;
        until(self.round) - until(self.round - 1)
    }

    /// The step size of this round. Whoever goes on past the last pass does so with that one's.
    fn learning_rate(&self) -> f64 {
        let left = (self.passes + 1).saturating_sub(self.round).max(1);
        self.hyper.learning_rate * f64::from(left) / f64::from(self.passes)
    }

    /// Debits `spend` and gives the right to draw its noise.
    ///
    /// MNIST is public and the filter lives no longer than the run: noise that can be drawn again and a debit that no
    /// disk keeps do no harm here.
    fn debit(&mut self, spend: Spend) -> Result<NoiseLicence, RunError> {
        let parts: [&[u8]; 2] = [&self.seed.to_le_bytes(), &self.round.to_le_bytes()];
        let secret = Hash::derive("althing replay noise", &parts);
        let ticket = Ticket { round: Round(self.round.into()), contract: secret };
        match self.filter.debit(spend, ticket)? {
            Debit::Fresh(receipt) => {
                let Ok(debited) = receipt.make_durable(|_| Ok::<_, Infallible>(()));
                Ok(NoiseLicence::repeatable(debited, secret.0))
            }
            Debit::Repeated => Err(LearnError::Unlicensed.into()),
        }
    }
}

impl Run for Training<'_> {
    fn advance(&mut self, threads: NonZeroUsize) -> Result<Point, RunError> {
        self.round += 1;
        let hyper = PrivateHyper { steps: self.steps(), learning_rate: self.learning_rate(), ..self.hyper };
        let spend = hyper.spend(self.corpus.train().len())?;
        let licence = self.debit(spend)?;
        self.weights = self.learner.train_private(&self.weights, Width::Full, &hyper, licence, &mut go_on)?.weights;
        self.spent.add(&privacy::Curve::of(&spend));
        let epsilon = self.spent.guarantee(DELTA, Conversion::Classic).epsilon;
        let point = self.corpus.judge(&self.weights, self.round.into(), threads)?;
        Ok(Point { cost: Some(epsilon), ..point })
    }
}

/// To four digits, and never to less than it is.
fn rounded_up(epsilon: f64) -> f64 {
    (epsilon * 1e4).ceil() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Experiment, corpus::tests::corpus, options::tests::parse};

    fn plan(arguments: &[&str]) -> Plan {
        match parse(&[&["dp-mnist"], arguments].concat()).unwrap() {
            Experiment::DpMnist(options) => options.plan().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_course_keeps_to_its_published_epsilon() {
        for course in &COURSES {
            let spend = course.hyper(None).spend(SAMPLES).unwrap();
            let classic = privacy::Curve::of(&spend).guarantee(DELTA, Conversion::Classic).epsilon;
            assert!(classic <= course.epsilon && classic > course.epsilon - 0.01, "{classic}");
        }
        let cases = plan(&[]).cases;
        assert_eq!((cases[0].rounds_max, &cases[0].bars[..]), (15, &[Bar::published(Figure::Accuracy(0.95))][..]));
        let cases = plan(&["--rounds-max", "17"]).cases;
        let rounds: Vec<_> = cases.iter().map(|case| (case.rounds_max, case.bars.len())).collect();
        assert_eq!(rounds, [(15, 1), (17, 0)], "no course is longer than its budget");
    }

    #[test]
    fn a_training_learns_and_spends_until_the_filter_refuses() {
        let corpus = corpus(400, 50);
        let course = Course { epsilon: 3.0, published: 0.0, sigma: 2.0, passes: 3, learning_rate: 0.5 };
        let hyper = PrivateHyper { lot: 40, steps: 32, ..course.hyper(None) };
        let play = |seed, rounds: u32| {
            let mut training = Training::new(&corpus, &course, hyper, seed).unwrap();
            let points: Vec<_> = (0..rounds).map(|_| training.advance(NonZeroUsize::MIN)).collect();
            (points, training)
        };
        let (points, training) = play(1, 3);
        let costs: Vec<f64> = points.iter().map(|point| point.as_ref().unwrap().cost.unwrap()).collect();
        assert!(costs.is_sorted() && costs[0] > 0.0, "{costs:?}");
        let whole = privacy::Curve::of(&hyper.spend(400).unwrap()).guarantee(DELTA, Conversion::Classic).epsilon;
        assert!((costs[2] - whole).abs() < 1e-6, "{} and {whole}: the passes are all steps", costs[2]);
        assert!((training.learning_rate() - 0.5 / 3.0).abs() < 1e-12, "the last of three passes");
        assert_eq!(play(1, 3).1.weights, training.weights);
        assert_ne!(play(2, 3).1.weights, training.weights);
        let (points, training) = play(1, 60);
        assert!(matches!(points.last(), Some(Err(RunError::Refused(_)))), "nothing may be drawn past the budget");
        assert!(training.filter.epsilon_spent() <= 3.0);
    }
}
