//! How many trainings the rest of a budget has to pay for.

use althing_protocol::ids::Round;

use super::{filter::Filter, plan::Plan};

/// Rounds that are looked back on.
const RECENT: u64 = 32;

/// A member that nothing is known of counts as one that has trained in so many rounds, and in each of them. So whoever
/// is seldom hired learns it slowly, and what is spent too slowly meanwhile is not lost.
const BELIEVED: u64 = 2;

impl Plan {
    /// Rounds of the plan from `now` on, this one included, whether or not the member is hired in them.
    ///
    /// They are counted from the first that was paid for. Who has forgotten that one counts too many, and so spends more
    /// slowly than it might.
    pub fn rounds_ahead(&self, filter: &Filter, now: Round) -> u64 {
        self.rounds().saturating_sub(passed(filter, now).max(filter.debits()))
    }

    /// For how many trainings the rest is to last, one in the round `now` included: a member is not hired in every round,
    /// so of the later ones only the share counts in which it has trained lately, rounded up.
    pub fn trainings_ahead(&self, filter: &Filter, now: Round) -> u64 {
        let recent = passed(filter, now).min(RECENT);
        let trained = filter.rounds_paid(Round(now.0.saturating_sub(recent)), now).min(recent);
        let later = u128::from(self.rounds_ahead(filter, now).saturating_sub(1));
        let expected = (later * u128::from(trained + BELIEVED)).div_ceil(u128::from(recent + BELIEVED));
        u64::try_from(expected).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Rounds from the first that was paid for, as far as is remembered, to the one before `now`.
fn passed(filter: &Filter, now: Round) -> u64 {
    filter.first_paid().map_or(0, |first| now.0.saturating_sub(first.0))
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::Hash;

    use super::*;
    use crate::privacy::{Budget, Debit, MAX_TICKETS, Pace, Ticket, Training};

    fn plan(rounds: u64) -> (Plan, Filter) {
        let plan = Plan::new(64, 1_000, rounds).unwrap();
        let filter = plan.open(Budget::new(4.0, 1e-5).unwrap(), 1).unwrap();
        (plan, filter)
    }

    /// Trains in the rounds that `is_hired` says, and returns what each has cost the member, as noise.
    fn train(plan: &Plan, filter: &mut Filter, rounds: u64, is_hired: impl Fn(u64) -> bool) -> Vec<u64> {
        let hired = (1..=rounds).filter(|round| is_hired(*round));
        let noise = hired.map_while(|round| {
            let terms = plan.terms(filter, &Training::of(Round(round), 1), Pace::Even)?;
            let ticket = Ticket { round: Round(round), contract: Hash::ZERO };
            let Debit::Fresh(_) = filter.debit(plan.spend(terms).unwrap(), ticket).unwrap() else { panic!("new") };
            Some(terms.sigma_milli)
        });
        noise.collect()
    }

    #[test]
    fn who_is_hired_always_plans_for_all_rounds() {
        let (plan, mut filter) = plan(20);
        for round in 1..=20 {
            assert_eq!(plan.trainings_ahead(&filter, Round(round)), 21 - round);
            assert_eq!(train(&plan, &mut filter, round, |other| other == round).len(), 1);
        }
    }

    #[test]
    fn who_is_hired_in_every_third_round_spends_all_the_same() {
        let (plan, mut filter) = plan(60);
        let noise = train(&plan, &mut filter, 60, |round| round % 3 == 1);
        assert_eq!(noise.len(), 20, "the budget lasts to the end");
        assert!(filter.remaining() < 0.1 * 4.0, "{} is left", filter.remaining());
        // As if it were hired always at first; then it knows better, and draws about as much noise in every round.
        let (least, most) = (noise[5..].iter().min().unwrap(), noise[5..].iter().max().unwrap());
        assert!(noise[0] > *most && most - least <= most / 5, "{noise:?}");
    }

    #[test]
    fn who_comes_back_after_long_plans_for_the_rounds_that_are_left() {
        let (plan, mut filter) = plan(100);
        train(&plan, &mut filter, 10, |_| true);
        assert_eq!(plan.trainings_ahead(&filter, Round(11)), 90);
        // It has trained in none of the last 32 rounds, but is believed to have in two more of as many.
        assert_eq!(plan.rounds_ahead(&filter, Round(51)), 50);
        assert_eq!(plan.trainings_ahead(&filter, Round(51)), 1 + (49_u64 * 2).div_ceil(34));
        assert_eq!(
            [101, u64::MAX].map(|round| plan.trainings_ahead(&filter, Round(round))),
            [1, 1],
            "the plan is over"
        );
    }

    #[test]
    fn a_first_round_that_is_forgotten_only_makes_it_slower() {
        let (plan, mut filter) = plan(2 * MAX_TICKETS as u64);
        train(&plan, &mut filter, 2 * (MAX_TICKETS as u64) - 40, |round| round % 2 == 1);
        let before = plan.rounds_ahead(&filter, Round(473));
        assert_eq!(before, 40);
        let spend = plan.spend(plan.terms(&filter, &Training::of(Round(473), 1), Pace::Save).unwrap()).unwrap();
        for round in (473..700).step_by(2) {
            let tiny = spend.with_steps(1);
            let _ = filter.debit(tiny, Ticket { round: Round(round), contract: Hash::ZERO });
        }
        assert!(plan.rounds_ahead(&filter, Round(700)) > 0, "nobody knows any more that the plan is over");
        assert!(plan.rounds_ahead(&filter, Round(700)) <= plan.rounds() - filter.debits());
    }
}
