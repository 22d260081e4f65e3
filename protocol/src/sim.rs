//! A federation under virtual time: the same machines as in a node, with every other part of the world played from one
//! seed.
//!
//! [`Scenario`] says what happens, as data: how many members, how bad the links, who dies when, who lies and how.
//! [`run`] lets it happen and returns a [`Report`]. The world carries out each machine's effects in order against a
//! store that survives crashes, and may let a member die at any write: what was written before stays, everything after
//! is lost. Meanwhile one property after the other watches what members say and decide, and reckons for itself what must hold.
//!
//! Nothing is random but what the seed draws, so a scenario runs the same for ever: [`Report::trace`] proves it.

mod agent;
mod archive;
pub mod attack;
mod byzantine;
mod epidemic;
mod exchange;
mod fault;
mod forger;
mod hearing;
mod life;
mod link;
mod motions;
mod network;
mod newcomers;
mod node;
mod overreach;
mod owners;
mod property;
mod queue;
mod report;
mod rng;
mod scenario;
mod shell;
mod trace;
mod world;

pub use agent::Habits;
pub use byzantine::Lie;
pub use epidemic::Stepped;
pub use fault::{Fault, Moment};
pub use link::Link;
pub use property::Violation;
pub use report::{Counts, Report};
pub use rng::Rng;
pub use scenario::Scenario;

/// Lets `scenario` happen.
pub fn run(scenario: &Scenario) -> Report {
    world::World::new(scenario).run()
}
