//! Matrices whose products the backend computes.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

use crate::learn::train::LearnError;

/// Values of a product that are computed at a time where it is used piece by piece, so that they stay in a cache.
const PIECE_VALUES: usize = 1 << 15;

/// A matrix, row by row. Its memory is lent to the backend for each product and comes back uncopied.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::learn) struct Matrix {
    pub(in crate::learn) values: Vec<f32>,
    columns: usize,
}

impl Matrix {
    pub(in crate::learn) fn new(values: Vec<f32>, columns: usize) -> Self {
        Self { values, columns }
    }

    pub(in crate::learn) fn zero(rows: usize, columns: usize) -> Self {
        Self::new(vec![0.0; rows * columns], columns)
    }

    pub(in crate::learn) fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    pub(in crate::learn) fn columns(&self) -> usize {
        self.columns
    }

    pub(in crate::learn) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// The rows, one after the other.
    pub(in crate::learn) fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.columns)
    }

    /// `self * right`, row by row.
    pub(super) fn times(&mut self, right: &mut Self) -> Result<Vec<f32>, LearnError> {
        self.lend(right, |left, right| values(left.matmul(right)))
    }

    /// `self * right^T`, row by row.
    pub(super) fn times_transposed(&mut self, right: &mut Self) -> Result<Vec<f32>, LearnError> {
        self.lend(right, |left, right| values(left.matmul(right.transpose())))
    }

    /// `self^T * right`, some rows at a time. `visit` is told which values of the product they are.
    pub(in crate::learn) fn transposed_times(
        &mut self,
        right: &mut Self,
        mut visit: impl FnMut(Range<usize>, &[f32]),
    ) -> Result<(), LearnError> {
        let (rows, columns) = (self.columns, right.columns);
        let piece = (PIECE_VALUES / columns).clamp(1, rows);
        self.lend(right, |left, right| {
            for start in (0..rows).step_by(piece) {
                let len = piece.min(rows - start);
                let product = left.clone().narrow(1, start, len).transpose().matmul(right.clone());
                let product = product.try_into_data().map_err(|error| LearnError::Backend(error.to_string()))?;
                let values = product.as_slice::<f32>().map_err(|error| LearnError::Backend(error.to_string()))?;
                visit(start * columns..(start + len) * columns, values);
            }
            Ok(())
        })
    }

    /// Has `work` done with both matrices as tensors.
    fn lend<T>(
        &mut self,
        right: &mut Self,
        work: impl FnOnce(Tensor<2>, Tensor<2>) -> Result<T, LearnError>,
    ) -> Result<T, LearnError> {
        let (left_tensor, right_tensor) = (self.take(), right.take());
        let result = work(left_tensor.clone(), right_tensor.clone());
        self.values = values(left_tensor)?;
        right.values = values(right_tensor)?;
        result
    }

    fn take(&mut self) -> Tensor<2> {
        let shape = [self.rows(), self.columns];
        Tensor::from_data(TensorData::new(std::mem::take(&mut self.values), shape), &Device::flex())
    }
}

/// The values of a tensor: its own memory, if nobody shares it.
fn values(tensor: Tensor<2>) -> Result<Vec<f32>, LearnError> {
    tensor.try_into_vec_as::<f32>().map_err(|error| LearnError::Backend(error.to_string()))
}
