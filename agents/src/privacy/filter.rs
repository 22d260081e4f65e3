//! The Renyi filter: debits before noise is drawn, and refuses what would overspend.
//!
//! For one order fixed beforehand, Feldman and Zrnic ("Individual Privacy Accounting via a Renyi Filter", 2021) show that
//! a process which stops before its divergences sum to more than B has divergence B, however it chose each step from
//! what it had released. One order is best for one kind of training only, so this filter keeps several, each with a
//! fixed share of delta, and goes on while at least one of them holds: the process stopped for an order has that
//! order's (epsilon, share of delta); the real process equals it wherever the order still holds at the end; so the
//! deltas add up to at most the budget's.

use std::collections::BTreeSet;

use althing_protocol::{
    codec::{self, DecodeError},
    ids::{Hash, Round},
};
use serde::{Deserialize, Serialize};

use super::{
    budget::Budget,
    gaussian::rdp,
    line::{self, Line},
    spend::{MAX_STEPS, Spend, SpendError},
};

/// Tickets that a filter remembers: a member has one or two a round.
pub const MAX_TICKETS: usize = 256;

/// Longest stored filter, in bytes.
pub const MAX_FILTER_BYTES: usize = 64 * 1024;

/// What a debit is for. No two pieces of work ever have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ticket {
    /// The round that asks for the work.
    pub round: Round,
    /// Hash of the contract as it was decided.
    pub contract: Hash,
}

/// Why nothing was debited, and nothing is spent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It would exceed the budget.
    #[error(
        "{asked} steps would overspend the privacy budget and {left} of this kind still fit; \
         take fewer steps, more noise or a smaller sampling rate, or rest"
    )]
    OverBudget {
        /// Steps asked for.
        asked: u64,
        /// Steps of the same rate and noise that the budget still allows.
        left: u64,
    },
    /// The same contract came before with other terms.
    #[error("this contract of round {round} was debited with another rate, noise or number of steps; keep to those")]
    Changed {
        /// The ticket's round.
        round: Round,
    },
    /// Older than what the filter remembers, so it may have been debited.
    #[error("round {round} is over: debits are remembered from round {first} on; work for a later round")]
    Forgotten {
        /// The ticket's round.
        round: Round,
        /// The first round that can still be debited.
        first: Round,
    },
}

/// Why bytes are not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stored privacy account cannot be read ({0}); restore it from a copy: a fresh one would forget what is spent"
)]
pub struct RestoreError(#[from] DecodeError);

/// Why a budget stays as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// It would give up more privacy than was promised when noise was drawn before.
    #[error(
        "the privacy account has a budget of epsilon {have} and the configuration asks for {asked}: noise that was drawn \
         cannot be undone, so a budget only shrinks by itself; to give up more on purpose, run `althing privacy raise`"
    )]
    Higher {
        /// The account's epsilon.
        have: f64,
        /// The epsilon asked for.
        asked: f64,
    },
    /// It is no raise.
    #[error(
        "the privacy account has a budget of epsilon {have}, which is more than {asked}; a lower one needs no raise"
    )]
    Lower {
        /// The account's epsilon.
        have: f64,
        /// The epsilon asked for.
        asked: f64,
    },
    /// Delta is part of what was promised.
    #[error("the privacy account has a budget at delta {have:e}, not {asked:e}; delta never changes: write {have:e}")]
    Delta {
        /// The account's delta.
        have: f64,
        /// The delta asked for.
        asked: f64,
    },
}

/// What is spent, at which orders, and for which tickets. One per member and data set, for their whole life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Filter {
    budget: Budget,
    lines: Vec<Line>,
    /// Tickets of earlier rounds are no longer remembered, so they are refused.
    first_round: Round,
    entries: Vec<Entry>,
    /// Debits ever made.
    debits: u64,
}

/// One debit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Entry {
    ticket: Ticket,
    spend: Spend,
}

/// A filter as it is stored, before it is believed.
#[derive(Deserialize)]
struct Stored {
    budget: Budget,
    lines: Vec<Line>,
    first_round: Round,
    entries: Vec<Entry>,
    debits: u64,
}

impl TryFrom<Stored> for Filter {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, &'static str> {
        if !line::are_sound(&stored.lines) {
            return Err("its orders or sums are not those of a filter");
        }
        if stored.entries.len() > MAX_TICKETS {
            return Err("it has more tickets than a filter keeps");
        }
        let Stored { budget, lines, first_round, entries, debits } = stored;
        Ok(Self { budget, lines, first_round, entries, debits })
    }
}

/// What a debit came to.
#[derive(Debug)]
#[must_use = "noise needs the token that the receipt gives"]
pub enum Debit<'f> {
    /// It is spent now, in memory: make it durable.
    Fresh(Receipt<'f>),
    /// It was spent before, for the same ticket and terms. Noise may have been drawn then: publish what was made of it,
    /// or nothing. A second draw for one debit would be a second, unpaid look at the data.
    Repeated,
}

