use burn::{
    module::{Module, ModuleVisitor, Param},
    nn::loss::CrossEntropyLoss,
    optim::GradientsParams,
    tensor::{Int, Tensor, TensorData},
};

use super::*;
use crate::learn::data::PIXELS;

const EXAMPLES: usize = 5;

/// What the framework computes by its graph: logits, mean loss and the gradient in manifest order.
fn oracle(architecture: Architecture, width: Width, weights: &[f32], images: &[f32]) -> (Vec<f32>, f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let network = params::set(Network::new(architecture, width, &device), weights).unwrap();
    let images = Tensor::from_data(TensorData::new(images.to_vec(), [EXAMPLES, 1, SIDE, SIDE]), &device);
    let labels: Vec<i32> = labels().into_iter().map(i32::from).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [EXAMPLES]), &device);
    let logits = network.forward(images);
    let loss = CrossEntropyLoss::new(None, &device).forward(logits.clone(), labels);
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let mut reader = GradientReader { gradients, values: Vec::new() };
    network.visit(&mut reader);
    let logits = logits.inner().try_into_vec_as::<f32>().unwrap();
    (logits, loss.inner().try_into_scalar::<f32>().unwrap(), reader.values)
}

struct GradientReader {
    gradients: GradientsParams,
    values: Vec<f32>,
}

impl ModuleVisitor for GradientReader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id).unwrap();
        self.values.extend(gradient.try_into_vec_as::<f32>().unwrap());
    }
}

fn labels() -> Vec<u8> {
    (0..EXAMPLES).map(|index| (index * 3 % CLASSES) as u8).collect()
}

/// Images with black borders, as digits have them, so that pools meet equal values; the last is black all over.
fn images() -> Vec<f32> {
    let pixel = |index: usize| {
        let (row, column) = (index % PIXELS / SIDE, index % SIDE);
        let is_inside = (5..23).contains(&row) && (5..23).contains(&column) && index / PIXELS + 1 < EXAMPLES;
        let value = index.wrapping_mul(2_654_435_761) >> 9;
        if is_inside { (value % 256) as f32 / 128.0 - 0.5 } else { -0.42 }
    };
    (0..EXAMPLES * PIXELS).map(pixel).collect()
}

/// A slice of random weights, with biases that are not zero as those of a start are.
fn weights(architecture: Architecture, width: Width) -> Vec<f32> {
    let mut weights = params::init(architecture, [3; 32]);
    weights.iter_mut().enumerate().for_each(|(index, weight)| *weight += (index % 13) as f32 * 0.001 - 0.006);
    params::manifest(architecture).slice(width).unwrap().gather(&weights)
}

fn norm(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|value| value * value).sum::<f32>().sqrt()
}

fn distance(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    norm(got.iter().zip(expected).map(|(got, expected)| got - expected)) / norm(expected.iter().copied()).max(1e-12)
}

#[test]
fn a_chain_computes_what_the_network_does() {
    for architecture in Architecture::ALL {
        for width in Width::ALL {
            let (weights, images) = (weights(architecture, width), images());
            let (logits, loss, gradient) = oracle(architecture, width, &weights, &images);
            let mut chain = Chain::new(architecture, width);
            chain.set(&weights).unwrap();
            assert!(distance(&chain.logits(images.clone()).unwrap(), &logits) < 1e-5, "{architecture} at {width}");
            let trace = chain.trace(images, &labels()).unwrap();
            assert!((trace.loss as f32 / EXAMPLES as f32 - loss).abs() < 1e-5 * loss, "{architecture} at {width}");
            let sum = chain.gradient(trace).unwrap();
            let mean: Vec<f32> = sum.iter().map(|value| value / EXAMPLES as f32).collect();
            let mut start = 0;
            for tensor in params::manifest(architecture).tensors {
                let len = tensor.shapes[width.place()].iter().product::<u32>() as usize;
                let error = distance(&mean[start..start + len], &gradient[start..start + len]);
                assert!(error < 1e-4, "{architecture} at {width}: {} is off by {error}", tensor.path);
                start += len;
            }
        }
    }
}

#[test]
fn parameters_come_back_as_they_were_set() {
    for architecture in Architecture::ALL {
        let weights = weights(architecture, Width::Half);
        let mut chain = Chain::new(architecture, Width::Half);
        chain.set(&weights).unwrap();
        assert!(chain.parameters() == weights, "{architecture}");
        assert!(matches!(chain.set(&weights[1..]), Err(ParamsError::Length { .. })));
        let mut broken = weights;
        broken[3] = f32::NAN;
        assert_eq!(chain.set(&broken), Err(ParamsError::NotFinite { index: 3 }));
    }
}

/// Weights that are no numbers must not be hidden by a ReLU or a pool: training would go on with them.
#[test]
fn what_is_no_number_reaches_the_loss() {
    for architecture in Architecture::ALL {
        let mut images = images();
        // Where there is no margin, the last pixel is seen by the last corner of the last pool alone.
        images[PIXELS - 1] = f32::NAN;
        let mut chain = Chain::new(architecture, Width::Full);
        chain.set(&weights(architecture, Width::Full)).unwrap();
        assert!(chain.trace(images, &labels()).unwrap().loss.is_nan(), "{architecture}");
    }
}
