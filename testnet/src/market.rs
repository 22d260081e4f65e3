//! Experiments with incentives: markets of thousands of members in one process, by the code that pays real nodes.
//!
//! Bids are cleared, held in escrow, settled and counted by the protocol ([`althing_protocol::hiring`],
//! [`althing_protocol::settlement`], [`althing_protocol::ledger`]); the selector's marks are the agents'. What is simulated
//! is what goes on around them: members with costs, data and strategies ([`world`]), and what training brings ([`learning`],
//! or [`school`] with real training). Members may follow a language model ([`counsel`]), whose answers are recorded ([`book`]).

mod advice;
mod agent;
mod appraisal;
mod book;
mod config;
mod counsel;
mod draw;
mod error;
mod figures;
mod learning;
mod options;
mod page;
mod parquet;
mod picture;
mod play;
mod progress;
mod record;
mod regret;
mod results;
mod school;
mod strategy;
mod summary;
mod sweep;
mod table;
#[cfg(test)]
mod tests;
mod world;

use std::{fs, path::Path};

pub use self::{
    advice::Advice,
    error::Error,
    options::MarketOptions,
    summary::{PartSummary, PointSummary, Summary},
};
use self::{book::Book, learning::Kind, play::Sources, school::Library};
use crate::folder;

/// Every field of an experiment, with its default.
pub const fn defaults() -> &'static str {
    config::DEFAULTS
}

/// Plays an experiment, writes its report and returns what it amounts to.
///
/// If members follow a language model, it must be called on a thread of a Tokio runtime that may wait.
///
/// # Errors
/// [`Error`] if a file or an option will not do, the ledger of a run did not balance, or the report cannot be written.
pub fn run(options: &MarketOptions) -> Result<Summary, Error> {
    let points = sweep::points(options)?;
    // Read before the report is replaced that it may lie in.
    let asks = points.iter().any(|point| point.config.advised().next().is_some());
    let mut book = asks.then(|| Book::open(options)).transpose()?;
    let folder = folder::prepare(&options.report)?;
    if let Some(book) = &mut book {
        book.keep(&folder)?;
    }
    let needed = points.iter().any(|point| point.config.learning.kind == Kind::Real);
    let library = needed.then(|| Library::open(&options.data)).transpose()?;
    let sources = Sources { library: library.as_ref(), book: book.as_ref() };
    let runs = play::all(&points, sources, options.threads())?;
    let model = book.map(Book::close).transpose()?;
    let summary = Summary::of(&points, &runs, model);
    let mut tables = vec![
        ("rounds", results::rounds(&points, &runs)),
        ("strategies", results::strategies(&points, &runs)),
        ("members", results::members(&points, &runs)),
    ];
    if asks {
        tables.push(("orders", results::orders(&points, &runs)));
    }
    for (name, table) in &tables {
        write(&folder.join(format!("{name}.csv")), table.to_csv().as_bytes())?;
        write(&folder.join(format!("{name}.parquet")), &parquet::bytes(table))?;
    }
    write(&folder.join("summary.json"), summary.to_json().as_bytes())?;
    write(&folder.join("report.html"), page::html(&summary, &points, &runs)?.as_bytes())?;
    Ok(summary)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|source| crate::error::Error::io(format!("write {}", path.display()))(source).into())
}
