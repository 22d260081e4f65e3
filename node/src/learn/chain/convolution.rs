//! A convolution with a halving max pool and a ReLU behind it.
//!
//! Forward, the inputs that each output sees are cut out side by side and multiplied by the weights as one matrix.
//! Backward, the pool lets at most one output in four have a gradient and the ReLU about half of those, so what is left
//! is walked over: less work than any dense product. Between layers, values are laid out as the framework does, channel
//! by channel; in here, the channels of a pixel stand side by side, so that what an output sees is a few long runs.

use std::ops::Range;

use burn::nn::conv::Conv2d;

use super::{
    matrix::Matrix,
    rows::{Rows, Sum, Term},
};
use crate::learn::{model::KERNEL, train::LearnError};

/// Weights of one output channel per input channel.
const WINDOW: usize = KERNEL * KERNEL;
/// Values that are cut out at a time, so that they stay in a cache: those of one example at least.
const PATCH_VALUES: usize = 1 << 16;

/// Extents of a convolution with stride 1 and the pool behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Channels in and channels out.
    pub(super) channels: [usize; 2],
    /// Rows and columns that come in.
    pub(super) input: [usize; 2],
    /// Zeros on each side of the input.
    pub(super) margin: usize,
}

impl Geometry {
    /// Rows and columns of the input within its margin.
    fn padded(&self) -> [usize; 2] {
        self.input.map(|extent| extent + 2 * self.margin)
    }

    /// Rows and columns before the pool.
    fn output(&self) -> [usize; 2] {
        self.padded().map(|extent| extent + 1 - KERNEL)
    }

    /// Rows and columns behind the pool, which drops an odd one.
    fn pooled(&self) -> [usize; 2] {
        self.output().map(|extent| extent / 2)
    }

    /// Weights of one output channel.
    fn fan_in(&self) -> usize {
        self.channels[0] * WINDOW
    }

    /// Values that an output sees in one row of the input.
    fn run(&self) -> usize {
        self.channels[0] * KERNEL
    }

    fn inputs(&self) -> usize {
        self.channels[0] * self.input[0] * self.input[1]
    }

    /// Values behind the pool.
    fn outputs(&self) -> usize {
        self.channels[1] * self.pooled()[0] * self.pooled()[1]
    }

    fn positions(&self) -> usize {
        self.output()[0] * self.output()[1]
    }
}

/// What a batch left behind at a convolution.
#[derive(Debug, Default)]
pub(in crate::learn) struct ConvolutionTrace {
    /// What came in, of all examples.
    pub(super) inputs: Vec<f32>,
    /// For each value behind the pool, the position before it that the value comes from.
    pub(super) winners: Vec<u32>,
    /// Loss gradients behind the pool; zero where the ReLU let nothing pass.
    pub(super) deltas: Vec<f32>,
}

/// A gradient, with the weights laid out as in here.
#[derive(Debug)]
pub(in crate::learn) struct ConvolutionGradient {
    pub(in crate::learn) weights: Vec<f32>,
    pub(in crate::learn) biases: Vec<f32>,
}

/// A convolution, its weights and some memory to work in.
#[derive(Debug)]
pub(in crate::learn) struct Convolution {
    geometry: Geometry,
    /// `[channels out, KERNEL, KERNEL, channels in]`.
    pub(super) weights: Matrix,
    pub(super) biases: Vec<f32>,
    scratch: Scratch,
}

/// What one example needs while it is worked on.
#[derive(Debug, Default)]
struct Scratch {
    /// The input within its margin, channels side by side.
    padded: Vec<f32>,
    /// What each output sees, one output after the other.
    patches: Vec<f32>,
    /// Outputs with a gradient, by channel or by position.
    terms: Vec<Term>,
    /// Where the terms of each channel, or of each position, end.
    ends: Vec<usize>,
}

impl Convolution {
    pub(super) fn new(layer: &Conv2d, input: [usize; 2]) -> Self {
        let [outputs, inputs, _, _] = layer.weight.lazy_shape().dims();
        // The margin keeps the extent where the padding is "same", and there is none otherwise.
        let margin = match layer.padding {
            burn::nn::PaddingConfig2d::Same => KERNEL / 2,
            _ => 0,
        };
        Self::with_geometry(Geometry { channels: [inputs, outputs], input, margin })
    }

