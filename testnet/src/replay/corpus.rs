//! The data of a replay, and the test set as the judge of its models.

use std::{num::NonZeroUsize, ops::ControlFlow, path::Path};

use althing_node::learn::{
    data::{self, DataError, Dataset, Subset},
    model::Architecture,
    train::{EvaluateOn, Evaluation, LearnError, Learner},
};
use althing_protocol::model::Width;

use super::{plan::Point, pool};

/// Pieces of the test set, which threads take one by one. It is fixed, so that sums come out alike with any number of
/// threads.
const TEST_PIECES: usize = 8;

/// The data of a replay, loaded once for all its runs.
pub struct Corpus {
    architecture: Architecture,
    train: Dataset,
    /// Each holds a piece of the test set and nothing else.
    judges: Vec<Learner>,
}

impl Corpus {
    /// MNIST from `folder`, to be learnt by models of this architecture.
    ///
    /// # Errors
    /// [`DataError`] if a file is missing or malformed.
    pub fn load(folder: &Path, architecture: Architecture) -> Result<Self, DataError> {
        let train = data::load_all(folder, Subset::Train)?;
        Ok(Self::new(architecture, train, &data::load_all(folder, Subset::Test)?))
    }

    /// The samples `train` to learn from and `test` to be judged by.
    pub fn new(architecture: Architecture, train: Dataset, test: &Dataset) -> Self {
        let numbers: Vec<u32> = (0..test.len() as u32).collect();
        let pieces = numbers.chunks(test.len().div_ceil(TEST_PIECES).max(1));
        let judge = |piece| {
            let piece = test.select(piece).unwrap_or_default();
            Learner::new(architecture, Dataset::default(), Dataset::default(), piece)
        };
        Self { architecture, train, judges: pieces.map(judge).collect() }
    }

    /// What is trained.
    pub const fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// All samples to learn from.
    pub const fn train(&self) -> &Dataset {
        &self.train
    }

    /// Somebody who trains on the samples with these numbers, and on no others.
    ///
    /// They are copied for as long as the learner lives, which takes far less time than a training, and far less memory
    /// than a copy for everybody all the time.
    pub fn learner(&self, samples: &[u32]) -> Learner {
        let samples = self.train.select(samples).unwrap_or_default();
        Learner::new(self.architecture, samples, Dataset::default(), Dataset::default())
    }

    /// What the whole test set says of the model with these weights, after `round`.
    ///
    /// # Errors
    /// [`LearnError`] if the weights will not do or there is nothing to be judged by.
    pub fn judge(&self, weights: &[f32], round: u64, threads: NonZeroUsize) -> Result<Point, LearnError> {
        let judge = |judge: &Learner| judge.evaluate(weights, Width::Full, EvaluateOn::Test, &mut go_on);
        let pieces = pool::map(threads, &self.judges, judge);
        let pieces = pieces.into_iter().collect::<Result<Vec<_>, _>>()?;
        let sum = |part: fn(&Evaluation) -> f64| pieces.iter().map(part).sum::<f64>();
        let samples = sum(|piece| f64::from(piece.samples));
        if samples == 0.0 {
            return Err(LearnError::NoSample);
        }
        let accuracy = sum(|piece| f64::from(piece.correct)) / samples;
        let loss = sum(|piece| f64::from(piece.loss) * f64::from(piece.samples)) / samples;
        Ok(Point { round, accuracy, loss, cost: None })
    }
}

/// Nobody interrupts a replay's training.
pub(crate) const fn go_on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[cfg(test)]
pub(super) mod tests {
    use althing_node::learn::facts;

    use super::*;

    pub(in crate::replay) fn mnist(subset: Subset, count: u32) -> Dataset {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        data::load(&folder, subset, &(0..count).collect::<Vec<_>>()).unwrap()
    }

    /// The first samples of MNIST's halves.
    pub(in crate::replay) fn corpus(train: u32, test: u32) -> Corpus {
        Corpus::new(Architecture::TwoNn, mnist(Subset::Train, train), &mnist(Subset::Test, test))
    }

    #[test]
    fn the_pieces_of_the_test_set_make_up_the_whole() {
        let weights = facts::first_model(Architecture::TwoNn, 1);
        let point = corpus(10, 203).judge(&weights, 4, NonZeroUsize::MIN).unwrap();
        let test = mnist(Subset::Test, 203);
        let whole = Learner::new(Architecture::TwoNn, Dataset::default(), Dataset::default(), test);
        let expected = whole.evaluate(&weights, Width::Full, EvaluateOn::Test, &mut go_on).unwrap();
        assert_eq!((point.round, point.accuracy), (4, expected.accuracy()));
        assert!((point.loss - f64::from(expected.loss)).abs() < 1e-5, "{} and {}", point.loss, expected.loss);
    }
}
