//! A built-in model unrolled into its layers, computed forward and backward without a graph.
//!
//! [`Network`] says what a model computes. This computes the same in half the time: it knows that every convolution is
//! followed by a halving pool and a ReLU and every hidden layer by a ReLU, it keeps for the way back what that needs and
//! nothing else, and the first layer's inputs get no gradient. The gradient at every layer's output is there for each
//! example, which is what private training clips; plain training sums it up. Products of matrices are the backend's.

mod convolution;
mod dense;
mod descent;
mod matrix;
mod rows;

use althing_protocol::model::Width;
use burn::tensor::Device;

use self::matrix::Matrix;
pub(super) use self::{
    convolution::{Convolution, ConvolutionGradient, ConvolutionTrace},
    dense::{Dense, DenseTrace},
    descent::Descent,
};
use super::{
    data::{CLASSES, SIDE},
    model::{Architecture, Network},
    params::{self, ParamsError},
    train::LearnError,
};

/// The layers of a model and their parameters.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) convolutions: Vec<Convolution>,
    pub(super) dense: Vec<Dense>,
}

/// What a batch left behind, layer by layer.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) convolutions: Vec<ConvolutionTrace>,
    pub(super) dense: Vec<DenseTrace>,
    /// Sum of the losses.
    pub(super) loss: f64,
}

impl Trace {
    /// Examples in the batch.
    pub(super) fn examples(&self) -> usize {
        self.dense.first().map_or(0, |trace| trace.inputs.rows())
    }
}

impl Chain {
    /// The layers of a slice of `architecture`, with all parameters zero.
    pub(super) fn new(architecture: Architecture, width: Width) -> Self {
        let network = Network::new(architecture, width, &Device::flex());
        let layers = network.layers();
        let mut extent = [SIDE; 2];
        let convolutions = layers.convolutions.into_iter().map(|layer| {
            let convolution = Convolution::new(layer, extent);
            extent = convolution.pooled();
            convolution
        });
        Self { convolutions: convolutions.collect(), dense: layers.dense.into_iter().map(Dense::new).collect() }
    }

    /// Takes over parameters in manifest order.
    ///
    /// # Errors
    /// [`ParamsError`] if there are too few or too many, or one is NaN or infinite.
    pub(super) fn set(&mut self, parameters: &[f32]) -> Result<(), ParamsError> {
        let convolutions: usize = self.convolutions.iter().map(Convolution::parameters).sum();
        let dense: usize = self.dense.iter().map(Dense::parameters).sum();
        params::check(parameters, convolutions + dense)?;
        let (mut own, mut rest): (&[f32], &[f32]);
        rest = parameters;
        for layer in &mut self.convolutions {
            (own, rest) = rest.split_at(layer.parameters());
            layer.set(own);
        }
        for layer in &mut self.dense {
            (own, rest) = rest.split_at(layer.parameters());
            layer.set(own);
        }
        Ok(())
    }

    /// The parameters in manifest order.
    pub(super) fn parameters(&self) -> Vec<f32> {
        let mut parameters = Vec::new();
        for layer in &self.convolutions {
            let start = parameters.len();
            parameters.resize(start + layer.parameters(), 0.0);
            layer.add_in_manifest_order(&layer.weights.values, &layer.biases, &mut parameters[start..]);
        }
        for layer in &self.dense {
            parameters.extend_from_slice(&layer.weights.values);
            parameters.extend_from_slice(&layer.biases);
        }
        parameters
    }

    /// The sum of the gradients of a batch, in manifest order.
    pub(super) fn gradient(&mut self, trace: Trace) -> Result<Vec<f32>, LearnError> {
        let (examples, mut sums) = (trace.examples(), Vec::new());
        for (layer, trace) in self.convolutions.iter_mut().zip(&trace.convolutions) {
            let gradient = layer.gradient(trace, 0..examples);
            let start = sums.len();
            sums.resize(start + layer.parameters(), 0.0);
            layer.add_in_manifest_order(&gradient.weights, &gradient.biases, &mut sums[start..]);
        }
        for mut trace in trace.dense {
            let biases = trace.bias_gradient();
            trace.inputs.transposed_times(&mut trace.deltas, |_, weights| sums.extend_from_slice(weights))?;
            sums.extend_from_slice(&biases);
        }
        Ok(sums)
    }

