//! MNIST's IDX files: a header that is checked at once, then one item after the other.

use std::path::Path;

use super::{DataError, Reader, SAMPLES_MAX, Schema, Subset, stream::Stream};

/// Unsigned bytes along one axis.
const LABELS_MAGIC: u32 = 0x0801;
/// Unsigned bytes along three axes.
const IMAGES_MAGIC: u32 = 0x0803;

/// The file that shows that a folder holds such data.
pub(super) const FIRST_FILE: &str = "train-images-idx3-ubyte";

fn images_file(subset: Subset) -> &'static str {
    match subset {
        Subset::Train => FIRST_FILE,
        Subset::Test => "t10k-images-idx3-ubyte",
    }
}

fn labels_file(subset: Subset) -> &'static str {
    match subset {
        Subset::Train => "train-labels-idx1-ubyte",
        Subset::Test => "t10k-labels-idx1-ubyte",
    }
}

/// All labels, each below `classes`.
pub(super) fn labels(folder: &Path, subset: Subset, schema: Schema) -> Result<Vec<u8>, DataError> {
    let mut file = Items::open(folder, labels_file(subset))?;
    file.check_magic("labels", LABELS_MAGIC)?;
    let count = file.count()?;
    file.promised += count;
    let mut labels = vec![0; count];
    file.read(&mut labels)?;
    let path = file.stream.path().to_owned();
    match labels.iter().position(|&label| usize::from(label) >= schema.classes()) {
        Some(index) => {
            Err(DataError::Label { path, record: index + 1, label: labels[index], top: schema.classes() - 1 })
        }
        None if labels.is_empty() => Err(DataError::Empty { path }),
        None => Ok(labels),
    }
}

/// Images with their labels. The labels are few bytes and read at once; the images come one by one.
pub(super) struct IdxReader {
    images: Items,
    labels: std::vec::IntoIter<u8>,
}

impl IdxReader {
    pub(super) fn open(folder: &Path, subset: Subset, schema: Schema) -> Result<Self, DataError> {
        let labels = labels(folder, subset, schema)?;
        let mut images = Items::open(folder, images_file(subset))?;
        images.check_magic("images", IMAGES_MAGIC)?;
        let count = images.count()?;
        let (rows, columns) = (images.number()? as usize, images.number()? as usize);
        if schema.shape() != [1, rows, columns] {
            let path = images.stream.path().to_owned();
            return Err(DataError::Unfit { path, found: format!("images of {rows} x {columns}"), schema });
        }
        if count != labels.len() {
            let folder = folder.to_owned();
            return Err(DataError::Mismatch { folder, subset, images: count, labels: labels.len() });
        }
        images.promised += count * rows * columns;
        Ok(Self { images, labels: labels.into_iter() })
    }
}

impl Reader for IdxReader {
    type Value = u8;

    fn next(&mut self, example: &mut [u8]) -> Result<Option<u8>, DataError> {
        let Some(label) = self.labels.next() else { return Ok(None) };
        self.images.read(example)?;
        Ok(Some(label))
    }
}

/// The items of one file.
struct Items {
    stream: Stream,
    /// Bytes that the file must have by what has been read of its header.
    promised: usize,
    /// Bytes read so far.
    found: usize,
}

impl Items {
    fn open(folder: &Path, file: &str) -> Result<Self, DataError> {
        Ok(Self { stream: Stream::open(folder, file)?, promised: 0, found: 0 })
    }

    /// Fills `items` with the next bytes.
    fn read(&mut self, items: &mut [u8]) -> Result<(), DataError> {
        let filled = self.stream.fill(items)?;
        self.found += filled;
        if filled == items.len() {
            return Ok(());
        }
        let path = self.stream.path().to_owned();
        Err(DataError::Truncated { path, promised: self.promised, found: self.found })
    }

    fn check_magic(&mut self, kind: &'static str, expected: u32) -> Result<(), DataError> {
        let got = self.number()?;
        if got == expected {
            return Ok(());
        }
        Err(DataError::Magic { path: self.stream.path().to_owned(), kind, expected, got })
    }

    fn count(&mut self) -> Result<usize, DataError> {
        let claimed = self.number()? as usize;
        if claimed > SAMPLES_MAX {
            return Err(DataError::TooMany { path: self.stream.path().to_owned(), claimed });
        }
        Ok(claimed)
    }

    /// The next big-endian number of the header.
    fn number(&mut self) -> Result<u32, DataError> {
        let mut bytes = [0; 4];
        self.promised += bytes.len();
        self.read(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }
}
