//! Learning: the models, the data, and the thread that trains.
//!
//! The rest of the node knows a model as one flat `f32` vector and a [`Manifest`](althing_protocol::model::Manifest) that says what
//! stands where. Bytes from peers become such a vector in a codec of ours and only then parameters of a Burn module;
//! the framework's own loaders never see them. Training and evaluation run on one thread ([`worker`]), and nothing here
//! needs to be bit-exact between machines but the start of a model ([`params::init`]) and the partition of the data
//! ([`partition`]): those two every member works out for itself.

pub mod calibrate;
pub mod catalogue;
mod chain;
pub mod classifier;
pub mod data;
mod epochs;
pub mod facts;
pub mod gradient;
pub mod job;
pub mod model;
pub mod params;
pub mod partition;
pub mod portion;
pub mod private;
pub mod safetensors;
pub mod state_dict;
pub mod throttle;
pub mod train;
pub mod worker;
pub mod workload;
