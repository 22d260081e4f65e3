//! Fixed pay: every winner gets an equal part of a full house's budget, as most federations pay that pay at all.
//!
//! However few are hired, the part stays the same. A bid whose value the reserve price does not hold worth that much is paid what the reserve allows. Who asks no more
//! takes it, the most valuable first.

use super::{Cleared, Entrant, Terms, posted};

/// Pays each winner an equal part of the budget.
pub(super) fn clear(entrants: Vec<Entrant>, terms: Terms) -> Cleared {
    posted::offer(entrants, terms, |value| terms.part.min(terms.ceiling(value)))
}
