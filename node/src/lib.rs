//! A federation node: the loop that turns the core's effects into I/O, and everything it needs for that.

pub mod learn;
pub mod net;
pub mod blobs;
