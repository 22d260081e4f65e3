//! What a genesis says of a model, computed from its name and seed.

use althing_protocol::{
    aggregate,
    genesis::Task,
    ids::{BlobRef, Hash},
};

use super::{
    model::{Architecture, ParseArchitectureError},
    params::{self, Manifest},
};

/// The data schema that the built-in models read.
const MNIST: &str = "mnist";

/// Why a task cannot be trained here.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No such model.
    #[error(transparent)]
    Model(#[from] ParseArchitectureError),
    /// No such data schema.
    #[error("there is no data set schema {0:?}; the built-in models read \"mnist\"")]
    Dataset(String),
    /// This program's model is not the genesis's.
    #[error(
        "the genesis names another {what} for {model} than this program computes: it was made by another version of althing; use that version, or found another federation"
    )]
    Differs {
        /// What differs.
        what: &'static str,
        /// Of which model.
        model: String,
    },
}

/// What follows from a model and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelFacts {
    /// Hash of the parameter manifest.
    pub manifest: Hash,
    /// The first model.
    pub initial_model: BlobRef,
}

/// The first model of a task, as bytes.
pub fn initial_model(architecture: Architecture, seed: u64) -> Vec<u8> {
    let seed = Hash::derive("althing 1 first model", &[&seed.to_le_bytes()]);
    aggregate::encode(&params::init(architecture, seed.0))
}

/// What follows from a model's name, a data schema and a seed.
///
/// # Errors
/// [`TaskError`] when there is no such model or schema.
pub fn facts(model: &str, dataset: &str, seed: u64) -> Result<ModelFacts, TaskError> {
    let architecture: Architecture = model.parse()?;
    if dataset != MNIST {
        return Err(TaskError::Dataset(dataset.to_owned()));
    }
    let manifest = Manifest::of(architecture).hash();
    Ok(ModelFacts { manifest, initial_model: BlobRef::of(&initial_model(architecture, seed)) })
}

/// The architecture of a genesis's task, once this program is known to compute the same first model.
///
/// # Errors
/// [`TaskError`] when it does not, or knows no such model.
pub fn check(task: &Task) -> Result<Architecture, TaskError> {
    let ours = facts(&task.model, &task.dataset, task.seed)?;
    let differs = |what| TaskError::Differs { what, model: task.model.clone() };
    if ours.manifest != task.manifest {
        return Err(differs("parameter manifest"));
    }
    if ours.initial_model != task.initial_model {
        return Err(differs("first model"));
    }
    Ok(task.model.parse()?)
}
