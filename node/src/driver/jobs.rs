//! Slow work off the loop: training and scoring on the learner's thread, checking and aggregating on blocking threads.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use althing_protocol::{
    aggregate::{self, Weighted},
    genesis::{Aggregation, Genesis},
    ids::{BlobRef, MemberId, Round},
    machine::{AggregateOrder, Input, Made, Score, TrainOrder},
    model::Width,
};
use tokio::sync::mpsc;

use crate::{
    blobs::{Durability, Store as BlobStore},
    learn::{
        job::{EvaluateJob, Method, TrainJob},
        train::{EvaluateOn, Evaluation, Hyper, LearnError, Trained},
        worker::WorkerHandle,
    },
};

/// Millionths in one unit of loss.
const MILLIONTHS: f64 = 1e6;

/// What work off the loop brings back: an input, or the reason why the node must not go on.
pub(super) type Brought = Result<Input, JobError>;

/// The node's workers. Everything that they find comes back as an input.
pub(super) struct Jobs {
    worker: WorkerHandle,
    blobs: BlobStore,
    brought: mpsc::Sender<Brought>,
    genesis: Arc<Genesis>,
    /// Loss on held-out data of the model that the round started from.
    base_loss: Arc<Mutex<Option<(BlobRef, f32)>>>,
    /// Measured time for one example in one epoch, in nanoseconds; zero while nothing was measured.
    sample_ns: Arc<AtomicU64>,
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    #[error("blob {0} was here and is gone or damaged: start the node again, and it is fetched anew")]
    Gone(BlobRef),
    #[error(transparent)]
    Blobs(#[from] crate::blobs::StoreError),
    #[error(transparent)]
    Learn(#[from] LearnError),
}

impl Jobs {
    pub(super) fn new(
        worker: WorkerHandle,
        blobs: BlobStore,
        brought: mpsc::Sender<Brought>,
        genesis: Arc<Genesis>,
    ) -> Self {
        Self { worker, blobs, brought, genesis, base_loss: Arc::default(), sample_ns: Arc::default() }
    }

    /// Measured time for one example in one epoch.
    pub(super) fn time_per_sample(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.sample_ns.load(Ordering::Relaxed))
    }

    /// Trains, stores the update and brings its reference.
    pub(super) fn train(&self, order: TrainOrder) -> Result<(), JobError> {
        let task = &self.genesis.task;
        let hyper = Hyper {
            epochs: order.contract.epochs,
            batch: task.batch as usize,
            learning_rate: task.learning_rate,
            momentum: task.momentum,
        };
        let width = order.contract.width;
        let method = Method::Plain(hyper);
        let job = TrainJob { weights: self.weights(&order.base)?, width, method, seed: order.seed.0 };
        let (blobs, brought, sample_ns) = (self.blobs.clone(), self.brought.clone(), Arc::clone(&self.sample_ns));
        let (round, epochs) = (order.round, u64::from(order.contract.epochs));
        self.worker.train(job, move |result| match result {
            Ok(trained) => {
                sample_ns.store(pace(&trained, epochs), Ordering::Relaxed);
                let (samples, training_ms) = (trained.samples, trained.training_ms);
                let made = |update| Made { update, samples, training_ms, epsilon_micro: 0 };
                let stored = blobs.put(&aggregate::encode(&trained.weights), Durability::Refetchable);
                let input = stored.map(|update| Input::Trained { round, made: made(update) });
                bring(&brought, input.map_err(JobError::from));
            }
            Err(LearnError::Cancelled | LearnError::Stopped) => tracing::debug!(%round, "training stopped"),
            Err(error) => tracing::error!(%round, %error, "training failed; this round goes on without its update"),
        })?;
        Ok(())
    }

    /// Stops the training that runs, if one does.
    pub(super) fn stop_training(&self) {
        self.worker.cancel();
    }

    /// Scores `base` ahead of the updates that will be compared with it.
    pub(super) fn score_base(&self, base: BlobRef) -> Result<(), JobError> {
        let known = self.base_loss.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|(blob, _)| blob == base);
        if known {
            return Ok(());
        }
        let slot = Arc::clone(&self.base_loss);
        let job = EvaluateJob { weights: self.weights(&base)?, width: Width::Full, on: EvaluateOn::HeldOut };
        self.worker.evaluate(job, move |result| {
            if let Ok(evaluation) = result {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((base, evaluation.loss));
            }
        })?;
        Ok(())
    }

