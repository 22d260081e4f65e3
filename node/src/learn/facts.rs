//! What a genesis says of a built-in model, computed from its name and seed.

use althing_protocol::{aggregate, ids::Hash};

use super::{model::Architecture, params};

/// The parameters of the first model, in manifest order.
pub fn first_model(architecture: Architecture, seed: u64) -> Vec<f32> {
    params::init(architecture, start(seed))
}

/// What the parameters of any first model are drawn from.
pub fn start(seed: u64) -> [u8; 32] {
    Hash::derive("althing 1 first model", &[&seed.to_le_bytes()]).0
}

/// The first model, as bytes.
pub fn initial_model(architecture: Architecture, seed: u64) -> Vec<u8> {
    aggregate::encode(&first_model(architecture, seed))
}
