//! Slow work off the loop: training and scoring on the learner's thread, checking and aggregating on blocking threads.

mod attribute;
pub(super) mod epidemic;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use althing_agents::privacy::Ticket;
use althing_protocol::{
    aggregate::{self, Held, Weighted},
    contribution::Contribution,
    detection::{self, Handed, Signs},
    epidemic::bring_back,
    genesis::{Aggregation, Contract, Genesis, Noise},
    ids::{BlobRef, Hash, MemberId, Round},
    machine::{AggregateOrder, Input, InspectOrder, Made, OrderedUpdate, Score, TrainOrder},
    model::{Slice, Width},
    statement::HeldOut,
    update::{self, Format},
};
use tokio::sync::mpsc;

use super::{
    measured::Measured,
    outlet::Outlet,
    writer::{Residual, ResidualError, Writer},
};
use crate::{
    account,
    blobs::{Durability, Store as BlobStore},
    learn::{
        job::{EvaluateJob, Method, TrainJob},
        private::{NoiseLicence, PrivateHyper},
        train::{EvaluateOn, Evaluation, Hyper, LearnError, Trained},
        worker::WorkerHandle,
    },
    store::{Store, StoreError},
};

/// Millionths in one unit of loss.
const MILLIONTHS: f64 = 1e6;

/// What work off the loop brings back: an input, or the reason why the node must not go on.
pub(super) type Brought = Result<Input, JobError>;

/// The node's workers. Everything that they find comes back as an input.
pub(super) struct Jobs {
    worker: Arc<WorkerHandle>,
    blobs: BlobStore,
    brought: mpsc::Sender<Brought>,
    /// What models go through that are offered to others.
    outlet: Arc<dyn Outlet>,
    genesis: Arc<Genesis>,
    format: Arc<Format>,
    residual: Arc<Mutex<Residual>>,
    base_scores: Arc<Mutex<BaseScores>>,
    /// How many attributions were asked for.
    attributions: Arc<AtomicU64>,
    /// How long training takes here.
    measured: Measured,
}

/// What the jobs remember over restarts.
pub(super) struct Memory {
    /// What updates have left out.
    pub(super) residual: Residual,
    /// How long training takes.
    pub(super) measured: Measured,
}

/// How an order is trained on.
pub(super) enum Work {
    /// Without noise.
    Plain,
    /// With noise that is paid for.
    Paid(Box<Paid>),
}

/// A training that can begin.
pub(super) struct Prepared {
    order: TrainOrder,
    weights: Arc<[f32]>,
    writer: Writer,
}

impl Prepared {
    /// The round that it is for.
    pub(super) const fn round(&self) -> Round {
        self.order.round
    }
}

/// A training with noise, and what it needs to be remembered.
pub(super) struct Paid {
    pub(super) hyper: PrivateHyper,
    pub(super) licence: NoiseLicence,
    pub(super) ticket: Ticket,
    pub(super) epsilon_micro: u64,
    pub(super) store: Arc<Store>,
}

/// What is to be done with an update beside storing it.
enum Keep {
    /// It can be made again; so durable must its blob be.
    Nothing(Durability),
    /// It cannot: no noise is drawn twice. So it is remembered, once its blob is durable and before it is offered.
    Remembered { ticket: Ticket, epsilon_micro: u64, store: Arc<Store> },
}

/// What the model that the round started from is worth on held-out data, at the widths that were asked for.
#[derive(Default)]
struct BaseScores {
    base: Option<BlobRef>,
    scores: BTreeMap<Width, Evaluation>,
}

impl BaseScores {
    fn get(&self, base: BlobRef, width: Width) -> Option<Evaluation> {
        self.scores.get(&width).filter(|_| self.base == Some(base)).copied()
    }

    fn put(&mut self, base: BlobRef, width: Width, score: Evaluation) {
        if self.base.replace(base) != Some(base) {
            self.scores.clear();
        }
        self.scores.insert(width, score);
    }
}

