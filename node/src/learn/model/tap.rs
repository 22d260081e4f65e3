use burn::{
    nn::{Linear, conv::Conv2d, pool::MaxPool2d},
    tensor::Tensor,
};

/// Computes the layers that have parameters, in manifest order, and may look at what passes.
///
/// A model's forward pass is written once over this, so that what the private training sees of each layer cannot drift
/// from what the model does.
pub(in crate::learn) trait Tap {
    /// The output `[n, outputs]` of a fully connected layer.
    fn dense(&mut self, layer: &Linear, input: Tensor<2>) -> Tensor<2>;

    /// The output `[n, channels, height, width]` of a convolution and the max pool behind it.
    fn convolution(&mut self, layer: &Conv2d, pool: &MaxPool2d, input: Tensor<4>) -> Tensor<4>;
}

/// The plain forward pass.
pub(in crate::learn) struct Untapped;

impl Tap for Untapped {
    fn dense(&mut self, layer: &Linear, input: Tensor<2>) -> Tensor<2> {
        layer.forward(input)
    }

    fn convolution(&mut self, layer: &Conv2d, pool: &MaxPool2d, input: Tensor<4>) -> Tensor<4> {
        pool.forward(layer.forward(input))
    }
}
