//! Gradients of single batches: what members of distributed SGD send each other, where federated averaging sends models.

use althing_protocol::model::Width;
use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::loss::CrossEntropyLoss,
    tensor::{Device, Gradients, Int, Tensor, TensorData},
};

use super::{
    model::Network,
    params,
    train::{LearnError, Learner},
};

/// The gradient of the mean loss over a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// One value for each parameter, in manifest order. They are numbers as long as the loss is.
    pub values: Vec<f32>,
    /// Mean loss over the batch.
    pub loss: f32,
}

impl Learner {
    /// The gradient at `weights` of each of `batches`, which are numbers of samples to train on. The parameters are set
    /// only once for all of them.
    ///
    /// # Errors
    /// [`LearnError`] if the weights will not do, a batch is empty, or a loss left the numbers.
    pub fn gradients(&self, weights: &[f32], batches: &[&[usize]]) -> Result<Vec<Gradient>, LearnError> {
        let device = Device::flex().autodiff();
        let network = params::set(Network::new(self.architecture, Width::Full, &device), weights)?;
        let loss = CrossEntropyLoss::new(None, &device);
        let work = |batch: &&[usize]| self.gradient(&network, &loss, batch, &device);
        batches.iter().map(work).collect()
    }

    fn gradient(
        &self,
        network: &Network,
        loss: &CrossEntropyLoss,
        batch: &[usize],
        device: &Device,
    ) -> Result<Gradient, LearnError> {
        if batch.is_empty() {
            return Err(LearnError::NoSample);
        }
        let labels: Vec<i32> = batch.iter().map(|&sample| i32::from(self.train.labels()[sample])).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch.len()]), device);
        let loss = loss.forward(network.forward(self.images(&self.train, batch, device)), labels);
        let gradients = loss.backward();
        let loss = loss.try_into_scalar::<f32>().map_err(|error| LearnError::Backend(error.to_string()))?;
        if !loss.is_finite() {
            return Err(LearnError::Diverged { epoch: 1 });
        }
        Ok(Gradient { values: flatten(network, gradients)?, loss })
    }
}

/// The gradients of all parameters in manifest order.
fn flatten(network: &Network, gradients: Gradients) -> Result<Vec<f32>, LearnError> {
    let mut collector = Collector { gradients, values: Vec::with_capacity(network.num_params()), failed: None };
    network.visit(&mut collector);
    collector.failed.map_or(Ok(collector.values), |error| Err(LearnError::Backend(error)))
}

/// Copies the gradients of a module's parameters out.
struct Collector {
    gradients: Gradients,
    values: Vec<f32>,
    /// What went wrong first: a visitor has no result of its own.
    failed: Option<String>,
}

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad_remove(&mut self.gradients);
        let gradient = gradient.ok_or_else(|| "a parameter has no gradient".to_owned());
        let values = gradient.and_then(|tensor| tensor.try_into_vec_as::<f32>().map_err(|error| error.to_string()));
        match values {
            Ok(values) => self.values.extend_from_slice(&values),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::learn::{
        data::{CLASSES, Dataset, PIXELS},
        model::Architecture,
        train::Hyper,
    };

    fn noise(samples: usize) -> Dataset {
        let images = (0..samples * PIXELS).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        Dataset::new(images, (0..samples).map(|index| (index % CLASSES) as u8).collect()).unwrap()
    }

    /// A step of plain SGD over the whole batch moves the parameters by exactly its gradient times the step size.
    #[test]
    fn a_gradient_is_what_a_step_of_training_goes_along() {
        for architecture in [Architecture::TwoNn, Architecture::LeNet] {
            let learner = Learner::new(architecture, noise(12), Dataset::default(), Dataset::default());
            let weights = params::init(architecture, [3; 32]);
            let hyper = Hyper { epochs: 1, batch: 12, learning_rate: 0.5, momentum: 0.0 };
            let stepped =
                learner.train(&weights, Width::Full, &hyper, [0; 32], &mut || ControlFlow::Continue(())).unwrap();
            let all: Vec<usize> = (0..12).collect();
            let (first, rest) = all.split_at(5);
            let made = learner.gradients(&weights, &[&all, first, rest]).unwrap();
            assert!((made[0].loss - stepped.loss).abs() < 1e-5);
            for (place, (&gradient, weight)) in made[0].values.iter().zip(&weights).enumerate() {
                let step = (weight - stepped.weights[place]) / 0.5;
                assert!((gradient - step).abs() < 1e-5, "{architecture} {place}: {gradient} {step}");
                let of_parts = (5.0 * made[1].values[place] + 7.0 * made[2].values[place]) / 12.0;
                assert!((gradient - of_parts).abs() < 1e-5, "{architecture} {place}: {gradient} {of_parts}");
            }
        }
    }

    #[test]
    fn what_has_no_gradient_is_an_error() {
        let learner = Learner::new(Architecture::TwoNn, noise(2), Dataset::default(), Dataset::default());
        let weights = params::init(Architecture::TwoNn, [3; 32]);
        assert_eq!(learner.gradients(&weights, &[&[]]), Err(LearnError::NoSample));
        assert!(matches!(learner.gradients(&weights[1..], &[&[0]]), Err(LearnError::Params(_))));
        let huge = vec![f32::MAX; weights.len()];
        assert_eq!(learner.gradients(&huge, &[&[0, 1]]), Err(LearnError::Diverged { epoch: 1 }));
    }
}