/// An update of another member, as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    pub(super) update: BlobRef,
    /// Which part of the model it is of.
    pub(super) width: Width,
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    #[error("blob {0} was here and is gone or damaged; it is fetched again if it is still needed")]
    Gone(BlobRef),
    #[error(transparent)]
    Blobs(#[from] crate::blobs::StoreError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Learn(#[from] LearnError),
    #[error(transparent)]
    Residual(#[from] ResidualError),
    #[error("no contract of the genesis has the width {0}")]
    Width(Width),
}

impl Jobs {
    pub(super) fn new(
        worker: WorkerHandle,
        blobs: BlobStore,
        (brought, outlet): (mpsc::Sender<Brought>, Arc<dyn Outlet>),
        genesis: Arc<Genesis>,
        memory: Memory,
    ) -> Self {
        let Memory { residual, measured } = memory;
        let (format, residual) = (Arc::new(Format::of(&genesis)), Arc::new(Mutex::new(residual)));
        let worker = Arc::new(worker);
        let (base_scores, attributions) = (Arc::default(), Arc::default());
        Self { worker, blobs, brought, outlet, genesis, format, residual, base_scores, attributions, measured }
    }

    /// How long training takes here.
    pub(super) const fn measured(&self) -> &Measured {
        &self.measured
    }

    /// Whether `blob` is here.
    pub(super) fn holds(&self, blob: &BlobRef) -> bool {
        self.blobs.contains(blob)
    }

    /// Reads what a training starts from.
    ///
    /// # Errors
    /// [`JobError::Gone`] when it is not here any more.
    pub(super) fn prepare(&self, order: TrainOrder) -> Result<Prepared, JobError> {
        let width = order.contract.width;
        let base: Arc<[f32]> = self.weights(&order.base, width)?.into();
        let writer = self.writer(width, Arc::clone(&base), order.seed)?;
        let weights = self.start(&order, base)?;
        Ok(Prepared { order, weights, writer })
    }

    /// Trains the slice of the contract, stores the coded update and brings its reference, or that there is none.
    ///
    /// # Errors
    /// [`LearnError`] when the learner takes no job.
    pub(super) fn train(&self, prepared: Prepared, work: Work) -> Result<(), LearnError> {
        let Prepared { order, weights, writer } = prepared;
        let width = order.contract.width;
        let (method, keep) = self.method(&order.contract, work, Durability::Refetchable);
        let job = TrainJob { weights, width, method, seed: order.seed.0 };
        let (blobs, brought, measured) = (self.blobs.clone(), self.brought.clone(), self.measured.clone());
        let (round, epochs) = (order.round, u64::from(order.contract.epochs));
        self.worker.train(job, move |result| {
            let failed = |why: &dyn std::fmt::Display| {
                tracing::error!(%round, %why, "training failed; this round goes on without its update");
                Ok(Input::Untrained { round })
            };
            let input = match result {
                Ok(trained) => {
                    measured.learn(width, pace(&trained, epochs));
                    match writer.write(&trained.weights) {
                        Ok(coded) => {
                            let coded = coded.map_err(JobError::from);
                            let made = coded.and_then(|coded| store(&blobs, &coded, &trained, keep));
                            made.map(|made| Input::Trained { round, made })
                        }
                        Err(fault) => failed(&fault),
                    }
                }
                Err(LearnError::Cancelled | LearnError::Stopped) => return tracing::debug!(%round, "training stopped"),
                Err(error) => failed(&error),
            };
            bring(&brought, input);
        })
    }

    /// How a contract trains.
    fn hyper(&self, contract: &Contract) -> Hyper {
        let task = &self.genesis.task;
        Hyper {
            epochs: contract.epochs,
            batch: task.batch as usize,
            learning_rate: task.learning_rate,
            momentum: task.momentum,
        }
    }

    /// Where a round's training starts: at the `slice` of the global model, or from what was learned while the ledger was
    /// halted.
    fn start(&self, order: &TrainOrder, slice: Arc<[f32]>) -> Result<Arc<[f32]>, JobError> {
        let Some(progress) = order.progress else { return Ok(slice) };
        let (base, progress) = (self.bytes(&order.base)?, self.bytes(&progress)?);
        let start = bring_back(&base, &progress, self.genesis.limits.max_update_norm);
        let Some((start, holds)) = start.zip(self.format.slice(order.contract.width)) else { return Ok(slice) };
        Ok(holds.gather(&aggregate::parameters(&start).collect::<Vec<f32>>()).into())
    }

    /// How `work` trains under `contract`, and what is to be done with what it makes.
    fn method(&self, contract: &Contract, work: Work, durability: Durability) -> (Method, Keep) {
        match work {
            Work::Plain => (Method::Plain(self.hyper(contract)), Keep::Nothing(durability)),
            Work::Paid(paid) => {
                let Paid { hyper, licence, ticket, epsilon_micro, store } = *paid;
                (Method::Private(hyper, licence), Keep::Remembered { ticket, epsilon_micro, store })
            }
        }
    }

    /// Stops the training that runs, if one does, and what is being attributed: their round is over.
    pub(super) fn stop_training(&self) {
        self.worker.cancel();
        self.attributions.fetch_add(1, Ordering::Relaxed);
    }

    /// Scores `base`, whole and at all widths of the menu, ahead of the updates that will be compared with it.
    pub(super) fn score_base(&self, base: BlobRef) -> Result<(), JobError> {
        self.score_base_at(base, Width::Full)?;
        self.format.widths().try_for_each(|width| self.score_base_at(base, width))
    }

    /// What the model that the round started from is worth on held-out data, once it is scored.
    pub(super) fn base_score(&self) -> Option<Evaluation> {
        lock(&self.base_scores).scores.get(&Width::Full).copied()
    }

    fn score_base_at(&self, base: BlobRef, width: Width) -> Result<(), JobError> {
        if lock(&self.base_scores).get(base, width).is_some() {
            return Ok(());
        }
        let slot = Arc::clone(&self.base_scores);
        let job = EvaluateJob { weights: self.weights(&base, width)?.into(), width, on: EvaluateOn::HeldOut };
        self.worker.evaluate(job, move |result| {
            if let Ok(evaluation) = result {
                lock(&slot).put(base, width, evaluation);
            }
        })?;
        Ok(())
    }

    /// Checks an update and, if each is worth what it is alone, scores it on held-out data, against the same slice of the
    /// model that it started from.
    pub(super) fn appraise(
        &self,
        round: Round,
        maker: MemberId,
        base: BlobRef,
        received: Received,
    ) -> Result<(), JobError> {
        let Received { update, width } = received;
        let bytes = self.bytes(&update)?;
        let Ok(update) = self.format.open(width, &self.bytes(&base)?, &bytes) else {
            self.bring_soon(Input::Appraised { round, maker, score: Score::Faulty });
            return Ok(());
        };
        if self.genesis.market.contribution != Contribution::Alone {
            self.bring_soon(Input::Appraised { round, maker, score: Score::Unscored });
            return Ok(());
        }
        // Jobs are done in order, so the base's loss is known when the update's is.
        self.score_base_at(base, width)?;
        let (brought, base_scores) = (self.brought.clone(), Arc::clone(&self.base_scores));
        let job = EvaluateJob { weights: aggregate::parameters(&update).collect(), width, on: EvaluateOn::HeldOut };
        self.worker.evaluate(job, move |result| {
            let score = match (lock(&base_scores).get(base, width), result) {
                (Some(before), Ok(after)) => gain(&before, &after),
                _ => Score::Unscored,
            };
            bring(&brought, Ok(Input::Appraised { round, maker, score }));
        })?;
        Ok(())
    }

    /// Checks updates and looks for those that only pretend to be work.
    pub(super) fn inspect(&self, order: InspectOrder) {
        let (blobs, brought, format) = (self.blobs.clone(), self.brought.clone(), Arc::clone(&self.format));
        let noise = self.genesis.market.noise;
        tokio::task::spawn_blocking(move || {
            let signs = look(&blobs, &format, noise, &order);
            bring_or_lost(&brought, signs.map(|signs| Input::Inspected { batch: order.batch, signs }));
        });
    }

    /// Checks updates and stores their aggregate.
    pub(super) fn aggregate(&self, order: AggregateOrder) {
        let (blobs, brought, format) = (self.blobs.clone(), self.brought.clone(), Arc::clone(&self.format));
        let (aggregation, outlet) = (self.genesis.aggregation, Arc::clone(&self.outlet));
        tokio::task::spawn_blocking(move || {
            let mean = combine(&blobs, &format, aggregation, &order, &*outlet);
            bring_or_lost(&brought, mean.map(|mean| Input::Aggregated { batch: order.batch, mean }));
        });
    }

    /// The slice of this width of the model `blob`. There is always a whole one, whether or not a contract is for it.
    fn weights(&self, blob: &BlobRef, width: Width) -> Result<Vec<f32>, JobError> {
        let whole = self.bytes(blob)?;
        if width == Width::Full {
            return Ok(aggregate::parameters(&whole).collect());
        }
        let slice = self.format.slice(width).ok_or(JobError::Width(width))?;
        Ok(aggregate::parameters(&update::gather(slice, &whole)).collect())
    }

    /// What makes an update of a training that starts from `base`, the slice of this width.
    fn writer(&self, width: Width, base: Arc<[f32]>, seed: Hash) -> Result<Writer, JobError> {
        let slice = self.format.slice(width).ok_or(JobError::Width(width))?.clone();
        Ok(Writer::new(self.format.codec(), (slice, base), seed, Arc::clone(&self.residual)))
    }

    fn bytes(&self, blob: &BlobRef) -> Result<Vec<u8>, JobError> {
        self.blobs.get(blob)?.ok_or(JobError::Gone(*blob))
    }

    /// Brings an input from the loop's own task, which must not wait for itself.
    pub(super) fn bring_soon(&self, input: Input) {
        let brought = self.brought.clone();
        tokio::spawn(async move {
            let _ = brought.send(Ok(input)).await;
        });
    }
}

/// What a thread that panicked has left is still whole: nothing is changed in steps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brings something from a thread that may wait. If the loop has ended, nobody needs it.
fn bring(brought: &mpsc::Sender<Brought>, what: Brought) {
    let _ = brought.blocking_send(what);
}

/// Brings what came of a round's updates, or which of the blobs that it takes is not here any more.
///
/// That may be so because others have decided the round, and it was collected; then nobody needs it either.
fn bring_or_lost(brought: &mpsc::Sender<Brought>, what: Brought) {
    match what {
        Err(error @ JobError::Gone(blob)) => {
            tracing::warn!(%error, "a job has no result");
            bring(brought, Ok(Input::BlobLost(blob)));
        }
        what => bring(brought, what),
    }
}

/// Time for one example in one pass.
fn pace(trained: &Trained, epochs: u64) -> Duration {
    let passes = trained.samples.saturating_mul(epochs).max(1);
    Duration::from_nanos(trained.training_ms.saturating_mul(1_000_000) / passes)
}

/// Stores the `coded` update of what was trained, and remembers it where it cannot be made again.
fn store(blobs: &BlobStore, coded: &[u8], trained: &Trained, keep: Keep) -> Result<Made, JobError> {
    let Trained { samples, training_ms, .. } = *trained;
    match keep {
        Keep::Nothing(durability) => {
            let update = blobs.put(coded, durability)?;
            Ok(Made { update, samples, training_ms, epsilon_micro: 0 })
        }
        Keep::Remembered { ticket, epsilon_micro, store } => {
            let update = blobs.put(coded, Durability::Durable)?;
            let made = Made { update, samples, training_ms, epsilon_micro };
            account::remember_made(&store, ticket, made)?;
            Ok(made)
        }
    }
}

fn gain(before: &Evaluation, after: &Evaluation) -> Score {
    // A float that is out of range becomes the nearest integer, which the settlement clamps further.
    let gain = ((f64::from(before.loss) - f64::from(after.loss)) * MILLIONTHS) as i64;
    Score::Gain { gain, held_out: held_out(before) }
}

/// What this member can say of its held-out data, once the model that the round started from is scored on it.
fn held_out(scored: &Evaluation) -> HeldOut {
    let Evaluation { samples, correct, .. } = *scored;
    // At most all of them are correct.
    let accuracy_ppm = u64::from(correct) * u64::from(HeldOut::WHOLE) / u64::from(samples).max(1);
    HeldOut { samples, accuracy_ppm: accuracy_ppm as u32 }
}

/// An update that may enter an aggregate.
struct Opened<'a> {
    ordered: OrderedUpdate,
    slice: &'a Slice,
    /// The parameters that it stands for.
    bytes: Vec<u8>,
}

