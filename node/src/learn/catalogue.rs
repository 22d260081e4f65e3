//! What a program can learn: the built-in models, and those that its author adds.

use std::{collections::BTreeMap, sync::Arc};

use althing_protocol::{
    aggregate, genesis,
    ids::BlobRef,
    model::{Manifest, ManifestError, Width},
};

use burn::tensor::Device;

use super::{
    classifier::{self, ColourLeNet, Perceptron},
    data::{DataError, Dataset, Schema, Source, Subset},
    facts,
    job::Learn,
    model::{Architecture, Network},
    params,
    partition::PartitionError,
    portion::Portion,
    state_dict::{self, Entry},
    train::Learner,
};
use crate::config;

/// What a batch norm calls the mean that it keeps.
const RUNNING: &str = "running_mean";

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

    /// A learner that has the examples of `data` on which no member trains, and no others.
    ///
    /// # Errors
    /// [`TaskError`] if there are none, or they cannot be read.
    fn examiner(&self, data: &config::Data) -> Result<Box<dyn Learn>, TaskError>;

    /// What PyTorch calls each tensor, in manifest order.
    fn state_dict(&self) -> Vec<Entry>;
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
        "the genesis names another list of tensors for {0} than this program computes: it was made by another version of \
         the program; use that version, or found another federation"
    )]
    Differs(String),
    /// This program's first model is not the genesis's.
    #[error(
        "the genesis names another first model for {0} than this program computes: say its file as first_model in the \
         configuration, if the founder gave one with the genesis; or use the version of the program that made the genesis"
    )]
    OtherStart(String),
    /// A file is not the first model.
    #[error(
        "the first_model of the configuration has the hash {}, and the genesis names {}: get the file from the founder, or \
         leave it out if the genesis was made without one", .found.hash, .wanted.hash
    )]
    OtherFile {
        /// What the file is.
        found: BlobRef,
        /// What the genesis names.
        wanted: BlobRef,
    },
    /// The model of this program cannot be used at all.
    #[error("the model {model} cannot be used: {source}")]
    Manifest {
        /// Which model.
        model: String,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// The model has numbers that a forward pass changes and no gradient trains.
    #[error(
        "the model {model} keeps a running mean in {path}, which no federation can train: use a layer norm or a group norm"
    )]
    Running {
        /// Which model.
        model: String,
        /// Which tensor.
        path: String,
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
pub struct Catalogue {
    tasks: BTreeMap<(String, String), Arc<dyn Task>>,
    families: BTreeMap<String, Family>,
}

/// A task for each schema.
type Family = Arc<dyn Fn(Schema) -> Arc<dyn Task> + Send + Sync>;

impl Catalogue {
    /// The tasks that `althing` comes with.
    pub fn built_in() -> Self {
        let images = |catalogue: Self, architecture: Architecture| {
            catalogue.with(architecture.name(), &Schema::Mnist.to_string(), Images { architecture })
        };
        Architecture::ALL
            .into_iter()
            .fold(Self::default(), images)
            .with("lenet", &Schema::Cifar10.to_string(), classifier::task(ColourLeNet::TEN))
            .with("lenet", &Schema::Cifar100.to_string(), classifier::task(ColourLeNet::HUNDRED))
            .with_family("mlp", |schema| classifier::task(Perceptron { schema }))
    }

    /// Also this task, under these names. It takes the place of one that has them already.
    #[must_use]
    pub fn with(mut self, model: &str, dataset: &str, task: impl Task + 'static) -> Self {
        self.tasks.insert((model.to_owned(), dataset.to_owned()), Arc::new(task));
        self
    }

    /// Also a task for each schema that there is, all under the name of this model.
    #[must_use]
    pub fn with_family<T: Task + 'static>(
        mut self,
        model: &str,
        family: impl Fn(Schema) -> T + Send + Sync + 'static,
    ) -> Self {
        self.families.insert(model.to_owned(), Arc::new(move |schema| Arc::new(family(schema))));
        self
    }

    /// The task of these names.
    ///
    /// # Errors
    /// [`TaskError::Unknown`] lists what there is.
    pub fn find(&self, model: &str, dataset: &str) -> Result<Arc<dyn Task>, TaskError> {
        let single = self.tasks.get(&(model.to_owned(), dataset.to_owned())).cloned();
        let family = || Some(self.families.get(model)?(dataset.parse().ok()?));
        single.or_else(family).ok_or_else(|| TaskError::Unknown {
            model: model.chars().take(40).collect(),
            dataset: dataset.chars().take(40).collect(),
            known: self.known(),
        })
    }

    fn known(&self) -> String {
        let singles = self.tasks.keys().map(|(model, dataset)| format!("{model} for {dataset}"));
        let families = self
            .families
            .keys()
            .map(|model| format!("{model} for mnist, cifar10, cifar100 and csv-FEATURES-CLASSES (as in csv-4-3)"));
        singles.chain(families).collect::<Vec<_>>().join(", ")
    }

    /// What a genesis says of a model.
    ///
    /// # Errors
    /// [`TaskError`] when there is no such task, or its model cannot be used.
    pub fn facts(&self, model: &str, dataset: &str, seed: u64) -> Result<ModelFacts, TaskError> {
        let task = self.find(model, dataset)?;
        let tensors = task.manifest();
        tensors.validate().map_err(|source| TaskError::Manifest { model: model.to_owned(), source })?;
        if let Some(running) = tensors.tensors.iter().find(|tensor| tensor.path.ends_with(RUNNING)) {
            return Err(TaskError::Running { model: model.to_owned(), path: running.path.clone() });
        }
        let initial_model = BlobRef::of(&aggregate::encode(&task.first_model(seed)));
        Ok(ModelFacts { tensors, initial_model })
    }

    /// The task of a genesis, once this program is known to compute the same tensors.
    ///
    /// # Errors
    /// [`TaskError`] when it does not, or knows no such task.
    pub fn check(&self, wanted: &genesis::Task) -> Result<Arc<dyn Task>, TaskError> {
        let task = self.find(&wanted.model, &wanted.dataset)?;
        if task.manifest() == wanted.tensors { Ok(task) } else { Err(TaskError::Differs(wanted.model.clone())) }
    }

    /// The bytes of the first model of a genesis: of `file`, if there is one, or what its seed leads to.
    ///
    /// # Errors
    /// [`TaskError`] when they are not those that the genesis names, or this program knows no such task.
    pub fn first_model(&self, wanted: &genesis::Task, file: Option<Vec<u8>>) -> Result<Vec<u8>, TaskError> {
        let task = self.check(wanted)?;
        let (bytes, is_file) = match file {
            Some(bytes) => (bytes, true),
            None => (aggregate::encode(&task.first_model(wanted.seed)), false),
        };
        match BlobRef::of(&bytes) {
            found if found == wanted.initial_model => Ok(bytes),
            found if is_file => Err(TaskError::OtherFile { found, wanted: wanted.initial_model }),
            _ => Err(TaskError::OtherStart(wanted.model.clone())),
        }
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

    fn examiner(&self, config: &config::Data) -> Result<Box<dyn Learn>, TaskError> {
        let test = Source::find(config, Schema::Mnist)?.load_all(Subset::Test)?;
        Ok(Box::new(Learner::new(self.architecture, Dataset::default(), Dataset::default(), test)))
    }

    fn state_dict(&self) -> Vec<Entry> {
        state_dict::entries(&Network::new(self.architecture, Width::Full, &Device::flex()))
    }
}
