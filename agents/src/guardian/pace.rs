//! How fast to spend the privacy budget.

use althing_protocol::event::DecidedBy;

use crate::{
    policy::{Pick, Policy, Question, Reorder, in_order},
    privacy::{Filter, Pace, Plan, Terms},
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
    /// Rounds that are left of the plan.
    pub rounds_left: u64,
    menu: Vec<PaceOption>,
}

impl PaceQuestion {
    /// How fast? Its first entry is the slowest. Paces that cost less than `least_micro`, in millionths of epsilon, are not
    /// on the menu: whoever pays for the round takes no update that is so noisy. The menu is empty if what is left is not
    /// worth a round.
    pub fn new(plan: &Plan, filter: &Filter, epochs: u32, least_micro: u64) -> Self {
        let terms = |pace| plan.clear_terms(filter, epochs, pace, least_micro);
        let option = |pace| terms(pace).map(|terms| PaceOption { pace, terms });
        let menu = Pace::ALL.into_iter().filter_map(option).collect();
        Self { remaining: filter.remaining(), rounds_left: plan.rounds_left(filter), menu }
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

/// Spends the budget evenly over the rounds that are left, or as fast as comes next to that.
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
    use super::*;
    use crate::{policy::ask, privacy::Budget};

    #[test]
    fn the_rule_spends_evenly_and_an_empty_budget_asks_nothing() {
        let plan = Plan::new(32, 320, 10).unwrap();
        let filter = plan.open(Budget::new(2.0, 1e-5).unwrap(), 1).unwrap();
        let question = PaceQuestion::new(&plan, &filter, 1, 0);
        assert_eq!(question.menu().iter().map(|option| option.pace).collect::<Vec<_>>(), Pace::ALL);
        assert_eq!(ask(&mut Evenly, &question).unwrap().option.pace, Pace::Even);
        let even = filter.cost_micro(&plan.spend(plan.terms(&filter, 1, Pace::Even).unwrap()).unwrap());
        let paces = |least| {
            let question = PaceQuestion::new(&plan, &filter, 1, least);
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
