//! Tables of results, column by column: for spreadsheets and for data frames.

use std::fmt::Write as _;

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table<'a> {
    pub(super) columns: Vec<Column<'a>>,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) name: String,
    pub(super) cells: Cells<'a>,
}

/// What stands in it, from the first row.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    /// Words, without commas, quotes and line breaks.
    Text(Vec<&'a str>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Others; one that is not a number is unknown.
    Real(Vec<f64>),
}

impl<'a> Table<'a> {
    /// The same table with a column of words.
    pub(super) fn text(self, name: &str, cells: impl Iterator<Item = &'a str>) -> Self {
        self.with(name, Cells::Text(cells.collect()))
    }

    /// The same table with a column of whole numbers.
    pub(super) fn whole(self, name: &str, cells: impl Iterator<Item = u64>) -> Self {
        self.with(name, Cells::Whole(cells.map(|cell| i64::try_from(cell).unwrap_or(i64::MAX)).collect()))
    }

    /// The same table with a column of numbers that may be negative.
    pub(super) fn signed(self, name: &str, cells: impl Iterator<Item = i64>) -> Self {
        self.with(name, Cells::Whole(cells.collect()))
    }

    /// The same table with a column of other numbers.
    pub(super) fn real(self, name: &str, cells: impl Iterator<Item = f64>) -> Self {
        self.with(name, Cells::Real(cells.collect()))
    }

    fn with(mut self, name: &str, cells: Cells<'a>) -> Self {
        self.columns.push(Column { name: name.to_owned(), cells });
        self
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }

    /// Lines of fields with commas between, after a header. What is unknown is empty.
    pub(super) fn to_csv(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let mut text = names.join(",");
        for row in 0..self.len() {
            text.push('\n');
            for (place, column) in self.columns.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                column.cells.write(row, &mut text);
            }
        }
        text.push('\n');
        text
    }
}

impl Cells<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Whole(cells) => cells.len(),
            Self::Real(cells) => cells.len(),
        }
    }

    fn write(&self, row: usize, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Text(cells) => write!(text, "{}", cells[row]),
            Self::Whole(cells) => write!(text, "{}", cells[row]),
            Self::Real(cells) if cells[row].is_nan() => Ok(()),
            Self::Real(cells) => write!(text, "{}", cells[row]),
        };
    }
}
