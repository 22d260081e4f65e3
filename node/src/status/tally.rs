//! What a node counts of its own events since it started, for those who watch many nodes.

use std::collections::BTreeMap;

use althing_protocol::event::{Event, Phase, Role};
use serde::{Deserialize, Serialize};

/// Events since the node started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Rounds that were settled with a new model.
    pub rounds: u64,
    /// Rounds that were settled without one.
    pub empty_rounds: u64,
    /// Plans and Settles that were decided in another member's proposal than the elected one's.
    pub takeovers: u64,
    /// Updates that this member has trained.
    pub trainings: u64,
    /// Contracts that it could not deliver.
    pub forfeits: u64,
    /// Misbehaviour of peers, each time that it was noticed.
    pub misbehaviours: u64,
    /// Nodes that were refused.
    pub refusals: u64,
    /// Times that something kept the node from its part.
    pub hindrances: u64,
    /// Questions that a language model was asked, by role.
    pub questions: BTreeMap<Role, Questions>,
    /// Time in each phase of a round.
    pub phases: BTreeMap<Phase, Spell>,
    #[serde(skip)]
    open: Option<(Phase, u64)>,
}

/// Questions by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Questions {
    /// They brought an order.
    pub answered: u64,
    /// They brought none.
    pub failed: u64,
}

/// Time in a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spell {
    /// Times that it has ended.
    pub count: u64,
    /// How long it lasted, all times together, in milliseconds.
    pub total_ms: u64,
}

impl Tally {
    /// Takes in what happened at `at_ms`, by a clock that never goes back.
    pub fn hear(&mut self, at_ms: u64, event: &Event) {
        match event {
            Event::Planned { agreement_round, .. } => self.takeovers += u64::from(*agreement_round > 0),
            Event::Settled { agreement_round, updates, .. } => {
                self.takeovers += u64::from(*agreement_round > 0);
                let rounds = if *updates > 0 { &mut self.rounds } else { &mut self.empty_rounds };
                *rounds += 1;
            }
            Event::PhaseEntered { phase, .. } => self.enter(at_ms, *phase),
            Event::Trained { .. } => self.trainings += 1,
            Event::Forfeited { .. } => self.forfeits += 1,
            Event::Misbehaved { .. } => self.misbehaviours += 1,
            Event::Refused { .. } => self.refusals += 1,
            Event::Hindered { .. } => self.hindrances += 1,
            Event::Advised { role, choice, .. } => {
                let questions = self.questions.entry(*role).or_default();
                let count = if choice.is_some() { &mut questions.answered } else { &mut questions.failed };
                *count += 1;
            }
            _ => {}
        }
    }

    /// A phase lasts until the next one begins.
    fn enter(&mut self, at_ms: u64, phase: Phase) {
        if let Some((over, since)) = self.open.replace((phase, at_ms)) {
            let spell = self.phases.entry(over).or_default();
            spell.count += 1;
            spell.total_ms = spell.total_ms.saturating_add(at_ms.saturating_sub(since));
        }
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::Round;

    use super::*;

    #[test]
    fn a_phase_lasts_until_the_next() {
        let mut tally = Tally::default();
        let entered = |phase| Event::PhaseEntered { round: Round(1), phase };
        for (at_ms, phase) in [(100, Phase::Bid), (150, Phase::Train), (1_150, Phase::Bid), (1_180, Phase::Train)] {
            tally.hear(at_ms, &entered(phase));
        }
        assert_eq!(tally.phases[&Phase::Bid], Spell { count: 2, total_ms: 80 });
        assert_eq!(tally.phases[&Phase::Train], Spell { count: 1, total_ms: 1_000 });
    }

    #[test]
    fn questions_are_counted_by_what_came_of_them() {
        let mut tally = Tally::default();
        let asked = |choice: Option<&str>| Event::Advised {
            round: Round(1),
            role: Role::Selector,
            topic: "focus".into(),
            choice: choice.map(Into::into),
            why: None,
            latency_ms: 5,
        };
        tally.hear(0, &asked(Some("even")));
        tally.hear(0, &asked(None));
        tally.hear(0, &asked(None));
        assert_eq!(tally.questions[&Role::Selector], Questions { answered: 1, failed: 2 });
    }
}
