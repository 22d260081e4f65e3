//! Whether anything has waited for the language model, as far as the nodes' own lines show it.
//!
//! A line tells when a question was answered and how long that took; others tell when phases begin, and how long each
//! decision took and which orders it followed. A phase that began and ended while one question was open has not waited
//! for the answer, and neither has a decision that took a moment meanwhile.

use std::collections::BTreeMap;

use althing_protocol::event::{Event, Followed};
use serde::Serialize;

use super::{Line, median};

/// Longest that a decision may take while a question is open, in milliseconds. It takes none of them, but a node's thread
/// may have to wait for a busy machine. A model's answer takes seconds.
pub const DECISION_MS_MOST: u64 = 1_000;

/// Questions that were answered sooner show nothing, in milliseconds: the server had the answer at hand.
const LONG_MS: u64 = 1_000;

/// A phase that ends so soon after an answer, in milliseconds, ends with it.
const WITH_MS: u64 = 50;

/// Phases from which on it is no chance if half of them end with an answer.
const MANY: u64 = 8;

/// From one moment to a later one, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from_ms: u64,
    to_ms: u64,
}

impl Span {
    const fn length_ms(self) -> u64 {
        self.to_ms.saturating_sub(self.from_ms)
    }

    const fn holds(self, at_ms: u64) -> bool {
        self.from_ms <= at_ms && at_ms <= self.to_ms
    }

    const fn meets(self, other: Self) -> bool {
        self.from_ms < other.to_ms && other.from_ms < self.to_ms
    }

    const fn lies_within(self, other: Self) -> bool {
        other.from_ms <= self.from_ms && self.to_ms <= other.to_ms
    }
}

/// What a node has told of its questions, phases and decisions.
#[derive(Debug, Clone, Default)]
struct Diary {
    questions: Vec<Span>,
    phases: Vec<Span>,
    phase_since_ms: Option<u64>,
    /// When, and how long it took, in microseconds.
    decisions: Vec<(u64, u64)>,
    /// By topic, the round in which its newest order was asked for, in this life.
    newest: BTreeMap<String, u64>,
    /// Rounds by which followed orders were old.
    ages: Vec<u64>,
    stale: u64,
}

/// Diaries of all nodes.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience(BTreeMap<usize, Diary>);

/// What they show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PatienceSummary {
    /// Questions that took the model a second or longer.
    pub questions: u64,
    /// Decisions that a node has made while it had one open.
    pub decisions: u64,
    /// The longest that one of them took, in milliseconds.
    pub longest_decision_ms: Option<f64>,
    /// Orders that were followed although there was a newer one of the same topic. There must be none.
    pub stale_orders: u64,
    /// Rounds since the model was asked for the order that was followed; the median.
    pub order_age_rounds: Option<u64>,
    /// Phases during which a question was open at the same node, for some of the time or all of it.
    pub phases: u64,
    /// Those of them that began and ended while one and the same question was open.
    pub phases_within: u64,
    /// Those of them that ended with an answer, within a twentieth of a second.
    pub phases_ended_with_answer: u64,
    /// As many would have ended so by chance.
    pub by_chance: f64,
    /// Median length of a phase that began and ended while one question was open, in seconds.
    pub phase_within_s: Option<f64>,
    /// Median length of a phase during which none was open, in seconds.
    pub phase_without_s: Option<f64>,
}

impl Patience {
    /// Takes in a line of `node`.
    pub(super) fn observe(&mut self, node: usize, line: &Line) {
        let diary = self.0.entry(node).or_default();
        let at_ms = line.at_ms;
        match &line.event {
            Event::Started { .. } => {
                diary.newest.clear();
                diary.phase_since_ms = None;
            }
            Event::PhaseEntered { .. } => {
                diary.end_phase(at_ms);
                diary.phase_since_ms = Some(at_ms);
            }
            Event::Settled { .. } => diary.end_phase(at_ms),
            Event::Advised { round, topic, choice, latency_ms, .. } => {
                diary.questions.push(Span { from_ms: at_ms.saturating_sub(*latency_ms), to_ms: at_ms });
                if choice.is_some() {
                    diary.newest.insert(topic.clone(), round.0);
                }
            }
            Event::Decided { round, took_us, followed, .. } => {
                diary.decisions.push((at_ms, *took_us));
                for Followed { topic, asked_in } in followed {
                    diary.ages.push(round.0.saturating_sub(asked_in.0));
                    diary.stale += u64::from(diary.newest.get(topic) != Some(&asked_in.0));
                }
            }
            _ => {}
        }
    }

