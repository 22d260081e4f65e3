//! What people see while a contest goes on, on the error stream.

use std::{
    cell::Cell,
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::seat::Seat;

/// How often the bar's spinner moves.
const SPIN: Duration = Duration::from_millis(150);

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// A bar over all runs at a terminal, and a line for each that has ended.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
}

impl Progress {
    /// Begins to show so many runs.
    pub(super) fn start(runs: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(runs as u64));
        if let Some(bar) = &bar {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24.cyan/blue} {pos}/{len} {elapsed} {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(SPIN);
        }
        Self { bar, last_line: Cell::new(Instant::now()) }
    }

    /// What goes on now. Without a terminal it is told only now and then.
    pub(super) fn now(&self, words: String) {
        match &self.bar {
            Some(bar) => bar.set_message(words),
            None if self.last_line.get().elapsed() >= LINE_INTERVAL => self.line(&words),
            None => {}
        }
    }

    fn line(&self, words: &str) {
        eprintln!("{words}");
        self.last_line.set(Instant::now());
    }

    /// A run is over.
    pub(super) fn ended(&self, seat: Seat, seed: u64, seconds: f64) {
        let words = format!("{seat}, seed {seed}: {seconds:.1} s");
        match &self.bar {
            Some(bar) => {
                bar.println(words);
                bar.inc(1);
            }
            None => self.line(&words),
        }
    }

    /// Nothing more will be shown.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
