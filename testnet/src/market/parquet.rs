//! Tables as Parquet files, for data frames.
//!
//! Written after the format's specification (Apache Parquet, `parquet.thrift`): every column is required, plain and not
//! compressed; metadata is Thrift's compact protocol. docs/adr/045 says why without a library.

use super::table::{Cells, Column, Table};

/// Begins and ends a file.
const MAGIC: &[u8; 4] = b"PAR1";

/// Rows that are written together. A page holds a group's column, and its length must fit 31 bits.
const GROUP_ROWS: usize = 1 << 16;

/// Who wrote it.
const CREATED_BY: &str = concat!("althing testnet version ", env!("CARGO_PKG_VERSION"));

/// Version of the format.
const VERSION: i64 = 1;
/// A data page, without compression.
const DATA_PAGE: i64 = 0;
const UNCOMPRESSED: i64 = 0;
/// Encodings: plain of values; of levels, of which there are none.
const PLAIN: i64 = 0;
const RUN_LENGTH: i64 = 3;
/// No value is missing.
const REQUIRED: i64 = 0;
/// Bytes that are text.
const UTF8: i64 = 0;

/// The bytes of a table.
pub(super) fn bytes(table: &Table<'_>) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    let mut groups = Vec::new();
    for from in (0..table.len()).step_by(GROUP_ROWS) {
        let to = table.len().min(from + GROUP_ROWS);
        groups.push(group(&mut file, table, from..to));
    }
    let footer = footer(table, &groups);
    file.extend_from_slice(&footer);
    file.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    file.extend_from_slice(MAGIC);
    file
}

/// Writes rows, and returns what the footer says of them.
fn group(file: &mut Vec<u8>, table: &Table<'_>, rows: std::ops::Range<usize>) -> Vec<u8> {
    let begin = file.len();
    let chunks: Vec<Vec<u8>> = table.columns.iter().map(|column| chunk(file, column, rows.clone())).collect();
    let mut meta = Record::default();
    meta.structs(1, &chunks).int64(2, (file.len() - begin) as i64).int64(3, rows.len() as i64);
    meta.end()
}

/// Writes a column's page, and returns what the footer says of it.
fn chunk(file: &mut Vec<u8>, column: &Column<'_>, rows: std::ops::Range<usize>) -> Vec<u8> {
    let (begin, count) = (file.len() as i64, rows.len() as i64);
    let values = plain(&column.cells, rows);
    let mut page = Record::default();
    page.int32(1, count).int32(2, PLAIN).int32(3, RUN_LENGTH).int32(4, RUN_LENGTH);
    let mut header = Record::default();
    header.int32(1, DATA_PAGE).int32(2, values.len() as i64).int32(3, values.len() as i64).nested(5, &page.end());
    file.extend_from_slice(&header.end());
    file.extend_from_slice(&values);
    let size = file.len() as i64 - begin;
    let mut meta = Record::default();
    meta.int32(1, kind(&column.cells))
        .int32s(2, &[PLAIN, RUN_LENGTH])
        .texts(3, &[&column.name])
        .int32(4, UNCOMPRESSED)
        .int64(5, count)
        .int64(6, size)
        .int64(7, size)
        .int64(9, begin);
    let mut chunk = Record::default();
    chunk.int64(2, begin).nested(3, &meta.end());
    chunk.end()
}

fn footer(table: &Table<'_>, groups: &[Vec<u8>]) -> Vec<u8> {
    let mut root = Record::default();
    root.text(4, "table").int32(5, table.columns.len() as i64);
    let column = |column: &Column<'_>| {
        let mut element = Record::default();
        element.int32(1, kind(&column.cells)).int32(3, REQUIRED).text(4, &column.name);
        if matches!(column.cells, Cells::Text(_)) {
            element.int32(6, UTF8);
        }
        element.end()
    };
    let schema: Vec<Vec<u8>> = std::iter::once(root.end()).chain(table.columns.iter().map(column)).collect();
    let mut meta = Record::default();
    meta.int32(1, VERSION).structs(2, &schema).int64(3, table.len() as i64).structs(4, groups).text(6, CREATED_BY);
    meta.end()
}

/// The format's number of a type.
const fn kind(cells: &Cells<'_>) -> i64 {
    match cells {
        Cells::Whole(_) => 2,
        Cells::Real(_) => 5,
        Cells::Text(_) => 6,
    }
}

/// Values one after the other; words each after their length.
fn plain(cells: &Cells<'_>, rows: std::ops::Range<usize>) -> Vec<u8> {
    match cells {
        Cells::Whole(cells) => cells[rows].iter().flat_map(|cell| cell.to_le_bytes()).collect(),
        Cells::Real(cells) => cells[rows].iter().flat_map(|cell| cell.to_le_bytes()).collect(),
        Cells::Text(cells) => {
            let word = |word: &&str| [&(word.len() as u32).to_le_bytes()[..], word.as_bytes()].concat();
            cells[rows].iter().flat_map(word).collect()
        }
    }
}

/// A struct of Thrift's compact protocol, whose fields are written in the order of their numbers.
#[derive(Debug, Default)]
struct Record {
    bytes: Vec<u8>,
    last: u8,
}

/// Types of the compact protocol.
const INT32: u8 = 5;
const INT64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// From this length on a list's stands after its type.
const LONG_LIST: usize = 15;

impl Record {
    fn int32(&mut self, field: u8, value: i64) -> &mut Self {
        self.field(field, INT32).zigzag(value)
    }

    fn int64(&mut self, field: u8, value: i64) -> &mut Self {
        self.field(field, INT64).zigzag(value)
    }

    fn text(&mut self, field: u8, text: &str) -> &mut Self {
        self.field(field, BINARY).word(text)
    }

    fn nested(&mut self, field: u8, record: &[u8]) -> &mut Self {
        self.field(field, STRUCT).bytes.extend_from_slice(record);
        self
    }

    fn int32s(&mut self, field: u8, values: &[i64]) -> &mut Self {
        self.list(field, INT32, values.len());
        values.iter().fold(self, |record, value| record.zigzag(*value))
    }

    fn texts(&mut self, field: u8, texts: &[&str]) -> &mut Self {
        self.list(field, BINARY, texts.len());
        texts.iter().fold(self, |record, text| record.word(text))
    }

    fn structs(&mut self, field: u8, records: &[Vec<u8>]) -> &mut Self {
        self.list(field, STRUCT, records.len());
        self.bytes.extend(records.iter().flatten());
        self
    }

    /// The bytes of the whole struct.
    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    fn list(&mut self, field: u8, of: u8, len: usize) {
        self.field(field, LIST);
        if len < LONG_LIST {
            self.bytes.push((len as u8) << 4 | of);
        } else {
            self.bytes.push(0xf0 | of);
            self.varint(len as u64);
        }
    }

    /// No field's number is more than fifteen beyond the last one's.
    fn field(&mut self, field: u8, of: u8) -> &mut Self {
        self.bytes.push((field - self.last) << 4 | of);
        self.last = field;
        self
    }

    fn word(&mut self, text: &str) -> &mut Self {
        self.varint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    fn zigzag(&mut self, value: i64) -> &mut Self {
        self.varint((value << 1 ^ value >> 63) as u64)
    }

    fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
        self
    }
}
