//! A federation on one machine: spawn nodes, break them, and report what they did.
