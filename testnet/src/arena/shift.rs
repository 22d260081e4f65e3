//! Rounds of a member with a privacy budget on a machine that others use too: what a guardian decides about.
//!
//! How loaded the machine is and in which rounds the member is hired is drawn beforehand, so that the same rounds can be
//! gone through with other decisions. Budgets are debited from a filter as the member's own, by its own accountant.

use std::time::Duration;

use althing_agents::{
    Circumstances, Council, Policy,
    guardian::{Capacity, Evenly, GuardianQuestion, Machine, Means, Need, PaceOption, PaceQuestion, Stint, WhatFits},
    orders::{LOOK_BACK, Reckoning, Situation},
    policy::ask,
    privacy::{Budget, BudgetError, Debit, Filter, Plan, PlanError, Ticket, Training},
};
use althing_protocol::{
    genesis::Contract,
    ids::{Hash, Round},
    machine::{BidQuestion, MarksQuestion},
    model::Width,
};

use super::dice::Dice;

/// Rounds that the budget is planned for.
const ROUNDS: u64 = 12;

/// How often the member is hired if it bids.
const HIRED: f64 = 0.7;

/// Rounds in a row that a load lasts.
const SPELL: u64 = 3;

/// Load of a spell, in thousandths of a task for each core.
const LOAD: (f64, f64) = (400.0, 3_200.0);

/// What the load of a round is of that of its spell.
const BEFORE: (f64, f64) = (0.8, 1.25);

/// What the load while it trains is of the load before.
const DURING: (f64, f64) = (0.6, 1.8);

/// Time that a round leaves for training.
const DEADLINE: Duration = Duration::from_secs(10);

/// Examples of the member, and those of a step.
const SAMPLES: u64 = 320;
const LOT: u64 = 32;

/// The budget.
const EPSILON: f64 = 2.0;
const DELTA: f64 = 1e-5;

/// The noise multiplier under which a round teaches half of what it teaches without noise.
const HALF_CLEAR: f64 = 2.0;

/// A plan or a budget that cannot be: these constants are wrong.
#[derive(Debug, thiserror::Error)]
pub enum ShiftError {
    /// The budget.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Some rounds, as they were drawn.
#[derive(Debug, Clone)]
pub(super) struct Shift {
    dice: Dice,
    number: u64,
    plan: Plan,
    contracts: Vec<Contract>,
}

/// How far somebody has come in them.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// The next round, from 1.
    pub round: u64,
    filter: Filter,
    /// Value of the contracts that were delivered in time, each less what noise took of it, in hundredths.
    pub work: f64,
    /// Of the contracts so far, whether they came in time.
    in_time: Vec<bool>,
}

impl Shift {
    /// The `number`th of `seed`, and its begin.
    ///
    /// # Errors
    /// [`ShiftError`] if its constants do not fit each other.
    pub(super) fn begin(seed: u64, number: u64) -> Result<(Self, Progress), ShiftError> {
        let plan = Plan::new(LOT, SAMPLES, ROUNDS)?;
        let filter = plan.open(Budget::new(EPSILON, DELTA)?, 1)?;
        let shift = Self { dice: Dice::new("guardian", seed), number, plan, contracts: contracts() };
        Ok((shift, Progress { round: 1, filter, work: 0.0, in_time: Vec::new() }))
    }

    /// Whether there are no more rounds.
    pub(super) const fn is_over(&self, progress: &Progress) -> bool {
        progress.round > ROUNDS
    }

    /// Whether the member is hired in this round, if it bids.
    pub(super) fn hires(&self, round: u64) -> bool {
        self.dice.happens(HIRED, "hired", &[self.number, round])
    }

    /// What may the machine be used for?
    pub(super) fn stints(&self, progress: &Progress) -> GuardianQuestion {
        let capacity = self.capacity(self.load(progress.round, Moment::Before));
        GuardianQuestion::new(capacity, &self.contracts, self.means(progress))
    }

    fn means<'a>(&'a self, progress: &'a Progress) -> Means<'a> {
        let round = Round(progress.round);
        Means::Budget { plan: &self.plan, filter: &progress.filter, round, least_micro: 0 }
    }

    /// The contract that the member is hired for under `stint`: the one of most value that it allows.
    pub(super) fn contract(&self, question: &GuardianQuestion, stint: Stint) -> Option<&Contract> {
        let allowed = self.contracts.iter().filter(|contract| question.allows(stint, contract));
        allowed.max_by_key(|contract| contract.value)
    }

    /// How fast is the budget spent on it?
    pub(super) fn paces(&self, progress: &Progress, contract: &Contract) -> PaceQuestion {
        PaceQuestion::new(&self.plan, &progress.filter, &Training::of(Round(progress.round), contract.epochs))
    }

