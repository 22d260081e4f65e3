//! The live page of a node, for people: the federation at a glance, and this member's part in it.
//!
//! The node renders everything ([`html`]) from its [`Status`](crate::status::Status), its transcript and a [`Board`] that
//! follows its events. The browser's script only asks for the parts again, once a second, and puts in what has changed.
//! Nothing comes from elsewhere, and nothing on the page can change the node. [`sheet`] and [`curve`] know nothing of
//! nodes: the page of the testnet is made of them too.

mod board;
pub mod curve;
pub(crate) mod html;
mod map;
mod mine;
pub mod sheet;
#[cfg(test)]
mod tests;

pub use board::{Board, Fault, Past, Row, Said, Scored};
