//! Standing orders: what a model that thinks slowly has settled on before anybody asks.
//!
//! A language model takes seconds for a word, and a round must not wait for it. So it is asked beside the rounds, about
//! one [`Topic`] after the other: code writes what is known in numbers and words of its own ([`Situation`]), builds the
//! menu of what may be chosen ([`Choice`]) and the words of the question ([`Inquiry`]), and makes of the answers one
//! choice or none ([`verdict`]). The choice is kept ([`Orders`]) until a newer one comes or it is too old, and each
//! round's question is answered from it at once ([`obey`]), or by the rules.
//!
//! Nothing that a peer wrote reaches a question: members have no names here, contracts are told by their numbers, and
//! the only strings are those of this module.

mod agenda;
mod choice;
mod held;
mod inquiry;
mod memory;
pub mod obey;
mod reckoning;
mod situation;
#[cfg(test)]
mod tests;
pub mod verdict;

pub use agenda::Agenda;
pub use choice::{Choice, Topic};
pub use held::{LASTS_ROUNDS, Orders, Otherwise};
pub use inquiry::{Inquiry, MEMORIES_TOLD, Message, REASON_TOKENS, Speaker, TOKENS_MAX, tokens_at_most};
pub use memory::{Memory, Outcome};
pub use reckoning::{BidMade, LOOK_BACK, Reckoning};
pub use situation::{BidderFacts, GuardianFacts, Offered, SelectorFacts, Situation, Spending};
