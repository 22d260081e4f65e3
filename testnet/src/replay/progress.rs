//! What people see while a replay goes on, on the error stream.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::engine::Point;

/// How often the bar's spinner moves.
const SPIN: Duration = Duration::from_millis(150);
/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// A bar at a terminal, a line now and then elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    rounds_max: u64,
    last_line: Instant,
}

impl Progress {
    /// Begins to show runs of at most `rounds_max` rounds.
    pub(super) fn start(rounds_max: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(rounds_max));
        if let Some(bar) = &bar {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24.cyan/blue} {pos}/{len} {elapsed} {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(SPIN);
        }
        Self { bar, rounds_max, last_line: Instant::now() }
    }

    /// A run begins, or the data is being read before the first one.
    pub(super) fn begins(&self, words: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(0);
                bar.set_message(words.to_owned());
            }
            None => eprintln!("{words}"),
        }
    }

    /// A round is over.
    pub(super) fn played(&mut self, seed: u64, point: &Point) {
        let percent = 100.0 * point.accuracy;
        match &self.bar {
            Some(bar) => {
                bar.set_position(point.round);
                bar.set_message(format!("seed {seed}, {percent:.2} % right"));
            }
            None if self.last_line.elapsed() >= LINE_INTERVAL => {
                eprintln!("seed {seed}, round {} of at most {}: {percent:.2} % right", point.round, self.rounds_max);
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// A run is over: a line that stays.
    pub(super) fn ended(&self, words: &str) {
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
