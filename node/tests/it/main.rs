//! The `althing` binary as a federation of real processes on real sockets: how it lives, what it survives, and what it
//! says to bad input. All of it is one test binary, because linking one takes seconds.

mod ask;
mod backup;
mod bad_input;
#[path = "../browser/mod.rs"]
mod browser;
mod contribution;
mod doctor;
mod endpoint;
mod epidemic;
mod fake_endpoint;
mod flood;
mod harness;
mod hostile;
mod joining;
mod kill_nine;
mod kill_private;
mod lifecycle;
mod orders;
mod page;
mod slices;
mod sponsor;
