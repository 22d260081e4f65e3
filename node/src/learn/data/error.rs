//! What can be wrong with data, and what to do about each.

use std::path::PathBuf;

use super::{CsvFault, Format, PIXELS, SAMPLES_MAX, Schema, Subset};

/// What is wrong with the data, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Neither the gzip nor the plain file is there.
    #[error("no {file}.gz (nor {file}) in {folder}: put the files of the data set there, or name their folder in the configuration",
            folder = .folder.display())]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
        /// The plain file's name.
        file: String,
    },
    /// There is no data of any known format.
    #[error("no data in {path}: data.path of the configuration must name the folder of the IDX files, of the CIFAR \
             .bin files or of train.csv and test.csv, or a .csv file itself", path = .path.display())]
    Unknown {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is data, of another schema than the model reads.
    #[error("{path} holds {found}, and the model reads {schema}: {shape} numbers and {classes} classes for each \
             example; name a folder with such data, or found a federation with the schema of yours",
            path = .path.display(), shape = extents(*.schema), classes = .schema.classes())]
    Unfit {
        /// Where the data is.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What the model reads.
        schema: Schema,
    },
    /// The configuration says a format that the schema does not come in.
    #[error(
        "data.format of the configuration is {said}, and data of the schema {schema} comes in {wanted} files: correct it, \
             or leave it out"
    )]
    Format {
        /// What the configuration says.
        said: Format,
        /// What it would have to say.
        wanted: Format,
        /// What the model reads.
        schema: Schema,
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
    /// It ends within a record.
    #[error("{path} ends within record {record}, after {found} of its {whole} bytes: replace it by a fresh copy, and check \
             that it belongs to {schema}", path = .path.display())]
    CutRecord {
        /// The file.
        path: PathBuf,
        /// Which record, from 1.
        record: usize,
        /// Bytes of the record that are there.
        found: usize,
        /// Bytes of a record.
        whole: usize,
        /// What it was read as.
        schema: Schema,
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
    /// Too many samples, claimed or found.
    #[error("{path} has {claimed} samples, at most {SAMPLES_MAX} are allowed: is it another file renamed?",
            path = .path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// Samples that there are, or of which the header tells.
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
    /// A label of a binary file is not a class.
    #[error("{path}: the label of record {record} is {label}, and classes go from 0 to {top}: replace the file by a fresh \
             copy", path = .path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// Which sample, from 1.
        record: usize,
        /// Its label.
        label: u8,
        /// The last class.
        top: usize,
    },
    /// A line of a text file does not say what it should.
    #[error("{path}:{line}: {fault}", path = .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: CsvFault,
    },
    /// A file without a sample.
    #[error("{path} holds no example: is it the right file?", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A member's part is too small.
    #[error("part {part} of the data in {path} has {samples} examples, and a member needs two: one to train on, one to \
             appraise updates with; ask for fewer parts", path = .path.display())]
    SmallPart {
        /// Where the data is.
        path: PathBuf,
        /// Which part, from 0.
        part: u32,
        /// Examples in it.
        samples: usize,
    },
    /// Samples put together in memory do not fit together.
    #[error("a data set needs {inputs} values and a label from 0 to {top} for each example; MNIST has {PIXELS} values")]
    Inconsistent {
        /// Values of an example.
        inputs: usize,
        /// The last class.
        top: usize,
    },
    /// A partition of other data is being applied.
    #[error("sample {index} is wanted, and {path} has {samples} in its {subset:?} files: does the partition belong to this data?",
            path = .path.display())]
    NoSuchSample {
        /// Where the data is.
        path: PathBuf,
        /// Which of its halves.
        subset: Subset,
        /// The sample wanted, from 0.
        index: u32,
        /// Samples there.
        samples: usize,
    },
}

/// Extents of one example, for people.
fn extents(schema: Schema) -> String {
    let extents: Vec<String> = schema.shape().iter().map(ToString::to_string).collect();
    extents.join(" x ")
}
