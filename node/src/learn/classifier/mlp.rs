use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, activation::relu},
};

use super::Classifier;
use crate::learn::{data::Schema, model::hidden};

/// Units of each hidden layer.
const HIDDEN: u32 = 64;

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

    fn widths(&self) -> &'static [Width] {
        &Width::ALL
    }

    fn network(&self, width: Width, device: &Device) -> Layers {
        let dense = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let [units1, units2] = hidden([HIDDEN; 2], width);
        Layers {
            fc1: dense(self.schema.inputs(), units1),
            fc2: dense(units1, units2),
            fc3: dense(units2, self.schema.classes()),
        }
    }

    fn logits(&self, network: &Layers, inputs: Tensor<2>) -> Tensor<2> {
        let hidden = relu(network.fc1.forward(inputs));
        let hidden = relu(network.fc2.forward(hidden));
        network.fc3.forward(hidden)
    }
}
