//! A member's examples: from IDX, CIFAR or CSV files, and only those that a node wants.
//!
//! A node must stay small, so examples are streamed, through a decompressor if need be, and pixels are kept as bytes: a
//! member with 7,500 of MNIST's 60,000 samples holds 5.9 MB. What the files hold is checked against the [`Schema`] that
//! the federation agreed on, and every fault is named with its file and its record or line.

mod cifar;
mod csv;
mod error;
mod idx;
mod schema;
mod source;
mod stream;

use std::path::Path;

use althing_protocol::ids::Hash;

pub use self::{
    csv::{CellFault, CsvFault},
    error::DataError,
    schema::{CLASSES_MAX, FEATURES_MAX, Scale, Schema, SchemaError},
    source::{Format, Source},
};

/// Rows, and columns, of an image of MNIST.
pub const SIDE: usize = 28;
/// Bytes of an image of MNIST.
pub const PIXELS: usize = SIDE * SIDE;
/// Labels of MNIST are below this.
pub const CLASSES: usize = 10;
/// Samples that a data set may have: 64 times what MNIST has.
const SAMPLES_MAX: usize = 64 * 60_000;

/// One half of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// What is divided among the members; 60,000 samples of MNIST.
    Train,
    /// For the figures that people read; 10,000 samples of MNIST.
    Test,
}

/// Labelled examples in the order of their files.
trait Reader {
    /// What an example is made of.
    type Value: Copy + Default;

    /// Reads the next example and returns its label, or `None` after the last one.
    fn next(&mut self, example: &mut [Self::Value]) -> Result<Option<u8>, DataError>;
}

/// The numbers of examples, one example after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Pixels: of each image its channels, row by row.
    Bytes(Vec<u8>),
    /// Features.
    Numbers(Vec<f32>),
}

impl From<Vec<u8>> for Values {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<f32>> for Values {
    fn from(numbers: Vec<f32>) -> Self {
        Self::Numbers(numbers)
    }
}

impl Default for Values {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

/// Labelled examples in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    schema: Schema,
    values: Values,
    labels: Vec<u8>,
    /// What a network reads for each byte of a channel; empty where numbers are read as they are.
    brightness: Vec<[f32; 256]>,
}

impl Dataset {
    /// A data set of MNIST's `images`, each [`PIXELS`] bytes row by row with 0 for black, and a label below [`CLASSES`]
    /// for each.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] if the two do not match or a label is no class.
    pub fn new(images: Vec<u8>, labels: Vec<u8>) -> Result<Self, DataError> {
        Self::of(Schema::Mnist, images.into(), labels)
    }

    /// A data set of any schema.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] if there are not as many values, of the right kind, as the labels need, or a label is
    /// no class.
    pub fn of(schema: Schema, values: Values, labels: Vec<u8>) -> Result<Self, DataError> {
        let scales = schema.scales();
        let count = match &values {
            Values::Bytes(bytes) => (!scales.is_empty()).then_some(bytes.len()),
            Values::Numbers(numbers) => scales.is_empty().then_some(numbers.len()),
        };
        let (inputs, classes) = (schema.inputs(), schema.classes());
        let is_consistent =
            count == Some(labels.len() * inputs) && labels.iter().all(|&label| usize::from(label) < classes);
        if !is_consistent {
            return Err(DataError::Inconsistent { inputs, top: classes - 1 });
        }
        let table = |scale: &Scale| {
            std::array::from_fn(|byte| (byte as f32 / f32::from(u8::MAX) - scale.mean) / scale.deviation)
        };
        Ok(Self { schema, values, labels, brightness: scales.iter().map(table).collect() })
    }

    /// What its examples look like.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// The samples numbered `wanted`, copied in that order, or `None` if one of them is not there.
    pub fn select(&self, wanted: &[u32]) -> Option<Self> {
        let labels = wanted.iter().map(|&sample| self.labels.get(sample as usize).copied()).collect::<Option<_>>()?;
        let inputs = self.schema.inputs();
        let values = match &self.values {
            Values::Bytes(bytes) => select(bytes, inputs, wanted).into(),
            Values::Numbers(numbers) => select(numbers, inputs, wanted).into(),
        };
        Some(Self { values, labels, ..self.bare() })
    }