/// An update as aggregation wants it.
fn hold<'a>(opened: &'a Opened<'_>) -> Held<'a> {
    let weighted = Weighted { samples: opened.ordered.samples, bytes: &opened.bytes };
    Held { slice: opened.slice, update: weighted }
}

/// The updates of an order, or the makers of those that cannot enter an aggregate.
fn open<'a>(
    blobs: &BlobStore,
    format: &'a Format,
    base: &[u8],
    updates: &[OrderedUpdate],
) -> Result<Result<Vec<Opened<'a>>, Vec<MemberId>>, JobError> {
    let mut opened = Vec::with_capacity(updates.len());
    let mut faulty = Vec::new();
    for &ordered in updates {
        let coded = blobs.get(&ordered.update)?.ok_or(JobError::Gone(ordered.update))?;
        // Bytes that stand for themselves are not copied.
        let update = format.open(ordered.width, base, &coded).map(|update| match update {
            Cow::Owned(update) => Some(update),
            Cow::Borrowed(_) => None,
        });
        match (format.slice(ordered.width), update) {
            (Some(slice), Ok(update)) => opened.push(Opened { ordered, slice, bytes: update.unwrap_or(coded) }),
            _ => faulty.push(ordered.maker),
        }
    }
    Ok(if faulty.is_empty() { Ok(opened) } else { Err(faulty) })
}

