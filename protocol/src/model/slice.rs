//! Which parameters of the model a slice holds.

use std::ops::Range;

use super::{Manifest, Width, volume};

/// The parameters of a slice, by their places in the whole model.
///
/// A slice's own vector holds them in the same order: its tensors one after the other, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Disjoint and rising; no two touch.
    runs: Vec<Range<usize>>,
    len: usize,
    whole: usize,
}

impl Slice {
    pub(super) fn of(manifest: &Manifest, width: Width) -> Self {
        let mut slice = Self { runs: Vec::new(), len: 0, whole: 0 };
        for tensor in &manifest.tensors {
            if let (Some(full), Some(narrow)) = (tensor.shapes.first(), tensor.shapes.get(width.place())) {
                slice.add_box(full, narrow);
            }
        }
        slice
    }

    /// Adds the leading box `narrow` of the next tensor, whose shape is `full`.
    fn add_box(&mut self, full: &[u32], narrow: &[u32]) {
        // Everything behind the last axis that is cut stands together.
        let cut = full.iter().zip(narrow).rposition(|(full, narrow)| full != narrow).unwrap_or(0);
        let (outer, inner) = (&full[..cut], volume(&full[cut + 1..]) as usize);
        let (stride, run) = (full[cut] as usize * inner, narrow[cut] as usize * inner);
        let mut index = vec![0_u32; cut];
        loop {
            let row = index.iter().zip(outer).fold(0_usize, |row, (i, extent)| row * *extent as usize + *i as usize);
            self.add_run(self.whole + row * stride, run);
            if !advance(&mut index, &narrow[..cut]) {
                break;
            }
        }
        self.whole += volume(full) as usize;
    }

    fn add_run(&mut self, start: usize, len: usize) {
        self.len += len;
        match self.runs.last_mut() {
            Some(last) if last.end == start => last.end += len,
            _ => self.runs.push(start..start + len),
        }
    }

    /// Parameters in the slice.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no parameter at all.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it is the whole model.
    pub const fn is_whole(&self) -> bool {
        self.len == self.whole
    }

    /// Parameters in the whole model.
    pub const fn whole(&self) -> usize {
        self.whole
    }

    /// The places that it holds: disjoint runs, in rising order.
    pub fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    /// The slice of `model`; of a vector that is too short, what there is.
    pub fn gather<T: Copy>(&self, model: &[T]) -> Vec<T> {
        let mut held = Vec::with_capacity(self.len);
        for run in &self.runs {
            held.extend_from_slice(model.get(run.clone()).unwrap_or_default());
        }
        held
    }

    /// Writes `held`, the slice's own vector, into its places in `model`. What does not fit is left out.
    pub fn scatter<T: Copy>(&self, held: &[T], model: &mut [T]) {
        let mut rest = held;
        for run in &self.runs {
            let (now, later) = rest.split_at(run.len().min(rest.len()));
            for (place, value) in model.get_mut(run.clone()).unwrap_or_default().iter_mut().zip(now) {
                *place = *value;
            }
            rest = later;
        }
    }
}

/// The next index of a box of these extents, in row-major order. `false` after the last one.
fn advance(index: &mut [u32], extents: &[u32]) -> bool {
    for (place, extent) in index.iter_mut().zip(extents).rev() {
        *place += 1;
        if *place < *extent {
            return true;
        }
        *place = 0;
    }
    false
}
