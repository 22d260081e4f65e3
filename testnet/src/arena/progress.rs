//! What people see while a contest goes on, on the error stream.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::seat::Seat;

/// How often the bar's spinner moves.
const SPIN: Duration = Duration::from_millis(150);

/// A bar over all runs at a terminal, and a line for each that has ended.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
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
        Self { bar }
    }

    /// What goes on now; shown by the bar only.
    pub(super) fn begins(&self, words: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(words);
        }
    }

    /// A run is over.
    pub(super) fn ended(&self, seat: Seat, seed: u64, seconds: f64) {
        let words = format!("{seat}, seed {seed}: {seconds:.1} s");
        match &self.bar {
            Some(bar) => {
                bar.println(words);
                bar.inc(1);
            }
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
