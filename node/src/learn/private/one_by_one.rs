//! The sum of clipped gradients of any module: a backward pass for each example.
//!
//! It is exact, needs to know nothing of the layers, and takes as long as plain training with batches of one.

use althing_protocol::model::Width;
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor, TensorReadError},
};

use super::{
    Summing,
    gradient::{ClippedSum, add_scaled, square_sum},
};
use crate::learn::{
    params,
    train::LearnError,
    workload::{Batch, Workload},
};

/// Sums up the gradients of a workload's examples.
pub(in crate::learn) struct OneByOne<'a, W: Workload> {
    workload: &'a W,
    examples: &'a W::Examples,
    network: W::Network,
    device: Device,
}

impl<'a, W: Workload> OneByOne<'a, W> {
    pub(in crate::learn) fn new(workload: &'a W, examples: &'a W::Examples, width: Width) -> Self {
        let device = Device::flex().autodiff();
        Self { workload, examples, network: workload.network(width, &device), device }
    }
}

impl<W: Workload> Summing for OneByOne<'_, W> {
    fn samples(&self) -> usize {
        self.workload.count(self.examples)
    }

    fn set(&mut self, weights: &[f32]) -> Result<(), LearnError> {
        self.network = params::set(self.network.clone(), weights)?;
        Ok(())
    }

    fn add(&mut self, sum: &mut ClippedSum, batch: &[usize], clip: f32) -> Result<(), LearnError> {
        for number in batch {
            let batch = Batch { examples: self.examples, numbers: &[*number], device: &self.device };
            let loss = self.workload.loss(&self.network, &batch);
            let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
            let gradient = flat(&self.network, &gradients)?;
            let norm = square_sum(&gradient).sqrt() as f32;
            add_scaled(&mut sum.gradient, (clip / norm).min(1.0), &gradient);
            sum.norms.push(norm);
            sum.loss += f64::from(loss.try_into_scalar::<f32>().map_err(unreadable)?);
        }
        Ok(())
    }
}

/// The gradients of all parameters, in manifest order; zeros for a parameter that the loss does not depend on.
fn flat(network: &impl Module, gradients: &GradientsParams) -> Result<Vec<f32>, LearnError> {
    let mut reader = Reader { gradients, values: Vec::new(), failed: None };
    network.visit(&mut reader);
    reader.failed.map_or(Ok(reader.values), Err)
}

fn unreadable(error: TensorReadError) -> LearnError {
    LearnError::Backend(error.to_string())
}

struct Reader<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f32>,
    /// The first tensor that could not be read: a visitor has no result of its own.
    failed: Option<LearnError>,
}

impl ModuleVisitor for Reader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let end = self.values.len() + param.lazy_shape().num_elements();
        let Some(gradient) = self.gradients.get::<D>(param.id) else { return self.values.resize(end, 0.0) };
        match gradient.try_into_vec_as::<f32>() {
            Ok(values) => self.values.extend(values),
            Err(error) => self.failed = self.failed.take().or_else(|| Some(unreadable(error))),
        }
    }
}