/// An epsilon in millionths, rounded up.
fn micro(epsilon: f64) -> u64 {
    // Not negative; beyond the largest integer it becomes that.
    (epsilon * 1e6).ceil() as u64
}

impl Filter {
    /// A filter over `budget`, with nothing spent. Of `expected`, what the member expects to do most, rate and noise
    /// choose the leading order; the choice must not look at the private data, and it never changes.
    pub fn new(budget: Budget, expected: &Spend) -> Self {
        Self { budget, lines: line::fresh(&budget, expected), first_round: Round(0), entries: Vec::new(), debits: 0 }
    }

    /// The filter that `bytes` hold.
    ///
    /// # Errors
    /// [`RestoreError`] when they are too long, damaged, or hold what no filter can have.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        Ok(codec::decode(bytes, MAX_FILTER_BYTES)?)
    }

    /// The bytes that [`Filter::restore`] takes.
    pub fn bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Debits `spend` for `ticket`, in memory.
    ///
    /// The borrow that the receipt holds keeps the next debit waiting until this one is durable or given up.
    ///
    /// # Errors
    /// [`Refused`] when it would overspend, or when the ticket came before with other terms or too long ago. The
    /// filter is then as it was.
    pub fn debit(&mut self, spend: Spend, ticket: Ticket) -> Result<Debit<'_>, Refused> {
        let earlier = self.entries.iter().find(|entry| entry.ticket == ticket).map(|entry| entry.spend);
        match earlier {
            Some(terms) if terms == spend => return Ok(Debit::Repeated),
            Some(_) => return Err(Refused::Changed { round: ticket.round }),
            None if ticket.round < self.first_round => {
                return Err(Refused::Forgotten { round: ticket.round, first: self.first_round });
            }
            None => {}
        }
        let steps = self.step_costs(&spend);
        if !self.fits(&spend, &steps) {
            return Err(Refused::OverBudget { asked: spend.steps(), left: self.most_steps(&spend, &steps) });
        }
        for (line, step) in self.lines.iter_mut().zip(steps) {
            line.set(line.after(&spend, step));
        }
        let entry = Entry { ticket, spend };
        self.entries.push(entry);
        self.debits = self.debits.saturating_add(1);
        self.forget();
        Ok(Debit::Fresh(Receipt { filter: self, entry }))
    }

    /// The budget.
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The epsilon that the account amounts to, at the budget's delta: for people and agents to steer by. What is
    /// guaranteed at any time is the budget.
    pub fn epsilon_spent(&self) -> f64 {
        self.least_epsilon(&self.lines)
    }

    /// The same in millionths, rounded up.
    pub fn spent_micro(&self) -> u64 {
        micro(self.epsilon_spent())
    }

    /// By how much [`Filter::spent_micro`] would rise by `spend`.
    pub fn cost_micro(&self, spend: &Spend) -> u64 {
        let mut lines = self.lines.clone();
        for (line, step) in lines.iter_mut().zip(self.step_costs(spend)) {
            line.set(line.after(spend, step));
        }
        micro(self.least_epsilon(&lines)).saturating_sub(self.spent_micro())
    }

    fn least_epsilon(&self, lines: &[Line]) -> f64 {
        lines.iter().map(|line| line.epsilon(&self.budget)).fold(f64::INFINITY, f64::min)
    }

    /// What of the budget's epsilon is not spent. Nothing is left when more was spent before the budget was lowered.
    pub fn remaining(&self) -> f64 {
        (self.budget.epsilon() - self.epsilon_spent()).max(0.0)
    }

    /// Debits ever made.
    pub const fn debits(&self) -> u64 {
        self.debits
    }

    /// Whether `ticket` was debited, as far as is remembered.
    pub fn has(&self, ticket: &Ticket) -> bool {
        self.entries.iter().any(|entry| entry.ticket == *ticket)
    }

    /// The first round that was paid for, as far as is remembered.
    pub(super) fn first_paid(&self) -> Option<Round> {
        self.entries.iter().map(|entry| entry.ticket.round).min()
    }

    /// How many of the rounds from `first` to the one before `end` were paid for, as far as is remembered.
    pub(super) fn rounds_paid(&self, first: Round, end: Round) -> u64 {
        let paid: BTreeSet<Round> = self.entries.iter().map(|entry| entry.ticket.round).collect();
        paid.range(first..end).count() as u64
    }

    /// A filter over the same budget and orders with nothing spent: to plan with, never to debit.
    pub(super) fn emptied(&self) -> Self {
        let lines = self.lines.iter().map(Line::emptied).collect();
        Self { budget: self.budget, lines, first_round: Round(0), entries: Vec::new(), debits: 0 }
    }

    /// Lowers the budget's epsilon, for good. What was spent stays spent, be it more than that.
    ///
    /// # Errors
    /// [`LimitError`] when that would raise it, or when delta is another.
    pub fn lower(&mut self, budget: Budget) -> Result<(), LimitError> {
        if budget.epsilon() > self.budget.epsilon() {
            return Err(LimitError::Higher { have: self.budget.epsilon(), asked: budget.epsilon() });
        }
        self.set_epsilon(budget)
    }

    /// Raises the budget's epsilon: somebody has decided to give up more privacy than was promised when noise was drawn
    /// before. The bound is that of a budget which was as large from the start, provided that the decision does not
    /// rest on what the training has released.
    ///
    /// # Errors
    /// [`LimitError`] when that would lower it, or when delta is another.
    pub fn raise(&mut self, budget: Budget) -> Result<(), LimitError> {
        if budget.epsilon() < self.budget.epsilon() {
            return Err(LimitError::Lower { have: self.budget.epsilon(), asked: budget.epsilon() });
        }
        self.set_epsilon(budget)
    }

    fn set_epsilon(&mut self, budget: Budget) -> Result<(), LimitError> {
        if budget.delta() != self.budget.delta() {
            return Err(LimitError::Delta { have: self.budget.delta(), asked: budget.delta() });
        }
        self.budget = budget;
        Ok(())
    }

    /// How many steps with rate `q` and noise `sigma` the budget still allows: that many are granted, one more is not.
    ///
    /// # Errors
    /// [`SpendError`] when `q` or `sigma` is out of its range.
    pub fn steps_left(&self, q: f64, sigma: f64) -> Result<u64, SpendError> {
        let spend = Spend::new(q, sigma, 0)?;
        Ok(self.most_steps(&spend, &self.step_costs(&spend)))
    }

    /// What one step of `spend` costs at each line's order.
    fn step_costs(&self, spend: &Spend) -> Vec<f64> {
        self.lines.iter().map(|line| rdp(spend.q(), spend.sigma(), line.order())).collect()
    }

    fn fits(&self, spend: &Spend, steps: &[f64]) -> bool {
        self.lines.iter().zip(steps).any(|(line, step)| line.holds(&self.budget, line.after(spend, *step)))
    }

    /// The largest number of steps that fits, by bisection over the very test that a debit must pass.
    fn most_steps(&self, spend: &Spend, steps: &[f64]) -> u64 {
        let (mut most, mut too_many) = (0, MAX_STEPS + 1);
        while too_many - most > 1 {
            let middle = most.midpoint(too_many);
            if self.fits(&spend.with_steps(middle), steps) {
                most = middle;
            } else {
                too_many = middle;
            }
        }
        most
    }

    /// Drops the tickets of the oldest round while there are too many, and closes that round for good.
    fn forget(&mut self) {
        while self.entries.len() > MAX_TICKETS {
            let oldest = self.entries.iter().map(|entry| entry.ticket.round).min().unwrap_or_default();
            self.entries.retain(|entry| entry.ticket.round > oldest);
            self.first_round = oldest.next();
        }
    }
}

