//! Numbers with commas between them, one example a line.

use std::path::{Path, PathBuf};

use super::{DataError, Reader, SAMPLES_MAX, Schema, stream::Stream};

/// Longest line, in bytes: room for as many features as a schema may have, with all their digits.
const LINE_BYTES_MAX: u64 = 128 * 1024;
/// Largest size of a number. Models learn from numbers around 1; what is larger was never scaled.
pub(super) const VALUE_MAX: f32 = 1_000.0;
/// Characters of a cell that a message shows.
const EXCERPT: usize = 40;

/// What is wrong with a line, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvFault {
    /// More cells than numbers and a label, or fewer.
    #[error("{found} cells, and there must be {wanted}: {features} features and the label, with commas between them")]
    Ragged {
        /// Cells in the line.
        found: usize,
        /// Cells that there must be.
        wanted: usize,
        /// Features of the schema.
        features: usize,
    },
    /// No column has the name of the label.
    #[error("no column is called `{label}`, as data.label of the configuration says; there are: {columns}")]
    NoLabel {
        /// The name.
        label: String,
        /// The names that there are.
        columns: String,
    },
    /// A cell is no feature or no label.
    #[error("column {column}: {fault}")]
    Cell {
        /// Which column, from 1, with its name where there is one.
        column: String,
        /// What is wrong with it.
        fault: CellFault,
    },
    /// No text.
    #[error("it is no UTF-8 text: is it another file renamed?")]
    NotText,
    /// No end is near.
    #[error("it is longer than {LINE_BYTES_MAX} bytes: is it another file renamed?")]
    TooLong,
}

/// What is wrong with a cell, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CellFault {
    /// Nothing in it.
    #[error("the cell is empty: fill it in, or leave the line out")]
    Empty,
    /// Something else.
    #[error("`{0}` is no number: correct it, or leave the column out")]
    NotNumber(String),
    /// NaN, or infinite.
    #[error("`{0}` is no finite number: correct it, or leave the line out")]
    NotFinite(String),
    /// Too large.
    #[error("`{0}` is beyond {VALUE_MAX}: scale the column, in the same way at all members")]
    TooLarge(String),
    /// A label that is no class.
    #[error("the label `{label}` is no class: classes are the whole numbers from 0 to {top}")]
    NoClass {
        /// The cell.
        label: String,
        /// The last class.
        top: usize,
    },
}

/// The examples of a file.
pub(super) struct CsvReader {
    stream: Stream,
    schema: Schema,
    /// Which cell is the label.
    label: usize,
    /// Names of the columns, if the file has them.
    names: Vec<String>,
    /// Lines read.
    line: u64,
    bytes: Vec<u8>,
    /// Examples read.
    examples: usize,
    /// The first line was read to see whether it is a header, and is none.
    is_pending: bool,
}

impl CsvReader {
    /// Opens `file` in `folder`. The label is in the column of this name, or in the last one.
    pub(super) fn open(folder: &Path, file: &str, schema: Schema, label: Option<&str>) -> Result<Self, DataError> {
        let mut reader = Self {
            stream: Stream::open(folder, file)?,
            schema,
            label: schema.inputs(),
            names: Vec::new(),
            line: 0,
            bytes: Vec::new(),
            examples: 0,
            is_pending: false,
        };
        reader.read_header(label)?;
        Ok(reader)
    }

    /// The first line is a header if no cell of it is a number, or if a column is asked for by name.
    fn read_header(&mut self, label: Option<&str>) -> Result<(), DataError> {
        let Some(line) = self.read_line()? else { return Err(DataError::Empty { path: self.path() }) };
        let cells: Vec<String> = cells(line.trim_start_matches('\u{feff}')).map(excerpt).collect();
        let is_header = cells.iter().all(|cell| cell.parse::<f32>().is_err() && !cell.is_empty());
        self.is_pending = label.is_none() && !is_header;
        if self.is_pending {
            return Ok(());
        }
        self.check_count(cells.len())?;
        if let Some(label) = label {
            let place = cells.iter().position(|cell| cell == label);
            let no_label = || CsvFault::NoLabel { label: excerpt(label), columns: excerpt(&cells.join(", ")) };
            self.label = place.ok_or_else(|| self.fault(no_label()))?;
        }
        self.names = cells;
        Ok(())
    }

