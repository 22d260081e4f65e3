//! The same answer to every question.

use althing_protocol::event::DecidedBy;

use super::Rival;
use crate::policy::{Pick, Policy, Question};

/// Picks one entry whatever the facts are, and another only where that one is not on the menu.
#[derive(Debug, Clone)]
pub struct Fixed<T> {
    wanted: Vec<T>,
    otherwise: T,
}

impl<T: Copy> Fixed<T> {
    /// The first of `wanted` that is on the menu, or else `otherwise`.
    pub fn new(wanted: Vec<T>, otherwise: T) -> Self {
        Self { wanted, otherwise }
    }
}

impl<Q: Question<Option: Send>> Policy<Q> for Fixed<Q::Option> {
    fn decide(&mut self, question: &Q) -> Pick<Q::Option> {
        let found = self.wanted.iter().find(|option| question.menu().contains(option));
        Pick { option: *found.unwrap_or(&self.otherwise), by: DecidedBy::Rules }
    }
}

impl<Q: Question<Option: Send>> Rival<Q> for Fixed<Q::Option> {}
