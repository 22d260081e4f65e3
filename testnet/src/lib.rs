//! A federation on one machine: spawn nodes, break them, and report what they did.
//!
//! Every node is a process of its own, started as anybody would start it; this crate only listens to what they print,
//! asks for their status, and kills one now and then. What is decided here (who is killed when, what a run amounted to)
//! is pure and tested by tables; what touches the machine is thin.
#![warn(missing_docs)]

pub mod accuracy;
pub mod althing;
pub mod arena;
pub mod attacks;
pub mod audit;
pub mod chaos;
pub mod endpoint;
pub mod error;
mod fleet;
pub mod folder;
pub mod hostile;
pub mod hunt;
pub mod lan;
pub mod market;
pub mod observer;
pub mod options;
pub mod page;
pub mod process;
pub mod progress;
pub mod replay;
pub mod report;
pub mod run;
pub mod scenario;
pub mod setup;
pub mod status;
pub mod trace;
pub mod traffic;
pub mod warden;
