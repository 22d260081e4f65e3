//! The grid of ByzFL: how well distributed SGD learns beside liars, for members whose data are more or less alike.
//!
//! A cell is the accuracy under the worst of some attacks: for each attack the mean over the seeds, at the reading of the
//! test set at which that mean is best, as the published heat map has it.

mod course;
mod grid;
mod options;
mod partition;
mod progress;
mod record;
mod summary;

use std::time::Instant;

use althing_node::learn::{
    data::{self, Dataset, Subset},
    train::Learner,
};

use self::{
    grid::Run,
    progress::Progress,
    record::{Played, Record},
};
pub use self::{
    options::Options,
    summary::{Cell, Summary},
};
use super::{Error, pool};
use crate::{
    folder,
    report::plots::{
        heat::{HeatMap, Spot},
        picture::Drawing,
    },
};

/// Plays what is asked for and was not played before, writes the report and returns its summary.
///
/// # Errors
/// [`Error`] if an option or the data will not do, a run failed, or the report cannot be written.
pub fn run(options: &Options) -> Result<Summary, Error> {
    let runs = options.runs()?;
    let begin = Instant::now();
    let train = data::load_all(&options.data, Subset::Train)?;
    let test = data::load_all(&options.data, Subset::Test)?;
    let open = if options.resume { folder::reopen } else { folder::prepare };
    let folder = open(&options.report)?;
    let record = Record::open(&folder)?;
    let labels = train.labels().to_vec();
    let corpus = Learner::new(course::ARCHITECTURE, train, Dataset::default(), test);

    let missing: Vec<&Run> = runs.iter().filter(|run| !record.has(run)).collect();
    let progress = Progress::start(runs.len(), &missing);
    let outcomes = pool::map(options.threads, &missing, |run| {
        let readings = course::play(&corpus, &labels, run, &|| progress.stepped());
        let readings = readings.map_err(|cause| Error::Run { run: run.to_string(), cause })?;
        progress.ended(run, &readings);
        Ok::<_, Error>(record.add(Played { run: (*run).clone(), readings })?)
    });
    progress.finish();
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;

    let summary = Summary::of(options, &record.of(&runs), begin.elapsed());
    let path = folder.join("summary.json");
    std::fs::write(&path, summary.to_json()).map_err(crate::error::Error::io(format!("write {}", path.display())))?;
    picture(&summary, options).draw(&folder, "grid")?;
    Ok(summary)
}

/// The cells as a heat map, the published figure below ours.
fn picture(summary: &Summary, options: &Options) -> HeatMap {
    let mut cells = summary.cells.iter();
    let spot = |cell: &Cell| Spot {
        value: cell.accuracy,
        words: format!("{:.2}", cell.accuracy),
        note: cell.published.map(|published| format!("published {published:.2}")).unwrap_or_default(),
    };
    let row = |similarity: &grid::Similarity| {
        (similarity.to_string(), cells.by_ref().take(options.liars.len()).map(spot).collect())
    };
    HeatMap {
        title: format!("ByzFL, {} after {}: accuracy under the worst attack", summary.rule, summary.mixing),
        x_name: format!("liars beside {} honest members", summary.honest),
        y_name: "similarity of their data".to_owned(),
        columns: options.liars.iter().map(u8::to_string).collect(),
        rows: options.similarity.iter().map(row).collect(),
    }
}
