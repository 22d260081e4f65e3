//! What people see while an experiment goes on, on the error stream.

use std::{
    io::IsTerminal,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often the bar's spinner moves.
const SPIN: Duration = Duration::from_millis(150);

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Rounds of all runs: a bar at a terminal, and a line now and then elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    rounds: u64,
    ended: AtomicU64,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Begins to show so many rounds.
    pub(super) fn start(rounds: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(rounds));
        if let Some(bar) = &bar {
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {bar:24.cyan/blue} {pos}/{len} rounds {elapsed}, {eta} left")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(SPIN);
        }
        Self { bar, rounds, ended: AtomicU64::new(0), last_line: Mutex::new(Instant::now()) }
    }

    /// A round is over.
    pub(super) fn round(&self) {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.bar {
            Some(bar) => bar.set_position(ended),
            None => {
                let Ok(mut last) = self.last_line.try_lock() else { return };
                if last.elapsed() >= LINE_INTERVAL {
                    eprintln!("{ended} of {} rounds", self.rounds);
                    *last = Instant::now();
                }
            }
        }
    }

    /// Nothing more will be shown.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
