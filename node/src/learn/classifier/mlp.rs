use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, activation::relu},
};

use super::Classifier;
use crate::learn::data::Schema;

/// Units of each hidden layer.
const HIDDEN: usize = 64;

/// A perceptron with two hidden layers of 64, for examples of any schema.
#[derive(Debug, Clone, Copy)]
pub struct Perceptron {
    /// What it reads.
    pub schema: Schema,
}

/// Its layers.
#[derive(Module, Debug)]
pub struct Layers {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Classifier for Perceptron {
    type Network = Layers;

    fn schema(&self) -> Schema {
        self.schema
    }

    fn network(&self, _: Width, device: &Device) -> Layers {
        let dense = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Layers {
            fc1: dense(self.schema.inputs(), HIDDEN),
            fc2: dense(HIDDEN, HIDDEN),
            fc3: dense(HIDDEN, self.schema.classes()),
        }
    }

    fn logits(&self, network: &Layers, inputs: Tensor<2>) -> Tensor<2> {
        let hidden = relu(network.fc1.forward(inputs));
        let hidden = relu(network.fc2.forward(hidden));
        network.fc3.forward(hidden)
    }
}
