//! What a run amounted to: figures, tables and pictures.

mod csv;
pub(crate) mod plots;
mod rows;
mod steps;
mod summary;
mod table;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use althing_protocol::ids::Hash;

pub use self::{
    rows::{RoundRow, rows},
    steps::{ExchangeSummary, Spread, StepRow, step_rows},
    summary::{Asked, Head, KillRecord, Summary},
    table::table,
};
use crate::{
    audit::Audit, error::Error, hunt::Kill, observer::Observer, options::RunOptions, setup::Federation,
    traffic::Traffic,
};

/// Everything that a report is made from.
#[derive(Debug)]
pub struct Findings<'a> {
    /// What was asked for.
    pub options: &'a RunOptions,
    /// Who took part.
    pub federation: &'a Federation,
    /// What the nodes said.
    pub observer: &'a Observer,
    /// What went over the wire.
    pub traffic: &'a Traffic,
    /// Accuracy of every model that was judged.
    pub accuracies: &'a BTreeMap<Hash, f64>,
    /// On what it was measured; `None` if nothing was.
    pub accuracy_source: Option<String>,
    /// The ledgers.
    pub audit: &'a Audit,
    /// Who was killed.
    pub kills: &'a [Kill],
    /// Most memory each node had resident, in bytes.
    pub peak_rss_bytes: &'a [u64],
    /// From the first node's start to the last settlement.
    pub wall: Duration,
    /// What went wrong on the way, each a reason to fail.
    pub complaints: Vec<String>,
    /// What did not go as hoped but says nothing against the federation.
    pub remarks: Vec<String>,
}

/// Writes the report into the folder of the federation and returns its summary.
///
/// # Errors
/// [`Error::Io`] or [`Error::Plot`] if a file cannot be written.
pub fn write(findings: &Findings<'_>) -> Result<Summary, Error> {
    let folder = &findings.federation.folder;
    let rows = rows(findings);
    let steps = step_rows(findings);
    let summary = Summary::of(findings, &rows, &steps);
    write_file(&folder.join("summary.json"), &summary.to_json())?;
    if !steps.is_empty() {
        write_file(&folder.join("steps.csv"), &csv::steps(&steps))?;
        plots::draw_steps(folder, &steps)?;
    }
    if findings.options.is_epidemic() {
        return Ok(summary);
    }
    write_file(&folder.join("rounds.csv"), &csv::rounds(&rows))?;
    let names: Vec<&str> = findings.federation.nodes.iter().map(|node| node.name.as_str()).collect();
    write_file(&folder.join("credits.csv"), &csv::credits(&names, &rows))?;
    plots::draw_all(folder, &names, &rows)?;
    Ok(summary)
}

fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}

/// Micro-credits as people read them: credits with two decimals.
pub fn format_credits(micro: u64) -> String {
    format!("{:.2}", micro as f64 / 1e6)
}

/// `value` with `digits` decimals, so that files do not show what nobody measured.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
pub(crate) mod tests;
