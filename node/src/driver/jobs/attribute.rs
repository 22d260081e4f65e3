//! What each of a round's updates has brought: coalitions of them are aggregated and scored on held-out data, one after
//! the other.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicU64, Ordering},
    mpsc,
};

use althing_protocol::{
    aggregate,
    contribution::{self, Coalition, Contribution, Updates},
    ids::BlobRef,
    machine::{AttributeOrder, Attributed, Input},
    model::Width,
    update::Format,
};

use super::{
    Aggregation, BaseScores, BlobStore, JobError, Jobs, MILLIONTHS, Opened, bring, bring_or_lost, held_out, hold, lock,
    open,
};
use crate::learn::{
    job::EvaluateJob,
    train::{EvaluateOn, Evaluation, LearnError},
    worker::WorkerHandle,
};

impl Jobs {
    /// Attributes what updates make together, and brings it. Whatever was being attributed before is of no more use.
    pub(in super::super) fn attribute(&self, order: AttributeOrder) {
        let attribution = Attribution {
            blobs: self.blobs.clone(),
            format: Arc::clone(&self.format),
            contribution: self.genesis.market.contribution,
            aggregation: self.genesis.aggregation,
            base_scores: Arc::clone(&self.base_scores),
            ticket: self.attributions.fetch_add(1, Ordering::Relaxed) + 1,
            newest: Arc::clone(&self.attributions),
            worker: Arc::downgrade(&self.worker),
        };
        let brought = self.brought.clone();
        tokio::task::spawn_blocking(move || match attribution.found(&order) {
            Ok(found) => bring(&brought, Ok(Input::Attributed { round: order.round, found })),
            Err(Unfound::Failed(error)) => {
                bring_or_lost(&brought, Err(error));
                // An appraisal is waited for, so this member says that it has nothing to say.
                bring(&brought, Ok(Input::Attributed { round: order.round, found: Attributed::default() }));
            }
            Err(Unfound::Learn(LearnError::Stopped | LearnError::Cancelled)) => {
                tracing::warn!(round = %order.round, "the round was over before its updates were appraised here");
            }
            Err(Unfound::Learn(error)) => {
                if !matches!(error, LearnError::NoSample) {
                    tracing::error!(round = %order.round, %error, "updates cannot be scored; this member appraises nothing");
                }
                bring(&brought, Ok(Input::Attributed { round: order.round, found: Attributed::default() }));
            }
        });
    }
}

/// One order at work.
struct Attribution {
    blobs: BlobStore,
    format: Arc<Format>,
    contribution: Contribution,
    aggregation: Aggregation,
    base_scores: Arc<Mutex<BaseScores>>,
    ticket: u64,
    /// The ticket of the order that still matters.
    newest: Arc<AtomicU64>,
    /// Not held: the learner ends with the node, not with the last attribution.
    worker: Weak<WorkerHandle>,
}

/// Why nothing was found.
enum Unfound {
    Learn(LearnError),
    Failed(JobError),
}

impl From<JobError> for Unfound {
    fn from(error: JobError) -> Self {
        Self::Failed(error)
    }
}

impl From<LearnError> for Unfound {
    fn from(error: LearnError) -> Self {
        Self::Learn(error)
    }
}

impl Attribution {
    fn found(&self, order: &AttributeOrder) -> Result<Attributed, Unfound> {
        let base = self.bytes(&order.base)?;
        // Each has been checked when it came.
        let Ok(opened) = open(&self.blobs, &self.format, &base, &order.updates)? else {
            return Ok(Attributed::default());
        };
        let scored = lock(&self.base_scores).get(order.base, Width::Full);
        let before = scored.map_or_else(|| self.score(&base), Ok)?;
        let samples: Vec<u64> = opened.iter().map(|update| update.ordered.samples).collect();
        let updates = Updates::new(&samples, order.seed);
        let mut values = Vec::new();
        for coalition in self.contribution.coalitions(&updates) {
            let after = self.score(&self.made_of(coalition, &base, &opened))?;
            values.push(f64::from(before.loss) - f64::from(after.loss));
        }
        let shares = self.contribution.shares(&updates, &values, &self.cosines(&base, &opened));
        // A float that is out of range becomes the nearest integer, which the settlement clamps further.
        let gain = |share: f64| (share * MILLIONTHS) as i64;
        let gains = opened.iter().zip(shares).map(|(update, share)| (update.ordered.maker, gain(share))).collect();
        Ok(Attributed { gains, held_out: held_out(&before) })
    }

    /// The model that the updates of a coalition make; the one that they started from, if they make none.
    fn made_of(&self, coalition: Coalition, base: &[u8], opened: &[Opened<'_>]) -> Vec<u8> {
        let held: Vec<_> = coalition.places().filter_map(|place| opened.get(place)).map(hold).collect();
        let Aggregation { rule, mixing } = self.aggregation;
        aggregate::aggregate_slices(rule, mixing, base, &held).unwrap_or_else(|| base.to_vec())
    }

    /// How far each update goes where all go together, if that is asked for.
    fn cosines(&self, base: &[u8], opened: &[Opened<'_>]) -> Vec<f64> {
        if self.contribution != Contribution::Cosine {
            return vec![0.0; opened.len()];
        }
        let made = self.made_of(Coalition::whole(opened.len()), base, opened);
        contribution::cosines(base, &made, &opened.iter().map(hold).collect::<Vec<_>>())
    }

    /// What a whole model is worth on held-out data.
    fn score(&self, model: &[u8]) -> Result<Evaluation, LearnError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let weights = aggregate::parameters(model).collect();
        let job = EvaluateJob { weights, width: Width::Full, on: EvaluateOn::HeldOut };
        let is_newest = self.newest.load(Ordering::Relaxed) == self.ticket;
        let worker = self.worker.upgrade().filter(|_| is_newest).ok_or(LearnError::Stopped)?;
        worker.evaluate(job, move |result| {
            let _ = answer.send(result);
        })?;
        drop(worker);
        answered.recv().unwrap_or(Err(LearnError::Stopped))
    }

    fn bytes(&self, blob: &BlobRef) -> Result<Vec<u8>, JobError> {
        self.blobs.get(blob)?.ok_or(JobError::Gone(*blob))
    }
}
