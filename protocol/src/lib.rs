//! The deciding core of Althing: what members say, how they agree, and what a decision does to the ledger.
//!
//! Nothing here reads a clock, draws a random number, opens a file or talks to a peer. Everything that happens enters as
//! a value, everything that is to happen leaves as a value.
#![deny(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

pub mod aggregate;
pub mod audit;
pub mod body;
pub mod codec;
pub mod consensus;
pub mod contribution;
pub mod credibility;
pub mod crypto;
pub mod detection;
pub mod election;
pub mod epidemic;
pub mod event;
pub mod genesis;
pub mod hiring;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod machine;
pub mod market;
pub mod model;
pub mod passbook;
pub mod receipt;
pub mod settlement;
#[cfg(feature = "sim")]
pub mod sim;
pub mod state;
pub mod statement;
pub mod time;
pub mod update;
pub mod wire;
