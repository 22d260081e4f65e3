//! Agreement: members decide one body after another, though some of them, with less than a third of the power, may
//! crash, lie or stay silent.
//!
//! This is Tendermint as the Malachite core implements it, wrapped so that it is one pure state machine: the
//! [`Engine`] takes an [`Input`] and returns the [`Effect`]s that its caller carries out **in order**. It reads no
//! clock, opens no file and knows no peer. What members agree on is the 32-byte hash of a body; the bodies themselves
//! travel outside.
//!
//! # One height
//! 1. [`Engine::start`] opens a height with the [`ValidatorSet`] that decides it. Heights never start by themselves.
//! 2. The proposer of the round gets [`Effect::Build`], stores and publishes a body, and answers [`Input::Built`].
//! 3. Whoever has a complete body judges it and says so by [`Input::Judged`]. The verdict must be a pure function of
//!    the body and the ledger: members who judge alike vote alike.
//! 4. Votes, proposals and certificates come in as [`Input::Message`] and go out as [`Effect::Publish`].
//! 5. When the proposer is silent or its body is bad, timers move everybody to the next round and the next proposer.
//! 6. [`Effect::Decide`] ends the height with a [`Certificate`] that anybody can check without the network.
//!
//! # The caller's duty
//! * Make an [`Effect::Append`] durable before carrying out any later effect, and [`Effect::Decide`] likewise. After a
//!   crash, hand the entries of the height to [`Engine::resume`]: the engine then never signs two things for one slot.
//! * Keep the entries in order, drop those of a height once it is decided.
//! * Store a body before answering [`Input::Built`], so that it can be streamed again after a crash.
//! * Treat [`EngineError`] as the end of the process. No effect leaves an engine that failed.
//!
//! The core writes `tracing` events under targets that begin with `arc_malachitebft`, several for each vote: a
//! subscriber does well to show its warnings only.
//!
//! Below two thirds of the power nothing is decided and nothing is lost: members stay in their round and repeat
//! themselves until the others are back.

mod certificate;
mod context;
mod convert;
mod early;
mod effect;
mod engine;
mod error;
mod evidence;
mod host;
mod input;
mod message;
mod pledges;
mod timer;
mod validators;
mod wal;

pub use certificate::{Certificate, CertificateError};
pub use effect::{Effect, Refusal};
pub use engine::Engine;
pub use error::EngineError;
pub use evidence::{Equivocation, EvidenceError};
pub use input::{Input, Verdict};
pub use message::{Message, PolkaCertificate, Proposal, RoundCertificate, RoundVote, UNSIGNED, Vote, VoteKind};
pub use timer::{Timeouts, Timer, TimerKind};
pub use validators::{Validator, ValidatorSet, ValidatorSetError};
pub use wal::{JudgedBody, WalEntry};
