//! A file of a data set as a stream, gzip or plain.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::GzDecoder;

use super::DataError;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// An open file.
pub(super) struct Stream {
    path: PathBuf,
    reader: Box<dyn BufRead>,
}

impl Stream {
    /// Opens `file.gz` in `folder`, or `file` if only that is there.
    pub(super) fn open(folder: &Path, file: &str) -> Result<Self, DataError> {
        let packed = folder.join(format!("{file}.gz"));
        let (path, handle) = match File::open(&packed) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let plain = folder.join(file);
                let handle = File::open(&plain);
                (plain, handle)
            }
            handle => (packed, handle),
        };
        match handle {
            Ok(handle) => Ok(Self { reader: unpacking(&path, handle), path }),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(DataError::Missing { folder: folder.to_owned(), file: file.to_owned() })
            }
            Err(error) => Err(DataError::Read { path, error }),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills as much of `items` as the file has left, and tells how much that was.
    pub(super) fn fill(&mut self, items: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        while filled < items.len() {
            match self.reader.read(&mut items[filled..]) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // So ends a gzip stream that was cut.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(filled)
    }

    /// Reads the next line into `line`, with its end, but no more than `most` bytes of it. Nothing at the end of the file.
    pub(super) fn read_line(&mut self, most: u64, line: &mut Vec<u8>) -> Result<(), DataError> {
        line.clear();
        match (&mut self.reader).take(most).read_until(b'\n', line) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// A gzip stream reports its own damage as one of these kinds; anything else comes from the operating system.
    fn failed(&self, error: std::io::Error) -> DataError {
        let path = self.path.clone();
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                DataError::Damaged { path, reason: error.to_string() }
            }
            _ => DataError::Read { path, error },
        }
    }
}

fn unpacking(path: &Path, handle: File) -> Box<dyn BufRead> {
    let buffered = BufReader::with_capacity(BUFFER_BYTES, handle);
    if path.extension().is_some_and(|extension| extension == "gz") {
        return Box::new(BufReader::with_capacity(BUFFER_BYTES, GzDecoder::new(buffered)));
    }
    Box::new(buffered)
}
