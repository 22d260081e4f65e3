//! Where a member's data lies and in which files, found before anything is read of it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    DataError, Dataset, Reader, Schema, Subset, Values,
    cifar::{self, CifarReader},
    csv::CsvReader,
    idx::{self, IdxReader},
};
use crate::config;

/// How data lies in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The four files of MNIST.
    Idx,
    /// The binary files of CIFAR-10 or CIFAR-100.
    Cifar,
    /// `train.csv` and `test.csv`, or one file for training.
    Csv,
}

/// A data set on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    schema: Schema,
    /// The folder, or the one CSV file.
    path: PathBuf,
    /// Name of the column of labels, for CSV.
    label: Option<String>,
}

impl Source {
    /// The data set that `config` names, once it is known to be of `schema`.
    ///
    /// # Errors
    /// [`DataError`] if there is none, or one of another schema.
    pub fn find(config: &config::Data, schema: Schema) -> Result<Self, DataError> {
        let source = Self { schema, path: config.path.clone(), label: config.label.clone() };
        let wanted = Format::of(schema);
        if let Some(said) = config.format
            && said != wanted
        {
            return Err(DataError::Format { said, wanted, schema });
        }
        // Where a folder holds files of several formats, those count that the model can read.
        let found = [wanted].into_iter().chain(Format::ALL).find(|format| source.has(*format));
        match found.or(config.format) {
            Some(format) if format == wanted => source.check_edition(),
            Some(other) => {
                let found = format!("{other} files");
                Err(DataError::Unfit { path: config.path.clone(), found, schema })
            }
            None => Err(DataError::Unknown { path: config.path.clone() }),
        }
    }

    /// The four MNIST files in `folder`.
    pub fn mnist(folder: &Path) -> Self {
        Self { schema: Schema::Mnist, path: folder.to_owned(), label: None }
    }

    /// What its examples look like.
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// The folder, or the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The labels alone: what a partition is made from. Files that hold them among the rest are read, and checked, whole.
    ///
    /// # Errors
    /// [`DataError`] if a file is missing or malformed.
    pub fn labels(&self, subset: Subset) -> Result<Vec<u8>, DataError> {
        match Format::of(self.schema) {
            Format::Idx => idx::labels(&self.path, subset, self.schema),
            Format::Cifar => self.all_labels(CifarReader::open(&self.path, subset, self.schema)?),
            Format::Csv => self.all_labels(self.csv(subset)?),
        }
    }

    /// The samples numbered `wanted`, in that order. Files are read up to the last of them, and nothing else is kept.
    ///
    /// # Errors
    /// [`DataError`] if a file is missing or malformed, or a sample is not there.
    pub fn load(&self, subset: Subset, wanted: &[u32]) -> Result<Dataset, DataError> {
        let (values, labels) = match Format::of(self.schema) {
            Format::Idx => self.gather(IdxReader::open(&self.path, subset, self.schema)?, subset, wanted)?,
            Format::Cifar => self.gather(CifarReader::open(&self.path, subset, self.schema)?, subset, wanted)?,
            Format::Csv => self.gather(self.csv(subset)?, subset, wanted)?,
        };
        Dataset::of(self.schema, values, labels)
    }

    /// All samples of a subset, in file order.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_all(&self, subset: Subset) -> Result<Dataset, DataError> {
        let samples = self.labels(subset)?.len() as u32;
        self.load(subset, &(0..samples).collect::<Vec<_>>())
    }

    fn csv(&self, subset: Subset) -> Result<CsvReader, DataError> {
        let (folder, file) = match (self.is_one_file(), subset) {
            (false, Subset::Train) => (self.path.as_path(), "train.csv".to_owned()),
            (false, Subset::Test) => (self.path.as_path(), "test.csv".to_owned()),
            (true, Subset::Train) => {
                let name = self.path.file_name().unwrap_or_default().to_string_lossy();
                let folder = self.path.parent().unwrap_or_else(|| Path::new(""));
                (folder, name.strip_suffix(".gz").unwrap_or(&name).to_owned())
            }
            // A folder may hold a test set beside it; one file does not.
            (true, Subset::Test) => {
                return Err(DataError::Missing { folder: self.path.clone(), file: "test.csv".to_owned() });
            }
        };
        CsvReader::open(folder, &file, self.schema, self.label.as_deref())
    }

    fn is_one_file(&self) -> bool {
        let name = self.path.to_string_lossy();
        name.ends_with(".csv") || name.ends_with(".csv.gz")
    }

    fn all_labels<R: Reader>(&self, mut reader: R) -> Result<Vec<u8>, DataError> {
        let mut example = vec![R::Value::default(); self.schema.inputs()];
        let mut labels = Vec::new();
        while let Some(label) = reader.next(&mut example)? {
            labels.push(label);
        }
        Ok(labels)
    }

    /// Visits the wanted samples in file order, so that one pass is enough, and puts each in its place.
    fn gather<R: Reader>(&self, mut reader: R, subset: Subset, wanted: &[u32]) -> Result<(Values, Vec<u8>), DataError>
    where
        Vec<R::Value>: Into<Values>,
    {
        let inputs = self.schema.inputs();
        let mut values = vec![R::Value::default(); wanted.len() * inputs];
        let mut labels = vec![0; wanted.len()];
        let mut in_file_order: Vec<usize> = (0..wanted.len()).collect();
        in_file_order.sort_unstable_by_key(|&place| wanted[place]);
        let mut example = vec![R::Value::default(); inputs];
        let (mut label, mut samples) = (0, 0);
        for place in in_file_order {
            let index = wanted[place];
            while samples <= index as usize {
                let next = reader.next(&mut example)?;
                let missing = || DataError::NoSuchSample { path: self.path.clone(), subset, index, samples };
                label = next.ok_or_else(missing)?;
                samples += 1;
            }
            values[place * inputs..][..inputs].copy_from_slice(&example);
            labels[place] = label;
        }
        Ok((values.into(), labels))
    }

    /// Whether files of this format are there.
    fn has(&self, format: Format) -> bool {
        match format {
            Format::Idx => self.has_file(idx::FIRST_FILE),
            Format::Cifar => cifar::FIRST_FILES.iter().any(|(file, _)| self.has_file(file)),
            Format::Csv => self.is_one_file() || self.has_file("train.csv"),
        }
    }

    fn has_file(&self, file: &str) -> bool {
        self.path.join(file).exists() || self.path.join(format!("{file}.gz")).exists()
    }

    /// CIFAR-10 and CIFAR-100 have files of different names.
    fn check_edition(self) -> Result<Self, DataError> {
        let editions = cifar::FIRST_FILES.into_iter().filter(|(file, _)| self.has_file(file));
        let schemas: Vec<Schema> = editions.map(|(_, schema)| schema).collect();
        match schemas[..] {
            [other] if Format::of(self.schema) == Format::Cifar && other != self.schema => {
                let found = format!("the files of {other}");
                Err(DataError::Unfit { path: self.path, found, schema: self.schema })
            }
            _ => Ok(self),
        }
    }
}

impl Format {
    const ALL: [Self; 3] = [Self::Idx, Self::Cifar, Self::Csv];

    /// The files that data of this schema comes in.
    const fn of(schema: Schema) -> Self {
        match schema {
            Schema::Mnist => Self::Idx,
            Schema::Cifar10 | Schema::Cifar100 => Self::Cifar,
            Schema::Csv { .. } => Self::Csv,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idx => "idx",
            Self::Cifar => "cifar",
            Self::Csv => "csv",
        })
    }
}
