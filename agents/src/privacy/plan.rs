//! How a budget is to last: a pace becomes noise, by asking the filter itself.

use althing_protocol::ids::Round;

use super::{
    budget::Budget,
    filter::Filter,
    spend::{MAX_STEPS, Spend, SpendError},
};

/// Least noise that a plan draws, in thousandths of a clipping norm: less protects nobody, however large the budget.
const MIN_SIGMA_MILLI: u64 = 300;

/// Most noise that a plan draws, in thousandths: under more of it nothing is learnt.
const MAX_SIGMA_MILLI: u64 = 64_000;

/// A round with more than so many times the noise that was planned for is not worth its budget: less than a quarter of
/// one planned round is left by then.
const WORTHLESS: u64 = 2;

/// How fast to spend what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// As if twice as many trainings were ahead.
    Save,
    /// What is left lasts for the trainings that are likely to come.
    Even,
    /// As if half as many trainings were ahead.
    Spend,
}

impl Pace {
    /// All of them, the slowest first.
    pub const ALL: [Self; 3] = [Self::Save, Self::Even, Self::Spend];

    /// Its name in prompts, events and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Save => "save",
            Self::Even => "even",
            Self::Spend => "spend",
        }
    }

    /// What it means, in a plain line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Save => "spend as if twice as many rounds were left, with more noise",
            Self::Even => "make the budget last for the rounds that are left",
            Self::Spend => "spend as if half as many rounds were left, with less noise",
        }
    }

    /// For how many trainings the rest is to last when so many are ahead.
    const fn lasts(self, ahead: u64) -> u64 {
        let trainings = match self {
            Self::Save => ahead.saturating_mul(2),
            Self::Even => ahead,
            Self::Spend => ahead / 2,
        };
        if trainings == 0 { 1 } else { trainings }
    }
}

/// Why a plan cannot be carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A step takes no example, or more than there are.
    #[error("privacy.lot is {lot}, but this member has {samples} examples to train on; give from 1 to that many")]
    Lot {
        /// Examples that a step takes on average.
        lot: u64,
        /// Examples that there are.
        samples: u64,
    },
    /// The budget does not last.
    #[error(
        "epsilon {epsilon} does not last for {rounds} rounds of {steps} steps: each would need more noise than anything \
         can be learnt under; plan fewer rounds (privacy.rounds), or a smaller privacy.lot"
    )]
    TooLong {
        /// The budget's epsilon.
        epsilon: f64,
        /// Rounds that it should last.
        rounds: u64,
        /// Steps of one.
        steps: u64,
    },
}

/// A training that is to be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Training {
    /// The round that asks for it.
    pub round: Round,
    /// Passes over the data.
    pub epochs: u32,
    /// Least that it must cost of the budget, in millionths of epsilon: whoever pays for the round takes no update that is
    /// noisier.
    pub least_micro: u64,
}

impl Training {
    /// So many passes for `round`, however noisy.
    pub const fn of(round: Round, epochs: u32) -> Self {
        Self { round, epochs, least_micro: 0 }
    }
}

/// What a member means to do with its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    lot: u64,
    samples: u64,
    rounds: u64,
}

/// A training on offer: how much noise for how many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    /// Noise multiplier, in thousandths.
    pub sigma_milli: u64,
    /// Steps.
    pub steps: u64,
}

impl Terms {
    /// Noise multiplier.
    pub fn sigma(&self) -> f64 {
        self.sigma_milli as f64 / 1e3
    }
}

impl Plan {
    /// A plan to make the budget last for `rounds` rounds, from the first that is paid for on and whether or not the
    /// member is hired in them, with steps that take `lot` of `samples` examples on average.
    ///
    /// # Errors
    /// [`PlanError::Lot`] if there are not so many examples.
    pub const fn new(lot: u64, samples: u64, rounds: u64) -> Result<Self, PlanError> {
        if lot == 0 || lot > samples {
            return Err(PlanError::Lot { lot, samples });
        }
        Ok(Self { lot, samples, rounds })
    }

    /// Examples that a step takes on average.
    pub const fn lot(&self) -> u64 {
        self.lot
    }

    /// Examples that there are.
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// Rounds that it is made for.
    pub const fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Trainings that are left of the plan, if the member is hired in every round of it.
    pub const fn rounds_left(&self, filter: &Filter) -> u64 {
        Self::rounds_after(self.rounds, filter)
    }

    /// The same of a plan for so many rounds.
    pub const fn rounds_after(rounds: u64, filter: &Filter) -> u64 {
        rounds.saturating_sub(filter.debits())
    }

    /// Steps that see as many examples as so many passes do.
    pub const fn steps(&self, epochs: u32) -> u64 {
        let steps = (self.samples.saturating_mul(epochs as u64)).div_ceil(self.lot);
        if steps > MAX_STEPS { MAX_STEPS } else { steps }
    }

    /// What `terms` ask of a filter.
    ///
    /// # Errors
    /// [`SpendError`] if they are out of its range, which no terms of a plan are.
    pub fn spend(&self, terms: Terms) -> Result<Spend, SpendError> {
        Spend::new(self.rate(), terms.sigma(), terms.steps)
    }

