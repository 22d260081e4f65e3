//! MNIST's test set, with the models and the evaluation that nodes use themselves.

use std::{ops::ControlFlow, path::Path};

use althing_node::learn::{
    data::{self, Dataset, Subset},
    model::Architecture,
    train::{EvaluateOn, Learner},
};

use crate::{accuracy::Evaluator, error::Error};

/// The whole test set, for one model.
pub struct TestSet {
    learner: Learner,
    samples: usize,
}

impl TestSet {
    /// The test set that lies in `folder`, for the model named `model`.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such model or the files are not as they should be.
    pub fn load(folder: &Path, model: &str) -> Result<Self, Error> {
        let architecture: Architecture = model.parse().map_err(|error| Error::Usage(format!("--model: {error}")))?;
        let test =
            data::load_all(folder, Subset::Test).map_err(|error| Error::Usage(format!("--data DIR: {error}")))?;
        let samples = test.len();
        let learner = Learner::new(architecture, Dataset::default(), Dataset::default(), test);
        Ok(Self { learner, samples })
    }
}

impl Evaluator for TestSet {
    fn accuracy(&mut self, parameters: &[f32]) -> Result<f64, String> {
        let evaluation = self.learner.evaluate(parameters, EvaluateOn::Test, &mut || ControlFlow::Continue(()));
        evaluation.map(|evaluation| evaluation.accuracy()).map_err(|error| error.to_string())
    }

    fn source(&self) -> String {
        format!("MNIST test set, {} images", self.samples)
    }
}
