use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::Linear,
    tensor::{Device, Tensor, activation::relu},
};

use super::{Layers, dense, hidden};
use crate::learn::data::{CLASSES, PIXELS};

/// The multilayer perceptron that the federated averaging paper calls 2NN: 784-200-200-10 with ReLU.
#[derive(Module, Debug)]
pub struct TwoNn {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl TwoNn {
    pub(super) fn new(width: Width, device: &Device) -> Self {
        let [first, second] = hidden([200, 200], width);
        Self {
            fc1: dense(PIXELS, first, device),
            fc2: dense(first, second, device),
            fc3: dense(second, CLASSES, device),
        }
    }

    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let units = relu(self.fc1.forward(images.flatten(1, 3)));
        let units = relu(self.fc2.forward(units));
        self.fc3.forward(units)
    }

    pub(super) fn layers(&self) -> Layers<'_> {
        Layers { convolutions: vec![], dense: vec![&self.fc1, &self.fc2, &self.fc3] }
    }
}