    /// A fresh filter over `budget` that leads with the order that is best for this plan.
    ///
    /// # Errors
    /// [`PlanError::TooLong`] if the budget does not last for rounds of so many passes.
    pub fn open(&self, budget: Budget, epochs: u32) -> Result<Filter, PlanError> {
        let steps = self.steps(epochs);
        let (epsilon, rounds) = (budget.epsilon(), self.rounds);
        let too_long = PlanError::TooLong { epsilon, rounds, steps };
        // The best order depends on the noise and the noise a little on the order: once around settles it.
        let guess = Spend::new(self.rate(), 1.0, steps).map_err(|_| too_long.clone())?;
        let terms =
            self.least_noise(&Filter::new(budget, &guess), self.rounds, steps).ok_or_else(|| too_long.clone())?;
        let expected = self.spend(terms).map_err(|_| too_long)?;
        Ok(Filter::new(budget, &expected))
    }

    /// The terms of `training` at `pace`; none if what is left is not worth a round, or if more noise would be drawn than
    /// the training may have.
    pub fn terms(&self, filter: &Filter, training: &Training, pace: Pace) -> Option<Terms> {
        let Training { round, epochs, least_micro } = *training;
        let steps = self.steps(epochs);
        let terms = self.least_noise(filter, pace.lasts(self.trainings_ahead(filter, round)), steps)?;
        let planned = self.least_noise(&filter.emptied(), self.rounds, steps)?;
        let is_worth_it = terms.sigma_milli <= planned.sigma_milli.saturating_mul(WORTHLESS);
        let is_clear = least_micro == 0 || filter.cost_micro(&self.spend(terms).ok()?) >= least_micro;
        (is_worth_it && is_clear).then_some(terms)
    }

    /// The least noise under which the rest of the budget pays for so many rounds of so many steps.
    fn least_noise(&self, filter: &Filter, rounds: u64, steps: u64) -> Option<Terms> {
        let wanted = rounds.max(1).saturating_mul(steps);
        let pays = |sigma_milli: u64| {
            let sigma = Terms { sigma_milli, steps }.sigma();
            filter.steps_left(self.rate(), sigma).is_ok_and(|left| left >= wanted)
        };
        if !pays(MAX_SIGMA_MILLI) {
            return None;
        }
        let (mut too_little, mut enough) = (MIN_SIGMA_MILLI - 1, MAX_SIGMA_MILLI);
        while enough - too_little > 1 {
            let middle = too_little.midpoint(enough);
            if pays(middle) {
                enough = middle;
            } else {
                too_little = middle;
            }
        }
        Some(Terms { sigma_milli: enough, steps })
    }

    fn rate(&self) -> f64 {
        self.lot as f64 / self.samples as f64
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::Hash;

    use super::*;
    use crate::privacy::{Debit, Ticket};

    fn budget() -> Budget {
        Budget::new(4.0, 1e-5).unwrap()
    }

    fn pay(plan: &Plan, filter: &mut Filter, round: u64, pace: Pace) -> Option<Terms> {
        let terms = plan.terms(filter, &Training::of(Round(round), 1), pace)?;
        let ticket = Ticket { round: Round(round), contract: Hash::ZERO };
        let Debit::Fresh(receipt) = filter.debit(plan.spend(terms).unwrap(), ticket).unwrap() else { panic!("new") };
        let _debited = receipt.make_durable(|_| Ok::<_, ()>(())).unwrap();
        Some(terms)
    }

    #[test]
    fn an_even_pace_spends_the_budget_over_the_planned_rounds_with_even_noise() {
        let plan = Plan::new(64, 1_000, 12).unwrap();
        let mut filter = plan.open(budget(), 1).unwrap();
        let noises: Vec<u64> =
            (1..=12).map(|round| pay(&plan, &mut filter, round, Pace::Even).unwrap().sigma_milli).collect();
        let (least, most) = (noises.iter().min().unwrap(), noises.iter().max().unwrap());
        assert!(most - least <= most / 50, "{noises:?}");
        assert!(filter.remaining() < 0.02 * 4.0, "{} is left", filter.remaining());
        assert_eq!(pay(&plan, &mut filter, 13, Pace::Even), None, "what is left is not worth a round");
        assert_eq!(plan.rounds_left(&filter), 0);
    }

    #[test]
    fn a_faster_pace_has_less_noise_and_ends_sooner() {
        let plan = Plan::new(64, 1_000, 8).unwrap();
        let filter = plan.open(budget(), 1).unwrap();
        let noise = Pace::ALL.map(|pace| plan.terms(&filter, &Training::of(Round(1), 1), pace).unwrap().sigma_milli);
        assert!(noise[0] > noise[1] && noise[1] > noise[2], "{noise:?}");
        let rounds = |pace| {
            let mut filter = filter.clone();
            (1..100).take_while(|round| pay(&plan, &mut filter, *round, pace).is_some()).count()
        };
        let rounds = Pace::ALL.map(rounds);
        assert!(rounds[0] > 8 && rounds[1] == 8 && rounds[2] < 8, "{rounds:?}");
    }

    #[test]
    fn a_budget_that_cannot_last_is_refused_with_what_to_do() {
        let plan = Plan::new(1_000, 1_000, 100_000).unwrap();
        let error = plan.open(Budget::new(0.1, 1e-5).unwrap(), 5).unwrap_err().to_string();
        assert!(error.contains("plan fewer rounds"), "{error}");
        for lot in [0, 11] {
            assert_eq!(Plan::new(lot, 10, 1), Err(PlanError::Lot { lot, samples: 10 }));
        }
    }
}
