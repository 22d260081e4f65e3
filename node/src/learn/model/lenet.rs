use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::{Linear, PaddingConfig2d, conv::Conv2d, pool::MaxPool2d},
    tensor::{Device, Tensor, activation::relu},
};

use super::{Layers, convolution, dense, halving_pool, hidden};
use crate::learn::data::CLASSES;

/// LeNet for 28 x 28 images: convolutions of 6 and 16 channels, then 120, 84 and 10 units.
#[derive(Module, Debug)]
pub struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl LeNet {
    pub(super) fn new(width: Width, device: &Device) -> Self {
        let [maps1, maps2, units1, units2] = hidden([6, 16, 120, 84], width);
        Self {
            conv1: convolution([1, maps1], PaddingConfig2d::Valid, device),
            conv2: convolution([maps1, maps2], PaddingConfig2d::Valid, device),
            pool: halving_pool(),
            fc1: dense(maps2 * 4 * 4, units1, device),
            fc2: dense(units1, units2, device),
            fc3: dense(units2, CLASSES, device),
        }
    }

    /// ReLU follows the pool, on a quarter of the values: it is monotone, so it commutes with the maximum.
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = relu(self.pool.forward(self.conv1.forward(images)));
        let maps = relu(self.pool.forward(self.conv2.forward(maps)));
        let units = relu(self.fc1.forward(maps.flatten(1, 3)));
        let units = relu(self.fc2.forward(units));
        self.fc3.forward(units)
    }

    pub(super) fn layers(&self) -> Layers<'_> {
        Layers { convolutions: vec![&self.conv1, &self.conv2], dense: vec![&self.fc1, &self.fc2, &self.fc3] }
    }
}