    /// Splits off the samples from the one numbered `at`. There must be so many.
    pub fn split_off(&mut self, at: usize) -> Self {
        let inputs = self.schema.inputs();
        let values = match &mut self.values {
            Values::Bytes(bytes) => bytes.split_off(at * inputs).into(),
            Values::Numbers(numbers) => numbers.split_off(at * inputs).into(),
        };
        Self { values, labels: self.labels.split_off(at), ..self.bare() }
    }

    /// The samples numbered `batch` as a network reads them, one after the other. There must be such samples.
    pub fn inputs(&self, batch: &[usize]) -> Vec<f32> {
        let inputs = self.schema.inputs();
        let mut read = Vec::with_capacity(batch.len() * inputs);
        for sample in batch.iter().map(|sample| sample * inputs..(sample + 1) * inputs) {
            match &self.values {
                Values::Numbers(numbers) => read.extend_from_slice(&numbers[sample]),
                Values::Bytes(bytes) => {
                    let channels = bytes[sample].chunks_exact(inputs / self.brightness.len().max(1));
                    for (channel, brightness) in channels.zip(&self.brightness) {
                        read.extend(channel.iter().map(|&byte| brightness[usize::from(byte)]));
                    }
                }
            }
        }
        read
    }

    /// The same samples under other labels.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] if a new label is no class.
    pub fn relabelled(self, label: impl Fn(u8) -> u8) -> Result<Self, DataError> {
        let labels = self.labels.iter().map(|&old| label(old)).collect();
        Self::of(self.schema, self.values, labels)
    }

    /// The label of every sample.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Samples in it.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample at all.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The same for the same samples in any order, and for no others.
    pub fn fingerprint(&self) -> Hash {
        let inputs = self.schema.inputs();
        let sample = |sample: usize| {
            let values = sample * inputs..(sample + 1) * inputs;
            let label = &self.labels[sample..=sample];
            match &self.values {
                Values::Bytes(bytes) => Hash::derive("althing 1 sample", &[&bytes[values], label]),
                Values::Numbers(numbers) => {
                    let bytes: Vec<u8> = numbers[values].iter().flat_map(|number| number.to_le_bytes()).collect();
                    Hash::derive("althing 1 sample", &[&bytes, label])
                }
            }
        };
        let mut samples: Vec<Hash> = (0..self.len()).map(sample).collect();
        samples.sort_unstable();
        let parts: Vec<&[u8]> = samples.iter().map(|hash| &hash.as_bytes()[..]).collect();
        Hash::derive("althing 1 data set", &parts)
    }

    /// A data set of this schema without a sample.
    fn bare(&self) -> Self {
        let brightness = self.brightness.clone();
        Self { schema: self.schema, values: Values::default(), labels: Vec::new(), brightness }
    }
}

fn select<T: Copy>(values: &[T], inputs: usize, wanted: &[u32]) -> Vec<T> {
    let samples = wanted.iter().map(|&sample| &values[sample as usize * inputs..][..inputs]);
    samples.flatten().copied().collect()
}

/// The labels alone of the MNIST files in `folder`.
///
/// # Errors
/// [`DataError`] if the file is missing or malformed.
pub fn labels(folder: &Path, subset: Subset) -> Result<Vec<u8>, DataError> {
    Source::mnist(folder).labels(subset)
}

/// The samples numbered `wanted` of the MNIST files in `folder`, in that order.
///
/// # Errors
/// [`DataError`] if a file is missing or malformed, the two do not match, or a sample is not there.
pub fn load(folder: &Path, subset: Subset, wanted: &[u32]) -> Result<Dataset, DataError> {
    Source::mnist(folder).load(subset, wanted)
}

/// All samples of a subset of the MNIST files in `folder`, in file order.
///
/// # Errors
/// As [`load`].
pub fn load_all(folder: &Path, subset: Subset) -> Result<Dataset, DataError> {
    Source::mnist(folder).load_all(subset)
}

#[cfg(test)]
mod tests;
