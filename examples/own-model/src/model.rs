//! The model: an ordinary Burn module, and what a federation has to know of it.

use althing_node::learn::{classifier::Classifier, data::Schema};
use althing_protocol::model::Width;
use burn::{
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, activation::tanh},
};

/// Tells two moons apart.
pub(crate) struct Moons;

/// A hidden layer of 32 units.
#[derive(Module, Debug)]
pub(crate) struct Network {
    hidden: Linear,
    output: Linear,
}

impl Classifier for Moons {
    type Network = Network;

    /// Two numbers and two classes, in CSV files. The node checks the data against this before it joins.
    fn schema(&self) -> Schema {
        Schema::Csv { features: 2, classes: 2 }
    }

    /// What Burn draws for parameters is replaced: the federation's first model has the same bits on every machine.
    fn network(&self, _: Width, device: &Device) -> Network {
        Network { hidden: LinearConfig::new(2, 32).init(device), output: LinearConfig::new(32, 2).init(device) }
    }

    fn logits(&self, network: &Network, inputs: Tensor<2>) -> Tensor<2> {
        network.output.forward(tanh(network.hidden.forward(inputs)))
    }
}
