//! The work of epidemic steps: training a member's own model, and averaging it with others'.

use althing_protocol::{
    aggregate,
    epidemic::{self, MixOrder, StepOrder, mix},
    genesis::Genesis,
    ids::{MemberId, Step},
    machine::{Input, Made},
    model::Width,
};

use super::{BlobStore, JobError, Jobs, Work, bring, store};
use crate::{
    blobs::Durability,
    learn::{job::TrainJob, train::LearnError},
};

impl Jobs {
    /// Trains, stores the model durably and brings its reference. A training that cannot begin has failed.
    ///
    /// # Errors
    /// [`JobError::Blobs`] when the disk fails.
    pub(in super::super) fn train_step(&self, order: StepOrder, work: Work) -> Result<(), JobError> {
        let step = order.step;
        match self.begin_step(order, work) {
            Err(error @ (JobError::Learn(_) | JobError::Gone(_))) => {
                tracing::error!(%step, %error, "training could not begin; this step goes on without it");
                self.bring_soon(Input::Epidemic(epidemic::Input::Untrained { step }));
                Ok(())
            }
            done => done,
        }
    }

    fn begin_step(&self, order: StepOrder, work: Work) -> Result<(), JobError> {
        let base = self.bytes(&order.base)?;
        let (method, keep) = self.method(&order.contract, work, Durability::Durable);
        let weights = aggregate::parameters(&base).collect();
        let job = TrainJob { weights, width: Width::Full, method, seed: order.seed.0 };
        let (blobs, brought, max_norm) =
            (self.blobs.clone(), self.brought.clone(), self.genesis.limits.max_update_norm);
        let step = order.step;
        self.worker.train(job, move |result| {
            let failed = |why: &dyn std::fmt::Display| {
                tracing::error!(%step, %why, "training failed; this step goes on without it");
                Ok(epidemic::Input::Untrained { step })
            };
            let input = match result {
                Ok(trained) => {
                    let model = aggregate::encode(&trained.weights);
                    match aggregate::check(&base, &model, max_norm) {
                        Ok(()) => store(&blobs, &model, &trained, keep).map(|made| made_in(step, &made)),
                        Err(fault) => failed(&fault),
                    }
                }
                Err(LearnError::Cancelled | LearnError::Stopped) => return tracing::debug!(%step, "training stopped"),
                Err(error) => failed(&error),
            };
            bring(&brought, input.map(Input::Epidemic));
        })?;
        Ok(())
    }

    /// Averages, stores the next model durably and brings its reference.
    pub(in super::super) fn mix(&self, me: MemberId, order: MixOrder) {
        let (blobs, brought, genesis) = (self.blobs.clone(), self.brought.clone(), self.genesis.clone());
        tokio::task::spawn_blocking(move || {
            bring(&brought, average(&blobs, &genesis, me, &order).map(Input::Epidemic));
        });
    }
}

/// What a training for `step` has made.
pub(in super::super) const fn made_in(step: Step, made: &Made) -> epidemic::Input {
    epidemic::Input::Trained { step, model: made.update, samples: made.samples, training_ms: made.training_ms }
}

fn average(blobs: &BlobStore, genesis: &Genesis, me: MemberId, order: &MixOrder) -> Result<epidemic::Input, JobError> {
    let read = |blob| blobs.get(blob)?.ok_or(JobError::Gone(*blob));
    let own = read(&order.own)?;
    let mut received = Vec::with_capacity(order.received.len());
    for (member, blob) in &order.received {
        received.push((*member, read(blob)?));
    }
    let views: Vec<(MemberId, &[u8])> = received.iter().map(|(member, bytes)| (*member, &bytes[..])).collect();
    let mixture = mix(genesis, order.step, (me, &own), &views);
    log_refusals(order.step, &mixture);
    let model = blobs.put(&mixture.model, Durability::Durable)?;
    Ok(epidemic::Input::Mixed { step: order.step, model, refused: mixture.refused })
}

fn log_refusals(step: Step, mixture: &epidemic::Mixture) {
    for (member, refusal) in &mixture.refused {
        tracing::debug!(%step, member = %member.short(), %refusal, "a model was refused");
    }
}