    /// The figures.
    pub(super) fn summary(&self) -> PatienceSummary {
        let mut summary = PatienceSummary::default();
        let (mut within, mut without) = (Vec::new(), Vec::new());
        for diary in self.0.values() {
            diary.add_to(&mut summary);
            within.extend(diary.phases_within().map(Span::length_ms));
            without
                .extend(diary.phases.iter().filter(|phase| !diary.is_asking(**phase)).map(|phase| phase.length_ms()));
        }
        let seconds = |lengths: Vec<u64>| median(lengths).map(|ms| ms as f64 / 1e3);
        (summary.phase_within_s, summary.phase_without_s) = (seconds(within), seconds(without));
        summary.order_age_rounds = median(self.0.values().flat_map(|diary| diary.ages.iter().copied()).collect());
        summary
    }
}

impl Diary {
    fn end_phase(&mut self, at_ms: u64) {
        self.phases.extend(self.phase_since_ms.take().map(|from_ms| Span { from_ms, to_ms: at_ms }));
    }

    /// Questions that took long.
    fn long(&self) -> impl Iterator<Item = Span> {
        self.questions.iter().copied().filter(|question| question.length_ms() >= LONG_MS)
    }

    /// Whether any question was open during `phase`.
    fn is_asking(&self, phase: Span) -> bool {
        self.questions.iter().any(|question| question.meets(phase))
    }

    fn phases_within(&self) -> impl Iterator<Item = Span> {
        self.phases.iter().copied().filter(|phase| self.long().any(|question| phase.lies_within(question)))
    }

    fn add_to(&self, summary: &mut PatienceSummary) {
        summary.questions += self.long().count() as u64;
        for (_, took_us) in self.decisions.iter().filter(|(at_ms, _)| self.long().any(|open| open.holds(*at_ms))) {
            summary.decisions += 1;
            let took_ms = *took_us as f64 / 1e3;
            summary.longest_decision_ms = Some(summary.longest_decision_ms.map_or(took_ms, |most| most.max(took_ms)));
        }
        summary.stale_orders += self.stale;
        summary.phases_within += self.phases_within().count() as u64;
        let ends_with = |phase: &Span| {
            self.long().any(|question| {
                question.meets(*phase) && (question.to_ms..=question.to_ms + WITH_MS).contains(&phase.to_ms)
            })
        };
        for phase in self.phases.iter().filter(|phase| self.long().any(|question| question.meets(**phase))) {
            summary.phases += 1;
            summary.phases_ended_with_answer += u64::from(ends_with(phase));
            // If answers had come at any other moment of the phase, so much of it would have been just before its end.
            let answers = self.long().filter(|question| phase.holds(question.to_ms)).count() as f64;
            summary.by_chance += answers * (WITH_MS as f64 / phase.length_ms().max(WITH_MS) as f64);
        }
    }
}

