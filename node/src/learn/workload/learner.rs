//! Training and evaluation of a workload, on the calling thread alone.

use std::sync::Arc;

use althing_protocol::ids::Hash;
use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::Device,
};

use super::{Batch, Workload};
use crate::learn::{
    epochs::{self, Descend},
    job::{EvaluateJob, Learn, Method, Pause, TrainJob},
    params,
    private::{self, OneByOne},
    train::{EvaluateOn, Evaluation, Hyper, LearnError, Trained},
};

/// One member's examples of a workload, or the test set.
pub struct WorkloadLearner<W: Workload> {
    workload: Arc<W>,
    train: Option<W::Examples>,
    held_out: Option<W::Examples>,
    test: Option<W::Examples>,
}

impl<W: Workload> WorkloadLearner<W> {
    /// Trains on `train` and appraises on `held_out`.
    pub fn member(workload: Arc<W>, train: W::Examples, held_out: W::Examples) -> Self {
        Self { workload, train: Some(train), held_out: Some(held_out), test: None }
    }

    /// Evaluates on `test` and can do nothing else.
    pub fn examiner(workload: Arc<W>, test: W::Examples) -> Self {
        Self { workload, train: None, held_out: None, test: Some(test) }
    }

    fn count(&self, examples: Option<&W::Examples>) -> usize {
        examples.map_or(0, |examples| self.workload.count(examples))
    }

    fn train_plain(&self, job: &TrainJob, hyper: &Hyper, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
        let examples = self.train.as_ref().ok_or(LearnError::NoSample)?;
        let begin = || Step::new(&*self.workload, examples, job, hyper);
        epochs::train(self.workload.count(examples), hyper, job.seed, begin, pause)
    }
}

impl<W: Workload> Learn for WorkloadLearner<W> {
    fn samples(&self) -> u64 {
        self.count(self.train.as_ref()) as u64
    }

    fn fingerprint(&self) -> Option<Hash> {
        self.workload.fingerprint(self.train.as_ref()?)
    }

    fn train(&self, job: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
        match job.method {
            Method::Plain(hyper) => self.train_plain(&job, &hyper, pause),
            Method::Private(hyper, licence) => {
                let examples = self.train.as_ref().ok_or(LearnError::NoSample)?;
                let mut summing = OneByOne::new(&*self.workload, examples, job.width);
                private::descend(&mut summing, &job.weights, &hyper, licence, pause)
            }
        }
    }

    fn evaluate(&self, job: &EvaluateJob, pause: &mut Pause<'_>) -> Result<Evaluation, LearnError> {
        let examples = match job.on {
            EvaluateOn::HeldOut => self.held_out.as_ref(),
            EvaluateOn::Test => self.test.as_ref(),
        };
        let examples = examples.ok_or(LearnError::NoSample)?;
        let device = Device::flex();
        let network = params::set(self.workload.network(job.width, &device), &job.weights)?;
        let score = |numbers: &[usize]| self.workload.score(&network, &Batch { examples, numbers, device: &device });
        epochs::evaluate(self.workload.count(examples), score, pause)
    }
}

/// A network in training.
struct Step<'a, W: Workload> {
    workload: &'a W,
    examples: &'a W::Examples,
    network: W::Network,
    device: Device,
    optimizer: ModuleOptimizer,
    learning_rate: f64,
}

impl<'a, W: Workload> Step<'a, W> {
    fn new(workload: &'a W, examples: &'a W::Examples, job: &TrainJob, hyper: &Hyper) -> Result<Self, LearnError> {
        let device = Device::flex().autodiff();
        let network = params::set(workload.network(job.width, &device), &job.weights)?;
        let (optimizer, learning_rate) = (hyper.optimizer(), hyper.learning_rate);
        Ok(Self { workload, examples, network, device, optimizer, learning_rate })
    }
}

impl<W: Workload> Descend for Step<'_, W> {
    /// Everything of the graph is gone by the time that the optimizer has the network.
    fn step(mut self, numbers: &[usize]) -> Result<(Self, f32), LearnError> {
        let batch = Batch { examples: self.examples, numbers, device: &self.device };
        let loss = self.workload.loss(&self.network, &batch);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let loss = loss.try_into_scalar::<f32>().map_err(|error| LearnError::Backend(error.to_string()))?;
        self.network = self.optimizer.step(self.learning_rate, self.network, gradients);
        Ok((self, loss))
    }

    fn parameters(&self) -> Result<Vec<f32>, LearnError> {
        Ok(params::get(&self.network)?)
    }
}
