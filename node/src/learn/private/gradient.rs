//! The sum of clipped gradients: all that a step of private training may learn from its samples.
//!
//! A batch leaves behind what came into each layer and the gradient of each example's loss at its output. In a fully
//! connected layer the weight gradient of one example is the outer product of the two, so that its norm follows from
//! theirs and the weighted sum over the examples is one matrix product. In a convolution it is computed for one example
//! after the other.

use crate::learn::{
    chain::{Chain, ConvolutionGradient, DenseTrace, Trace},
    train::LearnError,
};

/// Sums that run side by side in [`square_sum`], so that the processor need not wait for each addition.
const LANES: usize = 16;

/// A sum of clipped gradients, over as many batches as memory asks for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct ClippedSum {
    /// In manifest order.
    pub(super) gradient: Vec<f32>,
    /// The norm of each example's gradient before it was clipped.
    pub(super) norms: Vec<f32>,
    /// Sum of the losses.
    pub(super) loss: f64,
}

impl ClippedSum {
    /// The sum over no example.
    pub(super) fn zero(parameters: usize) -> Self {
        Self { gradient: vec![0.0; parameters], norms: Vec::new(), loss: 0.0 }
    }

    /// Adds the gradient of each example of a batch, made no longer than `clip`.
    pub(super) fn add(&mut self, chain: &mut Chain, mut trace: Trace, clip: f32) -> Result<(), LearnError> {
        let mut sums: Vec<ConvolutionGradient> = chain.convolutions.iter().map(|layer| layer.zero_gradient()).collect();
        let mut factors = Vec::with_capacity(trace.examples());
        for example in 0..trace.examples() {
            let layers = chain.convolutions.iter_mut().zip(&trace.convolutions);
            let own: Vec<_> = layers.map(|(layer, trace)| layer.gradient(trace, example..example + 1)).collect();
            let convolutions = own.iter().map(|own| square_sum(&own.weights) + square_sum(&own.biases));
            let square = convolutions.chain(trace.dense.iter().map(|trace| square(trace, example))).sum::<f64>();
            let norm = square.sqrt() as f32;
            let factor = (clip / norm).min(1.0);
            self.norms.push(norm);
            factors.push(factor);
            for (sum, own) in sums.iter_mut().zip(&own) {
                add_scaled(&mut sum.weights, factor, &own.weights);
                add_scaled(&mut sum.biases, factor, &own.biases);
            }
        }
        let mut rest = &mut self.gradient[..];
        for (layer, sum) in chain.convolutions.iter().zip(&sums) {
            let (part, after) = rest.split_at_mut(layer.parameters());
            layer.add_in_manifest_order(&sum.weights, &sum.biases, part);
            rest = after;
        }
        for (layer, trace) in chain.dense.iter().zip(&mut trace.dense) {
            let (part, after) = rest.split_at_mut(layer.parameters());
            add_dense(trace, &factors, part)?;
            rest = after;
        }
        self.loss += trace.loss;
        Ok(())
    }
}

/// Adds the gradients of all examples at a fully connected layer, each multiplied by its factor.
fn add_dense(trace: &mut DenseTrace, factors: &[f32], sums: &mut [f32]) -> Result<(), LearnError> {
    let columns = trace.deltas.columns();
    for (row, factor) in trace.deltas.values.chunks_exact_mut(columns).zip(factors) {
        row.iter_mut().for_each(|delta| *delta *= factor);
    }
    let (weights, biases) = sums.split_at_mut(sums.len() - columns);
    add_scaled(biases, 1.0, &trace.bias_gradient());
    trace.inputs.transposed_times(&mut trace.deltas, |range, values| add_scaled(&mut weights[range], 1.0, values))
}

/// The squared norm of one example's gradient at a fully connected layer: `(|a|^2 + 1) |d|^2`, the 1 being the bias.
fn square(trace: &DenseTrace, example: usize) -> f64 {
    (square_sum(trace.inputs.row(example)) + 1.0) * square_sum(trace.deltas.row(example))
}

/// Adds `factor * values` to `sums`.
pub(super) fn add_scaled(sums: &mut [f32], factor: f32, values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

/// Sum of squares.
pub(super) fn square_sum(values: &[f32]) -> f64 {
    let mut sums = [0.0_f32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|value| value * value).sum();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value * value);
    }
    f64::from(rest) + sums.iter().copied().map(f64::from).sum::<f64>()
}

#[cfg(test)]
mod tests;