/// What the bytes of the updates say of them, or the makers of those that cannot enter an aggregate.
fn look(
    blobs: &BlobStore,
    format: &Format,
    noise: Noise,
    order: &InspectOrder,
) -> Result<Result<Signs, Vec<MemberId>>, JobError> {
    let base = blobs.get(&order.base)?.ok_or(JobError::Gone(order.base))?;
    let previous = blobs.get(&order.previous)?.ok_or(JobError::Gone(order.previous))?;
    let opened = match open(blobs, format, &base, &order.updates)? {
        Ok(opened) => opened,
        Err(faulty) => return Ok(Err(faulty)),
    };
    let handed = opened.iter();
    let handed = handed.map(|update| Handed { maker: update.ordered.maker, slice: update.slice, bytes: &update.bytes });
    Ok(Ok(detection::inspect(noise, &base, &previous, &handed.collect::<Vec<_>>())))
}

/// The stored aggregate by the rule of the genesis, or the makers of updates that cannot enter one.
fn combine(
    blobs: &BlobStore,
    format: &Format,
    aggregation: Aggregation,
    order: &AggregateOrder,
    outlet: &dyn Outlet,
) -> Result<Result<BlobRef, Vec<MemberId>>, JobError> {
    let base = blobs.get(&order.base)?.ok_or(JobError::Gone(order.base))?;
    let opened = match open(blobs, format, &base, &order.updates)? {
        Ok(opened) => opened,
        Err(faulty) => return Ok(Err(faulty)),
    };
    let Aggregation { rule, mixing } = aggregation;
    let model = aggregate::aggregate_slices(rule, mixing, &base, &opened.iter().map(hold).collect::<Vec<_>>());
    let Some(model) = model else { return Ok(Err(Vec::new())) };
    Ok(Ok(blobs.put(&outlet.aggregate(model), Durability::Durable)?))
}