    /// Logits for images, a row for each.
    pub(super) fn logits(&mut self, images: Vec<f32>) -> Result<Vec<f32>, LearnError> {
        Ok(self.forward(images)?.0)
    }

    /// Runs a batch forward and backward.
    pub(super) fn trace(&mut self, images: Vec<f32>, labels: &[u8]) -> Result<Trace, LearnError> {
        let (logits, mut trace) = self.forward(images)?;
        let (deltas, loss) = cross_entropy(logits, labels);
        trace.loss = loss;
        self.backward(&mut trace, deltas)?;
        Ok(trace)
    }

    /// Logits, and a trace that has no gradients yet.
    fn forward(&mut self, images: Vec<f32>) -> Result<(Vec<f32>, Trace), LearnError> {
        let mut trace = Trace { convolutions: Vec::new(), dense: Vec::new(), loss: 0.0 };
        let mut values = images;
        for layer in &mut self.convolutions {
            let (outputs, winners) = layer.forward(&values)?;
            trace.convolutions.push(ConvolutionTrace { inputs: values, winners, deltas: Vec::new() });
            values = outputs;
        }
        for (index, layer) in self.dense.iter_mut().enumerate() {
            if index > 0 {
                values.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value });
            }
            let mut inputs = Matrix::new(values, layer.inputs());
            values = layer.forward(&mut inputs)?;
            trace.dense.push(DenseTrace { inputs, deltas: Matrix::new(Vec::new(), layer.outputs()) });
        }
        Ok((values, trace))
    }

    /// Works the gradients in `trace` out from those at the logits. What comes into the first layer gets none.
    fn backward(&mut self, trace: &mut Trace, deltas: Vec<f32>) -> Result<(), LearnError> {
        let mut deltas = deltas;
        let mut layers_before = self.convolutions.len() + self.dense.len();
        for (layer, trace) in self.dense.iter_mut().zip(&mut trace.dense).rev() {
            layers_before -= 1;
            trace.deltas.values = deltas;
            if layers_before == 0 {
                return Ok(());
            }
            deltas = layer.input_deltas(&mut trace.deltas)?;
            pass(&mut deltas, &trace.inputs.values);
        }
        for (layer, trace) in self.convolutions.iter_mut().zip(&mut trace.convolutions).rev() {
            layers_before -= 1;
            trace.deltas = deltas;
            if layers_before == 0 {
                return Ok(());
            }
            deltas = layer.input_deltas(&trace.deltas, &trace.winners);
            pass(&mut deltas, &trace.inputs);
        }
        Ok(())
    }
}

/// Lets a gradient pass a ReLU where its output was above zero.
fn pass(deltas: &mut [f32], outputs: &[f32]) {
    deltas.iter_mut().zip(outputs).for_each(|(delta, output)| *delta = if *output > 0.0 { *delta } else { 0.0 });
}

/// The gradient of each example's cross-entropy at its logits, and the sum of the losses.
fn cross_entropy(mut logits: Vec<f32>, labels: &[u8]) -> (Vec<f32>, f64) {
    let mut loss = 0.0;
    for (logits, &label) in logits.chunks_exact_mut(CLASSES).zip(labels) {
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let target = logits[usize::from(label)] - top;
        logits.iter_mut().for_each(|logit| *logit = (*logit - top).exp());
        let sum: f32 = logits.iter().sum();
        loss += f64::from(sum.ln() - target);
        logits.iter_mut().for_each(|logit| *logit /= sum);
        logits[usize::from(label)] -= 1.0;
    }
    (logits, loss)
}

#[cfg(test)]
mod tests;