    /// The next line that is not empty, without its end.
    fn read_line(&mut self) -> Result<Option<String>, DataError> {
        loop {
            self.stream.read_line(LINE_BYTES_MAX, &mut self.bytes)?;
            if self.bytes.is_empty() {
                return Ok(None);
            }
            self.line += 1;
            if self.bytes.len() as u64 == LINE_BYTES_MAX {
                return Err(self.fault(CsvFault::TooLong));
            }
            let line = str::from_utf8(&self.bytes).map_err(|_| self.fault(CsvFault::NotText))?.trim();
            if !line.is_empty() {
                return Ok(Some(line.to_owned()));
            }
        }
    }

    fn read_example(&self, line: &str, example: &mut [f32]) -> Result<u8, DataError> {
        self.check_count(cells(line).count())?;
        let (mut values, mut label) = (example.iter_mut(), 0);
        for (place, cell) in cells(line).enumerate() {
            let read = if place == self.label {
                class(cell, self.schema.classes()).map(|class| label = class)
            } else {
                // There are as many features as cells besides the label.
                number(cell).map(|number| values.next().into_iter().for_each(|value| *value = number))
            };
            read.map_err(|fault| self.fault(CsvFault::Cell { column: self.column(place), fault }))?;
        }
        Ok(label)
    }

    fn check_count(&self, found: usize) -> Result<(), DataError> {
        let features = self.schema.inputs();
        if found == features + 1 {
            return Ok(());
        }
        Err(self.fault(CsvFault::Ragged { found, wanted: features + 1, features }))
    }

    fn column(&self, place: usize) -> String {
        self.names.get(place).map_or_else(|| (place + 1).to_string(), |name| format!("{} ({name})", place + 1))
    }

    fn fault(&self, fault: CsvFault) -> DataError {
        DataError::Line { path: self.path(), line: self.line, fault }
    }

    fn path(&self) -> PathBuf {
        self.stream.path().to_owned()
    }
}

impl Reader for CsvReader {
    type Value = f32;

    fn next(&mut self, example: &mut [f32]) -> Result<Option<u8>, DataError> {
        let line = if std::mem::take(&mut self.is_pending) {
            // It was text when it was read.
            String::from_utf8_lossy(&self.bytes).trim().trim_start_matches('\u{feff}').to_owned()
        } else {
            match self.read_line()? {
                Some(line) => line,
                None if self.examples == 0 => return Err(DataError::Empty { path: self.path() }),
                None => return Ok(None),
            }
        };
        self.examples += 1;
        if self.examples > SAMPLES_MAX {
            return Err(DataError::TooMany { path: self.path(), claimed: self.examples });
        }
        self.read_example(&line, example).map(Some)
    }
}

/// The cells of a line, without blanks and quotes around them.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|cell| cell.trim().trim_matches('"'))
}

fn number(cell: &str) -> Result<f32, CellFault> {
    if cell.is_empty() {
        return Err(CellFault::Empty);
    }
    match cell.parse::<f32>() {
        Err(_) => Err(CellFault::NotNumber(excerpt(cell))),
        Ok(number) if !number.is_finite() => Err(CellFault::NotFinite(excerpt(cell))),
        Ok(number) if number.abs() > VALUE_MAX => Err(CellFault::TooLarge(excerpt(cell))),
        Ok(number) => Ok(number),
    }
}

/// A label, which some programs write as `2.0`.
fn class(cell: &str, classes: usize) -> Result<u8, CellFault> {
    if cell.is_empty() {
        return Err(CellFault::Empty);
    }
    let class = cell.parse::<f64>().ok().filter(|class| class.fract() == 0.0 && (0.0..classes as f64).contains(class));
    class.map(|class| class as u8).ok_or_else(|| CellFault::NoClass { label: excerpt(cell), top: classes - 1 })
}

/// As much of a file as belongs in a message.
fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}
