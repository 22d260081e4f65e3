//! Contexts for a selector.
//!
//! Each entry of the menu is tried from the same state, so the best entry in hindsight is known exactly, for one round.

use std::sync::Arc;

use althing_agents::{
    Policy,
    policy::{Question, Reorder},
    rivals::{DraftQuestion, Ranking, Rival, Sight},
    selector::{SelectorOption, SelectorQuestion},
};
use althing_node::learn::train::LearnError;
use althing_protocol::{ids::MemberId, machine::MarksQuestion, market};

use super::{
    contestant::{Contestant, Context, Failure},
    trial::Trial,
    world::World,
};

/// What a full round's updates must bring, as a share of the loss, to be worth their bytes.
const TOLL: f64 = 0.1;

/// What a selector answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Favour {
    /// An entry of the menu.
    Entry(SelectorOption),
    /// Members that it has picked itself.
    Draft(Ranking),
}

/// A round that a selector decides about.
#[derive(Clone)]
pub struct Selection {
    question: SelectorQuestion,
    /// In which order the menu stands, if not as it was made.
    order: Vec<usize>,
    trial: Arc<Trial>,
}

impl Selection {
    /// The round that `world` is before.
    ///
    /// # Errors
    /// [`LearnError`] if its model cannot be judged.
    pub(super) fn of(world: &World) -> Result<Self, LearnError> {
        let max_winners = u32::try_from(world.scale().winners).unwrap_or(u32::MAX);
        let asked = MarksQuestion { round: world.round(), max_winners, candidates: world.candidates() };
        let (question, order) = (SelectorQuestion::new(asked), Vec::new());
        Ok(Self { question, order, trial: Arc::new(Trial::of(world)?) })
    }

    /// In which order the menu stands; empty if as it was made.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// What is told of the candidates, in their order.
    fn sights(&self) -> Vec<Sight> {
        let sight = |member: &MemberId| {
            let place = self.trial.world().place(member)?;
            let (samples, last) = self.trial.world().told(place);
            Some(Sight { member: *member, samples, loss: self.trial.own_loss(place), last })
        };
        self.question.candidates.iter().filter_map(|candidate| sight(&candidate.member)).collect()
    }

    /// Places of those who are hired, and of those of them who deliver.
    pub(super) fn outcome(&self, choice: &Favour) -> (Vec<usize>, Vec<usize>) {
        let members = || self.question.candidates.iter().map(|candidate| candidate.member);
        let (hire, weights) = match choice {
            Favour::Entry(option) => (option.hire, self.question.weights(option.focus)),
            Favour::Draft(ranking) => (ranking.0.len() as u32, ranking.weights(members())),
        };
        let world = self.trial.world();
        let wins = market::clear(&world.asks(&weights), world.terms(hire), &world.tie()).wins;
        let mut hired: Vec<usize> = wins.iter().filter_map(|win| world.place(&win.member)).collect();
        hired.sort_unstable();
        let delivered = hired.iter().copied().filter(|place| world.delivers(*place)).collect();
        (hired, delivered)
    }

    /// What is known of the round.
    pub(super) fn trial(&self) -> &Trial {
        &self.trial
    }
}

impl Context for Selection {
    type Question = SelectorQuestion;
    type Choice = Favour;

    fn question(&self) -> &SelectorQuestion {
        &self.question
    }

    fn entry(&self, option: SelectorOption) -> Favour {
        Favour::Entry(option)
    }

    fn option(&self, choice: &Favour) -> Option<SelectorOption> {
        match choice {
            Favour::Entry(option) => Some(*option),
            Favour::Draft(_) => None,
        }
    }

    fn allows(&self, choice: &Favour) -> bool {
        match choice {
            Favour::Entry(option) => self.question.menu().contains(option),
            Favour::Draft(Ranking(picked)) => {
                let is_there = |member: &MemberId| self.question.candidates.iter().any(|one| one.member == *member);
                !picked.is_empty() && picked.len() <= self.trial.world().scale().winners && picked.iter().all(is_there)
            }
        }
    }

    /// The part of the loss that the round takes away, less a toll for every update that is sent.
    fn value(&self, choice: &Favour) -> f64 {
        let (_, delivered) = self.outcome(choice);
        1.0 - self.trial.score(&delivered).loss / self.trial.loss()
            - TOLL * delivered.len() as f64 / self.trial.world().scale().winners as f64
    }

    fn prepare(&self) {
        self.sights();
    }

    fn reordered(&self, order: &[usize]) -> Self {
        let mut question = self.question.reordered(order);
        question.candidates.reverse();
        Self { question, order: order.to_vec(), trial: self.trial.clone() }
    }
}

/// Somebody who picks members.
pub(super) struct Drafter {
    /// Who.
    pub policy: Box<dyn Rival<DraftQuestion>>,
}

impl Contestant<Selection> for Drafter {
    fn answer(&mut self, context: &Selection) -> Result<Favour, Failure> {
        let policy: &mut dyn Policy<DraftQuestion> = &mut *self.policy;
        let scale = context.trial.world().scale();
        Ok(Favour::Draft(Ranking::draft(policy, context.trial.world().round(), scale.winners, context.sights())))
    }
}

#[cfg(test)]
mod tests;
