//! Gradients of single batches: what members of distributed SGD send each other, where federated averaging sends models.

use althing_protocol::model::Width;

use super::{
    chain::Chain,
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
        let mut chain = Chain::new(self.architecture, Width::Full);
        chain.set(weights)?;
        batches.iter().map(|batch| self.gradient(&mut chain, batch)).collect()
    }

    fn gradient(&self, chain: &mut Chain, batch: &[usize]) -> Result<Gradient, LearnError> {
        if batch.is_empty() {
            return Err(LearnError::NoSample);
        }
        let trace = self.trace(chain, batch)?;
        let loss = (trace.loss / batch.len() as f64) as f32;
        if !loss.is_finite() {
            return Err(LearnError::Diverged { epoch: 1 });
        }
        let mut values = chain.gradient(trace)?;
        values.iter_mut().for_each(|value| *value /= batch.len() as f32);
        Ok(Gradient { values, loss })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::learn::{
        data::{CLASSES, Dataset, PIXELS},
        model::Architecture,
        params,
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
