use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::loss::CrossEntropyLoss,
    optim::GradientsParams,
    tensor::{Device, Tensor, TensorData},
};

use super::*;
use crate::learn::{
    data::{CLASSES, PIXELS, SIDE},
    model::{Architecture, Network},
    params,
};

/// The gradient of one example as plain training computes it: tracked parameters, a batch of one.
struct Oracle {
    network: Network,
    device: Device,
}

impl Oracle {
    fn new(architecture: Architecture, width: Width, weights: &[f32]) -> Self {
        let device = Device::flex().autodiff();
        Self { network: params::set(Network::new(architecture, width, &device), weights).unwrap(), device }
    }

    fn gradient(&self, image: &[f32], label: u8) -> Vec<f64> {
        let image = Tensor::from_data(TensorData::new(image.to_vec(), [1, 1, SIDE, SIDE]), &self.device);
        let label = Tensor::from_data(TensorData::new(vec![i32::from(label)], [1]), &self.device);
        let loss = CrossEntropyLoss::new(None, &self.device).forward(self.network.forward(image), label);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let mut reader = GradientReader { gradients, values: Vec::new() };
        self.network.visit(&mut reader);
        reader.values
    }
}

struct GradientReader {
    gradients: GradientsParams,
    values: Vec<f64>,
}

impl burn::module::ModuleVisitor for GradientReader {
    fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id).unwrap();
        self.values.extend(gradient.try_into_vec_as::<f32>().unwrap().into_iter().map(f64::from));
    }
}

/// Images with black borders, as digits have them, so that pools meet equal values.
fn examples(count: usize) -> (Vec<f32>, Vec<u8>) {
    let pixel = |index: usize| {
        let (row, column) = (index % PIXELS / SIDE, index % SIDE);
        let is_inside = (5..23).contains(&row) && (5..23).contains(&column);
        let value = (index.wrapping_mul(2_654_435_761) >> 9) % 256;
        if is_inside { value as f32 / 128.0 - 0.5 } else { -0.42 }
    };
    ((0..count * PIXELS).map(pixel).collect(), (0..count).map(|index| (index * 7 % CLASSES) as u8).collect())
}

/// Random weights, with biases that are not zero as those of a start are.
fn weights(architecture: Architecture, width: Width) -> Vec<f32> {
    let mut weights = params::init(architecture, [3; 32]);
    for (index, weight) in weights.iter_mut().enumerate() {
        *weight += (index % 13) as f32 * 0.001 - 0.006;
    }
    params::manifest(architecture).slice(width).unwrap().gather(&weights)
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The largest distance of the sum from the oracle's in any tensor, relative to the tensor's norm.
fn worst_error(architecture: Architecture, width: Width, got: &[f32], expected: &[f64]) -> f64 {
    let (mut worst, mut start) = (0.0, 0);
    for tensor in params::manifest(architecture).tensors {
        let len = tensor.shapes[width.place()].iter().product::<u32>() as usize;
        let (got, expected) = (&got[start..start + len], &expected[start..start + len]);
        let difference: Vec<f64> = got.iter().zip(expected).map(|(a, b)| f64::from(*a) - b).collect();
        worst = f64::max(worst, norm(&difference) / norm(expected));
        start += len;
    }
    assert_eq!(start, got.len());
    worst
}

fn check(architecture: Architecture, width: Width, clip: f32) {
    const EXAMPLES: usize = 6;
    let (weights, (pixels, labels)) = (weights(architecture, width), examples(EXAMPLES));
    let oracle = Oracle::new(architecture, width, &weights);
    let singles: Vec<Vec<f64>> =
        pixels.chunks_exact(PIXELS).zip(&labels).map(|(image, &label)| oracle.gradient(image, label)).collect();
    let mut expected = vec![0.0; weights.len()];
    for single in &singles {
        let factor = (f64::from(clip) / norm(single)).min(1.0);
        expected.iter_mut().zip(single).for_each(|(sum, value)| *sum += factor * value);
    }
    let mut chain = Chain::new(architecture, width);
    chain.set(&weights).unwrap();
    let mut sum = ClippedSum::zero(weights.len());
    // In two batches of different size, as a lot that does not fit a batch is.
    for (pixels, labels) in [(&pixels[..4 * PIXELS], &labels[..4]), (&pixels[4 * PIXELS..], &labels[4..])] {
        let trace = chain.trace(pixels.to_vec(), labels).unwrap();
        sum.add(&mut chain, trace, clip).unwrap();
    }
    for (&got, single) in sum.norms.iter().zip(&singles) {
        assert!((f64::from(got) / norm(single) - 1.0).abs() < 1e-4, "{architecture}: {got}, not {}", norm(single));
    }
    assert_eq!(sum.norms.len(), EXAMPLES);
    let error = worst_error(architecture, width, &sum.gradient, &expected);
    assert!(error < 1e-4, "{architecture} at {width} clipped at {clip}: off by {error}");
}

#[test]
fn the_sum_is_that_of_a_loop_over_batches_of_one() {
    for architecture in Architecture::ALL {
        // All, some and none of the gradients are clipped.
        for clip in [0.1, 8.0, 1e6] {
            check(architecture, Width::Full, clip);
        }
    }
}

#[test]
fn slices_have_such_sums_too() {
    for architecture in Architecture::ALL {
        for width in [Width::Half, Width::Quarter, Width::Eighth, Width::Sixteenth] {
            check(architecture, width, 8.0);
        }
    }
}

#[test]
fn a_clipped_example_is_as_long_as_the_clip() {
    for architecture in Architecture::ALL {
        let (weights, (pixels, labels)) = (weights(architecture, Width::Full), examples(1));
        let mut chain = Chain::new(architecture, Width::Full);
        chain.set(&weights).unwrap();
        let mut sum = ClippedSum::zero(weights.len());
        let trace = chain.trace(pixels, &labels).unwrap();
        sum.add(&mut chain, trace, 0.25).unwrap();
        assert!(sum.norms[0] > 0.25, "there is something to clip");
        let length = norm(&sum.gradient.iter().map(|&value| f64::from(value)).collect::<Vec<_>>());
        assert!((length / 0.25 - 1.0).abs() < 1e-5, "{architecture}: {length}");
    }
}

#[test]
fn squares_are_summed_to_the_last_one() {
    let values: Vec<f32> = (1..=35).map(|value| value as f32).collect();
    assert_eq!(square_sum(&values), 35.0 * 36.0 * 71.0 / 6.0);
}
