//! What a learner is asked for, and the trait that every learner has: the built-in one, and one of a user's own.

use std::{ops::ControlFlow, sync::Arc};

use althing_protocol::{ids::Hash, model::Width};

use super::{
    private::{NoiseLicence, PrivateHyper},
    train::{EvaluateOn, Evaluation, Hyper, LearnError, Trained},
};

/// One training to do.
pub struct TrainJob {
    /// Where to start from: the parameters of the slice of this width, in manifest order.
    pub weights: Arc<[f32]>,
    /// Which part of the model is trained.
    pub width: Width,
    /// How to train.
    pub method: Method,
    /// Decides the order of the samples.
    pub seed: [u8; 32],
}

/// How to train.
pub enum Method {
    /// By stochastic gradient descent.
    Plain(Hyper),
    /// So that the result reveals little of any one sample. The licence is used up by it.
    Private(PrivateHyper, NoiseLicence),
}

/// One evaluation to do.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateJob {
    /// What to evaluate: the parameters of the slice of this width, in manifest order.
    pub weights: Arc<[f32]>,
    /// Which part of the model they are.
    pub width: Width,
    /// On which samples.
    pub on: EvaluateOn,
}

/// Called before each batch: it may do something else first, which does not count as training time, or break the job
/// off.
pub type Pause<'a> = dyn FnMut() -> ControlFlow<()> + 'a;

/// Trains and evaluates one member's model on its own samples. A node gives it a thread of its own.
pub trait Learn: Send {
    /// Samples that a training sees in one pass.
    fn samples(&self) -> u64;

    /// The same for the same samples in any order, and for no others: a privacy account is bound to it. A learner that
    /// cannot tell gives none, and can have no account.
    fn fingerprint(&self) -> Option<Hash>;

    /// Trains as `job` says.
    ///
    /// # Errors
    /// [`LearnError`] if weights or hyperparameters will not do, `pause` broke off, or the parameters left the numbers.
    fn train(&self, job: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError>;

    /// Loss and accuracy of a model.
    ///
    /// # Errors
    /// [`LearnError`] if the weights will not do, there is no sample, or `pause` broke off.
    fn evaluate(&self, job: &EvaluateJob, pause: &mut Pause<'_>) -> Result<Evaluation, LearnError>;
}
