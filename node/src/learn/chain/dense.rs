//! A fully connected layer.

use burn::nn::Linear;

use super::matrix::Matrix;
use crate::learn::train::LearnError;

/// A fully connected layer and its parameters.
#[derive(Debug)]
pub(in crate::learn) struct Dense {
    /// `[inputs, outputs]`.
    pub(super) weights: Matrix,
    pub(super) biases: Vec<f32>,
}

/// What a batch left behind at a fully connected layer: a row for each example.
#[derive(Debug)]
pub(in crate::learn) struct DenseTrace {
    /// What came in.
    pub(in crate::learn) inputs: Matrix,
    /// Gradients of each example's loss at the output.
    pub(in crate::learn) deltas: Matrix,
}

impl Dense {
    pub(super) fn new(layer: &Linear) -> Self {
        let [inputs, outputs] = layer.weight.lazy_shape().dims();
        Self { weights: Matrix::zero(inputs, outputs), biases: vec![0.0; outputs] }
    }

    pub(super) fn inputs(&self) -> usize {
        self.weights.rows()
    }

    pub(super) fn outputs(&self) -> usize {
        self.biases.len()
    }

    pub(in crate::learn) fn parameters(&self) -> usize {
        self.weights.values.len() + self.biases.len()
    }

    /// Takes over parameters in manifest order, of exactly their number.
    pub(super) fn set(&mut self, parameters: &[f32]) {
        let (weights, biases) = parameters.split_at(self.weights.values.len());
        self.weights.values.copy_from_slice(weights);
        self.biases.copy_from_slice(biases);
    }

    /// The output for each row of `inputs`.
    pub(super) fn forward(&mut self, inputs: &mut Matrix) -> Result<Vec<f32>, LearnError> {
        let mut outputs = inputs.times(&mut self.weights)?;
        for row in outputs.chunks_exact_mut(self.biases.len()) {
            row.iter_mut().zip(&self.biases).for_each(|(output, bias)| *output += bias);
        }
        Ok(outputs)
    }

    /// Loss gradients at the input.
    pub(super) fn input_deltas(&mut self, deltas: &mut Matrix) -> Result<Vec<f32>, LearnError> {
        deltas.times_transposed(&mut self.weights)
    }
}

impl DenseTrace {
    /// The sum of all examples' gradients at the biases.
    pub(in crate::learn) fn bias_gradient(&self) -> Vec<f32> {
        let mut sums = vec![0.0; self.deltas.columns()];
        for row in self.deltas.iter() {
            sums.iter_mut().zip(row).for_each(|(sum, delta)| *sum += delta);
        }
        sums
    }
}
