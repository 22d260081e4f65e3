//! Who pays for each round, reckoned from the instructions and updates that stand in bodies.

use std::collections::BTreeMap;

use crate::{
    body::{Body, Evidence, SettleEvidence},
    ids::{Height, JobId, Round},
    ledger::{End, EndedJob},
    state::State,
    statement::{Action, JobTerms},
};

/// Jobs in the order of funding, each with the rounds that it has still to pay for.
#[derive(Debug, Default)]
pub(super) struct Sponsors {
    seen: Height,
    jobs: BTreeMap<u64, (u32, JobTerms)>,
    funded: u64,
    last_turn: u64,
    /// The job that pays for the open round, after every height.
    paying: BTreeMap<Height, Option<Payer>>,
}

/// A job that pays for a round.
#[derive(Debug, Clone, Copy)]
struct Payer {
    job: u64,
    /// Most that the round may cost.
    budget: u64,
}

impl Sponsors {
    /// Takes note of what a body says, unless another member's body of that height was seen before.
    pub(super) fn see(&mut self, body: &Body, ended: &[EndedJob]) -> Result<(), String> {
        let height = body.header.height;
        if height != self.seen.next() {
            return Ok(());
        }
        let paying = self.payer(self.seen);
        self.seen = height;
        let next = match &body.evidence {
            Evidence::Plan(plan) => {
                for signed in &plan.instructions {
                    self.fund(signed.peek().map_err(|error| error.to_string())?.action);
                }
                paying
            }
            Evidence::Settle(settle) => {
                self.reach(paying, settle, ended)?;
                self.turn(paying, body.header.round, !settle.updates.is_empty())
            }
        };
        self.paying.insert(height, next);
        Ok(())
    }

    fn fund(&mut self, action: Action) {
        if let Action::Fund(terms) = action {
            self.funded += 1;
            self.jobs.insert(self.funded, (terms.rounds, terms));
        }
    }

    /// A job is done early if its accuracy was reached. That is between what members say, so it was if all of them say
    /// so, and was not if none does.
    fn reach(&mut self, paying: Option<Payer>, settle: &SettleEvidence, ended: &[EndedJob]) -> Result<(), String> {
        let Some((job, terms)) = paying.and_then(|payer| Some((payer.job, self.jobs.get(&payer.job)?.1))) else {
            return Ok(());
        };
        let appraisals = settle.appraisals.iter().filter_map(|signed| signed.peek().ok());
        let said: Vec<bool> = appraisals
            .filter(|appraisal| appraisal.held_out.samples > 0)
            .map(|appraisal| terms.target_accuracy_ppm.is_some_and(|target| appraisal.held_out.accuracy_ppm >= target))
            .collect();
        let reached = ended.iter().any(|ended| ended.id == JobId(job) && ended.end == End::Reached);
        if reached && !said.contains(&true) || !reached && !said.is_empty() && !said.contains(&false) {
            return Err(format!("job {job} is done: {reached}; that its accuracy is reached say {said:?}"));
        }
        if reached {
            self.jobs.remove(&job);
        }
        Ok(())
    }

    /// One round each, in a circle.
    fn turn(&mut self, paying: Option<Payer>, round: Round, worked: bool) -> Option<Payer> {
        if let Some((left, _)) = paying.and_then(|payer| self.jobs.get_mut(&payer.job)) {
            *left -= u32::from(worked);
        }
        self.jobs.retain(|_, (left, terms)| *left > 0 && round < terms.deadline);
        self.last_turn = paying.map_or(self.last_turn, |payer| payer.job);
        let after = self.jobs.iter().find(|(job, _)| **job > self.last_turn);
        let (job, (_, terms)) = after.or_else(|| self.jobs.iter().next())?;
        Some(Payer { job: *job, budget: terms.budget_per_round })
    }

    fn payer(&self, height: Height) -> Option<Payer> {
        self.paying.get(&height).copied().flatten()
    }

    /// Whether the schedule mints at this Plan: not where a sponsor pays.
    pub(super) fn mints_at(&self, plan: Height) -> bool {
        self.payer(plan).is_none()
    }

    /// Whether `state` has the round paid by whom it should be, and from what that has put down.
    pub(super) fn check(&self, state: &State) -> Result<(), String> {
        let paying = self.payer(state.height).map(|payer| JobId(payer.job));
        if state.ledger.open_job == paying {
            return Ok(());
        }
        Err(format!("{:?} pays for round {}, and {paying:?} should", state.ledger.open_job, state.round))
    }

    /// Most that the open round of `state` may cost where a sponsor pays for it.
    pub(super) fn budget(&self, state: &State) -> Option<u64> {
        self.payer(state.height).map(|payer| payer.budget)
    }
}
