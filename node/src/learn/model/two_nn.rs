use burn::{
    module::Module,
    nn::Linear,
    tensor::{Device, Tensor, activation::relu},
};

use super::{dense, tap::Tap};
use crate::learn::data::{CLASSES, PIXELS};

/// The multilayer perceptron that the federated averaging paper calls 2NN: 784-200-200-10 with ReLU.
#[derive(Module, Debug)]
pub struct TwoNn {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl TwoNn {
    pub(super) fn new(device: &Device) -> Self {
        Self { fc1: dense(PIXELS, 200, device), fc2: dense(200, 200, device), fc3: dense(200, CLASSES, device) }
    }

    pub(super) fn forward(&self, images: Tensor<4>, tap: &mut impl Tap) -> Tensor<2> {
        let hidden = relu(tap.dense(&self.fc1, images.flatten(1, 3)));
        let hidden = relu(tap.dense(&self.fc2, hidden));
        tap.dense(&self.fc3, hidden)
    }
}
