//! MNIST from its four IDX files, gzip or plain, and only the samples that a node wants.
//!
//! A node must stay small, so images are streamed through the decompressor and kept as bytes: a member with 7,500 of
//! the 60,000 samples holds 5.9 MB.

mod idx;

use std::path::{Path, PathBuf};

use self::idx::IdxReader;

/// Rows, and columns, of an image.
pub const SIDE: usize = 28;
/// Bytes of an image.
pub const PIXELS: usize = SIDE * SIDE;
/// Labels are below this.
pub const CLASSES: usize = 10;
/// Samples that a file may claim to have: 64 times what MNIST has.
const SAMPLES_MAX: usize = 64 * 60_000;

/// One half of MNIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// 60,000 samples, divided among the members.
    Train,
    /// 10,000 samples, for the figures that people read.
    Test,
}

impl Subset {
    fn images_file(self) -> &'static str {
        match self {
            Self::Train => "train-images-idx3-ubyte",
            Self::Test => "t10k-images-idx3-ubyte",
        }
    }

    fn labels_file(self) -> &'static str {
        match self {
            Self::Train => "train-labels-idx1-ubyte",
            Self::Test => "t10k-labels-idx1-ubyte",
        }
    }
}

/// What is wrong with the data, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Neither the gzip nor the plain file is there.
    #[error("no {file}.gz (nor {file}) in {folder}: put the four MNIST files there, or name their folder in the configuration",
            folder = .folder.display())]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
        /// The plain file's name.
        file: &'static str,
    },
    /// The operating system refused.
    #[error("{path}: {error}; check the file's permissions and the disk", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// Its gzip layer is damaged.
    #[error("{path} is damaged ({reason}): replace it by a fresh copy", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decompressor said.
        reason: String,
    },
    /// It ends early.
    #[error("{path} ends after {found} of {promised} bytes: replace it by a fresh copy", path = .path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that it must have by its header, unpacked.
        promised: usize,
        /// Bytes that it has, unpacked.
        found: usize,
    },
    /// It does not begin as an IDX file of this kind.
    #[error("{path} begins with {got:#010x}, an IDX file of {kind} with {expected:#010x}: is it another file renamed?",
            path = .path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// `labels` or `images`.
        kind: &'static str,
        /// First four bytes of such a file.
        expected: u32,
        /// First four bytes found.
        got: u32,
    },
    /// Its images have another size.
    #[error("{path} holds images of {rows} x {columns}, the models take {SIDE} x {SIDE}: use the MNIST files",
            path = .path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Rows of an image.
        rows: usize,
        /// Columns of an image.
        columns: usize,
    },
    /// Its header claims an absurd number of samples.
    #[error("{path} claims {claimed} samples, at most {SAMPLES_MAX} are allowed: replace it by a fresh copy",
            path = .path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// Samples claimed.
        claimed: usize,
    },
    /// Images and labels are not of one set.
    #[error("{folder}: {images} images but {labels} labels in the {subset:?} files: take both from one source",
            folder = .folder.display())]
    Mismatch {
        /// The folder of both files.
        folder: PathBuf,
        /// Which two files.
        subset: Subset,
        /// Images there.
        images: usize,
        /// Labels there.
        labels: usize,
    },
    /// A label is not a class.
    #[error("{path}: label {index} is {label}, and classes go from 0 to 9: replace the file by a fresh copy",
            path = .path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// Which sample.
        index: usize,
        /// Its label.
        label: u8,
    },
    /// Samples put together in memory do not fit together.
    #[error("a data set needs {PIXELS} bytes and a label from 0 to 9 for each image")]
    Inconsistent,
    /// A partition of other data is being applied.
    #[error("sample {index} is wanted, and {folder} has {samples} in its {subset:?} files: does the partition belong to this data?",
            folder = .folder.display())]
    NoSuchSample {
        /// The folder of the files.
        folder: PathBuf,
        /// Which two files.
        subset: Subset,
        /// The sample wanted.
        index: u32,
        /// Samples there.
        samples: usize,
    },
}

