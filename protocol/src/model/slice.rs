//! Which parameters of the model a slice holds.

use std::{collections::BTreeMap, ops::Range};

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

/// A part of a model whose every coordinate is held by the same slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The numbers of the slices that hold it, rising.
    pub holders: Vec<usize>,
    /// Its coordinates.
    pub slice: Slice,
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

    /// Disjoint runs, in rising order, of a model of `whole` parameters.
    fn of_runs(runs: impl IntoIterator<Item = Range<usize>>, whole: usize) -> Self {
        let mut slice = Self { runs: Vec::new(), len: 0, whole };
        for run in runs {
            slice.add_run(run.start, run.len());
        }
        slice
    }

    /// The parts into which `slices` of one model divide it. What none of them holds is in no part.
    pub fn parts(slices: &[&Self]) -> Vec<Part> {
        let runs = || slices.iter().flat_map(|slice| &slice.runs);
        let mut bounds: Vec<usize> = runs().flat_map(|run| [run.start, run.end]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let mut rest: Vec<&[Range<usize>]> = slices.iter().map(|slice| slice.runs.as_slice()).collect();
        let mut parts = BTreeMap::<Vec<usize>, Vec<Range<usize>>>::new();
        for pair in bounds.windows(2) {
            let &[start, end] = pair else { continue };
            let holders = rest.iter_mut().enumerate().filter_map(|(number, runs)| {
                while let [first, later @ ..] = *runs
                    && first.end <= start
                {
                    *runs = later;
                }
                runs.first().is_some_and(|run| run.start <= start).then_some(number)
            });
            parts.entry(holders.collect()).or_default().push(start..end);
        }
        parts.remove(&Vec::new());
        let whole = slices.first().map_or(0, |slice| slice.whole);
        parts.into_iter().map(|(holders, runs)| Part { holders, slice: Self::of_runs(runs, whole) }).collect()
    }

    /// Where the coordinates of `part` stand in this slice's own vector. Those that it does not hold are left out.
    pub fn own_places(&self, part: &Self) -> Self {
        let mut own = Vec::with_capacity(part.runs.len());
        let (mut held, mut start) = (self.runs.iter(), 0);
        let mut current = held.next();
        for wanted in &part.runs {
            while let Some(run) = current
                && run.start < wanted.end
            {
                let (from, until) = (run.start.max(wanted.start), run.end.min(wanted.end));
                if from < until {
                    own.push(start + from - run.start..start + until - run.start);
                }
                if run.end > wanted.end {
                    break;
                }
                start += run.len();
                current = held.next();
            }
        }
        Self::of_runs(own, self.len)
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
