//! Classifiers of labelled examples: the usual kind of [`Workload`], of which only the network is to be said.
//!
//! The built-in ones read what no published figure of MNIST depends on: colour images and CSV files.

mod colour;
mod mlp;

use althing_protocol::{ids::Hash, model::Width};
use burn::{
    module::Module,
    nn::loss::CrossEntropyLoss,
    tensor::{Device, Int, Tensor, TensorData},
};

pub use self::{colour::ColourLeNet, mlp::Perceptron};
use super::{
    catalogue::{Task, TaskError},
    data::{Dataset, Schema, Source, Subset},
    portion::Portion,
    train::LearnError,
    workload::{self, Batch, Score, Workload},
};
use crate::config;

/// A network that tells classes apart.
pub trait Classifier: Send + Sync + 'static {
    /// The network.
    type Network: Module;

    /// What one example looks like. The member's data must be of this schema, whatever the genesis calls it.
    fn schema(&self) -> Schema;

    /// The widths in which there is a network, the full one first.
    fn widths(&self) -> &'static [Width] {
        &[Width::Full]
    }

    /// As [`Workload::network`].
    fn network(&self, width: Width, device: &Device) -> Self::Network;

    /// A row of logits, one for each class, for each row of inputs: `[n, inputs]` to `[n, classes]`.
    ///
    /// Inputs are on the scale of the schema. Images come flat, channel by channel and row by row.
    fn logits(&self, network: &Self::Network, inputs: Tensor<2>) -> Tensor<2>;
}

/// The task of learning `classifier`, with the cross-entropy for loss.
pub fn task(classifier: impl Classifier) -> impl Task {
    workload::task(Classification(classifier))
}

/// A classifier as a workload.
struct Classification<C>(C);

impl<C: Classifier> Classification<C> {
    fn logits(&self, network: &C::Network, batch: &Batch<'_, Dataset>) -> Tensor<2> {
        let shape = [batch.numbers.len(), self.0.schema().inputs()];
        let inputs = TensorData::new(batch.examples.inputs(batch.numbers), shape);
        self.0.logits(network, Tensor::from_data(inputs, batch.device))
    }
}

impl<C: Classifier> Workload for Classification<C> {
    type Network = C::Network;
    type Examples = Dataset;

    fn widths(&self) -> &'static [Width] {
        self.0.widths()
    }

    fn network(&self, width: Width, device: &Device) -> C::Network {
        self.0.network(width, device)
    }

    fn portion(&self, data: &config::Data) -> Result<Portion, TaskError> {
        Portion::load(&Source::find(data, self.0.schema())?, data)
    }

    fn test(&self, data: &config::Data) -> Result<Dataset, TaskError> {
        Ok(Source::find(data, self.0.schema())?.load_all(Subset::Test)?)
    }

    fn fingerprint(&self, examples: &Dataset) -> Option<Hash> {
        Some(examples.fingerprint())
    }

    fn count(&self, examples: &Dataset) -> usize {
        examples.len()
    }

    fn loss(&self, network: &C::Network, batch: &Batch<'_, Dataset>) -> Tensor<1> {
        let labels: Vec<i32> = batch.numbers.iter().map(|&sample| i32::from(batch.examples.labels()[sample])).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch.numbers.len()]), batch.device);
        CrossEntropyLoss::new(None, batch.device).forward(self.logits(network, batch), labels)
    }

    fn score(&self, network: &C::Network, batch: &Batch<'_, Dataset>) -> Result<Score, LearnError> {
        let logits = self.logits(network, batch);
        let logits = logits.try_into_vec_as::<f32>().map_err(|error| LearnError::Backend(error.to_string()))?;
        let labels = batch.numbers.iter().map(|&sample| batch.examples.labels()[sample]);
        Ok(Score::of(&logits, self.0.schema().classes(), labels))
    }
}