    /// Checks an update and scores it on held-out data.
    pub(super) fn appraise(
        &self,
        round: Round,
        maker: MemberId,
        base: BlobRef,
        update: BlobRef,
    ) -> Result<(), JobError> {
        let bytes = self.bytes(&update)?;
        if aggregate::check(&self.bytes(&base)?, &bytes, self.genesis.limits.max_update_norm).is_err() {
            self.bring_soon(Input::Appraised { round, maker, score: Score::Faulty });
            return Ok(());
        }
        // Jobs are done in order, so the base's loss is known when the update's is.
        self.score_base(base)?;
        let (brought, base_loss) = (self.brought.clone(), Arc::clone(&self.base_loss));
        let weights = aggregate::parameters(&bytes).collect();
        let job = EvaluateJob { weights, width: Width::Full, on: EvaluateOn::HeldOut };
        self.worker.evaluate(job, move |result| {
            let before = *base_loss.lock().unwrap_or_else(PoisonError::into_inner);
            let score = match (before, result) {
                (Some((scored, before)), Ok(after)) if scored == base => gain(before, &after),
                _ => Score::Unscored,
            };
            bring(&brought, Ok(Input::Appraised { round, maker, score }));
        })?;
        Ok(())
    }

    /// Checks updates and stores their aggregate.
    pub(super) fn aggregate(&self, order: AggregateOrder) {
        let (blobs, brought, genesis) = (self.blobs.clone(), self.brought.clone(), Arc::clone(&self.genesis));
        tokio::task::spawn_blocking(move || {
            let mean = combine(&blobs, &genesis, &order);
            bring(&brought, mean.map(|mean| Input::Aggregated { batch: order.batch, mean }));
        });
    }

    fn weights(&self, blob: &BlobRef) -> Result<Arc<[f32]>, JobError> {
        Ok(aggregate::parameters(&self.bytes(blob)?).collect())
    }

    fn bytes(&self, blob: &BlobRef) -> Result<Vec<u8>, JobError> {
        self.blobs.get(blob)?.ok_or(JobError::Gone(*blob))
    }

    /// Brings an input from the loop's own task, which must not wait for itself.
    fn bring_soon(&self, input: Input) {
        let brought = self.brought.clone();
        tokio::spawn(async move {
            let _ = brought.send(Ok(input)).await;
        });
    }
}

/// Brings something from a thread that may wait. If the loop has ended, nobody needs it.
fn bring(brought: &mpsc::Sender<Brought>, what: Brought) {
    let _ = brought.blocking_send(what);
}

fn pace(trained: &Trained, epochs: u64) -> u64 {
    let passes = trained.samples.saturating_mul(epochs).max(1);
    trained.training_ms.saturating_mul(1_000_000) / passes
}

fn gain(before: f32, after: &Evaluation) -> Score {
    // A float that is out of range becomes the nearest integer, which the settlement clamps further.
    let gain = ((f64::from(before) - f64::from(after.loss)) * MILLIONTHS) as i64;
    Score::Gain { gain, samples: after.samples }
}

/// The stored aggregate by the rule of the genesis, or the makers of updates that cannot enter one.
fn combine(
    blobs: &BlobStore,
    genesis: &Genesis,
    order: &AggregateOrder,
) -> Result<Result<BlobRef, Vec<MemberId>>, JobError> {
    let base = blobs.get(&order.base)?.ok_or(JobError::Gone(order.base))?;
    let mut updates = Vec::with_capacity(order.updates.len());
    let mut faulty = Vec::new();
    for (maker, blob, samples) in &order.updates {
        let bytes = blobs.get(blob)?.ok_or(JobError::Gone(*blob))?;
        match aggregate::check(&base, &bytes, genesis.limits.max_update_norm) {
            Ok(()) => updates.push((*samples, bytes)),
            Err(_) => faulty.push(*maker),
        }
    }
    if !faulty.is_empty() {
        return Ok(Err(faulty));
    }
    let weighted: Vec<_> = updates.iter().map(|(samples, bytes)| Weighted { samples: *samples, bytes }).collect();
    let Aggregation { rule, mixing } = genesis.aggregation;
    let Some(model) = aggregate::aggregate(rule, mixing, &base, &weighted) else { return Ok(Err(Vec::new())) };
    Ok(Ok(blobs.put(&model, Durability::Durable)?))
}
