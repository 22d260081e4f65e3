//! Stochastic gradient descent, layer by layer.

use super::{Chain, Trace};
use crate::learn::train::LearnError;

/// Descends the gradients of batches, with momentum of the undamped kind: a step is the decaying sum of all gradients.
#[derive(Debug)]
pub(in crate::learn) struct Descent {
    rate: f32,
    momentum: f32,
    /// The last step of each parameter, by layer: weights, then biases. Empty without momentum.
    velocities: Vec<[Vec<f32>; 2]>,
}

impl Descent {
    pub(in crate::learn) fn new(chain: &Chain, rate: f64, momentum: f64) -> Self {
        let is_kept = momentum > 0.0;
        let zero = |values: &[f32]| if is_kept { vec![0.0; values.len()] } else { Vec::new() };
        let convolutions = chain.convolutions.iter().map(|layer| [zero(&layer.weights.values), zero(&layer.biases)]);
        let dense = chain.dense.iter().map(|layer| [zero(&layer.weights.values), zero(&layer.biases)]);
        Self { rate: rate as f32, momentum: momentum as f32, velocities: convolutions.chain(dense).collect() }
    }

    /// One step down the mean gradient of a batch.
    pub(in crate::learn) fn take(&mut self, chain: &mut Chain, trace: Trace) -> Result<(), LearnError> {
        let step = Step { rate: self.rate, momentum: self.momentum, share: 1.0 / trace.examples() as f32 };
        let examples = trace.examples();
        let mut velocities = self.velocities.iter_mut();
        let convolutions = chain.convolutions.iter_mut().zip(&trace.convolutions);
        for ((layer, trace), [weights, biases]) in convolutions.zip(&mut velocities) {
            let gradient = layer.gradient(trace, 0..examples);
            step.take(&mut layer.weights.values, weights, &gradient.weights);
            step.take(&mut layer.biases, biases, &gradient.biases);
        }
        for ((layer, mut trace), [weights, biases]) in chain.dense.iter_mut().zip(trace.dense).zip(velocities) {
            step.take(&mut layer.biases, biases, &trace.bias_gradient());
            let values = &mut layer.weights.values;
            trace.inputs.transposed_times(&mut trace.deltas, |range, gradient| {
                let velocity = weights.get_mut(range.clone()).unwrap_or_default();
                step.take(&mut values[range], velocity, gradient);
            })?;
        }
        Ok(())
    }
}

/// What a step does to each parameter.
struct Step {
    rate: f32,
    momentum: f32,
    /// Of one example in the mean.
    share: f32,
}

impl Step {
    /// `velocity` is empty without momentum.
    fn take(&self, values: &mut [f32], velocity: &mut [f32], gradient: &[f32]) {
        if velocity.is_empty() {
            let step = self.rate * self.share;
            values.iter_mut().zip(gradient).for_each(|(value, gradient)| *value -= step * gradient);
            return;
        }
        for ((value, velocity), gradient) in values.iter_mut().zip(velocity).zip(gradient) {
            *velocity = self.momentum * *velocity + self.share * gradient;
            *value -= self.rate * *velocity;
        }
    }
}
