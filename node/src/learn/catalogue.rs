//! What a program can learn: the built-in models, and those that its author adds.

use std::{collections::BTreeMap, sync::Arc};

use althing_protocol::{
    aggregate, genesis,
    ids::BlobRef,
    model::{Manifest, ManifestError},
};

use super::{
    data::{DataError, Dataset, Schema, Source},
    facts,
    job::Learn,
    model::Architecture,
    params,
    partition::PartitionError,
    portion::Portion,
    train::Learner,
};
use crate::config;

/// The data schema that the built-in models read.
const MNIST: &str = "mnist";

/// A model together with the kind of data that it learns from.
pub trait Task: Send + Sync {
    /// The tensors of the model at all its widths.
    fn manifest(&self) -> Manifest;

    /// The parameters of the first model, in manifest order. Every member computes them alone, so they must be the same
    /// bits on every machine.
    fn first_model(&self, seed: u64) -> Vec<f32>;

    /// The learner of one member, over its own part of the data.
    ///
    /// # Errors
    /// [`TaskError`] if the data cannot be read or divided as `data` says.
    fn learner(&self, data: &config::Data) -> Result<Box<dyn Learn>, TaskError>;
}

/// Why a task cannot be learnt here.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No such model with such data.
    #[error("this program has no model {model:?} for data of the schema {dataset:?}; it has: {known}")]
    Unknown {
        /// The model that was asked for.
        model: String,
        /// The schema that was asked for.
        dataset: String,
        /// What there is.
        known: String,
    },
    /// This program's model is not the genesis's.
    #[error(
        "the genesis names another {what} for {model} than this program computes: it was made by another version of \
         the program; use that version, or found another federation"
    )]
    Differs {
        /// What differs.
        what: &'static str,
        /// Of which model.
        model: String,
    },
    /// The model of this program cannot be used at all.
    #[error("the model {model} cannot be used: {source}")]
    Manifest {
        /// Which model.
        model: String,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data cannot be divided.
    #[error(transparent)]
    Partition(#[from] PartitionError),
}

/// What follows from a model and a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// The tensors of the model at all its widths.
    pub tensors: Manifest,
    /// The first model.
    pub initial_model: BlobRef,
}

/// The tasks that a program knows, by the names of model and data schema.
#[derive(Clone, Default)]
pub struct Catalogue(BTreeMap<(String, String), Arc<dyn Task>>);

impl Catalogue {
    /// The tasks that `althing` comes with.
    pub fn built_in() -> Self {
        Architecture::ALL.into_iter().fold(Self::default(), |catalogue, architecture| {
            catalogue.with(architecture.name(), MNIST, Images { architecture })
        })
    }

    /// Also this task, under these names. It takes the place of one that has them already.
    #[must_use]
    pub fn with(mut self, model: &str, dataset: &str, task: impl Task + 'static) -> Self {
        self.0.insert((model.to_owned(), dataset.to_owned()), Arc::new(task));
        self
    }

    /// The task of these names.
    ///
    /// # Errors
    /// [`TaskError::Unknown`] lists what there is.
    pub fn find(&self, model: &str, dataset: &str) -> Result<&dyn Task, TaskError> {
        let task = self.0.get(&(model.to_owned(), dataset.to_owned())).ok_or_else(|| TaskError::Unknown {
            model: model.chars().take(40).collect(),
            dataset: dataset.chars().take(40).collect(),
            known: self
                .0
                .keys()
                .map(|(model, dataset)| format!("{model} for {dataset}"))
                .collect::<Vec<_>>()
                .join(", "),
        })?;
        Ok(&**task)
    }

    /// What a genesis says of a model.
    ///
    /// # Errors
    /// [`TaskError`] when there is no such task, or its model cannot be used.
    pub fn facts(&self, model: &str, dataset: &str, seed: u64) -> Result<ModelFacts, TaskError> {
        let task = self.find(model, dataset)?;
        let tensors = task.manifest();
        tensors.validate().map_err(|source| TaskError::Manifest { model: model.to_owned(), source })?;
        let initial_model = BlobRef::of(&aggregate::encode(&task.first_model(seed)));
        Ok(ModelFacts { tensors, initial_model })
    }

    /// The task of a genesis, once this program is known to compute the same first model.
    ///
    /// # Errors
    /// [`TaskError`] when it does not, or knows no such task.
    pub fn check(&self, wanted: &genesis::Task) -> Result<&dyn Task, TaskError> {
        let ours = self.facts(&wanted.model, &wanted.dataset, wanted.seed)?;
        let differs = |what| TaskError::Differs { what, model: wanted.model.clone() };
        if ours.tensors != wanted.tensors {
            return Err(differs("list of tensors"));
        }
        if ours.initial_model != wanted.initial_model {
            return Err(differs("first model"));
        }
        self.find(&wanted.model, &wanted.dataset)
    }
}

/// A built-in model on MNIST.
struct Images {
    architecture: Architecture,
}

impl Task for Images {
    fn manifest(&self) -> Manifest {
        params::manifest(self.architecture)
    }

    fn first_model(&self, seed: u64) -> Vec<f32> {
        facts::first_model(self.architecture, seed)
    }

    fn learner(&self, config: &config::Data) -> Result<Box<dyn Learn>, TaskError> {
        let Portion { train, held_out } = Portion::load(&Source::find(config, Schema::Mnist)?, config)?;
        Ok(Box::new(Learner::new(self.architecture, train, held_out, Dataset::default())))
    }
}
