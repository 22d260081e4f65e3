use burn::{
    module::Initializer,
    nn::{PaddingConfig2d, conv::Conv2dConfig, pool::MaxPool2dConfig},
    tensor::{Device, Tensor, TensorData, activation::relu},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::*;

const EXAMPLES: usize = 3;

/// Values from -1 to 1 without a pattern, for in a pattern neighbours tie, and then rounding says which is largest.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..len).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect()
}

fn check_near(got: &[f32], expected: Vec<f32>, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-4 * expected.abs().max(1.0), "{what}: {got}, not {expected}");
    }
}

/// Values and all gradients, for a loss that weighs each output differently, against the framework's layers.
fn check(channels: [usize; 2], input: [usize; 2], padding: PaddingConfig2d, inputs: Vec<f32>) {
    let what = format!("{channels:?} {input:?} {padding:?}");
    let device = Device::flex().autodiff();
    let config = Conv2dConfig::new(channels, [KERNEL; 2]).with_padding(padding);
    let mut layer = config.with_initializer(Initializer::Zeros).init(&device);
    let (weights, biases) = (noise(channels[0] * channels[1] * WINDOW, 31), noise(channels[1], 17));
    let shape = [channels[1], channels[0], KERNEL, KERNEL];
    let tensor = Tensor::from_data(TensorData::new(weights.clone(), shape), &device).require_grad();
    layer.weight = layer.weight.map(|_| tensor);
    let tensor = Tensor::from_data(TensorData::new(biases.clone(), [channels[1]]), &device).require_grad();
    layer.bias = layer.bias.map(|bias| bias.map(|_| tensor));

    let shape = [EXAMPLES, channels[0], input[0], input[1]];
    let input_tensor = Tensor::<4>::from_data(TensorData::new(inputs.clone(), shape), &device).require_grad();
    let halving = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
    let output_tensor = relu(halving.forward(layer.forward(input_tensor.clone())));
    let slopes = noise(output_tensor.shape().num_elements(), 41);
    let slope_tensor = Tensor::from_data(TensorData::new(slopes.clone(), output_tensor.shape()), &device);
    let gradients = (output_tensor.clone() * slope_tensor).sum().backward();
    let read = |tensor: Tensor<4>| tensor.try_into_vec_as::<f32>().unwrap();

    let mut ours = Convolution::new(&layer, input);
    ours.set(&[weights, biases].concat());
    let (outputs, winners) = ours.forward(&inputs).unwrap();
    check_near(&outputs, read(output_tensor.inner()), &what);
    let deltas: Vec<f32> =
        slopes.iter().zip(&outputs).map(|(slope, out)| if *out > 0.0 { *slope } else { 0.0 }).collect();
    check_near(&ours.input_deltas(&deltas, &winners), read(input_tensor.grad(&gradients).unwrap()), &what);
    let gradient = ours.gradient(&ConvolutionTrace { inputs, winners, deltas }, 0..EXAMPLES);
    let mut sums = vec![0.0; ours.parameters()];
    ours.add_in_manifest_order(&gradient.weights, &gradient.biases, &mut sums);
    let mut expected = read(layer.weight.val().grad(&gradients).unwrap());
    expected.extend(layer.bias.unwrap().val().grad(&gradients).unwrap().try_into_vec_as::<f32>().unwrap());
    check_near(&sums, expected, &what);
}

#[test]
fn it_computes_what_the_layers_of_the_framework_do() {
    for padding in [PaddingConfig2d::Valid, PaddingConfig2d::Same] {
        for channels in [[1, 6], [6, 16], [1, 32], [3, 1], [7, 9]] {
            for input in [[12, 12], [14, 14], [11, 7], [6, 13]] {
                let inputs = noise(EXAMPLES * channels[0] * input[0] * input[1], 29);
                check(channels, input, padding.clone(), inputs);
            }
        }
    }
}

/// Over one colour every pool meets equal values, of which the first wins.
#[test]
fn the_first_of_equals_has_the_gradient() {
    check([2, 3], [12, 12], PaddingConfig2d::Valid, vec![0.5; EXAMPLES * 2 * 12 * 12]);
}
