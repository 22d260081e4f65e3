//! Sums of rows of a matrix: the inner loop of a convolution's backward pass.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Vectors that are summed side by side, so that the processor need not wait for each addition.
const WIDE: usize = 8;
/// As many as fit where [`WIDE`] do not.
const NARROW: usize = 4;

/// A row, and what it is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Term {
    pub(super) row: u32,
    pub(super) factor: f32,
}

/// One sum of rows: its terms, where it begins in each row, and where it is added.
pub(super) struct Sum {
    pub(super) terms: Range<usize>,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// A matrix of which sums of rows are wanted, `len` values of each.
pub(super) struct Rows<'a> {
    pub(super) values: &'a [f32],
    /// Values from the start of one row to the start of the next.
    pub(super) pitch: usize,
    pub(super) len: usize,
}

impl Rows<'_> {
    /// Adds each of the sums to its place in `target`, with the widest instructions that this machine has.
    pub(super) fn add(&self, sums: impl Iterator<Item = Sum>, terms: &[Term], target: &mut [f32]) {
        let work = Add { rows: self, sums, terms, target };
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Simd::vectorize(simd, work);
        }
        Arch::new().dispatch(work);
    }
}

struct Add<'a, I> {
    rows: &'a Rows<'a>,
    sums: I,
    terms: &'a [Term],
    target: &'a mut [f32],
}

impl<I: Iterator<Item = Sum>> WithSimd for Add<'_, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, sums, terms, target } = self;
        for Sum { terms: range, from, to } in sums {
            let (target, terms) = (&mut target[to..to + rows.len], &terms[range]);
            let (vectors, tail) = S::as_mut_simd_f32s(target);
            let tail_start = from + vectors.len() * S::F32_LANES;
            let (wide, rest) = vectors.as_chunks_mut::<WIDE>();
            let (narrow, single) = rest.as_chunks_mut::<NARROW>();
            let (single, _) = single.as_chunks_mut::<1>();
            let mut start = from;
            start = add_blocks(simd, rows, wide, terms, start);
            start = add_blocks(simd, rows, narrow, terms, start);
            add_blocks(simd, rows, single, terms, start);
            if !tail.is_empty() {
                let mut sum = simd.partial_load_f32s(tail);
                for term in terms {
                    let row = &rows.values[term.row as usize * rows.pitch + tail_start..][..tail.len()];
                    sum = simd.mul_add_f32s(simd.splat_f32s(term.factor), simd.partial_load_f32s(row), sum);
                }
                simd.partial_store_f32s(tail, sum);
            }
        }
    }
}

/// Adds the part of a sum that fills blocks of `N` vectors, and returns where in the rows the next part begins.
#[inline(always)]
fn add_blocks<S: Simd, const N: usize>(
    simd: S,
    rows: &Rows<'_>,
    blocks: &mut [[S::f32s; N]],
    terms: &[Term],
    mut start: usize,
) -> usize {
    let len = N * S::F32_LANES;
    for block in blocks {
        let mut sums = *block;
        for term in terms {
            let row = &rows.values[term.row as usize * rows.pitch + start..][..len];
            let (row, _) = S::as_simd_f32s(row).0.as_chunks::<N>();
            let factor = simd.splat_f32s(term.factor);
            for row in row {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum = simd.mul_add_f32s(factor, *value, *sum);
                }
            }
        }
        *block = sums;
        start += len;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length up to some vectors of every kind, against a plain loop in double precision.
    #[test]
    fn sums_of_rows_are_those_of_a_plain_loop() {
        const PITCH: usize = 300;
        let values: Vec<f32> = (0..5 * PITCH).map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let terms: Vec<Term> =
            (0..7).map(|index| Term { row: index * 3 % 5, factor: index as f32 * 0.3 - 0.8 }).collect();
        for len in 1..260 {
            let sums = [Sum { terms: 0..7, from: 11, to: 0 }, Sum { terms: 2..4, from: 0, to: 7 }];
            let mut expected = vec![1.0_f64; len + 7];
            for Sum { terms: range, from, to } in &sums {
                for term in &terms[range.clone()] {
                    let row = &values[term.row as usize * PITCH + from..][..len];
                    let target = expected[*to..].iter_mut().zip(row);
                    target.for_each(|(sum, value)| *sum += f64::from(term.factor) * f64::from(*value));
                }
            }
            let mut target = vec![1.0; len + 7];
            Rows { values: &values, pitch: PITCH, len }.add(sums.into_iter(), &terms, &mut target);
            for (got, expected) in target.iter().zip(&expected) {
                assert!((f64::from(*got) - expected).abs() < 1e-5, "{len}: {got}, not {expected}");
            }
        }
    }
}
