//! The core, seen from outside.

mod agreement;
mod agreement_steps;
mod certificates;
mod crashes;
mod election;
mod hostile;
mod network;
mod spec;
