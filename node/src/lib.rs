//! A federation node: the loop that turns the core's effects into I/O, and everything it needs for that.

pub mod store;