    pub(super) fn with_geometry(geometry: Geometry) -> Self {
        let (fan_in, outputs) = (geometry.fan_in(), geometry.channels[1]);
        let weights = Matrix::new(vec![0.0; outputs * fan_in], fan_in);
        Self { geometry, weights, biases: vec![0.0; outputs], scratch: Scratch::default() }
    }

    /// Rows and columns that come out.
    pub(super) fn pooled(&self) -> [usize; 2] {
        self.geometry.pooled()
    }

    pub(in crate::learn) fn parameters(&self) -> usize {
        self.weights.values.len() + self.biases.len()
    }

    /// Takes over parameters in manifest order, of exactly their number.
    pub(super) fn set(&mut self, parameters: &[f32]) {
        let (weights, biases) = parameters.split_at(self.weights.values.len());
        self.biases.copy_from_slice(biases);
        let fan_in = self.geometry.fan_in();
        for (channel, weights) in weights.chunks_exact(fan_in).enumerate() {
            let inner = &mut self.weights.values[channel * fan_in..][..fan_in];
            weights.iter().enumerate().for_each(|(place, &weight)| inner[self.geometry.inner_place(place)] = weight);
        }
    }

    /// Adds parameters or gradients laid out as in here to `sums` in manifest order.
    pub(in crate::learn) fn add_in_manifest_order(&self, weights: &[f32], biases: &[f32], sums: &mut [f32]) {
        let (weight_sums, bias_sums) = sums.split_at_mut(weights.len());
        let fan_in = self.geometry.fan_in();
        for (sums, weights) in weight_sums.chunks_exact_mut(fan_in).zip(weights.chunks_exact(fan_in)) {
            sums.iter_mut().enumerate().for_each(|(place, sum)| *sum += weights[self.geometry.inner_place(place)]);
        }
        bias_sums.iter_mut().zip(biases).for_each(|(sum, bias)| *sum += bias);
    }

    /// What comes out of the ReLU behind the pool, for all examples, and which positions won.
    pub(super) fn forward(&mut self, inputs: &[f32]) -> Result<(Vec<f32>, Vec<u32>), LearnError> {
        let geometry = self.geometry;
        let (fan_in, positions) = (geometry.fan_in(), geometry.positions());
        let examples = inputs.len() / geometry.inputs();
        let mut outputs = vec![0.0; examples * geometry.outputs()];
        let mut winners = vec![0; outputs.len()];
        let group = (PATCH_VALUES / (positions * fan_in)).max(1);
        let groups = inputs.chunks(group * geometry.inputs());
        let results =
            outputs.chunks_mut(group * geometry.outputs()).zip(winners.chunks_mut(group * geometry.outputs()));
        for (inputs, (outputs, winners)) in groups.zip(results) {
            let examples = inputs.len() / geometry.inputs();
            self.scratch.patches.resize(examples * positions * fan_in, 0.0);
            for (example, input) in inputs.chunks_exact(geometry.inputs()).enumerate() {
                self.scratch.cut(&geometry, input, example);
            }
            let mut patches = Matrix::new(std::mem::take(&mut self.scratch.patches), fan_in);
            let maps = patches.times_transposed(&mut self.weights)?;
            self.scratch.patches = patches.values;
            let results =
                outputs.chunks_exact_mut(geometry.outputs()).zip(winners.chunks_exact_mut(geometry.outputs()));
            for (maps, (outputs, winners)) in maps.chunks_exact(positions * geometry.channels[1]).zip(results) {
                pool(&geometry, maps, &self.biases, outputs, winners);
            }
        }
        Ok((outputs, winners))
    }

    /// A gradient for sums to begin with.
    pub(in crate::learn) fn zero_gradient(&self) -> ConvolutionGradient {
        ConvolutionGradient { weights: vec![0.0; self.weights.values.len()], biases: vec![0.0; self.biases.len()] }
    }

    /// The sum of the gradients of some examples.
    pub(in crate::learn) fn gradient(
        &mut self,
        trace: &ConvolutionTrace,
        examples: Range<usize>,
    ) -> ConvolutionGradient {
        let mut gradient = self.zero_gradient();
        for example in examples {
            self.add_gradient(trace, example, &mut gradient);
        }
        gradient
    }

