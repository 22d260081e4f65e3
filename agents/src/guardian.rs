//! The guardian: how much work the round may cost this machine.

use std::time::Duration;

use althing_protocol::{event::DecidedBy, genesis::Contract};

use crate::policy::{Pick, Policy, Question};

/// How much of what would fit the member is willing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Nothing: rest this round.
    Rest,
    /// Contracts that take at most half of the deadline.
    Half,
    /// Whatever fits the deadline.
    Full,
}

impl Effort {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Half => "half",
            Self::Full => "full",
        }
    }
}

/// What the member's machine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Examples that it trains on in one epoch.
    pub samples: u64,
    /// Measured time for one example; zero while nothing was measured.
    pub time_per_sample: Duration,
    /// Time that the genesis allows for training.
    pub deadline: Duration,
}

impl Capacity {
    /// How long `contract` would take here.
    pub fn duration(&self, contract: &Contract) -> Duration {
        let samples = self.samples.saturating_mul(u64::from(contract.epochs));
        self.time_per_sample.saturating_mul(u32::try_from(samples).unwrap_or(u32::MAX))
    }

    /// Whether `contract` is done in time with this `effort`.
    pub fn fits(&self, contract: &Contract, effort: Effort) -> bool {
        let allowed = match effort {
            Effort::Rest => return false,
            Effort::Half => self.deadline / 2,
            Effort::Full => self.deadline,
        };
        self.samples > 0 && self.duration(contract) <= allowed
    }
}

/// The question to a guardian.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardianQuestion {
    /// What the machine can do.
    pub capacity: Capacity,
    menu: Vec<Effort>,
}

impl GuardianQuestion {
    /// May this machine work, and how hard? Efforts under which no contract fits are not on the menu.
    pub fn new(capacity: Capacity, contracts: &[Contract]) -> Self {
        let useful = |effort: &Effort| contracts.iter().any(|contract| capacity.fits(contract, *effort));
        let menu = std::iter::once(Effort::Rest).chain([Effort::Half, Effort::Full].into_iter().filter(useful));
        Self { capacity, menu: menu.collect() }
    }
}

impl Question for GuardianQuestion {
    type Option = Effort;

    fn menu(&self) -> &[Effort] {
        &self.menu
    }
}

/// Works as hard as the machine can in time.
#[derive(Debug, Clone, Copy, Default)]
pub struct WhatFits;

impl Policy<GuardianQuestion> for WhatFits {
    fn decide(&mut self, question: &GuardianQuestion) -> Pick<Effort> {
        let hardest = question.menu().last().copied();
        Pick { option: hardest.unwrap_or(Effort::Rest), by: DecidedBy::Rules }
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::model::Width;

    use super::*;

    fn contract(epochs: u32) -> Contract {
        Contract { name: format!("{epochs} epochs"), epochs, width: Width::Full, value: 100 }
    }

    fn capacity(ms_per_sample: u64) -> Capacity {
        let time_per_sample = Duration::from_millis(ms_per_sample);
        Capacity { samples: 1_000, time_per_sample, deadline: Duration::from_secs(10) }
    }

    #[test]
    fn a_machine_that_is_too_slow_rests() {
        let contracts = [contract(1), contract(2)];
        let decide = |ms| WhatFits.decide(&GuardianQuestion::new(capacity(ms), &contracts)).option;
        assert_eq!(decide(11), Effort::Rest);
        assert_eq!(decide(10), Effort::Full);
        assert_eq!(GuardianQuestion::new(capacity(10), &contracts).menu(), [Effort::Rest, Effort::Full]);
        assert!(capacity(10).fits(&contract(1), Effort::Full) && !capacity(10).fits(&contract(2), Effort::Full));
    }

    #[test]
    fn a_machine_without_data_rests() {
        let idle = Capacity { samples: 0, ..capacity(1) };
        assert_eq!(GuardianQuestion::new(idle, &[contract(1)]).menu(), [Effort::Rest]);
    }
}