/// Labelled images in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dataset {
    images: Vec<u8>,
    labels: Vec<u8>,
}

impl Dataset {
    /// A data set of `images`, each [`PIXELS`] bytes row by row with 0 for black, and a label below [`CLASSES`] for each.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] if the two do not match or a label is no class.
    pub fn new(images: Vec<u8>, labels: Vec<u8>) -> Result<Self, DataError> {
        let is_consistent =
            images.len() == labels.len() * PIXELS && labels.iter().all(|&label| usize::from(label) < CLASSES);
        if is_consistent { Ok(Self { images, labels }) } else { Err(DataError::Inconsistent) }
    }

    /// The samples numbered `wanted`, copied in that order, or `None` if one of them is not there.
    pub fn select(&self, wanted: &[u32]) -> Option<Self> {
        let mut selected = Self::default();
        for &sample in wanted {
            selected.labels.push(*self.labels.get(sample as usize)?);
            selected.images.extend_from_slice(self.image(sample as usize));
        }
        Some(selected)
    }

    /// The bytes of image `sample`, row by row. There must be one of this number.
    pub(super) fn image(&self, sample: usize) -> &[u8] {
        &self.images[sample * PIXELS..][..PIXELS]
    }

    /// The label of every image.
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
}

/// The labels alone: what a partition is made from.
///
/// # Errors
/// [`DataError`] if the file is missing or malformed.
pub fn labels(folder: &Path, subset: Subset) -> Result<Vec<u8>, DataError> {
    let (mut reader, count) = IdxReader::labels(folder, subset.labels_file())?;
    let mut labels = vec![0; count];
    reader.read(&mut labels)?;
    match labels.iter().position(|&label| usize::from(label) >= CLASSES) {
        Some(index) => Err(DataError::Label { path: reader.into_path(), index, label: labels[index] }),
        None => Ok(labels),
    }
}

/// The samples numbered `wanted`, in that order. An image file is read up to the last of them.
///
/// # Errors
/// [`DataError`] if a file is missing or malformed, the two do not match, or a sample is not there.
pub fn load(folder: &Path, subset: Subset, wanted: &[u32]) -> Result<Dataset, DataError> {
    let all_labels = labels(folder, subset)?;
    let (mut reader, samples) = IdxReader::images(folder, subset.images_file())?;
    if samples != all_labels.len() {
        let folder = folder.to_owned();
        return Err(DataError::Mismatch { folder, subset, images: samples, labels: all_labels.len() });
    }
    if let Some(&index) = wanted.iter().find(|&&index| index as usize >= samples) {
        return Err(DataError::NoSuchSample { folder: folder.to_owned(), subset, index, samples });
    }
    let images = read_images(&mut reader, wanted)?;
    let labels = wanted.iter().map(|&index| all_labels[index as usize]).collect();
    Dataset::new(images, labels)
}

/// All samples of a subset, in file order.
///
/// # Errors
/// As [`load`].
pub fn load_all(folder: &Path, subset: Subset) -> Result<Dataset, DataError> {
    let samples = labels(folder, subset)?.len() as u32;
    load(folder, subset, &(0..samples).collect::<Vec<_>>())
}

/// Visits the wanted images in file order, so that one pass through the stream is enough, and puts each in its place.
fn read_images(reader: &mut IdxReader, wanted: &[u32]) -> Result<Vec<u8>, DataError> {
    let mut images = vec![0; wanted.len() * PIXELS];
    let mut in_file_order: Vec<usize> = (0..wanted.len()).collect();
    in_file_order.sort_unstable_by_key(|&place| wanted[place]);
    let mut image = [0; PIXELS];
    let mut images_read = 0;
    for place in in_file_order {
        let index = wanted[place] as usize;
        while images_read <= index {
            reader.read(&mut image)?;
            images_read += 1;
        }
        images[place * PIXELS..][..PIXELS].copy_from_slice(&image);
    }
    Ok(images)
}

#[cfg(test)]
mod tests;
