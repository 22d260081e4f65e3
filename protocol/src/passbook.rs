//! What has moved the credits of one account, and why, read from a ledger's decisions.

use serde::Serialize;

use crate::{
    audit::{AuditError, Step, follow},
    ids::{Height, JobId, MemberId, Round},
    ledger::Carried,
    state::{Federation, Outcome, Stage, State},
    statement::Action,
    wire::Decision,
};

/// A line of a passbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The round; 0 for the genesis.
    pub round: Round,
    /// The height whose body says so; 0 for the genesis.
    pub height: Height,
    /// Why credits have moved.
    #[serde(flatten)]
    pub why: Why,
    /// By how much the account has changed, in micro-credits.
    pub change: i128,
}

/// Why credits have moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// The genesis gives them.
    Granted,
    /// For an update that was delivered.
    Delivery,
    /// For what the update has brought.
    Bonus,
    /// Put down until the update is delivered.
    Deposit,
    /// Back from escrow, since the update was delivered.
    DepositReturned,
    /// Given by another account.
    From {
        /// Whose.
        account: MemberId,
    },
    /// Given to another account.
    To {
        /// Whose.
        account: MemberId,
    },
    /// Put down for a job.
    Funded {
        /// Which.
        job: JobId,
    },
    /// Left of a job that has ended.
    Returned {
        /// Of which.
        job: JobId,
    },
    /// Burned, for having signed two things in one place.
    Slashed,
}

/// A passbook, with what the account has elsewhere at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passbook {
    /// Whose.
    pub account: MemberId,
    /// Every change, the earliest first.
    pub entries: Vec<Entry>,
    /// What the account owns, in micro-credits: the sum of all changes.
    pub balance: u64,
    /// What is promised to it for the open round, in micro-credits.
    pub promised: u64,
    /// What it has put down for the open round, in micro-credits.
    pub deposited: u64,
    /// What is left of what it has put down for jobs, in micro-credits.
    pub in_jobs: u64,
}

impl Passbook {
    /// The passbook of `account`, by `decisions` from the first on, which are checked on the way.
    ///
    /// # Errors
    /// [`AuditError`] names the first height that is not good.
    pub fn of<'a>(
        account: MemberId,
        federation: &Federation,
        decisions: impl IntoIterator<Item = &'a Decision>,
    ) -> Result<Self, AuditError> {
        let granted = balance(&State::genesis(federation), &account);
        let granted = Entry { round: Round(0), height: Height(0), why: Why::Granted, change: granted.into() };
        let mut entries: Vec<Entry> = (granted.change > 0).then_some(granted).into_iter().collect();
        let state = follow(federation, decisions, |step| {
            let (round, height) = (step.before.round, step.after.height);
            entries.extend(changes(&account, &step).into_iter().map(|(why, change)| Entry {
                round,
                height,
                why,
                change,
            }));
        })?;
        let escrow = &state.ledger.escrow;
        let of_jobs = state.ledger.jobs.values().filter(|job| job.sponsor == account);
        Ok(Self {
            account,
            entries,
            balance: balance(&state, &account),
            promised: escrow.awards.get(&account).copied().unwrap_or(0),
            deposited: escrow.deposits.get(&account).copied().unwrap_or(0),
            in_jobs: of_jobs.map(|job| job.left).fold(0, u64::saturating_add),
        })
    }
}

fn balance(state: &State, account: &MemberId) -> u64 {
    state.ledger.standing(account).map_or(0, |(_, balance)| balance)
}

/// What one decision has changed, zeros left out. Whatever no reason explains was burned.
fn changes(account: &MemberId, step: &Step<'_>) -> Vec<(Why, i128)> {
    let mut changes = match step.outcome {
        Outcome::Planned { instructions, .. } => {
            let mut changes = Vec::new();
            for (owner, instruction, carried) in instructions {
                match (&instruction.action, carried) {
                    (Action::Transfer { to, amount }, _) if owner == account => {
                        changes.push((Why::To { account: *to }, -i128::from(*amount)));
                    }
                    (Action::Transfer { to, amount }, _) if to == account => {
                        changes.push((Why::From { account: *owner }, i128::from(*amount)));
                    }
                    (Action::Fund(terms), Carried::Funded(job)) if owner == account => {
                        let escrow = terms.escrow(step.before.round).unwrap_or(0);
                        changes.push((Why::Funded { job: *job }, -i128::from(escrow)));
                    }
                    _ => {}
                }
            }
            changes.push((Why::Deposit, -i128::from(deposit(step.after, account))));
            changes
        }
        Outcome::Settled(settlement) => {
            let mut changes = Vec::new();
            if let Some(paid) = settlement.payments.get(account) {
                let delivery = promised(step.before, account);
                changes.push((Why::Delivery, delivery.into()));
                changes.push((Why::Bonus, i128::from(*paid) - i128::from(delivery)));
                changes.push((Why::DepositReturned, deposit(step.before, account).into()));
            }
            let own = settlement.ended.iter().filter(|ended| ended.job.sponsor == *account);
            changes.extend(own.map(|ended| (Why::Returned { job: ended.id }, ended.job.left.into())));
            changes
        }
    };
    let explained: i128 = changes.iter().map(|(_, change)| change).sum();
    let change = i128::from(balance(step.after, account)) - i128::from(balance(step.before, account));
    changes.push((Why::Slashed, change - explained));
    changes.retain(|(_, change)| *change != 0);
    changes
}

fn deposit(state: &State, account: &MemberId) -> u64 {
    state.ledger.escrow.deposits.get(account).copied().unwrap_or(0)
}

fn promised(state: &State, account: &MemberId) -> u64 {
    let Stage::Settling(awards) = &state.stage else { return 0 };
    awards.iter().find(|award| award.member == *account).map_or(0, |award| award.payment)
}
