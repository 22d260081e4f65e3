//! Published experiments, replayed in one process with the product's own training and aggregation.
//!
//! A [`Setting`] says who trains what and how; [`engine`] plays its rounds; a [`Summary`] puts our figure beside the
//! published one. Nothing is tuned but the learning rate, which the publications tuned too.

pub mod engine;
mod error;
mod files;
mod options;
mod pool;
mod progress;
mod setting;
mod summary;

use std::time::Instant;

use self::{
    engine::{Corpus, Federation},
    progress::Progress,
};
pub use self::{
    error::Error,
    options::{Common, Experiment, ReplayOptions},
    setting::{Changes, FEDAVG_TARGET, Figure, Goal, Setting, fedavg_2nn, niid},
    summary::{Curve, Run, Summary},
};
use crate::folder;

/// Replays what is asked for, writes the report and returns its summary.
///
/// # Errors
/// [`Error`] if an option or the data will not do, a training failed, or the report cannot be written.
pub fn run(options: &ReplayOptions) -> Result<Summary, Error> {
    let common = options.experiment.common();
    let setting = options.experiment.setting();
    if common.require && setting.published().is_none() {
        return Err(Error::NothingPublished(format!("{} with these options", setting.name)));
    }
    let begin = Instant::now();
    let mut progress = Progress::start(setting.rounds_max);
    progress.begins("reading MNIST");
    let corpus = Corpus::load(&common.data, setting.architecture)?;
    let folder = folder::prepare(&common.report)?;
    let mut curves = Vec::new();
    for seed in common.all_seeds() {
        let curve = play(Federation::new(&setting, &corpus, seed)?, &setting, common, &mut progress)?;
        curves.push(curve);
        // After each run, so that whoever loses patience keeps what there is.
        files::write_curves(&folder, &curves)?;
    }
    progress.finish();
    let summary = Summary::of(&setting, &curves, begin.elapsed());
    files::write_summary(&folder, &setting, &curves, &summary)?;
    Ok(summary)
}

/// Plays rounds until the goal is reached or there have been enough.
fn play(
    mut federation: Federation<'_>,
    setting: &Setting,
    common: &Common,
    progress: &mut Progress,
) -> Result<Curve, Error> {
    let mut curve = Curve { seed: federation.seed(), points: Vec::new() };
    progress.begins(&format!("seed {}", curve.seed));
    for _ in 0..setting.rounds_max {
        let point = federation.advance(common.threads)?;
        progress.played(curve.seed, &point);
        curve.points.push(point);
        if setting.goal.is_reached(point.accuracy) {
            break;
        }
    }
    if let Some(last) = curve.points.last() {
        let percent = 100.0 * last.accuracy;
        progress.ended(&format!("seed {}: {percent:.2} % right after {} rounds", curve.seed, last.round));
    }
    Ok(curve)
}
