//! Published experiments, replayed in one process with the product's own training, privacy and aggregation.
//!
//! Each experiment is one file: a [`Replay`] that says what is compared, how a run of it goes and what was published.
//! Everything else is common to all: runs from several seeds, progress, resuming, the report and the verdict. Only the
//! grid of [`byzfl`], whose cells are the worst of several runs, has its own.

mod archive;
pub mod byzfl;
mod codecs;
mod corpus;
mod dp_mnist;
mod epidemic;
mod error;
mod fedavg_2nn;
mod federation;
mod files;
mod heterofl;
mod niid;
mod options;
mod picture;
mod plan;
mod pool;
mod progress;
mod summary;
mod table;

use std::{num::NonZeroUsize, time::Instant};

use self::{archive::Archive, progress::Progress};
pub use self::{
    archive::Curve,
    codecs::Codecs,
    corpus::Corpus,
    dp_mnist::DpMnist,
    epidemic::Epidemic,
    error::{Error, RunError},
    fedavg_2nn::Fedavg2nn,
    federation::{Federation, Setting},
    heterofl::Heterofl,
    niid::Niid,
    options::{Common, Experiment, Published, ReplayOptions},
    plan::{Against, Bar, Case, Facts, Figure, Goal, Plan, Point, Replay, Run},
    summary::{BarSummary, CaseSummary, RunSummary, Summary},
};
pub(crate) use self::{corpus::go_on, federation::member_id, table::aligned};

/// Replays what is asked for, writes the report and returns its summary.
///
/// # Errors
/// [`Error`] if an option or the data will not do, a training failed, or the report cannot be written.
pub fn run(experiment: &Experiment) -> Result<Summary, Error> {
    let (common, replay) = (experiment.common(), experiment.replay());
    let plan = replay.plan()?;
    if common.require && plan.cases.iter().all(|case| case.bars.is_empty()) {
        return Err(Error::NothingToMiss(plan.name));
    }
    let progress = Progress::start("reading MNIST");
    let corpus = Corpus::load(&common.data, plan.architecture)?;
    let open = if common.resume { Archive::resume } else { Archive::create };
    let mut archive = open(&common.report, &plan)?;
    let mut stage = Stage { replay, plan: &plan, corpus: &corpus, threads: common.threads, progress };
    let seeds: Vec<u64> = common.all_seeds().collect();
    // Seed by seed, so that whoever loses patience has whole comparisons.
    for (seed, case) in seeds.iter().flat_map(|&seed| (0..plan.cases.len()).map(move |case| (seed, case))) {
        if !archive.holds(case, seed) {
            archive.add(stage.play(case, seed)?)?;
            files::write_curves(archive.folder(), &plan, &archive.curves(&seeds))?;
        }
    }
    stage.progress.finish();
    let curves = archive.curves(&seeds);
    let summary = Summary::of(&plan, &curves);
    files::write_curves(archive.folder(), &plan, &curves)?;
    files::write_summary(archive.folder(), &plan, &curves, &summary)?;
    Ok(summary)
}

/// Where runs are played, one after the other.
struct Stage<'a> {
    replay: &'a dyn Replay,
    plan: &'a Plan,
    corpus: &'a Corpus,
    threads: NonZeroUsize,
    progress: Progress,
}

impl Stage<'_> {
    /// Plays rounds until the goal is reached or there have been enough.
    fn play(&mut self, case: usize, seed: u64) -> Result<Curve, Error> {
        let begin = Instant::now();
        let Case { name, rounds_max, .. } = &self.plan.cases[case];
        self.progress.begins(format!("{name}, seed {seed}"), *rounds_max);
        let mut run = self.replay.begin(case, self.corpus, seed)?;
        let mut points: Vec<Point> = Vec::new();
        for round in 1..=*rounds_max {
            let failed = |cause| Error::Round { case: name.clone(), seed, round, cause };
            let point = run.advance(self.threads).map_err(failed)?;
            self.progress.played(&point);
            points.push(point);
            if self.plan.goal.is_reached(point.accuracy) {
                break;
            }
        }
        if let Some(last) = points.last() {
            self.progress.ended(last);
        }
        Ok(Curve { case, seed, wall_s: begin.elapsed().as_secs_f64(), points })
    }
}
