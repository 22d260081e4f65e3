//! What people see while a run goes on, on the error stream.

use std::{
    collections::VecDeque,
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use althing_protocol::event::Phase;
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::{Spread, format_credits};

/// How often the bar's spinner moves.
const SPIN: Duration = Duration::from_millis(150);

/// Lines that the page of the run shows.
const LINES_KEPT: usize = 40;

/// A bar at a terminal, plain lines elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    rounds: u64,
    said: Mutex<VecDeque<String>>,
}

/// A settled round, in the words of the progress lines.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundLine {
    /// Which.
    pub round: u64,
    /// The node whose proposal settled it.
    pub aggregator: String,
    /// Of the settled model, if known by now.
    pub accuracy: Option<f64>,
    /// Least and most that a member owns, in micro-credits.
    pub credits: (u64, u64),
    /// Decisions taken over so far.
    pub takeovers: u64,
    /// Length of the round.
    pub duration_ms: Option<u64>,
}

/// A step of epidemic exchange that every node has ended, in the words of the progress lines.
#[derive(Debug, Clone, PartialEq)]
pub struct StepLine {
    /// Which.
    pub step: u64,
    /// Of the nodes' own models, if known by now.
    pub accuracy: Option<Spread>,
    /// Models that entered another node's.
    pub accepted: usize,
    /// Models that came and did not.
    pub refused: usize,
    /// Length of the step at the median node.
    pub duration_ms: Option<u64>,
}

impl Progress {
    /// Begins to show a run of `rounds` rounds.
    pub fn start(rounds: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: None, rounds, said: Mutex::default() };
        }
        let bar = ProgressBar::new(rounds);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24.cyan/blue} {pos}/{len} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(SPIN);
        Self { bar: Some(bar), rounds, said: Mutex::default() }
    }

    /// Something worth a line of its own, which the page shows too.
    pub fn say(&self, words: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_back(words.to_owned());
        let more = said.len().saturating_sub(LINES_KEPT);
        said.drain(..more);
        drop(said);
        self.print(words);
    }

    fn print(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.println(words),
            None => eprintln!("{words}"),
        }
    }

    /// What was said last beside the lines of rounds and steps, the newest at the end.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A round is over.
    pub fn settled(&self, line: &RoundLine) {
        self.print(&line.words(self.rounds));
        if let Some(bar) = &self.bar {
            bar.set_position(line.round.min(self.rounds));
        }
    }

    /// A step is over.
    pub fn stepped(&self, line: &StepLine) {
        self.print(&line.words(self.rounds));
        if let Some(bar) = &self.bar {
            bar.set_position(line.step.min(self.rounds));
        }
    }

    /// Where the open round stands; shown by the bar only.
    pub fn stands(&self, round: u64, aggregator: &str, phase: Option<Phase>) {
        if let Some(bar) = &self.bar {
            let phase = phase.map_or("call", phase_name);
            bar.set_message(format!("round {round} under {aggregator}: {phase}"));
        }
    }

    /// Nothing more will be shown.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl RoundLine {
    fn words(&self, rounds: u64) -> String {
        let Self { round, aggregator, takeovers, .. } = self;
        let accuracy = self.accuracy.map_or_else(|| "  ?   ".to_owned(), |accuracy| format!("{accuracy:.4}"));
        let seconds = self.duration_ms.map_or_else(|| "?".to_owned(), |ms| format!("{:.2}", ms as f64 / 1000.0));
        let (least, most) = (format_credits(self.credits.0), format_credits(self.credits.1));
        format!(
            "round {round:>3}/{rounds}  {aggregator:<10} accuracy {accuracy}  credits {least} to {most}  takeovers {takeovers}  {seconds} s"
        )
    }
}

impl StepLine {
    fn words(&self, steps: u64) -> String {
        let Self { step, accepted, refused, .. } = self;
        let figure = |value: f64| format!("{value:.4}");
        let [worst, mean, best] = match self.accuracy {
            Some(Spread { mean, worst, best }) => [worst, mean, best].map(figure),
            None => ["?", "?", "?"].map(str::to_owned),
        };
        let seconds = self.duration_ms.map_or_else(|| "?".to_owned(), |ms| format!("{:.2}", ms as f64 / 1000.0));
        format!(
            "step {step:>3}/{steps}  accuracy {mean} ({worst} to {best})  models {accepted} accepted, {refused} refused  {seconds} s"
        )
    }
}

/// What happens in a phase, for people.
pub const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Wait => "members gather",
        Phase::Bid => "bids are sealed",
        Phase::Reveal => "bids are opened",
        Phase::Plan => "the plan is agreed on",
        Phase::Train => "winners train",
        Phase::Appraise => "updates are appraised",
        Phase::Settle => "the settlement is agreed on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_is_kept_and_no_more() {
        let progress = Progress::start(1);
        (0..100).for_each(|line| progress.say(&line.to_string()));
        let said = progress.said();
        assert_eq!((said.len(), said.last().map(String::as_str)), (LINES_KEPT, Some("99")));
    }

    #[test]
    fn a_line_tells_a_round() {
        let mut line = RoundLine {
            round: 4,
            aggregator: "node-3".into(),
            accuracy: Some(0.93125),
            credits: (1_500_000, 23_000_000),
            takeovers: 1,
            duration_ms: Some(2_345),
        };
        let words = line.words(20);
        for part in ["round   4/20", "node-3", "0.931", "1.50 to 23.00", "takeovers 1", "2.35 s"] {
            assert!(words.contains(part), "{part:?} in {words:?}");
        }
        line.accuracy = None;
        assert!(line.words(20).contains("accuracy   ?"));
    }

    #[test]
    fn a_line_tells_a_step() {
        let accuracy = Spread::of(&[0.5, 0.9]);
        let mut line = StepLine { step: 7, accuracy, accepted: 20, refused: 3, duration_ms: Some(1_500) };
        let expected = "step   7/20  accuracy 0.7000 (0.5000 to 0.9000)  models 20 accepted, 3 refused  1.50 s";
        assert_eq!(line.words(20), expected);
        line.accuracy = None;
        assert!(line.words(20).contains("accuracy ? (? to ?)"));
    }
}
