//! A model and data of one's own: what the author of a program says of them, and the task that becomes of it.
//!
//! A [`Workload`] is a Burn module with a loss, and examples in memory. [`task`] makes of it what a
//! [`Catalogue`](super::catalogue::Catalogue) takes, with the training, evaluation and private training of the node.
//! Who classifies labelled examples has still less to say: see [`classifier`](super::classifier).
//!
//! All that a federation exchanges of a module are its float parameters, in the order in which it declares them. A module
//! must have no state besides that a forward pass changes, as the running means of a batch norm are.

mod learner;
mod task;

use std::sync::Arc;

use althing_protocol::{
    ids::Hash,
    model::{Manifest, Width},
};
use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

pub use self::learner::WorkloadLearner;
use self::task::WorkloadTask;
use super::{
    catalogue::{Task, TaskError},
    params,
    portion::Portion,
    train::LearnError,
};
use crate::config;

/// A model, the examples that it learns from, and how they meet.
pub trait Workload: Send + Sync + 'static {
    /// The model.
    type Network: Module;
    /// Some examples in memory.
    type Examples: Send;

    /// The widths in which there is a [`network`](Self::network), the full one first.
    fn widths(&self) -> &'static [Width] {
        &[Width::Full]
    }

    /// A network of this width; its parameters are replaced before it is used. Of each tensor it has the box of the full
    /// width's that begins at the same corner.
    fn network(&self, width: Width, device: &Device) -> Self::Network;

    /// The parameters of the first model. Members compute it alone, so it must be the same bits on every machine: no
    /// framework's initialisation is.
    fn first_model(&self, seed: [u8; 32]) -> Vec<f32> {
        params::start(&manifest(self), seed)
    }

    /// One member's examples, as its configuration says.
    ///
    /// # Errors
    /// [`TaskError`] if they cannot be read or divided.
    fn portion(&self, data: &config::Data) -> Result<Portion<Self::Examples>, TaskError>;

    /// The examples that no member trains on, for the figures that people read.
    ///
    /// # Errors
    /// [`TaskError`] if they cannot be read.
    fn test(&self, data: &config::Data) -> Result<Self::Examples, TaskError>;

    /// How many there are.
    fn count(&self, examples: &Self::Examples) -> usize;

    /// The same for the same examples in any order, and for no others. Members with a privacy budget need it, to keep
    /// their account with their examples; none if nobody is to have one.
    fn fingerprint(&self, _examples: &Self::Examples) -> Option<Hash> {
        None
    }

    /// The mean loss over a batch, a tensor of one number that gradients flow back from.
    ///
    /// For private training, what one example adds to it must not depend on the others.
    fn loss(&self, network: &Self::Network, batch: &Batch<'_, Self::Examples>) -> Tensor<1>;

    /// How good the network is on a batch.
    ///
    /// # Errors
    /// [`LearnError::Backend`] if a result cannot be read.
    fn score(&self, network: &Self::Network, batch: &Batch<'_, Self::Examples>) -> Result<Score, LearnError>;
}

/// Some of the examples.
pub struct Batch<'a, E> {
    /// All of them.
    pub examples: &'a E,
    /// The numbers of those that are meant, from 0; at least one.
    pub numbers: &'a [usize],
    /// Where tensors must be made for the network to read them.
    pub device: &'a Device,
}

/// How good a network is on a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The sum of the examples' losses.
    pub loss: f64,
    /// How many it got right.
    pub correct: u32,
}

impl Score {
    /// Of rows of logits, one for each label: the loss is the cross-entropy.
    pub(super) fn of(logits: &[f32], classes: usize, labels: impl Iterator<Item = u8>) -> Self {
        let mut score = Self { loss: 0.0, correct: 0 };
        for (logits, label) in logits.chunks_exact(classes).zip(labels) {
            let label = usize::from(label);
            score.loss += cross_entropy(logits, label);
            score.correct += u32::from(most_likely(logits) == Some(label));
        }
        score
    }
}

/// Cross-entropy of one sample by the shifted log-sum-exp.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - top).exp()).sum();
    sum.ln() - f64::from(logits[label] - top)
}

/// The first class with the largest logit, or `None` if one overflowed: such a model knows nothing.
fn most_likely(logits: &[f32]) -> Option<usize> {
    if !logits.iter().all(|logit| logit.is_finite()) {
        return None;
    }
    (0..logits.len()).reduce(|best, class| if logits[class] > logits[best] { class } else { best })
}

/// The task of learning `workload`.
pub fn task(workload: impl Workload) -> impl Task {
    WorkloadTask(Arc::new(workload))
}

/// The tensors of a workload's network at all its widths.
pub fn manifest<W: Workload + ?Sized>(workload: &W) -> Manifest {
    params::manifest_of(workload.widths().iter().map(|width| workload.network(*width, &Device::flex())))
}

#[cfg(test)]
mod tests;
