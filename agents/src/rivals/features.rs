//! What a bandit sees of a question and an entry of its menu: a few numbers of about 1.

use crate::{
    bidder::{BidOption, BidderQuestion, Margin},
    guardian::{Effort, GuardianQuestion, PaceOption, PaceQuestion, Stint},
    policy::Question,
    privacy::Pace,
    selector::{Focus, SelectorOption, SelectorQuestion},
};

/// A question of which every entry of the menu has `N` features.
pub trait Features<const N: usize>: Question<Option: Ord + Send> {
    /// The features of `option`, each from about -1 to about 1.
    fn features(&self, option: Self::Option) -> [f64; N];
}

/// Times a member must have been hired to count as hired often.
const OFTEN: f64 = 8.0;

/// Rounds that count as many.
const MANY_ROUNDS: f64 = 16.0;

/// Which focus, how many to hire, how far the training is, and what the focus would look at.
impl Features<11> for SelectorQuestion {
    fn features(&self, option: SelectorOption) -> [f64; 11] {
        let most = self.menu().iter().map(|option| option.hire).max().unwrap_or(1);
        let count = self.candidates.len().max(1) as f64;
        let mean = |part: fn(&althing_protocol::machine::Candidate) -> u64| {
            self.candidates.iter().map(|candidate| part(candidate) as f64).sum::<f64>() / count
        };
        let hired = mean(|candidate| candidate.hired);
        let failed = mean(|candidate| candidate.hired - candidate.delivered.min(candidate.hired));
        let share = f64::from(option.hire) / f64::from(most);
        let is = |focus| if option.focus == focus { 1.0 } else { 0.0 };
        [
            1.0,
            share,
            share * (hired / OFTEN).min(1.0),
            is(Focus::Coverage),
            is(Focus::Speed),
            is(Focus::Thrift),
            is(Focus::Newcomers),
            is(Focus::Fairness),
            is(Focus::Coverage) * (mean(|candidate| candidate.idle_rounds) / OFTEN).min(1.0),
            is(Focus::Speed) * failed / hired.max(1.0),
            is(Focus::Newcomers) * (hired / OFTEN).min(1.0),
        ]
    }
}

/// Whether it asks, for how much value, how near to the reserve, and above its cost by how much.
impl Features<8> for BidderQuestion {
    fn features(&self, option: BidOption) -> [f64; 8] {
        let BidOption::Ask(place, margin) = option else { return [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0] };
        let offer = self.offers.iter().find(|offer| offer.place == place);
        let (value, cost) = offer.map_or((0.0, 0.0), |offer| (offer.value as f64, offer.cost as f64));
        let most = self.offers.iter().map(|offer| offer.value).max().unwrap_or(1);
        let unit = cost / (self.reserve_price as f64 * value).max(1.0);
        let step = match margin {
            Margin::None => 0.0,
            Margin::Slim => 0.2,
            Margin::Fair => 0.5,
            Margin::Wide => 1.0,
        };
        let worth = value / most.max(1) as f64;
        [1.0, 1.0, worth, unit, worth * unit, step, step * unit, f64::from(self.reputation) / 1e3]
    }
}

/// Whether it works, how hard, on how much of the model, and how loaded the machine is.
impl Features<8> for GuardianQuestion {
    fn features(&self, option: Stint) -> [f64; 8] {
        let Stint::Work { effort, widest } = option else { return [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0] };
        let load = (f64::from(self.capacity.machine.load_permille) / 2e3).min(1.0);
        let full = if effort == Effort::Full { 1.0 } else { 0.0 };
        let width = 1.0 / f64::from(widest.divisor());
        [1.0, 1.0, full, width, load, load * full, load * width, full * width]
    }
}

/// The pace, how much of the budget and of the plan is left, and how clear the round's signal would be.
impl Features<7> for PaceQuestion {
    fn features(&self, option: PaceOption) -> [f64; 7] {
        let is = |pace| if option.pace == pace { 1.0 } else { 0.0 };
        let rounds = (self.trainings_ahead as f64 / MANY_ROUNDS).min(1.0);
        let clear = 1.0 / (1.0 + option.terms.sigma() * option.terms.sigma());
        [1.0, is(Pace::Save), is(Pace::Spend), is(Pace::Save) * rounds, is(Pace::Spend) * rounds, clear, clear * rounds]
    }
}
