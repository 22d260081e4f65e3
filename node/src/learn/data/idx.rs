//! One IDX file as a stream: the header is checked at once, the items are read as they are wanted.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::GzDecoder;

use super::{DataError, PIXELS, SAMPLES_MAX, SIDE};

/// Unsigned bytes along one axis.
const LABELS_MAGIC: u32 = 0x0801;
/// Unsigned bytes along three axes.
const IMAGES_MAGIC: u32 = 0x0803;
/// Compressed bytes read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// The items of an IDX file, in order.
pub(super) struct IdxReader {
    path: PathBuf,
    stream: Box<dyn Read>,
    /// Bytes that the file must have by what has been read of its header.
    promised: usize,
    /// Bytes read so far.
    found: usize,
}

impl IdxReader {
    /// Opens a file of labels and returns how many it has.
    pub(super) fn labels(folder: &Path, file: &'static str) -> Result<(Self, usize), DataError> {
        let mut reader = Self::open(folder, file)?;
        reader.check_magic("labels", LABELS_MAGIC)?;
        let count = reader.count()?;
        reader.promised += count;
        Ok((reader, count))
    }

    /// Opens a file of images and returns how many it has.
    pub(super) fn images(folder: &Path, file: &'static str) -> Result<(Self, usize), DataError> {
        let mut reader = Self::open(folder, file)?;
        reader.check_magic("images", IMAGES_MAGIC)?;
        let count = reader.count()?;
        let (rows, columns) = (reader.number()? as usize, reader.number()? as usize);
        if (rows, columns) != (SIDE, SIDE) {
            return Err(DataError::Shape { path: reader.path, rows, columns });
        }
        reader.promised += count * PIXELS;
        Ok((reader, count))
    }

    /// Fills `items` with the next bytes.
    pub(super) fn read(&mut self, items: &mut [u8]) -> Result<(), DataError> {
        let mut filled = 0;
        while filled < items.len() {
            match self.stream.read(&mut items[filled..]) {
                Ok(0) => return Err(self.truncated()),
                Ok(bytes) => {
                    filled += bytes;
                    self.found += bytes;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// The path, for a message about what was read.
    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }

    /// Opens `file.gz`, or `file` if only that is there.
    fn open(folder: &Path, file: &'static str) -> Result<Self, DataError> {
        let packed = folder.join(format!("{file}.gz"));
        let (path, handle) = match File::open(&packed) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let plain = folder.join(file);
                let handle = File::open(&plain);
                (plain, handle)
            }
            handle => (packed, handle),
        };
        let is_packed = path.extension().is_some_and(|extension| extension == "gz");
        match handle {
            Ok(handle) => {
                let buffered = BufReader::with_capacity(BUFFER_BYTES, handle);
                let stream: Box<dyn Read> =
                    if is_packed { Box::new(GzDecoder::new(buffered)) } else { Box::new(buffered) };
                Ok(Self { path, stream, promised: 0, found: 0 })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(DataError::Missing { folder: folder.to_owned(), file })
            }
            Err(error) => Err(DataError::Read { path, error }),
        }
    }

    fn check_magic(&mut self, kind: &'static str, expected: u32) -> Result<(), DataError> {
        let got = self.number()?;
        if got == expected {
            return Ok(());
        }
        Err(DataError::Magic { path: self.path.clone(), kind, expected, got })
    }

    fn count(&mut self) -> Result<usize, DataError> {
        let claimed = self.number()? as usize;
        if claimed > SAMPLES_MAX {
            return Err(DataError::TooMany { path: self.path.clone(), claimed });
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

    fn truncated(&self) -> DataError {
        DataError::Truncated { path: self.path.clone(), promised: self.promised, found: self.found }
    }

    /// A gzip stream reports its own damage as one of these kinds; anything else comes from the operating system.
    fn failed(&self, error: std::io::Error) -> DataError {
        let path = self.path.clone();
        match error.kind() {
            ErrorKind::UnexpectedEof => self.truncated(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput => DataError::Damaged { path, reason: error.to_string() },
            _ => DataError::Read { path, error },
        }
    }
}
