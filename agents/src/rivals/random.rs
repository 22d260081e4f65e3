//! Any entry of the menu: what whoever decides must beat.

use althing_protocol::event::DecidedBy;

use super::{Lots, Rival};
use crate::policy::{Pick, Policy, Question};

/// Picks any entry of the menu, all equally likely.
#[derive(Debug, Clone)]
pub struct Random<T> {
    lots: Lots,
    round: u64,
    otherwise: T,
}

impl<T> Random<T> {
    /// Draws from `seed`, and says `otherwise` to a question without a menu.
    pub fn new(seed: u64, otherwise: T) -> Self {
        Self { lots: Lots::new("random", seed), round: 0, otherwise }
    }
}

impl<Q: Question<Option: Ord + Send>> Policy<Q> for Random<Q::Option> {
    fn decide(&mut self, question: &Q) -> Pick<Q::Option> {
        // Drawn from the sorted menu, so that the order in which it stands does not matter.
        let mut menu = question.menu().to_vec();
        menu.sort_unstable();
        let place = self.lots.number(&[&self.round.to_le_bytes()]) % menu.len().max(1) as u64;
        let option = menu.get(place as usize).copied().unwrap_or(self.otherwise);
        Pick { option, by: DecidedBy::Rules }
    }
}

impl<Q: Question<Option: Ord + Send>> Rival<Q> for Random<Q::Option> {
    fn learn(&mut self, _: &Q, _: Q::Option, _: f64) {
        self.round += 1;
    }
}