impl PatienceSummary {
    /// What shows that something has waited for the model.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if let Some(ms) = self.longest_decision_ms.filter(|ms| *ms > DECISION_MS_MOST as f64) {
            complaints.push(format!(
                "a decision took {ms:.0} ms with a question to the model open, where {DECISION_MS_MOST} are allowed"
            ));
        }
        if self.stale_orders > 0 {
            complaints.push(format!("{} times an order was followed that was not the newest", self.stale_orders));
        }
        if self.phases >= MANY && self.phases_ended_with_answer * 2 >= self.phases {
            complaints.push(format!(
                "of {} phases with a question to the model open, {} ended with the answer",
                self.phases, self.phases_ended_with_answer
            ));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::{
        event::{DecidedBy, Phase, Role},
        ids::{Height, MemberId, NetworkId, Round},
    };

    use super::*;
    use crate::observer::tests::fold;

    fn phase(round: u64) -> Event {
        Event::PhaseEntered { round: Round(round), phase: Phase::Bid }
    }

    fn advised(round: u64, latency_ms: u64) -> Event {
        let (topic, choice) = ("margin".to_owned(), Some("slim".to_owned()));
        Event::Advised { round: Round(round), role: Role::Bidder, topic, choice, why: None, latency_ms }
    }

    fn decided(round: u64, asked_in: Option<u64>, took_us: u64) -> Event {
        let followed = asked_in.map(|round| Followed { topic: "margin".to_owned(), asked_in: Round(round) });
        Event::Decided {
            round: Round(round),
            role: Role::Bidder,
            by: if followed.is_some() { DecidedBy::Model } else { DecidedBy::Rules },
            choice: "pass".to_owned(),
            took_us,
            followed: followed.into_iter().collect(),
        }
    }

    fn summary(lines: Vec<(u64, Event)>) -> PatienceSummary {
        fold(1, lines.into_iter().map(|(at_ms, event)| (at_ms, 0, event)).collect()).patience()
    }

    /// Ten rounds of a phase each, which lasts as long as `length` says, with a decision in its middle. Each question is
    /// asked as the one before is answered, and takes 2.3 seconds.
    fn run(length: impl Fn(u64) -> u64, took_us: u64) -> Vec<(u64, Event)> {
        let mut lines: Vec<(u64, Event)> = (1..=5).map(|n| (10_000 + 2_300 * n, advised(n, 2_300))).collect();
        let mut at_ms = 10_100;
        for round in 1..=10 {
            lines.push((at_ms, phase(round)));
            lines.push((at_ms + length(at_ms) / 2, decided(round, None, took_us)));
            at_ms += length(at_ms);
        }
        lines.push((at_ms, phase(11)));
        lines.sort_by_key(|(at_ms, _)| *at_ms);
        lines
    }

    #[test]
    fn phases_go_on_while_a_question_is_open() {
        let found = summary(run(|_| 700, 40));
        assert_eq!((found.questions, found.phases, found.phases_within), (5, 10, 7), "{found:?}");
        assert_eq!((found.decisions, found.longest_decision_ms), (10, Some(0.04)));
        assert_eq!((found.phase_within_s, found.phase_without_s), (Some(0.7), None));
        assert_eq!(found.phases_ended_with_answer, 0);
        assert!((0.1..0.3).contains(&found.by_chance), "{found:?}");
        assert_eq!(found.complaints(), [""; 0]);
    }

    #[test]
    fn a_phase_that_waited_for_the_answer_is_found_out() {
        // Each ends ten milliseconds after the question that was open when it began.
        let waits = |at_ms: u64| 2_300 - (at_ms - 10_000) % 2_300 + 10;
        let found = summary(run(waits, 40).into_iter().filter(|(at_ms, _)| *at_ms < 22_000).collect());
        assert!(found.phases_ended_with_answer * 2 >= found.phases && found.by_chance < 1.0, "{found:?}");
        let few = found.phases < MANY;
        assert!(few && found.complaints().is_empty(), "a few might be chance: {found:?}");
        let two = fold(
            2,
            [0, 1].iter().flat_map(|node| run(waits, 40).into_iter().map(|(at, event)| (at, *node, event))).collect(),
        );
        assert!(two.patience().complaints()[0].contains("ended with the answer"), "{:?}", two.patience());
    }

    #[test]
    fn a_decision_that_waited_for_the_answer_is_found_out() {
        let found = summary(run(|_| 700, 1_000 * DECISION_MS_MOST));
        assert_eq!(found.complaints(), [""; 0], "as long as it may take");
        let found = summary(run(|_| 700, 1_000 * DECISION_MS_MOST + 1_000));
        assert!(found.complaints()[0].starts_with("a decision took 1001 ms"), "{:?}", found.complaints());
        let unasked = vec![(10, phase(1)), (11, decided(1, None, u64::MAX)), (20, phase(2))];
        assert_eq!(summary(unasked).complaints(), [""; 0], "nothing was asked: the model cannot be why");
    }

    #[test]
    fn the_newest_order_is_followed_at_once() {
        let lines = |second: u64| {
            vec![
                (5_000, advised(1, 2_000)),
                (6_000, decided(3, Some(1), 9)),
                (7_000, advised(3, 1_000)),
                (7_000, decided(4, Some(second), 9)),
            ]
        };
        let fresh = summary(lines(3));
        assert_eq!((fresh.stale_orders, fresh.order_age_rounds), (0, Some(1)));
        let stale = summary(lines(1));
        assert!(stale.complaints()[0].contains("was not the newest"), "{stale:?}");
        let begun = Event::Started { member: MemberId([1; 32]), network: NetworkId([2; 32]), height: Height(2) };
        let across = vec![(5_000, advised(1, 2_000)), (6_000, begun), (6_100, decided(3, Some(1), 9))];
        assert_eq!(summary(across).stale_orders, 1, "a new life has no orders");
    }

    #[test]
    fn an_answer_that_was_at_hand_shows_nothing() {
        let lines =
            vec![(10_000, phase(1)), (10_100, advised(1, 100)), (10_110, decided(1, Some(1), 9)), (10_120, phase(2))];
        let found = summary(lines);
        assert_eq!((found.questions, found.phases, found.decisions, found.phase_without_s), (0, 0, 0, None));
    }
}
