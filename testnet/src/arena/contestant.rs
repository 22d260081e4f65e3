//! Who decides, and about what: the two sides of every contest.

use std::fmt;

use althing_agents::{
    Rival,
    policy::{Question, Reorder},
};
use althing_protocol::event::DecidedBy;

use super::usage::Usage;

/// A question of which it is known what every answer is worth.
pub trait Context {
    /// The question that contestants see of it.
    type Question: Reorder;
    /// An answer: an entry of the menu, or what else is allowed.
    type Choice: Clone + PartialEq;

    /// What contestants are asked.
    fn question(&self) -> &Self::Question;

    /// The choice of an entry.
    fn entry(&self, option: <Self::Question as Question>::Option) -> Self::Choice;

    /// The entry that a choice is, if it is one.
    fn option(&self, choice: &Self::Choice) -> Option<<Self::Question as Question>::Option>;

    /// Whether code would let this choice pass.
    fn allows(&self, choice: &Self::Choice) -> bool;

    /// What the choice is worth, in a unit of which 1 is much.
    fn value(&self, choice: &Self::Choice) -> f64;

    /// Computes what contestants will be told, so that it does not count as their time.
    fn prepare(&self) {}

    /// The same with its menu, and whatever else is shown in a row, in another order of so many places.
    #[must_use]
    fn reordered(&self, order: &[usize]) -> Self;
}

/// Why there is no answer, in a word or two that a report can count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody who answers.
///
/// Between two calls of [`Contestant::learn`], which follow each other once for every context, it may be asked any number
/// of times. It may take its time: the contest's thread is its own, and how long it took is reported.
pub trait Contestant<C: Context>: Send {
    /// Answers, or says why not.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer. Code then decides, as it would in a node.
    fn answer(&mut self, context: &C) -> Result<C::Choice, Failure>;

    /// What is done where it has no valid answer. Without this either, the menu's first entry, which does no harm.
    fn otherwise(&mut self, _context: &C) -> Option<C::Choice> {
        None
    }

    /// What its last answer has cost beside time.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// What was decided in the end, and what it was worth.
    fn learn(&mut self, _context: &C, _choice: &C::Choice, _value: f64) {}
}

/// A policy that answers at once.
pub struct Prompt<Q: Question>(pub Box<dyn Rival<Q>>);

impl<C: Context> Contestant<C> for Prompt<C::Question> {
    fn answer(&mut self, context: &C) -> Result<C::Choice, Failure> {
        let pick = self.0.decide(context.question());
        match pick.by {
            DecidedBy::Model | DecidedBy::Rules => Ok(context.entry(pick.option)),
            DecidedBy::Fallback => Err(Failure("fell back".to_owned())),
        }
    }

    fn learn(&mut self, context: &C, choice: &C::Choice, value: f64) {
        if let Some(option) = context.option(choice) {
            self.0.learn(context.question(), option, value);
        }
    }
}
