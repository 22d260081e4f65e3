//! All runs of an experiment, on several threads. What comes of a run does not depend on which thread plays it.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::{book::Book, error::Error, progress::Progress, record::Run, school::Library, sweep::Point, world::World};

/// Finished runs that wait to be put in their places.
const FINISHED_CAP: usize = 8;

/// What runs have in common.
#[derive(Clone, Copy, Default)]
pub(super) struct Sources<'a> {
    /// The data that members train on, if they do.
    pub(super) library: Option<&'a Library>,
    /// Whom members ask who follow a language model, if there are any.
    pub(super) book: Option<&'a Book>,
}

/// Plays every seed of every point, and returns the runs in that order.
///
/// # Errors
/// [`Error`] of the first run, in that order, in which the ledger refused a movement or did not balance, or a training
/// failed, or recorded answers lacked one.
pub(super) fn all(points: &[Point], sources: Sources<'_>, threads: usize) -> Result<Vec<Run>, Error> {
    let of_point = |(number, point)| seeds(point).map(move |seed| (number, seed));
    let jobs: Vec<(usize, u64)> = points.iter().enumerate().flat_map(of_point).collect();
    let rounds = jobs.iter().map(|(point, _)| points[*point].config.rounds).sum();
    let progress = Progress::start(rounds);
    let next = AtomicUsize::new(0);
    let mut runs: Vec<Option<Result<Run, Error>>> = jobs.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (sender, finished) = mpsc::sync_channel(FINISHED_CAP);
        for _ in 0..threads.min(jobs.len()) {
            let (sender, jobs, next, progress) = (sender.clone(), &jobs, &next, &progress);
            scope.spawn(move || {
                while let Some((job, (point, seed))) = take(next, jobs) {
                    if sender.send((job, play(&points[point], sources, (point, seed), progress))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (job, run) in finished {
            runs[job] = Some(run);
        }
    });
    progress.finish();
    runs.into_iter().map(|run| run.unwrap_or(Err(Error::Thread))).collect()
}

fn seeds(point: &Point) -> std::ops::Range<u64> {
    point.config.seed..point.config.seed.saturating_add(point.config.seeds)
}

/// The next run that nobody plays yet.
fn take(next: &AtomicUsize, jobs: &[(usize, u64)]) -> Option<(usize, (usize, u64))> {
    let job = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(job).map(|what| (job, *what))
}

fn play(point: &Point, sources: Sources<'_>, (number, seed): (usize, u64), progress: &Progress) -> Result<Run, Error> {
    World::new(&point.config, sources, seed)?.play(number, || progress.round())
}
