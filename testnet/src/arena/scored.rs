//! A question whose entries have all been tried.

use althing_agents::{
    orders::Situation,
    policy::{Question, Reorder},
};

use super::contestant::Context;

/// A question, and what came of each entry of its menu.
#[derive(Debug, Clone)]
pub struct Scored<Q: Question> {
    question: Q,
    /// What a language model is told beside the menu.
    situation: Situation,
    /// In which order the menu stands, if not as it was made.
    order: Vec<usize>,
    /// In any order.
    values: Vec<(Q::Option, f64)>,
}

impl<Q: Question> Scored<Q> {
    /// `question`, of which every entry is worth what `value` says.
    pub(super) fn new(question: Q, situation: Situation, value: impl FnMut(&Q::Option) -> f64) -> Self {
        let values = question.menu().iter().map(value).collect::<Vec<_>>();
        let values = question.menu().iter().copied().zip(values).collect();
        Self { question, situation, order: Vec::new(), values }
    }

    /// What a language model is told beside the menu.
    pub(super) fn situation(&self) -> &Situation {
        &self.situation
    }

    /// In which order the menu stands; empty if as it was made.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }
}

impl<Q: Reorder + Clone> Context for Scored<Q> {
    type Question = Q;
    type Choice = Q::Option;

    fn question(&self) -> &Q {
        &self.question
    }

    fn entry(&self, option: Q::Option) -> Q::Option {
        option
    }

    fn option(&self, choice: &Q::Option) -> Option<Q::Option> {
        Some(*choice)
    }

    fn allows(&self, choice: &Q::Option) -> bool {
        self.question.menu().contains(choice)
    }

    fn value(&self, choice: &Q::Option) -> f64 {
        self.values.iter().find(|(option, _)| option == choice).map_or(0.0, |(_, value)| *value)
    }

    fn reordered(&self, order: &[usize]) -> Self {
        Self { question: self.question.reordered(order), order: order.to_vec(), ..self.clone() }
    }
}