    fn add_gradient(&mut self, trace: &ConvolutionTrace, example: usize, gradient: &mut ConvolutionGradient) {
        let geometry = self.geometry;
        let fan_in = geometry.fan_in();
        let outputs = example * geometry.outputs()..(example + 1) * geometry.outputs();
        self.scratch.list_by_channel(&geometry, &trace.deltas[outputs.clone()], &trace.winners[outputs]);
        self.scratch.patches.resize(geometry.positions() * fan_in, 0.0);
        self.scratch.cut(&geometry, &trace.inputs[example * geometry.inputs()..][..geometry.inputs()], 0);
        let Scratch { patches, terms, ends, .. } = &self.scratch;
        for (bias, range) in gradient.biases.iter_mut().zip(ranges(ends)) {
            *bias += terms[range].iter().map(|term| term.factor).sum::<f32>();
        }
        let sums = ranges(ends).enumerate().map(|(channel, terms)| Sum { terms, from: 0, to: channel * fan_in });
        Rows { values: patches, pitch: fan_in, len: fan_in }.add(sums, terms, &mut gradient.weights);
    }

    /// Loss gradients at the inputs, of all examples.
    pub(super) fn input_deltas(&mut self, deltas: &[f32], winners: &[u32]) -> Vec<f32> {
        let geometry = self.geometry;
        let ([_, pitch], [_, columns]) = (geometry.padded(), geometry.output());
        let (channels, run) = (geometry.channels[0], geometry.run());
        let examples = deltas.len() / geometry.outputs();
        let mut inputs = vec![0.0; examples * geometry.inputs()];
        let batches = deltas.chunks_exact(geometry.outputs()).zip(winners.chunks_exact(geometry.outputs()));
        for (input, (deltas, winners)) in inputs.chunks_exact_mut(geometry.inputs()).zip(batches) {
            self.scratch.list_by_position(&geometry, deltas, winners);
            let Scratch { padded, terms, ends, .. } = &mut self.scratch;
            padded.clear();
            padded.resize(geometry.padded()[0] * pitch * channels, 0.0);
            let sums = ranges(ends).enumerate().filter(|(_, terms)| !terms.is_empty()).flat_map(|(position, terms)| {
                let corner = (position / columns * pitch + position % columns) * channels;
                (0..KERNEL).map(move |row| Sum {
                    terms: terms.clone(),
                    from: row * run,
                    to: corner + row * pitch * channels,
                })
            });
            Rows { values: &self.weights.values, pitch: geometry.fan_in(), len: run }.add(sums, terms, padded);
            geometry.unpad(padded, input);
        }
        inputs
    }
}

impl Geometry {
    /// Where in here the weight of an output channel stands that has this place in the manifest.
    fn inner_place(&self, place: usize) -> usize {
        place % WINDOW * self.channels[0] + place / WINDOW
    }

    /// Copies an input, channel by channel, into its margin, channels side by side.
    fn pad(&self, input: &[f32], padded: &mut [f32]) {
        self.for_each_row(|from, to| {
            let row = padded[to..].iter_mut().step_by(self.channels[0]);
            row.zip(&input[from..from + self.input[1]]).for_each(|(padded, value)| *padded = *value);
        });
    }

    /// The inverse of [`pad`](Self::pad), without the margin.
    fn unpad(&self, padded: &[f32], input: &mut [f32]) {
        self.for_each_row(|to, from| {
            let row = padded[from..].iter().step_by(self.channels[0]);
            input[to..to + self.input[1]].iter_mut().zip(row).for_each(|(value, padded)| *value = *padded);
        });
    }

    /// Tells where each row of each channel begins, outside and within the margin.
    fn for_each_row(&self, mut visit: impl FnMut(usize, usize)) {
        let [channels, _] = self.channels;
        let ([rows, columns], [_, pitch]) = (self.input, self.padded());
        for channel in 0..channels {
            for row in 0..rows {
                let start = (row + self.margin) * pitch + self.margin;
                visit((channel * rows + row) * columns, start * channels + channel);
            }
        }
    }
}

