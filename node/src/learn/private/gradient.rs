//! The sum of clipped gradients: all that a step of private training may learn from its samples.
//!
//! Burn gives the gradient of a batch, not of each example. It does give the gradient at the output of a layer: a zero
//! that was added there gets a row for each example. Those rows and the layer's inputs determine the weight gradient of
//! each example without another backward pass. In a fully connected layer that gradient is an outer product, whose norm
//! follows from the norms of its factors, and the weighted sum over the examples is one matrix product. In a
//! convolution it is computed for one example after the other. The parameters are not tracked, so the backward pass is
//! cheaper than that of plain training.

use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::{Linear, conv::Conv2d, loss::CrossEntropyLoss, pool::MaxPool2d},
    tensor::{
        Device, Gradients, Int, Tensor, TensorData, TensorReadError, module::max_pool2d_with_indices,
        ops::MaxPoolOptions,
    },
};

use super::convolution::{ConvolutionTrace, Geometry, add_scaled};
use crate::learn::{
    model::{Architecture, Network, tap::Tap},
    params,
    train::LearnError,
};

/// Sums that run side by side in [`square_sum`], so that the processor need not wait for each addition.
const LANES: usize = 16;

/// A network that reports gradients at its layers' outputs and none of its parameters.
pub(super) struct Tapped {
    network: Network,
    device: Device,
    loss: CrossEntropyLoss,
}

impl Tapped {
    /// All parameters zero.
    pub(super) fn new(architecture: Architecture, width: Width) -> Self {
        let device = Device::flex().autodiff();
        let network = Network::new(architecture, width, &device).no_grad();
        Self { network, loss: CrossEntropyLoss::new(None, &device), device }
    }

    /// The same network with other parameters.
    #[cfg(test)]
    fn with(mut self, weights: &[f32]) -> Result<Self, LearnError> {
        self.set(weights)?;
        Ok(self)
    }

    /// Goes on with other parameters.
    pub(super) fn set(&mut self, weights: &[f32]) -> Result<(), LearnError> {
        self.network = params::set(self.network.clone(), weights)?;
        Ok(())
    }

    /// Where its inputs must be.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Runs a batch forward and backward. Also returns the sum of its losses.
    fn trace(&self, images: Tensor<4>, labels: &[u8]) -> Result<(Vec<Trace>, f32), LearnError> {
        let labels: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
        let examples = labels.len();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [examples]), &self.device);
        let mut probes = Probes::default();
        let logits = self.network.forward_through(images, &mut probes);
        let loss = self.loss.forward(logits, labels).mul_scalar(examples as f32);
        let mut gradients = loss.backward();
        let traces = probes.records.into_iter().map(|record| record.trace(&mut gradients)).collect::<Result<_, _>>()?;
        Ok((traces, loss.try_into_scalar::<f32>().map_err(unreadable)?))
    }
}

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
    pub(super) fn add(
        &mut self,
        network: &Tapped,
        images: Tensor<4>,
        labels: &[u8],
        clip: f32,
    ) -> Result<(), LearnError> {
        let (mut traces, loss) = network.trace(images, labels)?;
        let mut squares = vec![0.0; labels.len()];
        for trace in &traces {
            trace.add_squares(&mut squares)?;
        }
        let mut factors = Vec::with_capacity(labels.len());
        for (example, mut square) in squares.into_iter().enumerate() {
            square += traces.iter_mut().map(|trace| trace.square_of(example)).sum::<f64>();
            let norm = square.sqrt() as f32;
            let factor = (clip / norm).min(1.0);
            self.norms.push(norm);
            factors.push(factor);
            self.add_convolutions(&traces, factor);
        }
        self.add_dense(traces, &factors)?;
        self.loss += f64::from(loss);
        Ok(())
    }

    /// Adds what the convolutions have of the example that they computed last.
    fn add_convolutions(&mut self, traces: &[Trace], factor: f32) {
        let mut rest = &mut self.gradient[..];
        for trace in traces {
            let (part, after) = rest.split_at_mut(trace.parameters());
            rest = after;
            if let Trace::Convolution(trace) = trace {
                add_scaled(part, factor, trace.current());
            }
        }
    }

    /// Adds what the fully connected layers have of all examples.
    fn add_dense(&mut self, traces: Vec<Trace>, factors: &[f32]) -> Result<(), LearnError> {
        let mut rest = &mut self.gradient[..];
        for trace in traces {
            let (part, after) = rest.split_at_mut(trace.parameters());
            rest = after;
            let Trace::Dense { input, delta } = trace else { continue };
            let factors = TensorData::new(factors.to_vec(), [factors.len(), 1]);
            let delta = delta.clone() * Tensor::from_data(factors, &delta.device());
            let biases = values(delta.clone().sum_dim(0))?;
            let weights = values(input.transpose().matmul(delta))?;
            let sums = weights.iter().chain(&biases);
            part.iter_mut().zip(sums).for_each(|(sum, value)| *sum += value);
        }
        Ok(())
    }
}

