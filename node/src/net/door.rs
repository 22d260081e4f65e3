//! The door: what somebody who is no member yet may ask.

use std::time::Duration;

use althing_protocol::limits::{MAX_GENESIS_BYTES, MAX_INSTRUCTION_BYTES};

/// Longest knock, in bytes: an application with its signature.
pub(super) const KNOCK_BYTES_MAX: usize = 2 * MAX_INSTRUCTION_BYTES;

/// Longest answer, in bytes: a genesis.
pub(super) const WELCOME_BYTES_MAX: usize = MAX_GENESIS_BYTES + 1024;

/// Time that a stranger may stay to knock, where members can be invited.
pub(super) const OPEN_FOR: Duration = Duration::from_secs(3);
