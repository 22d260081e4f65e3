//! The core, seen from outside.

mod agreement;
mod agreement_steps;
mod certificates;
mod crashes;
mod election;
mod epidemic;
mod hostile;
mod market;
mod mixing;
mod negotiation;
mod network;
mod spec;