    /// What a language model is told of it, as a node tells it.
    pub(super) fn situation(&self, progress: &Progress) -> Situation {
        let round = Round(progress.round);
        let (menu, candidates) = (self.contracts.clone(), Vec::new());
        let known = Circumstances {
            bidding: BidQuestion { round, menu, reserve_price: 0, usual_samples: 0, reputation: 0, idle_rounds: 0 },
            capacity: self.capacity(self.load(progress.round, Moment::Before)),
            means: self.means(progress),
            marking: MarksQuestion { round, max_winners: 0, candidates },
            counters: 0,
        };
        let mut situation = Council::by_rules(0).situation(known, &Reckoning::default());
        let lately = progress.in_time.iter().rev().take(LOOK_BACK);
        situation.guardian.hired = lately.clone().count() as u32;
        situation.guardian.delivered = lately.filter(|in_time| **in_time).count() as u32;
        situation
    }

    /// The round goes by without work.
    pub(super) fn rest(&self, progress: &Progress) -> Progress {
        Progress { round: progress.round + 1, ..progress.clone() }
    }

    /// The round goes by with this contract, at this pace.
    pub(super) fn work(&self, progress: &Progress, contract: &Contract, pace: PaceOption) -> Progress {
        let mut next = self.rest(progress);
        let ticket = Ticket { round: Round(progress.round), contract: Hash::ZERO };
        let Ok(spend) = self.plan.spend(pace.terms) else { return next };
        // What the filter refuses is not trained. Nothing is drawn here, so nothing need be durable.
        let Ok(Debit::Fresh(_)) = next.filter.debit(spend, ticket) else { return next };
        let took = self.capacity(self.load(progress.round, Moment::During)).duration(contract);
        next.in_time.push(took <= DEADLINE);
        if took > DEADLINE {
            return next;
        }
        let noise = pace.terms.sigma() / HALF_CLEAR;
        next.work += f64::from(contract.value) / 100.0 / (1.0 + noise * noise);
        next
    }

    /// The end, if rules decide from here on.
    pub(super) fn by_rules(&self, progress: &Progress) -> Progress {
        let mut progress = progress.clone();
        while !self.is_over(&progress) {
            progress = self.round(&progress, &mut WhatFits, &mut Evenly);
        }
        progress
    }

    /// A round in which these decide.
    pub(super) fn round(
        &self,
        progress: &Progress,
        guardian: &mut dyn Policy<GuardianQuestion>,
        spender: &mut dyn Policy<PaceQuestion>,
    ) -> Progress {
        if !self.hires(progress.round) {
            return self.rest(progress);
        }
        let question = self.stints(progress);
        let stint = ask(guardian, &question).map_or(Stint::Rest, |pick| pick.option);
        let Some(contract) = self.contract(&question, stint) else { return self.rest(progress) };
        match ask(spender, &self.paces(progress, contract)) {
            Some(pace) => self.work(progress, contract, pace.option),
            None => self.rest(progress),
        }
    }

    fn capacity(&self, load_permille: u32) -> Capacity {
        let need = |ms| Need { time_per_sample: Duration::from_millis(ms), load_permille: 0, memory_bytes: 0 };
        Capacity {
            samples: SAMPLES,
            deadline: DEADLINE,
            machine: Machine { cores: 1, free_memory_bytes: u64::MAX, load_permille },
            max_load_permille: None,
            needs: [(Width::Full, need(10)), (Width::Half, need(4)), (Width::Quarter, need(2))].into(),
        }
    }

    fn load(&self, round: u64, moment: Moment) -> u32 {
        let spell = self.dice.between(LOAD, "spell", &[self.number, round / SPELL]);
        let before = spell * self.dice.between(BEFORE, "before", &[self.number, round]);
        let load = match moment {
            Moment::Before => before,
            Moment::During => before * self.dice.between(DURING, "during", &[self.number, round]),
        };
        load as u32
    }
}

impl Progress {
    /// Contracts that came too late.
    pub(super) fn late(&self) -> u64 {
        self.in_time.iter().filter(|in_time| !**in_time).count() as u64
    }

    /// Which part of the budget is spent, from 0 to 1.
    pub(super) fn spent(&self) -> f64 {
        self.filter.epsilon_spent() / self.filter.budget().epsilon()
    }
}

/// When the machine is looked at.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// When the guardian decides.
    Before,
    /// While it trains.
    During,
}

fn contracts() -> Vec<Contract> {
    let contract = |name: &str, epochs, width, value| Contract { name: name.to_owned(), epochs, width, value };
    vec![
        contract("one", 1, Width::Full, 100),
        contract("two", 2, Width::Full, 180),
        contract("half", 1, Width::Half, 60),
        contract("quarter", 1, Width::Quarter, 35),
    ]
}
