//! What people see while a replay goes on, on the error stream.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::plan::{Point, counted};

/// How often the bar's spinner moves.
const SPIN: Duration = Duration::from_millis(150);
/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// A bar at a terminal, a line now and then elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// What is being played.
    run: String,
    rounds_max: u64,
    last_line: Instant,
}

impl Progress {
    /// Begins by saying this.
    pub(super) fn start(words: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(0));
        if let Some(bar) = &bar {
            if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24.cyan/blue} {pos}/{len} {elapsed} {msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(SPIN);
            bar.set_message(words.to_owned());
        } else {
            eprintln!("{words}");
        }
        Self { bar, run: String::new(), rounds_max: 0, last_line: Instant::now() }
    }

    /// A run of at most so many rounds begins.
    pub(super) fn begins(&mut self, run: String, rounds_max: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(rounds_max);
                bar.set_position(0);
                bar.set_message(run.clone());
            }
            None => eprintln!("{run}"),
        }
        (self.run, self.rounds_max) = (run, rounds_max);
    }

    /// A round is over.
    pub(super) fn played(&mut self, point: &Point) {
        let percent = 100.0 * point.accuracy;
        match &self.bar {
            Some(bar) => {
                bar.set_position(point.round);
                bar.set_message(format!("{}, {percent:.2} % right", self.run));
            }
            None if self.last_line.elapsed() >= LINE_INTERVAL => {
                eprintln!("{}, round {} of at most {}: {percent:.2} % right", self.run, point.round, self.rounds_max);
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// The run is over: a line that stays.
    pub(super) fn ended(&self, last: &Point) {
        let rounds = counted(last.round, "round");
        let words = format!("{}: {:.2} % right after {rounds}", self.run, 100.0 * last.accuracy);
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
