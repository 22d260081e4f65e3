//! How long training takes here, by width: calibrated at the first start, measured ever after, and kept in the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use althing_agents::guardian::Need;
use althing_protocol::{
    codec,
    genesis::{Genesis, Task},
    ids::{BlobRef, Hash},
    model::Width,
};
use serde::{Deserialize, Serialize};

use super::machine_probe;
use crate::{
    learn::{
        calibrate,
        job::{Learn, Method, TrainJob},
        train::Hyper,
    },
    store::Store,
};

/// What the store calls the measurements.
const MEMORY: &str = "measured";

/// Longest record of them, in bytes.
const MAX_BYTES: usize = 4 * 1024;

/// Copies of the parameters that a training holds at its height: base, weights, gradients, momentum, sums and update.
const COPIES: u64 = 6;

/// Memory that the activations of a batch take besides, in bytes.
const ACTIVATIONS_BYTES: u64 = 16 * 1024 * 1024;

/// How many times longer an example takes with clipped gradients and noise than without, until it was measured.
const PRIVATE_FACTOR: f64 = 3.0;

/// How an example is trained on; it decides how long that takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Plain,
    Private,
}

/// What the measurements are of. Those of something else are forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    model: String,
    first: BlobRef,
    data: Option<Hash>,
    core_percent: u32,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Pace {
    sample_ns: u64,
    load_permille: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    subject: Subject,
    paces: BTreeMap<Width, Pace>,
}

/// The measurements, shared with the learner's thread.
#[derive(Clone)]
pub(super) struct Measured {
    record: Arc<Mutex<Record>>,
    store: Arc<Store>,
    memory: BTreeMap<Width, u64>,
}

impl Measured {
    /// What is known of training `task` with `learner`, and nothing yet if it is known of something else.
    pub(super) fn recall(
        store: Arc<Store>,
        task: &Task,
        learner: &dyn Learn,
        (kind, core_percent): (Kind, u32),
    ) -> Self {
        let data = learner.fingerprint();
        let subject = Subject { model: task.model.clone(), first: task.initial_model, data, core_percent, kind };
        let known = store.recall(MEMORY).ok().flatten();
        let known = known.and_then(|bytes| codec::decode::<Record>(&bytes, MAX_BYTES).ok());
        let record = known.filter(|record| record.subject == subject);
        let record = record.unwrap_or_else(|| Record { subject, paces: BTreeMap::new() });
        let widths = Width::ALL.into_iter().filter_map(|width| Some((width, task.tensors.slice(width)?.len() as u64)));
        let memory = widths.map(|(width, parameters)| (width, parameters * 4 * COPIES + ACTIVATIONS_BYTES)).collect();
        Self { record: Arc::new(Mutex::new(record)), store, memory }
    }

    /// Measures, at full speed and with what the limits make of that, the widths on the menu of `genesis` of which nothing is known, on a few batches that start from `model`.
    pub(super) fn calibrate(&self, learner: &dyn Learn, genesis: &Genesis, model: &[f32]) {
        let task = &genesis.task;
        let widths: BTreeSet<Width> = genesis.contracts.iter().map(|contract| contract.width).collect();
        for width in widths {
            if self.lock().paces.contains_key(&width) {
                continue;
            }
            let Some(slice) = task.tensors.slice(width) else { continue };
            let batch = task.batch as usize;
            let hyper = Hyper { epochs: 1, batch, learning_rate: task.learning_rate, momentum: task.momentum };
            let weights = slice.gather(model).into();
            let job = TrainJob { weights, width, method: Method::Plain(hyper), seed: [0; 32] };
            match calibrate::time_per_sample(learner, job, batch) {
                Ok(time) => {
                    self.note(width, time.mul_f64(self.slowness()));
                    tracing::info!(%width, ?time, "calibrated: so long for one example");
                }
                Err(error) => tracing::info!(%width, %error, "not calibrated"),
            }
        }
    }

    /// How many times longer an example takes here than in training without noise on a whole core.
    fn slowness(&self) -> f64 {
        let Subject { kind, core_percent, .. } = self.lock().subject;
        let noise = if kind == Kind::Private { PRIVATE_FACTOR } else { 1.0 };
        noise * 100.0 / f64::from(core_percent.max(1))
    }

    /// Takes note of a training, and keeps it for the next start.
    pub(super) fn learn(&self, width: Width, time_per_sample: Duration) {
        self.note(width, time_per_sample);
        let bytes = codec::encode(&*self.lock());
        if let Err(error) = self.store.remember(MEMORY, &bytes) {
            tracing::warn!(%error, "the measured time is not kept for the next start");
        }
    }

    /// What training takes, by width.
    pub(super) fn needs(&self) -> BTreeMap<Width, Need> {
        let record = self.lock();
        let need = |(width, pace): (&Width, &Pace)| {
            let need = Need {
                time_per_sample: Duration::from_nanos(pace.sample_ns),
                load_permille: pace.load_permille,
                memory_bytes: self.memory.get(width).copied().unwrap_or(0),
            };
            (*width, need)
        };
        record.paces.iter().map(need).collect()
    }

    fn note(&self, width: Width, time_per_sample: Duration) {
        let sample_ns = u64::try_from(time_per_sample.as_nanos()).unwrap_or(u64::MAX);
        let load_permille = machine_probe::look(0).load_permille;
        self.lock().paces.insert(width, Pace { sample_ns, load_permille });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
