//! Training and evaluation of a workload, on the calling thread alone.

use std::sync::Arc;

use althing_protocol::{ids::Hash, model::Width};
use burn::{
    optim::{GradientsParams, ModuleOptimizer},
    tensor::Device,
};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;

use super::{Batch, Workload};
use crate::learn::{
    job::{EvaluateJob, Learn, Method, Pause, TrainJob},
    params,
    private::{self, OneByOne},
    train::{EVALUATION_BATCH, EvaluateOn, Evaluation, Hyper, LearnError, Stopwatch, Trained},
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
        hyper.check()?;
        let examples = self.train.as_ref().ok_or(LearnError::NoSample)?;
        let mut order: Vec<usize> = (0..self.workload.count(examples)).collect();
        if order.is_empty() {
            return Err(LearnError::NoSample);
        }
        let mut watch = Stopwatch::default();
        let mut step = watch.time(|| Step::new(&*self.workload, job.width, &job.weights, hyper))?;
        let mut rng = ChaCha20Rng::from_seed(job.seed);
        let mut loss = 0.0;
        for epoch in 1..=hyper.epochs {
            order.shuffle(&mut rng);
            let mut sum = 0.0;
            for batch in order.chunks(hyper.batch) {
                if pause().is_break() {
                    return Err(LearnError::Cancelled);
                }
                let (next, batch_loss) = watch.time(|| step.take(examples, batch))?;
                if !batch_loss.is_finite() {
                    return Err(LearnError::Diverged { epoch });
                }
                step = next;
                sum += f64::from(batch_loss) * batch.len() as f64;
            }
            loss = (sum / order.len() as f64) as f32;
        }
        let weights = watch.time(|| params::get(&step.network))?;
        // The last step may have left the numbers after the last loss was taken.
        params::check_finite(&weights).map_err(|_| LearnError::Diverged { epoch: hyper.epochs })?;
        Ok(Trained { weights, samples: order.len() as u64, loss, training_ms: watch.millis() })
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
        let order: Vec<usize> = (0..self.count(examples)).collect();
        let Some(examples) = examples.filter(|_| !order.is_empty()) else { return Err(LearnError::NoSample) };
        let device = Device::flex();
        let network = params::set(self.workload.network(job.width, &device), &job.weights)?;
        let (mut loss, mut correct) = (0.0, 0);
        for numbers in order.chunks(EVALUATION_BATCH) {
            if pause().is_break() {
                return Err(LearnError::Cancelled);
            }
            let score = self.workload.score(&network, &Batch { examples, numbers, device: &device })?;
            loss += score.loss;
            correct += score.correct;
        }
        let mean = (loss / order.len() as f64) as f32;
        let loss = if mean.is_finite() { mean } else { f32::MAX };
        Ok(Evaluation { loss, correct, samples: order.len() as u32 })
    }
}

/// A network in training.
struct Step<'a, W: Workload> {
    workload: &'a W,
    network: W::Network,
    device: Device,
    optimizer: ModuleOptimizer,
    learning_rate: f64,
}

impl<'a, W: Workload> Step<'a, W> {
    fn new(workload: &'a W, width: Width, weights: &[f32], hyper: &Hyper) -> Result<Self, LearnError> {
        let device = Device::flex().autodiff();
        let network = params::set(workload.network(width, &device), weights)?;
        Ok(Self { workload, network, device, optimizer: hyper.optimizer(), learning_rate: hyper.learning_rate })
    }

    /// One step down the gradient of a batch; also returns the mean loss before it.
    ///
    /// The network is moved through the optimizer and everything of the graph is gone by then, so that the parameters
    /// have one owner and are updated in place.
    fn take(mut self, examples: &W::Examples, numbers: &[usize]) -> Result<(Self, f32), LearnError> {
        let loss = self.workload.loss(&self.network, &Batch { examples, numbers, device: &self.device });
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let loss = loss.try_into_scalar::<f32>().map_err(|error| LearnError::Backend(error.to_string()))?;
        self.network = self.optimizer.step(self.learning_rate, self.network, gradients);
        Ok((self, loss))
    }
}
