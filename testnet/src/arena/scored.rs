//! A question whose entries have all been tried.

use althing_agents::policy::{Question, Reorder};

use super::contestant::Context;

/// A question, and what came of each entry of its menu.
#[derive(Debug, Clone)]
pub struct Scored<Q: Question> {
    question: Q,
    /// In any order.
    values: Vec<(Q::Option, f64)>,
}

impl<Q: Question> Scored<Q> {
    /// `question`, of which every entry is worth what `value` says.
    pub(super) fn new(question: Q, value: impl FnMut(&Q::Option) -> f64) -> Self {
        let values = question.menu().iter().map(value).collect::<Vec<_>>();
        let values = question.menu().iter().copied().zip(values).collect();
        Self { question, values }
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
        Self { question: self.question.reordered(order), values: self.values.clone() }
    }
}