/// What a batch left behind at one layer.
#[expect(clippy::large_enum_variant, reason = "there is one for each layer of a model")]
enum Trace {
    /// Inputs and loss gradients at the output, a row for each example.
    Dense { input: Tensor<2>, delta: Tensor<2> },
    /// Computed example by example.
    Convolution(ConvolutionTrace),
}

impl Trace {
    /// Parameters of the layer: its weights and biases.
    fn parameters(&self) -> usize {
        match self {
            Self::Dense { input, delta } => (input.dims()[1] + 1) * delta.dims()[1],
            Self::Convolution(trace) => trace.current().len(),
        }
    }

    /// Adds the squared norms of all examples where they cost nothing: `(|a|^2 + 1) |d|^2`, the 1 being the bias.
    fn add_squares(&self, squares: &mut [f64]) -> Result<(), LearnError> {
        let Self::Dense { input, delta } = self else { return Ok(()) };
        let inputs = values(input.clone().square().sum_dim(1))?;
        let deltas = values(delta.clone().square().sum_dim(1))?;
        for (square, (input, delta)) in squares.iter_mut().zip(inputs.iter().zip(&deltas)) {
            *square += (f64::from(*input) + 1.0) * f64::from(*delta);
        }
        Ok(())
    }

    /// The squared norm of one example where its gradient must be computed, which becomes the current one; else 0.
    fn square_of(&mut self, example: usize) -> f64 {
        match self {
            Self::Dense { .. } => 0.0,
            Self::Convolution(trace) => square_sum(trace.gradient(example)),
        }
    }
}

/// Computes the layers as they are, adds a zero to each output, and remembers what came in.
#[derive(Default)]
struct Probes {
    records: Vec<Record>,
}

/// What the forward pass saw at one layer.
#[expect(clippy::large_enum_variant, reason = "there is one for each layer of a model")]
enum Record {
    Dense { input: Tensor<2>, probe: Tensor<2> },
    Convolution { geometry: Geometry, input: Tensor<4>, winners: Tensor<4, Int>, probe: Tensor<4> },
}

impl Tap for Probes {
    fn dense(&mut self, layer: &Linear, input: Tensor<2>) -> Tensor<2> {
        let output = layer.forward(input.clone());
        let probe = Tensor::zeros(output.dims(), &output.device()).require_grad();
        self.records.push(Record::Dense { input: input.inner(), probe: probe.clone() });
        output + probe
    }

    /// The probe stands behind the pool, where there is a quarter of the values, and the pool tells whose they are.
    fn convolution(&mut self, layer: &Conv2d, pool: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        let maps = layer.forward(input.clone());
        let [_, channels_in, rows, columns] = input.dims();
        let [_, channels_out, height, width] = maps.dims();
        let options = MaxPoolOptions::new(pool.kernel_size).with_stride(pool.stride);
        let (output, winners) = max_pool2d_with_indices(maps, options);
        let [_, _, pooled_height, pooled_width] = output.dims();
        let geometry = Geometry {
            channels: [channels_in, channels_out],
            input: [rows, columns],
            output: [height, width],
            pooled: pooled_height * pooled_width,
        };
        let probe = Tensor::zeros(output.dims(), &output.device()).require_grad();
        self.records.push(Record::Convolution { geometry, input: input.inner(), winners, probe: probe.clone() });
        output + probe
    }
}

impl Record {
    /// Adds the loss gradient to what the forward pass saw.
    fn trace(self, gradients: &mut Gradients) -> Result<Trace, LearnError> {
        match self {
            Self::Dense { input, probe } => Ok(Trace::Dense { input, delta: delta(&probe, gradients)? }),
            Self::Convolution { geometry, input, winners, probe } => {
                let deltas = values(delta(&probe, gradients)?)?;
                let winners = winners.try_into_vec_as::<i32>().map_err(unreadable)?;
                Ok(Trace::Convolution(ConvolutionTrace::new(geometry, values(input)?, deltas, winners)))
            }
        }
    }
}

/// The loss gradient at a probe.
fn delta<const D: usize>(probe: &Tensor<D>, gradients: &mut Gradients) -> Result<Tensor<D>, LearnError> {
    let missing = || LearnError::Backend("the output of a layer has no gradient".to_owned());
    probe.grad_remove(gradients).ok_or_else(missing)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, LearnError> {
    tensor.try_into_vec_as::<f32>().map_err(unreadable)
}

pub(super) fn unreadable(error: TensorReadError) -> LearnError {
    LearnError::Backend(error.to_string())
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