impl Scratch {
    /// Cuts an input into one patch for each output, as the example of this number in its group.
    fn cut(&mut self, geometry: &Geometry, input: &[f32], example: usize) {
        let [rows, pitch] = geometry.padded();
        let (channels, run, columns) = (geometry.channels[0], geometry.run(), geometry.output()[1]);
        self.padded.clear();
        self.padded.resize(rows * pitch * channels, 0.0);
        geometry.pad(input, &mut self.padded);
        let size = geometry.positions() * geometry.fan_in();
        let patches = self.patches[example * size..][..size].chunks_exact_mut(geometry.fan_in());
        for (position, patch) in patches.enumerate() {
            let corner = (position / columns * pitch + position % columns) * channels;
            for (row, values) in patch.chunks_exact_mut(run).enumerate() {
                let seen = &self.padded[corner + row * pitch * channels..][..run];
                // A single channel's run is too short to call for a copy.
                match (values.as_mut_array::<KERNEL>(), seen.as_array::<KERNEL>()) {
                    (Some(values), Some(seen)) => *values = *seen,
                    _ => values.copy_from_slice(seen),
                }
            }
        }
    }

    /// Lists the outputs of one example that have a gradient, channel by channel, each with its position.
    fn list_by_channel(&mut self, geometry: &Geometry, deltas: &[f32], winners: &[u32]) {
        let pooled = geometry.outputs() / geometry.channels[1];
        self.terms.clear();
        self.ends.clear();
        for (deltas, winners) in deltas.chunks_exact(pooled).zip(winners.chunks_exact(pooled)) {
            let terms = winners.iter().zip(deltas).map(|(&row, &factor)| Term { row, factor });
            self.terms.extend(terms.filter(|term| term.factor != 0.0));
            self.ends.push(self.terms.len());
        }
    }

    /// Lists the outputs of one example that have a gradient, position by position, each with its channel.
    fn list_by_position(&mut self, geometry: &Geometry, deltas: &[f32], winners: &[u32]) {
        let pooled = geometry.outputs() / geometry.channels[1];
        // Count, sum up, and put each in its place: afterwards every end is where the next position begins.
        self.ends.clear();
        self.ends.resize(geometry.positions() + 1, 0);
        let mut total = 0;
        for (&winner, &delta) in winners.iter().zip(deltas) {
            let counts = usize::from(delta != 0.0);
            self.ends[winner as usize + 1] += counts;
            total += counts;
        }
        for position in 0..geometry.positions() {
            self.ends[position + 1] += self.ends[position];
        }
        self.terms.clear();
        self.terms.resize(total, Term { row: 0, factor: 0.0 });
        for (channel, (deltas, winners)) in deltas.chunks_exact(pooled).zip(winners.chunks_exact(pooled)).enumerate() {
            for (&factor, &winner) in deltas.iter().zip(winners).filter(|(delta, _)| **delta != 0.0) {
                let place = &mut self.ends[winner as usize];
                self.terms[*place] = Term { row: channel as u32, factor };
                *place += 1;
            }
        }
        self.ends.pop();
    }
}

/// The ranges that end where `ends` says, the first beginning at 0.
fn ranges(ends: &[usize]) -> impl Iterator<Item = Range<usize>> {
    ends.iter().scan(0, |start, &end| Some(std::mem::replace(start, end)..end))
}

/// Adds the biases, takes the largest of each four neighbours, the first of equals, and lets none be below zero.
fn pool(geometry: &Geometry, maps: &[f32], biases: &[f32], outputs: &mut [f32], winners: &mut [u32]) {
    let ([_, columns], [rows_out, columns_out]) = (geometry.output(), geometry.pooled());
    let channels = geometry.channels[1];
    let pooled = rows_out * columns_out;
    for place in 0..pooled {
        let first = place / columns_out * 2 * columns + place % columns_out * 2;
        let corners = [first, first + 1, first + columns, first + columns + 1];
        let [a, b, c, d] = corners.map(|corner| &maps[corner * channels..][..channels]);
        for channel in 0..channels {
            let (mut best, mut winner) = (a[channel], corners[0]);
            for (candidate, corner) in [b, c, d].into_iter().zip(&corners[1..]) {
                // What is no number wins, so that it is not lost.
                if candidate[channel] > best || candidate[channel].is_nan() {
                    (best, winner) = (candidate[channel], *corner);
                }
            }
            let value = best + biases[channel];
            outputs[channel * pooled + place] = if value < 0.0 { 0.0 } else { value };
            winners[channel * pooled + place] = winner as u32;
        }
    }
}

#[cfg(test)]
mod tests;
