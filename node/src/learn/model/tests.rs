use burn::tensor::TensorData;

use super::*;
use crate::learn::{
    data::{CLASSES, PIXELS, SIDE},
    params,
};

/// Weights that all differ, biases among them.
fn weights(architecture: Architecture) -> Vec<f32> {
    let mut weights = params::init(architecture, [5; 32]);
    for (index, weight) in weights.iter_mut().enumerate() {
        *weight += (index % 17) as f32 * 0.002 - 0.01;
    }
    weights
}

fn logits(architecture: Architecture, width: Width, weights: &[f32]) -> Vec<f32> {
    let device = Device::flex();
    let pixels: Vec<f32> = (0..3 * PIXELS).map(|pixel| (pixel * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let images = Tensor::from_data(TensorData::new(pixels, [3, 1, SIDE, SIDE]), &device);
    let network = params::set(Network::new(architecture, width, &device), weights).unwrap();
    network.forward(images).try_into_vec_as::<f32>().unwrap()
}

/// A slice is the whole model with all other units silent.
#[test]
fn a_slice_computes_what_its_part_of_the_model_does() {
    for architecture in Architecture::ALL {
        let whole = weights(architecture);
        for width in Width::ALL {
            let (slice, mut silenced) = (params::manifest(architecture).slice(width).unwrap(), vec![0.0; whole.len()]);
            let held = slice.gather(&whole);
            slice.scatter(&held, &mut silenced);
            let got = logits(architecture, width, &held);
            let expected = logits(architecture, Width::Full, &silenced);
            assert_eq!(got.len(), 3 * CLASSES);
            for (got, expected) in got.iter().zip(&expected) {
                let error = (got - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-4, "{architecture} at {width}: {got}, not {expected}");
            }
        }
    }
}

#[test]
fn slices_have_the_sizes_of_their_layers() {
    let sizes = |architecture| {
        let manifest = params::manifest(architecture);
        Width::ALL.map(|width| manifest.slice(width).unwrap().len())
    };
    assert_eq!(sizes(Architecture::TwoNn), [199_210, 89_610, 42_310, 20_535, 10_527]);
    assert_eq!(sizes(Architecture::LeNet), [44_426, 11_418, 3_077, 869, 312]);
    assert_eq!(sizes(Architecture::FedAvgCnn), [1_663_370, 417_482, 105_194, 26_714, 6_890]);
}

#[test]
fn slices_keep_the_input_and_the_classes_whole() {
    for architecture in Architecture::ALL {
        let manifest = params::manifest(architecture);
        manifest.validate().unwrap();
        let (first, last) = (&manifest.tensors[0], manifest.tensors.last().unwrap());
        // A dense layer's inputs are its first axis, a convolution's channels its second.
        let inputs = if first.shapes[0].len() == 2 { 0 } else { 1 };
        assert!(first.shapes.iter().all(|shape| shape[inputs] == first.shapes[0][inputs]), "{architecture}");
        assert!(last.shapes.iter().all(|shape| shape[..] == [CLASSES as u32]), "{architecture}");
    }
}

/// Slices that nest can be averaged coordinate by coordinate.
#[test]
fn a_narrower_slice_is_part_of_a_wider_one() {
    for architecture in Architecture::ALL {
        let manifest = params::manifest(architecture);
        let places: Vec<usize> = (0..manifest.parameters() as usize).collect();
        let held = Width::ALL.map(|width| manifest.slice(width).unwrap().gather(&places));
        for pair in held.windows(2) {
            assert!(pair[1].iter().all(|place| pair[0].binary_search(place).is_ok()), "{architecture}");
        }
    }
}
