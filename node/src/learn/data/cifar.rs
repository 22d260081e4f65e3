//! The binary files of CIFAR-10 and CIFAR-100: records of a label, or two, and 32 x 32 bytes of each colour.

use std::path::{Path, PathBuf};

use super::{DataError, Reader, SAMPLES_MAX, Schema, Subset, stream::Stream};

/// The files that show that a folder holds such data, and of which schema.
pub(super) const FIRST_FILES: [(&str, Schema); 2] =
    [("data_batch_1.bin", Schema::Cifar10), ("train.bin", Schema::Cifar100)];

fn files(schema: Schema, subset: Subset) -> &'static [&'static str] {
    match (schema, subset) {
        (Schema::Cifar100, Subset::Train) => &["train.bin"],
        (Schema::Cifar100, Subset::Test) => &["test.bin"],
        (_, Subset::Train) => {
            &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"]
        }
        (_, Subset::Test) => &["test_batch.bin"],
    }
}

/// The records of all files of a subset.
pub(super) struct CifarReader {
    folder: PathBuf,
    schema: Schema,
    /// Files that come after this one.
    rest: std::slice::Iter<'static, &'static str>,
    file: Option<Stream>,
    /// Records read of this file, and of those before it.
    here: usize,
    before: usize,
}

impl CifarReader {
    pub(super) fn open(folder: &Path, subset: Subset, schema: Schema) -> Result<Self, DataError> {
        let mut reader = Self {
            folder: folder.to_owned(),
            schema,
            rest: files(schema, subset).iter(),
            file: None,
            here: 0,
            before: 0,
        };
        reader.turn()?;
        Ok(reader)
    }

    /// Goes on to the next file, if there is one.
    fn turn(&mut self) -> Result<(), DataError> {
        self.before += self.here;
        self.here = 0;
        self.file = self.rest.next().map(|file| Stream::open(&self.folder, file)).transpose()?;
        Ok(())
    }

    /// CIFAR-100 has two labels: the coarse one comes first and is left out.
    fn label_bytes(&self) -> usize {
        if self.schema == Schema::Cifar100 { 2 } else { 1 }
    }
}

impl Reader for CifarReader {
    type Value = u8;

    fn next(&mut self, example: &mut [u8]) -> Result<Option<u8>, DataError> {
        let (label_bytes, schema) = (self.label_bytes(), self.schema);
        while let Some(file) = &mut self.file {
            let mut labels = [0; 2];
            let labels = &mut labels[..label_bytes];
            let found = file.fill(labels)? + file.fill(example)?;
            let (whole, record) = (label_bytes + example.len(), self.here + 1);
            let path = || file.path().to_owned();
            match found {
                0 if self.here == 0 => return Err(DataError::Empty { path: path() }),
                0 => self.turn()?,
                _ if found < whole => return Err(DataError::CutRecord { path: path(), record, found, whole, schema }),
                _ if self.before + record > SAMPLES_MAX => {
                    return Err(DataError::TooMany { path: path(), claimed: self.before + record });
                }
                _ => {
                    let label = labels[label_bytes - 1];
                    if usize::from(label) >= schema.classes() {
                        return Err(DataError::Label { path: path(), record, label, top: schema.classes() - 1 });
                    }
                    self.here = record;
                    return Ok(Some(label));
                }
            }
        }
        Ok(None)
    }
}
