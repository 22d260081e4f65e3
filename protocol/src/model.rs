//! What a global model is made of, and which part of it a member trains.
//!
//! A model is one flat vector of parameters. The [`Manifest`] in the genesis says which tensors stand in it, one after
//! the other and row-major. A member whose machine is too weak for the whole trains a [`Slice`]: of every tensor the
//! leading rows, columns and channels, so that slices nest (HeteroFL, Diao and others, 2021).

mod slice;
mod width;

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use self::{
    slice::{Part, Slice},
    width::{Width, WidthError},
};

/// Tensors in one model.
pub const MAX_TENSORS: usize = 1_024;

/// Axes of one tensor.
pub const MAX_AXES: usize = 8;

/// Longest path of a tensor, in bytes.
pub const MAX_PATH_BYTES: usize = 256;

/// The tensors of a model, in the order of its parameters and without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Manifest {
    /// The tensors.
    pub tensors: Vec<TensorSpec>,
}

/// One tensor of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Names from the root of the model, joined by dots: `conv1.weight`.
    pub path: String,
    /// Extents at the full width, then at one half, one quarter and so on: the leading box of the tensor that a slice of
    /// that width holds. One entry for a model that cannot be sliced.
    pub shapes: Vec<Vec<u32>>,
}

/// Why tensors make no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// There is none, or too many.
    #[error("there are {0} tensors; a model has from 1 to {MAX_TENSORS}")]
    Tensors(usize),
    /// A name will not do.
    #[error("tensor {0} has no name, or one longer than {MAX_PATH_BYTES} bytes; give each a path as in conv1.weight")]
    Path(usize),
    /// Extents will not do.
    #[error(
        "the shapes of {0} will not do: give from 1 to {MAX_AXES} axes, each of extent 1 or more and none wider in a \
         narrower slice, and as many shapes for every tensor"
    )]
    Shapes(String),
    /// More parameters than fit a blob.
    #[error("the model has more parameters than a blob can hold; make it smaller")]
    TooLarge,
}

impl TensorSpec {
    /// Parameters in the whole tensor.
    pub fn len(&self) -> u64 {
        self.shapes.first().map_or(0, |shape| volume(shape))
    }

    /// Whether it holds no parameter at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_sound(&self) -> bool {
        let Some(full) = self.shapes.first() else { return false };
        let within = |shape: &Vec<u32>, outer: &Vec<u32>| {
            shape.len() == outer.len() && shape.iter().zip(outer).all(|(inner, outer)| (1..=*outer).contains(inner))
        };
        let nested = self.shapes.windows(2).all(|pair| matches!(pair, [outer, inner] if within(inner, outer)));
        (1..=MAX_AXES).contains(&full.len()) && within(full, full) && nested && self.shapes.len() <= Width::ALL.len()
    }
}

impl Manifest {
    /// Parameters in the whole model.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().fold(0, |sum, tensor| sum.saturating_add(tensor.len()))
    }

    /// The tensors, each with the places of its parameters in the whole model.
    pub fn places(&self) -> impl Iterator<Item = (&TensorSpec, Range<usize>)> {
        self.tensors.iter().scan(0, |end, tensor| {
            let start = *end;
            *end += tensor.len() as usize;
            Some((tensor, start..*end))
        })
    }

    /// The widths at which the model can be trained, the full one first.
    pub fn widths(&self) -> &'static [Width] {
        let count = self.tensors.first().map_or(0, |tensor| tensor.shapes.len());
        Width::ALL.get(..count).unwrap_or_default()
    }

    /// How many parameters a member of this width trains. `None` if the model has no such slice.
    pub fn parameters_at(&self, width: Width) -> Option<u64> {
        self.tensors.iter().try_fold(0_u64, |sum, tensor| {
            tensor.shapes.get(width.place()).map(|shape| sum.saturating_add(volume(shape)))
        })
    }

    /// The parameters that a member of this width trains. `None` if the model has no such slice.
    pub fn slice(&self, width: Width) -> Option<Slice> {
        self.widths().contains(&width).then(|| Slice::of(self, width))
    }

    /// Checks every number once, so that nobody has to again.
    ///
    /// # Errors
    /// [`ManifestError`] names the first fault.
    pub fn validate(&self) -> Result<(), ManifestError> {
        if !(1..=MAX_TENSORS).contains(&self.tensors.len()) {
            return Err(ManifestError::Tensors(self.tensors.len()));
        }
        let widths = self.tensors.first().map_or(0, |tensor| tensor.shapes.len());
        for (place, tensor) in self.tensors.iter().enumerate() {
            if tensor.path.is_empty() || tensor.path.len() > MAX_PATH_BYTES {
                return Err(ManifestError::Path(place));
            }
            if !tensor.is_sound() || tensor.shapes.len() != widths {
                return Err(ManifestError::Shapes(tensor.path.clone()));
            }
        }
        let bytes = self.parameters().saturating_mul(size_of::<f32>() as u64);
        if bytes > crate::limits::MAX_BLOB_BYTES { Err(ManifestError::TooLarge) } else { Ok(()) }
    }
}

/// Parameters in a tensor of this shape.
fn volume(shape: &[u32]) -> u64 {
    shape.iter().fold(1, |product, extent| product.saturating_mul(u64::from(*extent)))
}

#[cfg(test)]
mod tests;
