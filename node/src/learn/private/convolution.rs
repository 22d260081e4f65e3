//! Weight gradients of a convolution, one example at a time.
//!
//! The max pool behind every convolution of ours lets at most one output in four have a gradient, and the ReLU behind
//! the pool about half of those. Walking over what is left is less work than any dense product, and one example's
//! gradient is all that must be in memory.

use crate::learn::model::KERNEL;

/// Weights of one output channel per input channel.
const WINDOW: usize = KERNEL * KERNEL;

/// Extents of a convolution with stride 1 and a max pool behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Channels in and channels out.
    pub(super) channels: [usize; 2],
    /// Rows and columns that come in.
    pub(super) input: [usize; 2],
    /// Rows and columns of the convolution's output, before the pool.
    pub(super) output: [usize; 2],
    /// Values of one channel behind the pool.
    pub(super) pooled: usize,
}

impl Geometry {
    /// Weights of one output channel.
    fn fan_in(&self) -> usize {
        self.channels[0] * WINDOW
    }

    fn weights(&self) -> usize {
        self.channels[1] * self.fan_in()
    }

    /// Zeros around the input, as many on each side: `output = input + 2 * margin + 1 - KERNEL`.
    fn margin(&self) -> usize {
        (self.output[0] + KERNEL - 1 - self.input[0]) / 2
    }
}

/// What a batch left behind at a convolution.
pub(super) struct ConvolutionTrace {
    geometry: Geometry,
    /// Inputs of all examples.
    inputs: Vec<f32>,
    /// Loss gradients behind the pool, of all examples.
    deltas: Vec<f32>,
    /// For each of the deltas, the value of its channel before the pool that it belongs to.
    winners: Vec<i32>,
    /// The input of the current example within its margin.
    padded: Vec<f32>,
    /// The inputs that each output of the current example sees, one output after the other.
    patches: Vec<f32>,
    /// Gradient of the current example: the weights, then the biases.
    gradient: Vec<f32>,
}

impl ConvolutionTrace {
    pub(super) fn new(geometry: Geometry, inputs: Vec<f32>, deltas: Vec<f32>, winners: Vec<i32>) -> Self {
        let [rows, columns] = geometry.input.map(|extent| extent + 2 * geometry.margin());
        let [height, width] = geometry.output;
        Self {
            inputs,
            deltas,
            winners,
            padded: vec![0.0; geometry.channels[0] * rows * columns],
            patches: vec![0.0; height * width * geometry.fan_in()],
            gradient: vec![0.0; geometry.weights() + geometry.channels[1]],
            geometry,
        }
    }

    /// The gradient of one example: the weights, then the biases.
    pub(super) fn gradient(&mut self, example: usize) -> &[f32] {
        self.pad(example);
        self.cut();
        self.gradient.fill(0.0);
        let Geometry { channels: [_, channels], pooled, .. } = self.geometry;
        let fan_in = self.geometry.fan_in();
        let (weights, biases) = self.gradient.split_at_mut(self.geometry.weights());
        let start = example * channels * pooled;
        let deltas = self.deltas[start..].chunks_exact(pooled);
        let winners = self.winners[start..].chunks_exact(pooled);
        let rows = weights.chunks_exact_mut(fan_in).zip(biases);
        for ((weights, bias), (deltas, winners)) in rows.zip(deltas.zip(winners)) {
            for (&delta, &winner) in deltas.iter().zip(winners) {
                // A pool over values that are no numbers has no winner.
                let Ok(winner) = usize::try_from(winner) else { continue };
                if delta != 0.0 {
                    add_scaled(weights, delta, &self.patches[winner * fan_in..][..fan_in]);
                    *bias += delta;
                }
            }
        }
        &self.gradient
    }

    /// The gradient that [`gradient`](Self::gradient) computed last.
    pub(super) fn current(&self) -> &[f32] {
        &self.gradient
    }

    /// Copies an example's input into its margin.
    fn pad(&mut self, example: usize) {
        let Geometry { channels: [channels, _], input: [rows, columns], .. } = self.geometry;
        let margin = self.geometry.margin();
        let pitch = columns + 2 * margin;
        let plane = (rows + 2 * margin) * pitch;
        let input = &self.inputs[example * channels * rows * columns..];
        for (channel, values) in input.chunks_exact(rows * columns).take(channels).enumerate() {
            for (row, values) in values.chunks_exact(columns).enumerate() {
                let start = channel * plane + (row + margin) * pitch + margin;
                self.padded[start..start + columns].copy_from_slice(values);
            }
        }
    }

    /// Cuts the padded input into one patch for each output.
    fn cut(&mut self) {
        let Geometry { channels: [channels, _], input, output: [_, width], .. } = self.geometry;
        let [rows, pitch] = input.map(|extent| extent + 2 * self.geometry.margin());
        let patches = self.patches.chunks_exact_mut(channels * WINDOW);
        for (index, patch) in patches.enumerate() {
            let corner = index / width * pitch + index % width;
            for (line, values) in patch.chunks_exact_mut(KERNEL).enumerate() {
                let start = corner + line / KERNEL * rows * pitch + line % KERNEL * pitch;
                values.copy_from_slice(&self.padded[start..start + KERNEL]);
            }
        }
    }
}

/// Adds `factor * values` to `sums`.
pub(super) fn add_scaled(sums: &mut [f32], factor: f32, values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += factor * value;
    }
}
