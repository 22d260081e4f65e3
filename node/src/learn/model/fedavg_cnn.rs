use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::{Linear, PaddingConfig2d, conv::Conv2d, pool::MaxPool2d},
    tensor::{Device, Tensor, activation::relu},
};

use super::{Layers, convolution, dense, halving_pool, hidden};
use crate::learn::data::CLASSES;

/// The convolutional network of the federated averaging paper: 32 and 64 channels, then 512 and 10 units.
#[derive(Module, Debug)]
pub struct FedAvgCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    fc1: Linear,
    fc2: Linear,
}

impl FedAvgCnn {
    pub(super) fn new(width: Width, device: &Device) -> Self {
        let [maps1, maps2, units] = hidden([32, 64, 512], width);
        Self {
            conv1: convolution([1, maps1], PaddingConfig2d::Same, device),
            conv2: convolution([maps1, maps2], PaddingConfig2d::Same, device),
            pool: halving_pool(),
            fc1: dense(maps2 * 7 * 7, units, device),
            fc2: dense(units, CLASSES, device),
        }
    }

    /// ReLU follows the pool, on a quarter of the values: it is monotone, so it commutes with the maximum.
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = relu(self.pool.forward(self.conv1.forward(images)));
        let maps = relu(self.pool.forward(self.conv2.forward(maps)));
        let hidden = relu(self.fc1.forward(maps.flatten(1, 3)));
        self.fc2.forward(hidden)
    }

    pub(super) fn layers(&self) -> Layers<'_> {
        Layers { convolutions: vec![&self.conv1, &self.conv2], dense: vec![&self.fc1, &self.fc2] }
    }
}
