//! How PyTorch names and lays out the parameters of a module, so that an exported model fits `load_state_dict`.
//!
//! Both frameworks join names from the root by dots and write tensors row by row. They differ in two ways. A fully
//! connected layer of Burn's holds `[inputs, outputs]`, one of PyTorch's `[outputs, inputs]`. And what Burn's norms call
//! `gamma` and `beta`, PyTorch's call `weight` and `bias`. Convolutions are alike, and so is the order in which images
//! become rows for the first fully connected layer: channel by channel, row by row.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};

/// One tensor as PyTorch has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in a `state_dict`.
    pub name: String,
    /// How its numbers lie.
    pub layout: Layout,
}

/// How the numbers of a tensor lie, compared with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Just so.
    Same,
    /// A matrix with rows for columns.
    Transposed,
}

/// The tensors of a module, in manifest order.
pub fn entries(module: &impl Module) -> Vec<Entry> {
    let mut lister = Lister::default();
    module.visit(&mut lister);
    lister.entries
}

#[derive(Default)]
struct Lister {
    /// Names of the modules around the current one, and what kind of module each name stands in.
    path: Vec<(String, String)>,
    entries: Vec<Entry>,
}

impl ModuleVisitor for Lister {
    fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
        let (field, container) = self.path.last().map_or(("", ""), |(name, container)| (name, container));
        let name = match (field, container.ends_with("Norm")) {
            ("gamma", true) => "weight",
            ("beta", true) => "bias",
            _ => field,
        };
        let is_dense = (field, container) == ("weight", "Struct:Linear") && D == 2;
        let layout = if is_dense { Layout::Transposed } else { Layout::Same };
        // What an enum's variant is called is no part of a path.
        let modules = self.path.iter().rev().skip(1).rev().filter(|(_, container)| !container.starts_with("Enum:"));
        let names: Vec<&str> = modules.map(|(name, _)| name.as_str()).chain([name]).collect();
        self.entries.push(Entry { name: names.join("."), layout });
    }

    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push((name.to_owned(), container.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::model::Width;
    use burn::{
        nn::{EmbeddingConfig, LayerNormConfig, Linear, LinearConfig},
        tensor::Device,
    };

    use super::*;
    use crate::learn::model::{Architecture, Network};

    #[derive(Module, Debug)]
    struct Deep {
        words: burn::nn::Embedding,
        layers: Vec<Linear>,
        norm: burn::nn::LayerNorm,
    }

    fn named(entries: &[Entry]) -> Vec<(&str, Layout)> {
        entries.iter().map(|entry| (entry.name.as_str(), entry.layout)).collect()
    }

    #[test]
    fn dense_weights_alone_are_transposed() {
        use Layout::{Same, Transposed};
        let device = Device::flex();
        let lenet = entries(&Network::new(Architecture::LeNet, Width::Full, &device));
        let expected =
            [("conv1.weight", Same), ("conv1.bias", Same), ("conv2.weight", Same), ("conv2.bias", Same)].into_iter();
        let dense = ["fc1", "fc2", "fc3"].map(|layer| (format!("{layer}.weight"), format!("{layer}.bias")));
        let dense = dense.iter().flat_map(|(weight, bias)| [(weight.as_str(), Transposed), (bias.as_str(), Same)]);
        assert_eq!(named(&lenet), expected.chain(dense).collect::<Vec<_>>());
        let deep = Deep {
            words: EmbeddingConfig::new(5, 3).init(&device),
            layers: vec![LinearConfig::new(3, 3).with_bias(false).init(&device)],
            norm: LayerNormConfig::new(3).init(&device),
        };
        let expected =
            [("words.weight", Same), ("layers.0.weight", Transposed), ("norm.weight", Same), ("norm.bias", Same)];
        assert_eq!(named(&entries(&deep)), expected);
    }
}
