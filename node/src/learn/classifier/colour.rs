use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::{
        Linear, LinearConfig,
        conv::{Conv2d, Conv2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::{Device, Tensor, activation::relu},
};

use super::Classifier;
use crate::learn::{data::Schema, model::hidden};

/// LeNet for 32 x 32 images in three colours: 62,006 parameters for ten classes.
#[derive(Debug, Clone, Copy)]
pub struct ColourLeNet {
    /// Logits, one for each class.
    schema: Schema,
}

impl ColourLeNet {
    /// For CIFAR-10.
    pub const TEN: Self = Self { schema: Schema::Cifar10 };
    /// For CIFAR-100.
    pub const HUNDRED: Self = Self { schema: Schema::Cifar100 };
}

/// Its layers: convolutions of 6 and 16 channels, then 120, 84 and as many units as classes.
#[derive(Module, Debug)]
pub struct Layers {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Classifier for ColourLeNet {
    type Network = Layers;

    fn schema(&self) -> Schema {
        self.schema
    }

    fn widths(&self) -> &'static [Width] {
        &Width::ALL
    }

    fn network(&self, width: Width, device: &Device) -> Layers {
        let [maps1, maps2, units1, units2] = hidden([6, 16, 120, 84], width);
        let dense = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let convolution = |channels| Conv2dConfig::new(channels, [5, 5]).init(device);
        Layers {
            conv1: convolution([3, maps1]),
            conv2: convolution([maps1, maps2]),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            fc1: dense(maps2 * 5 * 5, units1),
            fc2: dense(units1, units2),
            fc3: dense(units2, self.schema.classes()),
        }
    }

    /// ReLU follows the pool, on a quarter of the values: it is monotone, so it commutes with the maximum.
    fn logits(&self, network: &Layers, inputs: Tensor<2>) -> Tensor<2> {
        let images = inputs.reshape([-1, 3, 32, 32]);
        let maps = relu(network.pool.forward(network.conv1.forward(images)));
        let maps = relu(network.pool.forward(network.conv2.forward(maps)));
        let hidden = relu(network.fc1.forward(maps.flatten(1, 3)));
        let hidden = relu(network.fc2.forward(hidden));
        network.fc3.forward(hidden)
    }
}