/// A debit that is in memory only. Dropping it leaves the budget spent and the work undone.
#[derive(Debug)]
#[must_use = "noise needs the token that this gives once the debit is durable"]
pub struct Receipt<'f> {
    filter: &'f Filter,
    entry: Entry,
}

impl Receipt<'_> {
    /// Hands the filter's bytes to `write`, which must return only when they would survive a power cut, in the place
    /// from which the filter is restored.
    ///
    /// # Errors
    /// What `write` says. No noise may be drawn then; the debit stays spent, since it may be durable all the same.
    pub fn make_durable<E>(self, write: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<Debited, E> {
        write(&self.filter.bytes())?;
        Ok(Debited { entry: self.entry })
    }
}

/// The right to draw the noise of one debit, once. Whoever trains takes it by value.
#[derive(Debug, PartialEq)]
#[must_use = "the budget is spent; draw the noise"]
pub struct Debited {
    entry: Entry,
}

impl Debited {
    /// What was paid for: at most these steps, at this rate, with no less noise.
    pub const fn spend(&self) -> &Spend {
        &self.entry.spend
    }

    /// What it is for.
    pub const fn ticket(&self) -> Ticket {
        self.entry.ticket
    }
}

/// Debits `spend` from a budget that is made for it and forgotten with it: for data that are public anyway, and for
/// tests. A member that trains on its own data keeps a [`Filter`] instead, for its whole life.
///
/// # Errors
/// [`Refused::OverBudget`] if `spend` exceeds the whole budget.
pub fn rehearse(budget: Budget, spend: Spend) -> Result<Debited, Refused> {
    let ticket = Ticket { round: Round(0), contract: Hash::ZERO };
    let _unwritten = Filter::new(budget, &spend).debit(spend, ticket)?;
    Ok(Debited { entry: Entry { ticket, spend } })
}
