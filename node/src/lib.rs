//! A federation node: the loop that turns the core's effects into I/O, and everything it needs for that.

pub mod account;
pub mod advice;
pub mod backup;
pub mod blobs;
pub mod cli;
pub mod commands;
pub mod config;
pub mod door;
pub mod driver;
pub mod endpoint;
pub mod failure;
pub mod files;
pub mod genesis_file;
pub mod invitation;
pub mod keyfile;
pub mod learn;
pub mod ledger_file;
pub mod net;
pub mod page;
pub mod program;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod transcript;
