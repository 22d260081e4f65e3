//! The parameters of a model as one flat `f32` vector, and the manifest that says what stands where.

use althing_protocol::model::{Manifest, TensorSpec, Width};
use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Device, Tensor, TensorData, TensorReadError},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::model::{Architecture, Network};

/// Why a vector cannot be the parameters of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// It is for another model, or damaged.
    #[error("the model has {expected} parameters, the vector {got}: it was made for another model")]
    Length {
        /// Parameters of the model.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A value is NaN or infinite.
    #[error("parameter {index} is not a finite number: refuse the vector, and lower the learning rate if it is ours")]
    NotFinite {
        /// Where it stands.
        index: usize,
    },
    /// The backend did not give a tensor back as `f32`.
    #[error("the backend could not read a parameter back: {0}")]
    Backend(String),
}

/// The manifest of `architecture`, which can be had in every width. No parameter is allocated for it.
pub fn manifest(architecture: Architecture) -> Manifest {
    manifest_of(Width::ALL.map(|width| Network::new(architecture, width, &Device::flex())))
}

/// The manifest of a model that these networks are slices of, the whole one first.
pub fn manifest_of<M: Module>(networks: impl IntoIterator<Item = M>) -> Manifest {
    let mut lister = Lister::default();
    for network in networks {
        lister.tensor = 0;
        network.visit(&mut lister);
    }
    Manifest { tensors: lister.tensors }
}

/// Inputs that feed one output of a tensor of this shape, or `None` for a bias.
///
/// Dense weights are `[inputs, outputs]`, convolutions `[outputs, inputs, extents..]`.
fn fan_in(shape: &[u32]) -> Option<u32> {
    match shape {
        [] | [_] => None,
        [inputs, _] => Some(*inputs),
        [_, inputs @ ..] => Some(inputs.iter().product()),
    }
}

/// The start of a model, the same bits on every machine: weights uniform by fan-in, biases zero.
///
/// The bound is He's, `sqrt(6 / fan_in)`, which keeps the variance through a layer and its ReLU. The output layer has no
/// ReLU and gets `sqrt(1 / fan_in)`: small first outputs mean a first loss near `ln 10`, without which the larger models
/// waste their first steps. Every member draws the start alone, so it is made of operations that IEEE 754 fixes to the
/// last bit: a multiple of 2^-23 in [-1, 1) from 24 random bits, times the bound. No logarithm or cosine is involved.
pub fn init(architecture: Architecture, seed: [u8; 32]) -> Vec<f32> {
    start(&manifest(architecture), seed)
}

/// As [`init`], for any model of such layers. What Burn calls `gamma`, the scale of a norm, begins as one.
pub fn start(manifest: &Manifest, seed: [u8; 32]) -> Vec<f32> {
    let mut rng = ChaCha20Rng::from_seed(seed);
    let scale = |tensor: &TensorSpec| if tensor.path.ends_with("gamma") { 1.0 } else { 0.0 };
    let shapes: Vec<(&[u32], f32)> =
        manifest.tensors.iter().filter_map(|tensor| Some((tensor.shapes.first()?.as_slice(), scale(tensor)))).collect();
    let output_layer = shapes.iter().rposition(|(shape, _)| fan_in(shape).is_some());
    let mut values = Vec::with_capacity(manifest.parameters() as usize);
    for (index, (shape, constant)) in shapes.into_iter().enumerate() {
        let len = shape.iter().product::<u32>() as usize;
        let Some(inputs) = fan_in(shape) else {
            values.resize(values.len() + len, constant);
            continue;
        };
        let numerator: f32 = if Some(index) == output_layer { 1.0 } else { 6.0 };
        let bound = (numerator / inputs as f32).sqrt();
        values.extend((0..len).map(|_| signed_unit(&mut rng) * bound));
    }
    values
}

/// A multiple of 2^-23 in [-1, 1); every one is an exact `f32`.
fn signed_unit(rng: &mut impl Rng) -> f32 {
    const HALF: i32 = 1 << 23;
    let ticks = (rng.next_u32() >> 8) as i32 - HALF;
    ticks as f32 / HALF as f32
}

/// The parameters of `network`, in manifest order.
///
/// # Errors
/// [`ParamsError::Backend`] if a tensor cannot be read back.
pub fn get(network: &impl Module) -> Result<Vec<f32>, ParamsError> {
    let mut reader = Reader { values: Vec::with_capacity(network.num_params()), failed: None };
    network.visit(&mut reader);
    reader.failed.map_or(Ok(reader.values), |error| Err(ParamsError::Backend(error.to_string())))
}

/// `network` with `values` for parameters.
///
/// # Errors
/// [`ParamsError`] if there are too few or too many values, or one is NaN or infinite.
pub fn set<M: Module>(network: M, values: &[f32]) -> Result<M, ParamsError> {
    check(values, network.num_params())?;
    Ok(network.map(&mut Writer { rest: values }))
}

/// That there are as many values as parameters, all of them finite.
pub(super) fn check(values: &[f32], expected: usize) -> Result<(), ParamsError> {
    if values.len() != expected {
        return Err(ParamsError::Length { expected, got: values.len() });
    }
    check_finite(values)
}

/// That no value is NaN or infinite.
///
/// # Errors
/// [`ParamsError::NotFinite`] names the first one that is.
pub fn check_finite(values: &[f32]) -> Result<(), ParamsError> {
    let offender = values.iter().position(|value| !value.is_finite());
    offender.map_or(Ok(()), |index| Err(ParamsError::NotFinite { index }))
}

/// Lists the tensors of a module, or adds to a list of them the shapes that they have in a slice.
#[derive(Default)]
struct Lister {
    /// Names of the modules around the current one.
    path: Vec<String>,
    tensors: Vec<TensorSpec>,
    /// Which tensor comes next.
    tensor: usize,
}

impl ModuleVisitor for Lister {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec().into_iter().map(|extent| extent as u32).collect();
        match self.tensors.get_mut(self.tensor) {
            Some(known) => known.shapes.push(shape),
            None => self.tensors.push(TensorSpec { path: self.path.join("."), shapes: vec![shape] }),
        }
        self.tensor += 1;
    }

    /// The variant of [`Network`] is left out: the path of a parameter is the one inside its own model.
    fn enter_module(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }
}

/// Copies the parameters of a module out.
struct Reader {
    values: Vec<f32>,
    /// The first tensor that could not be read: a visitor has no result of its own.
    failed: Option<TensorReadError>,
}

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        match param.val().inner().try_into_vec_as::<f32>() {
            Ok(values) => self.values.extend_from_slice(&values),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }
}

/// Replaces the parameters of a module, one tensor after the other.
struct Writer<'a> {
    rest: &'a [f32],
}

impl ModuleMapper for Writer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        let (values, rest) = self.rest.split_at(shape.num_elements());
        self.rest = rest;
        let data = TensorData::new(values.to_vec(), shape);
        param.map(|old| Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad()))
    }
}

#[cfg(test)]
mod tests;
