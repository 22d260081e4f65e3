//! Jobs: rounds that a sponsor pays for, each job in its turn.

use std::{collections::BTreeMap, ops::Bound};

use serde::{Deserialize, Serialize};

use super::{Ledger, LedgerError, add, take};
use crate::{
    ids::{BlobRef, JobId, MemberId, Round},
    statement::JobTerms,
};

/// A job that waits for its turns, or has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Who pays, and gets back what is left.
    pub sponsor: MemberId,
    /// What for.
    pub terms: JobTerms,
    /// What is left of the escrow, in micro-credits.
    pub left: u64,
    /// Rounds of it that brought a new model.
    pub rounds: u32,
    /// Who has worked on it.
    pub work: BTreeMap<MemberId, Work>,
}

/// What a member has done for a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Updates that entered a model.
    pub updates: u64,
    /// What it was paid for them, in micro-credits.
    pub paid: u64,
}

/// Why a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All its rounds have been worked.
    Worked,
    /// The accuracy that it asked for was measured.
    Reached,
    /// Its last round is over.
    Expired,
}

impl End {
    /// It in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worked => "done",
            Self::Reached => "its accuracy reached",
            Self::Expired => "expired",
        }
    }
}

/// A job that the last Settle has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedJob {
    /// Which.
    pub id: JobId,
    /// As it stood when it ended. What was left has returned to the sponsor.
    pub job: Job,
    /// Why.
    pub end: End,
    /// In which round.
    pub round: Round,
    /// The model that the sponsor gets.
    pub model: BlobRef,
}

impl EndedJob {
    /// What all work on it was paid, in micro-credits.
    pub fn paid(&self) -> u64 {
        self.job.work.values().map(|work| work.paid).fold(0, u64::saturating_add)
    }
}

/// What a settled round means to jobs.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// Which round.
    pub round: Round,
    /// Whether it has brought a new model.
    pub worked: bool,
    /// Accuracy that members have measured of the model that the round started from, in millionths.
    pub accuracy_ppm: Option<u32>,
    /// The model now.
    pub model: BlobRef,
}

impl Job {
    pub(super) fn new(sponsor: MemberId, terms: JobTerms, escrow: u64) -> Self {
        Self { sponsor, terms, left: escrow, rounds: 0, work: BTreeMap::new() }
    }

    /// Most that its next round may cost, in micro-credits.
    pub fn budget(&self) -> u64 {
        self.terms.budget_per_round.min(self.left)
    }

    fn end(&self, settled: &Settled) -> Option<End> {
        let reached = self.terms.target_accuracy_ppm.is_some_and(|target| settled.accuracy_ppm >= Some(target));
        if reached {
            Some(End::Reached)
        } else if self.rounds >= self.terms.rounds {
            Some(End::Worked)
        } else {
            (settled.round >= self.terms.deadline).then_some(End::Expired)
        }
    }
}

impl Ledger {
    /// The job that pays for the open round; without one, the pool does.
    pub fn open_job(&self) -> Option<&Job> {
        self.jobs.get(&self.open_job?)
    }

    /// Takes `amount` from whoever pays for the open round.
    pub(super) fn draw(&mut self, amount: u64) -> Result<(), LedgerError> {
        match self.open_job.and_then(|id| self.jobs.get_mut(&id)) {
            Some(job) => job.left = take(job.left, amount, "the job's escrow")?,
            None => self.pool = take(self.pool, amount, "the pool")?,
        }
        Ok(())
    }

    /// Gives `amount` back to whoever pays for the open round.
    pub(super) fn give_back(&mut self, amount: u64) -> Result<(), LedgerError> {
        match self.open_job.and_then(|id| self.jobs.get_mut(&id)) {
            Some(job) => job.left = add(job.left, amount, "the job's escrow")?,
            None => self.pool = add(self.pool, amount, "the pool")?,
        }
        Ok(())
    }

    /// Takes note that the open round has paid `member` so much, and for so many updates.
    pub(super) fn note_work(&mut self, member: &MemberId, updates: u64, paid: u64) {
        if let Some(job) = self.open_job.and_then(|id| self.jobs.get_mut(&id)) {
            let work = job.work.entry(*member).or_default();
            work.updates += updates;
            work.paid = work.paid.saturating_add(paid);
        }
    }

    /// Ends the jobs that are done, returns what is left of them, and says which pays for the next round.
    ///
    /// Jobs take turns in the order in which they were funded, one round each. An accuracy is held only against the job
    /// that has paid for the round.
    ///
    /// # Errors
    /// [`LedgerError`] when a sponsor's account would hold more than a counter does.
    pub fn turn_jobs(&mut self, settled: Settled) -> Result<(), LedgerError> {
        let open = self.open_job.take();
        if let Some(job) = open.and_then(|id| self.jobs.get_mut(&id)) {
            job.rounds += u32::from(settled.worked);
        }
        self.ended.clear();
        for id in self.jobs.keys().copied().collect::<Vec<_>>() {
            let known = if open == Some(id) { settled } else { Settled { accuracy_ppm: None, ..settled } };
            self.end_job(id, known)?;
        }
        let after = open.unwrap_or(self.last_turn);
        self.last_turn = after;
        let next =
            self.jobs.range((Bound::Excluded(after), Bound::Unbounded)).next().or_else(|| self.jobs.iter().next());
        self.open_job = next.map(|(id, _)| *id);
        Ok(())
    }

    fn end_job(&mut self, id: JobId, settled: Settled) -> Result<(), LedgerError> {
        let Some(end) = self.jobs.get(&id).and_then(|job| job.end(&settled)) else { return Ok(()) };
        let Some(job) = self.jobs.remove(&id) else { return Ok(()) };
        let (_, balance) = self.purse_mut(&job.sponsor).ok_or(LedgerError::Unknown(job.sponsor))?;
        *balance = add(*balance, job.left, "the account")?;
        self.ended.push(EndedJob { id, job, end, round: settled.round, model: settled.model });
        Ok(())
    }
}
