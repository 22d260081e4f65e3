//! How fast to spend the privacy budget.

use althing_protocol::event::DecidedBy;

use crate::{
    policy::{Pick, Policy, Question, Reorder, in_order},
    privacy::{Filter, Pace, Plan, Terms, Training},
};

/// An entry of the menu: a pace, and the noise and steps that it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaceOption {
    /// The pace.
    pub pace: Pace,
    /// What it comes to.
    pub terms: Terms,
}

/// The question how fast to spend the budget, for a contract that is won already.
#[derive(Debug, Clone, PartialEq)]
pub struct PaceQuestion {
    /// What of the budget's epsilon is left.
    pub remaining: f64,
    /// Trainings that the plan is likely to have yet, this one included.
    pub trainings_ahead: u64,
    menu: Vec<PaceOption>,
}

impl PaceQuestion {
    /// How fast? Its first entry is the slowest. Paces under which `training` would have more noise than it may are not on
    /// the menu, and it is empty if what is left is not worth a round.
    pub fn new(plan: &Plan, filter: &Filter, training: &Training) -> Self {
        let option = |pace| plan.terms(filter, training, pace).map(|terms| PaceOption { pace, terms });
        let menu = Pace::ALL.into_iter().filter_map(option).collect();
        let trainings_ahead = plan.trainings_ahead(filter, training.round);
        Self { remaining: filter.remaining(), trainings_ahead, menu }
    }
}

impl Question for PaceQuestion {
    type Option = PaceOption;

    fn menu(&self) -> &[PaceOption] {
        &self.menu
    }
}

impl Reorder for PaceQuestion {
    fn reordered(&self, order: &[usize]) -> Self {
        Self { menu: in_order(&self.menu, order), ..self.clone() }
    }
}

/// Spends the budget evenly over the trainings that are likely to come, or as fast as comes next to that.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evenly;

impl Policy<PaceQuestion> for Evenly {
    fn decide(&mut self, question: &PaceQuestion) -> Pick<PaceOption> {
        let at_least_even = question.menu().iter().filter(|option| option.pace >= Pace::Even);
        let slowest = at_least_even.min_by_key(|option| option.pace);
        let option = slowest.or_else(|| question.menu().iter().max_by_key(|option| option.pace)).copied();
        // An empty menu has no right answer; whatever is given off it is overruled.
        let none = PaceOption { pace: Pace::Save, terms: Terms { sigma_milli: 0, steps: 0 } };
        Pick { option: option.unwrap_or(none), by: DecidedBy::Rules }
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::Round;

    use super::*;
    use crate::{policy::ask, privacy::Budget};

    #[test]
    fn the_rule_spends_evenly_and_an_empty_budget_asks_nothing() {
        let plan = Plan::new(32, 320, 10).unwrap();
        let filter = plan.open(Budget::new(2.0, 1e-5).unwrap(), 1).unwrap();
        let training = Training::of(Round(1), 1);
        let question = PaceQuestion::new(&plan, &filter, &training);
        assert_eq!(question.menu().iter().map(|option| option.pace).collect::<Vec<_>>(), Pace::ALL);
        assert_eq!(ask(&mut Evenly, &question).unwrap().option.pace, Pace::Even);
        let even = filter.cost_micro(&plan.spend(plan.terms(&filter, &training, Pace::Even).unwrap()).unwrap());
        let paces = |least_micro| {
            let question = PaceQuestion::new(&plan, &filter, &Training { least_micro, ..training });
            question.menu().iter().map(|option| option.pace).collect::<Vec<_>>()
        };
        assert!(
            !paces(even).contains(&Pace::Save) && paces(even).contains(&Pace::Even),
            "an even pace is clear enough"
        );
        assert!(
            !paces(even + 1).contains(&Pace::Even) && paces(even + 1).contains(&Pace::Spend),
            "a millionth is missing"
        );
        assert_eq!(paces(2_000_000), [], "nobody spends all of it in a round");
        let nothing = PaceQuestion { menu: Vec::new(), ..question };
        assert_eq!(ask(&mut Evenly, &nothing), None);
    }
}
