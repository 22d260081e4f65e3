//! The same answer to every question.

use althing_protocol::event::DecidedBy;

use super::Rival;
use crate::policy::{Pick, Policy, Question};

/// Picks by one order of preference, whatever the facts are.
#[derive(Debug, Clone)]
pub struct Fixed<T> {
    rank: fn(&T) -> u32,
    otherwise: T,
}

impl<T> Fixed<T> {
    /// Picks the entry with the least `rank`, and says `otherwise` to a question without a menu.
    pub fn new(rank: fn(&T) -> u32, otherwise: T) -> Self {
        Self { rank, otherwise }
    }
}

impl<Q: Question<Option: Ord + Send>> Policy<Q> for Fixed<Q::Option> {
    fn decide(&mut self, question: &Q) -> Pick<Q::Option> {
        let first = question.menu().iter().min_by_key(|option| ((self.rank)(option), **option));
        Pick { option: first.copied().unwrap_or(self.otherwise), by: DecidedBy::Rules }
    }
}

impl<Q: Question<Option: Ord + Send>> Rival<Q> for Fixed<Q::Option> {}
