//! What people see while the grid is played, on the error stream.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{course::Reading, grid::Run};

/// How often the bar's spinner moves.
const SPIN: Duration = Duration::from_millis(150);

/// A bar over the steps of all runs at a terminal, and a line for each run that has ended.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    begin: Instant,
    steps: u64,
    stepped: AtomicU64,
    runs: usize,
    ended: AtomicUsize,
}

impl Progress {
    /// Begins to show the `missing` of so many runs.
    pub(super) fn start(runs: usize, missing: &[&Run]) -> Self {
        let steps = missing.iter().map(|run| u64::from(run.steps)).sum();
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(steps));
        if let Some(bar) = &bar {
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {bar:24.cyan/blue} {pos}/{len} steps {elapsed} {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(SPIN);
        }
        let progress = Self {
            bar,
            begin: Instant::now(),
            steps,
            stepped: AtomicU64::new(0),
            runs,
            ended: AtomicUsize::new(runs - missing.len()),
        };
        progress.say(&format!("{runs} runs, {} of them to be played", missing.len()));
        progress
    }

    /// A run has gone one step on.
    pub(super) fn stepped(&self) {
        self.stepped.fetch_add(1, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// A run is over: a line that stays.
    pub(super) fn ended(&self, run: &Run, readings: &[Reading]) {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        let last = readings.last().map_or(0.0, |reading| reading.accuracy);
        self.say(&format!("{ended}/{}: {run}: {:.2} % right; {}", self.runs, 100.0 * last, self.left()));
    }

    /// How long the rest will take at the pace so far.
    fn left(&self) -> String {
        let stepped = self.stepped.load(Ordering::Relaxed).max(1);
        let seconds = self.begin.elapsed().as_secs_f64() / stepped as f64 * self.steps.saturating_sub(stepped) as f64;
        format!("{:.0} min left", seconds / 60.0)
    }

    fn say(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.println(words),
            None => eprintln!("{words}"),
        }
    }

    /// Nothing more will be shown.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
