//! The models of the image task: 28 x 28 grey pixels in, ten classes out. Each can be had in five widths.

mod fedavg_cnn;
mod lenet;
mod two_nn;

use std::{fmt, str::FromStr};

use althing_protocol::model::Width;
use burn::{
    module::{Initializer, Module},
    nn::{
        Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::{Device, Tensor},
};
use serde::{Deserialize, Serialize};

pub use self::{fedavg_cnn::FedAvgCnn, lenet::LeNet, two_nn::TwoNn};

/// Rows, and columns, of a convolution's kernel.
pub(super) const KERNEL: usize = 5;

/// Which model a federation trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// Two hidden layers of 200: 199,210 parameters.
    #[serde(rename = "2nn")]
    TwoNn,
    /// LeNet with ReLU and max pooling: 44,426 parameters.
    #[serde(rename = "lenet")]
    LeNet,
    /// The convolutional network of the federated averaging paper: 1,663,370 parameters.
    #[serde(rename = "fedavg-cnn")]
    FedAvgCnn,
}

impl Architecture {
    /// All of them, smallest step first.
    pub const ALL: [Self; 3] = [Self::TwoNn, Self::LeNet, Self::FedAvgCnn];

    /// The name in configurations and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoNn => "2nn",
            Self::LeNet => "lenet",
            Self::FedAvgCnn => "fedavg-cnn",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Architecture`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no model is called {0:?}; choose 2nn, lenet or fedavg-cnn")]
pub struct ParseArchitectureError(String);

impl FromStr for Architecture {
    type Err = ParseArchitectureError;

    fn from_str(name: &str) -> Result<Self, ParseArchitectureError> {
        let known = Self::ALL.into_iter().find(|architecture| architecture.name() == name);
        known.ok_or_else(|| ParseArchitectureError(name.chars().take(40).collect()))
    }
}

/// A model of any [`Architecture`], with its parameters.
#[derive(Module, Debug)]
pub enum Network {
    /// See [`Architecture::TwoNn`].
    TwoNn(TwoNn),
    /// See [`Architecture::LeNet`].
    LeNet(LeNet),
    /// See [`Architecture::FedAvgCnn`].
    FedAvgCnn(FedAvgCnn),
}

impl Network {
    /// A model whose parameters are all zero, none of them allocated before its first use.
    ///
    /// Below full width it is a slice (HeteroFL, Diao and others, 2021): it keeps the first units and channels of each
    /// hidden layer, the whole input and all classes, and computes with them as the whole model does. Each of its tensors is the box of the full model's tensor that begins at the same corner; what comes
    /// out of a convolution is laid out channel by channel, so that this holds for the dense layer behind it too.
    pub fn new(architecture: Architecture, width: Width, device: &Device) -> Self {
        match architecture {
            Architecture::TwoNn => Self::TwoNn(TwoNn::new(width, device)),
            Architecture::LeNet => Self::LeNet(LeNet::new(width, device)),
            Architecture::FedAvgCnn => Self::FedAvgCnn(FedAvgCnn::new(width, device)),
        }
    }

    /// Logits of shape `[n, 10]` for images of shape `[n, 1, 28, 28]`.
    ///
    /// This is what the model is. Training and evaluation compute the same faster, layer by layer ([`super::chain`]).
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::TwoNn(network) => network.forward(images),
            Self::LeNet(network) => network.forward(images),
            Self::FedAvgCnn(network) => network.forward(images),
        }
    }

    /// The layers that have parameters, in manifest order.
    pub(super) fn layers(&self) -> Layers<'_> {
        match self {
            Self::TwoNn(network) => network.layers(),
            Self::LeNet(network) => network.layers(),
            Self::FedAvgCnn(network) => network.layers(),
        }
    }
}

/// The layers of a model: convolutions, each with a halving pool and a ReLU behind it, then fully connected layers, with
/// a ReLU between one and the next.
pub(super) struct Layers<'a> {
    pub(super) convolutions: Vec<&'a Conv2d>,
    pub(super) dense: Vec<&'a Linear>,
}

/// What is left of hidden layers of these sizes at `width`.
pub(super) fn hidden<const N: usize>(units: [u32; N], width: Width) -> [usize; N] {
    units.map(|units| width.of(units) as usize)
}

/// A fully connected layer. Zero, because [`params::init`](super::params::init) draws the real start.
fn dense(inputs: usize, outputs: usize, device: &Device) -> Linear {
    LinearConfig::new(inputs, outputs).with_initializer(Initializer::Zeros).init(device)
}

/// A 5 x 5 convolution with stride 1, zero as [`dense`] is.
fn convolution(channels: [usize; 2], padding: PaddingConfig2d, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new(channels, [KERNEL; 2]).with_padding(padding);
    config.with_initializer(Initializer::Zeros).init(device)
}

/// A 2 x 2 max pool with stride 2.
fn halving_pool() -> MaxPool2d {
    MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init()
}

#[cfg(test)]
mod tests;
