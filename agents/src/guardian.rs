//! The guardian: how much work, how much model and how much privacy the round may cost this member.
//!
//! Before a bid it says what the machine may be used for ([`GuardianQuestion`]); for a contract that was won it says how
//! fast the privacy budget is spent ([`PaceQuestion`]). Code has left out beforehand whatever does not fit the deadline,
//! the memory, the load or the budget.

mod machine;
mod pace;

use std::cmp::Reverse;

use althing_protocol::{event::DecidedBy, genesis::Contract, ids::Round, model::Width};

pub use machine::{Capacity, Effort, Machine, Need};
pub use pace::{Evenly, PaceOption, PaceQuestion};

use crate::{
    orders::Spending,
    policy::{Pick, Policy, Question, Reorder, in_order},
    privacy::{Filter, Pace, Plan, Training},
};

/// An entry of the guardian's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stint {
    /// Nothing: rest this round.
    Rest,
    /// Contracts of at most this effort, and of no wider a slice of the model.
    Work {
        /// How much of the time they may take.
        effort: Effort,
        /// The widest slice.
        widest: Width,
    },
}

impl Stint {
    /// From the least to the most work.
    fn hardness(self) -> Option<(Effort, Reverse<Width>)> {
        match self {
            Self::Rest => None,
            Self::Work { effort, widest } => Some((effort, Reverse(widest))),
        }
    }
}

/// What pays for training.
#[derive(Debug, Clone, Copy)]
pub enum Means<'a> {
    /// Training is without noise, and nothing is paid.
    Unlimited,
    /// A privacy budget.
    Budget {
        /// The plan to spend it.
        plan: &'a Plan,
        /// What is spent of it.
        filter: &'a Filter,
        /// The round that it is to pay for.
        round: Round,
        /// Least that an update of the round must cost of it, in millionths of epsilon: whoever pays for the round takes
        /// none that is noisier.
        least_micro: u64,
    },
}

impl Means<'_> {
    /// How far the budget is spent, if there is one.
    pub(crate) fn spending(&self) -> Option<Spending> {
        let Self::Budget { plan, filter, round, .. } = *self else { return None };
        let rounds_left = plan.rounds_ahead(filter, round).saturating_mul(100) / plan.rounds().max(1);
        // A share of a budget lies between 0 and 100, so the conversion cannot lose anything.
        let left = (filter.remaining() / filter.budget().epsilon() * 100.0).clamp(0.0, 100.0);
        Some(Spending { left_percent: left as u64, rounds_left_percent: rounds_left })
    }

    /// Whether they pay for `contract` at any pace.
    fn afford(&self, contract: &Contract) -> bool {
        match self {
            Self::Unlimited => true,
            // Where any pace will do, the fastest does: it asks for the least noise.
            Self::Budget { plan, filter, round, least_micro } => {
                let training = Training { round: *round, epochs: contract.epochs, least_micro: *least_micro };
                plan.terms(filter, &training, Pace::Spend).is_some()
            }
        }
    }
}

/// Why a contract is not on offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The machine is busy.
    Load,
    /// It would come too late, or take too much memory.
    Machine,
    /// The privacy budget does not pay for it.
    Budget,
}

/// The question what the machine may be used for.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardianQuestion {
    /// What the machine can do.
    pub capacity: Capacity,
    affordable: Vec<Contract>,
    obstacle: Option<Obstacle>,
    menu: Vec<Stint>,
}

impl GuardianQuestion {
    /// May this machine work, how hard, and on how much of the model? Answers under which no contract fits are not on
    /// the menu; it goes from the least to the most work.
    pub fn new(capacity: Capacity, contracts: &[Contract], means: Means<'_>) -> Self {
        let affordable: Vec<Contract> = contracts.iter().filter(|contract| means.afford(contract)).cloned().collect();
        let fitting = |effort, width| {
            affordable.iter().any(|contract| contract.width == width && capacity.fits(contract, effort))
        };
        let mut menu = vec![Stint::Rest];
        for effort in Effort::ALL {
            let widths = Width::ALL.into_iter().rev().filter(|width| fitting(effort, *width));
            menu.extend(widths.map(|widest| Stint::Work { effort, widest }));
        }
        let obstacle = match menu.len() {
            1 if capacity.is_busy() => Some(Obstacle::Load),
            1 if affordable.is_empty() => Some(Obstacle::Budget),
            1 => Some(Obstacle::Machine),
            _ => None,
        };
        Self { capacity, affordable, obstacle, menu }
    }

    /// Whether `stint` allows `contract`.
    pub fn allows(&self, stint: Stint, contract: &Contract) -> bool {
        match stint {
            Stint::Rest => false,
            Stint::Work { effort, widest } => {
                contract.width >= widest && self.affordable.contains(contract) && self.capacity.fits(contract, effort)
            }
        }
    }

    /// How much of the deadline the longest contract under `stint` takes, in hundredths.
    pub fn fills_percent(&self, stint: Stint) -> u64 {
        let allowed = self.affordable.iter().filter(|contract| self.allows(stint, contract));
        let longest = allowed.map(|contract| self.capacity.duration(contract)).max().unwrap_or_default();
        let percent = longest.as_nanos().saturating_mul(100) / self.capacity.deadline.as_nanos().max(1);
        u64::try_from(percent).unwrap_or(u64::MAX)
    }

    /// `stint` in words, with the reason if there is no choice but to rest.
    pub fn words(&self, stint: Stint) -> String {
        match (stint, self.obstacle) {
            (Stint::Rest, None) => "rest".to_owned(),
            (Stint::Rest, Some(Obstacle::Load)) => "rest: the machine is busy".to_owned(),
            (Stint::Rest, Some(Obstacle::Machine)) => "rest: no contract fits this machine in time".to_owned(),
            (Stint::Rest, Some(Obstacle::Budget)) => "rest: the privacy budget does not pay for it".to_owned(),
            (Stint::Work { effort: Effort::Half, widest }, _) => format!("half the time, width {widest} at most"),
            (Stint::Work { effort: Effort::Full, widest }, _) => format!("all the time, width {widest} at most"),
        }
    }
}

impl Question for GuardianQuestion {
    type Option = Stint;

    fn menu(&self) -> &[Stint] {
        &self.menu
    }
}

impl Reorder for GuardianQuestion {
    fn reordered(&self, order: &[usize]) -> Self {
        Self { menu: in_order(&self.menu, order), ..self.clone() }
    }
}

/// Works as hard, and on as much of the model, as the machine can in time.
#[derive(Debug, Clone, Copy, Default)]
pub struct WhatFits;

impl Policy<GuardianQuestion> for WhatFits {
    fn decide(&mut self, question: &GuardianQuestion) -> Pick<Stint> {
        let hardest = question.menu().iter().max_by_key(|stint| stint.hardness()).copied();
        Pick { option: hardest.unwrap_or(Stint::Rest), by: DecidedBy::Rules }
    }
}

#[cfg(test)]
mod tests;
