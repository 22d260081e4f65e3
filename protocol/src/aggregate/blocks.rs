//! Updates, a block of coordinates at a time: what a rule needs beside its inputs stays in the processor's cache.

use super::{WIDTH, Weighted, mean};

/// Coordinates in a block. No result depends on it.
pub(super) const BLOCK: usize = 512;

/// A block of one update. Behind the last coordinate there are zeros.
pub(super) type Row = [f32; BLOCK];

/// A row of zeros.
pub(super) const ZEROS: Row = [0.0; BLOCK];

/// The updates as a rule sees them: at least one, all of one length, shortened, mixed or not.
pub(super) struct Updates<'a> {
    bytes: Vec<&'a [u8]>,
    shortened: Option<Shortened<'a>>,
    /// For each update, in order, the places of those whose mean takes its place; empty when nothing is mixed.
    circles: Vec<Vec<usize>>,
}

/// How much of each update's step counts.
pub(super) struct Shortened<'a> {
    /// Where all steps begin, as long as the updates.
    pub(super) base: &'a [u8],
    /// For each update, in order, from 0 to 1.
    pub(super) shares: Vec<f64>,
}

impl Shortened<'_> {
    fn apply(&self, block: usize, rows: &mut [Row]) {
        let mut base = ZEROS;
        load(block, self.base, &mut base);
        for (row, share) in rows.iter_mut().zip(&self.shares).filter(|(_, share)| **share < 1.0) {
            for (value, base) in row.iter_mut().zip(&base) {
                let start = f64::from(*base);
                *value = (start + share * (f64::from(*value) - start)) as f32;
            }
        }
    }
}

impl<'a> Updates<'a> {
    /// `None` for no update, for lengths that differ, and for a length that is not whole parameters.
    pub(super) fn new(updates: &[Weighted<'a>]) -> Option<Self> {
        let length = updates.first()?.bytes.len();
        if updates.iter().any(|update| update.bytes.len() != length) || !length.is_multiple_of(WIDTH) {
            return None;
        }
        let bytes = updates.iter().map(|update| update.bytes).collect();
        Some(Self { bytes, shortened: None, circles: Vec::new() })
    }

    /// The same updates, of whose steps only these shares count, rounded as if their makers had sent that.
    pub(super) fn shortened(self, shortened: Shortened<'a>) -> Self {
        Self { shortened: Some(shortened), ..self }
    }

    /// The same updates, each replaced by the mean of its circle, rounded as if its maker had sent that.
    pub(super) fn mixed(self, circles: Vec<Vec<usize>>) -> Self {
        Self { circles, ..self }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of each.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.first().map_or(0, |bytes| bytes.len())
    }

    /// Shows every block to `work`: its number, and a row of each update in order.
    pub(super) fn for_each_block(&self, mut work: impl FnMut(usize, &[Row])) {
        let mut rows = vec![ZEROS; self.count()];
        let mut mixed = vec![ZEROS; self.circles.len()];
        for block in 0..self.bytes().div_ceil(BLOCK * WIDTH) {
            for (row, bytes) in rows.iter_mut().zip(&self.bytes) {
                load(block, bytes, row);
            }
            if let Some(shortened) = &self.shortened {
                shortened.apply(block, &mut rows);
            }
            for (row, circle) in mixed.iter_mut().zip(&self.circles) {
                mean::of(circle.iter().filter_map(|place| rows.get(*place)).map(|row| (1.0, row)), row);
            }
            work(block, if mixed.is_empty() { &rows } else { &mixed });
        }
    }

    /// The model whose every block `work` makes of the rows of that block.
    pub(super) fn combine(&self, mut work: impl FnMut(&[Row], &mut Row)) -> Vec<u8> {
        let mut model = vec![0; self.bytes()];
        let mut made = ZEROS;
        self.for_each_block(|block, rows| {
            work(rows, &mut made);
            store(block, &made, &mut model);
        });
        model
    }
}

/// Reads block number `block` of `bytes`.
pub(super) fn load(block: usize, bytes: &[u8], row: &mut Row) {
    let (parameters, _) = bytes.as_chunks::<WIDTH>();
    let parameters = parameters.get(block * BLOCK..).unwrap_or_default();
    if parameters.len() < BLOCK {
        *row = ZEROS;
    }
    for (value, parameter) in row.iter_mut().zip(parameters) {
        *value = f32::from_le_bytes(*parameter);
    }
}

/// Writes block number `block` of `bytes`.
pub(super) fn store(block: usize, row: &Row, bytes: &mut [u8]) {
    let (parameters, _) = bytes.as_chunks_mut::<WIDTH>();
    for (parameter, value) in parameters.get_mut(block * BLOCK..).unwrap_or_default().iter_mut().zip(row) {
        *parameter = value.to_le_bytes();
    }
}
