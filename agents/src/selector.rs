//! The selector: how many members to hire, and which kinds to favour. It sees neither prices nor names.

use std::collections::BTreeMap;

use althing_protocol::{
    event::DecidedBy,
    ids::MemberId,
    machine::{Candidate, MarksQuestion},
    statement::Marks,
};

use crate::policy::{Pick, Policy, Question, Reorder, in_order};

/// Rounds without work after which a member counts as fully rested.
const RESTED: u64 = 8;

/// Times that a member was hired from which on it is no newcomer at all.
const KNOWN: u64 = 4;

/// Which kind of member to favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Focus {
    /// None.
    Even,
    /// Those who were not hired for long: their data is least represented in the model as it is.
    Coverage,
    /// Those who deliver in time what they were hired for: nobody waits for the others.
    Speed,
    /// Those whose updates brought most for each time they were hired.
    Thrift,
    /// Those who were hired seldom so far: nothing is known of them yet.
    Newcomers,
    /// Those who were hired less often than the others, over all rounds.
    Fairness,
}

impl Focus {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Even, Self::Coverage, Self::Speed, Self::Thrift, Self::Newcomers, Self::Fairness];

    /// Its name in prompts, events and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Coverage => "coverage",
            Self::Speed => "speed",
            Self::Thrift => "thrift",
            Self::Newcomers => "newcomers",
            Self::Fairness => "fairness",
        }
    }

    /// What it means, in a plain line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Even => "favour nobody",
            Self::Coverage => "favour members that were not hired for many rounds",
            Self::Speed => "favour members that deliver in time",
            Self::Thrift => "favour members that brought most for each time they were hired",
            Self::Newcomers => "favour members that were hired only a few times",
            Self::Fairness => "favour members that were hired less often than the others",
        }
    }
}

/// How many to hire, of those that may be hired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// As many as may be.
    All,
    /// Three quarters of them, rounded up.
    Most,
    /// Half of them, rounded up.
    Half,
}

impl Share {
    /// All of them, the largest first.
    pub const ALL: [Self; 3] = [Self::All, Self::Most, Self::Half];

    /// Its name in prompts, events and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Most => "most",
            Self::Half => "half",
        }
    }

    /// What it means, in a plain line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::All => "hire as many members as there are places",
            Self::Most => "hire for three quarters of the places",
            Self::Half => "hire for half of the places",
        }
    }

    /// So many, where `most` may be hired; at least one.
    pub const fn of(self, most: u32) -> u32 {
        let number = match self {
            Self::All => most,
            Self::Most => most.saturating_mul(3).div_ceil(4),
            Self::Half => most.div_ceil(2),
        };
        if number == 0 { 1 } else { number }
    }
}

/// An entry of the selector's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelectorOption {
    /// How many to hire, at the most.
    pub hire: u32,
    /// Whom to favour.
    pub focus: Focus,
}

/// The question to a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorQuestion {
    /// What the ledger says of the candidates.
    pub candidates: Vec<Candidate>,
    /// How many may be hired, at the most.
    pub max_winners: u32,
    menu: Vec<SelectorOption>,
}

impl SelectorQuestion {
    /// How many, and whom to favour? The menu offers all that may be hired, three quarters of them and half, with every
    /// focus.
    pub fn new(question: MarksQuestion) -> Self {
        let mut numbers = Share::ALL.map(|share| share.of(question.max_winners)).to_vec();
        numbers.dedup();
        let with = |hire: u32| Focus::ALL.map(|focus| SelectorOption { hire, focus });
        let MarksQuestion { candidates, max_winners, .. } = question;
        Self { candidates, max_winners, menu: numbers.into_iter().flat_map(with).collect() }
    }

    /// The weights, in hundredths, that `focus` gives the candidates.
    pub fn weights(&self, focus: Focus) -> BTreeMap<MemberId, u16> {
        let all = Sums::of(&self.candidates);
        self.candidates.iter().map(|candidate| (candidate.member, weight(candidate, &all, focus))).collect()
    }
}

/// What the candidates have together, to compare each with.
struct Sums {
    count: u64,
    hired: u64,
    bonus: u64,
}

impl Sums {
    fn of(candidates: &[Candidate]) -> Self {
        let sum = |part: fn(&Candidate) -> u64| candidates.iter().map(part).fold(0, u64::saturating_add);
        Self {
            count: candidates.len() as u64,
            hired: sum(|candidate| candidate.hired),
            bonus: sum(|candidate| candidate.bonus),
        }
    }
}

/// From half to twice the neutral weight.
fn weight(candidate: &Candidate, all: &Sums, focus: Focus) -> u16 {
    match focus {
        Focus::Even => Marks::NEUTRAL,
        Focus::Coverage => between(candidate.idle_rounds.min(RESTED), RESTED),
        // A newcomer counts as having failed half of the time.
        Focus::Speed => between(candidate.delivered.saturating_add(1), candidate.hired.saturating_add(2)),
        // The member's own bonus for each time it was hired, by that of all. Of a newcomer nothing is known.
        Focus::Thrift if candidate.hired == 0 || all.bonus == 0 => Marks::NEUTRAL,
        Focus::Thrift => times((candidate.bonus, candidate.hired), (all.bonus, all.hired)),
        Focus::Newcomers => between(KNOWN - candidate.hired.min(KNOWN), KNOWN),
        // How often members are hired on average, by how often this one was: one more for each, so that nobody is at 0.
        Focus::Fairness => {
            times((all.hired.saturating_add(all.count), all.count), (candidate.hired.saturating_add(1), 1))
        }
    }
}

/// The weight at `part / whole` of the way from the least to the most.
fn between(part: u64, whole: u64) -> u16 {
    let spread = u128::from(Marks::MOST - Marks::LEAST);
    let extra = spread * u128::from(part) / u128::from(whole.max(1));
    Marks::LEAST + u16::try_from(extra.min(spread)).unwrap_or(0)
}

/// The neutral weight times the first fraction by the second, within bounds.
fn times((a, b): (u64, u64), (c, d): (u64, u64)) -> u16 {
    let above = u128::from(Marks::NEUTRAL).saturating_mul(u128::from(a)).saturating_mul(u128::from(d));
    let below = u128::from(b).saturating_mul(u128::from(c)).max(1);
    u16::try_from(above / below).unwrap_or(Marks::MOST).clamp(Marks::LEAST, Marks::MOST)
}

impl Question for SelectorQuestion {
    type Option = SelectorOption;

    fn menu(&self) -> &[SelectorOption] {
        &self.menu
    }
}

impl Reorder for SelectorQuestion {
    fn reordered(&self, order: &[usize]) -> Self {
        Self { menu: in_order(&self.menu, order), ..self.clone() }
    }
}

/// Hires as many as it may and favours those that were not hired for long, so that everybody's data gets in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coverage;

impl Policy<SelectorQuestion> for Coverage {
    fn decide(&mut self, question: &SelectorQuestion) -> Pick<SelectorOption> {
        let hire = question.menu().iter().map(|option| option.hire).max().unwrap_or(1);
        Pick { option: SelectorOption { hire, focus: Focus::Coverage }, by: DecidedBy::Rules }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use althing_protocol::ids::Round;

    use super::*;

    fn candidate(n: u8) -> Candidate {
        let (reputation, idle_rounds, hired, delivered, bonus) = (500, 0, 0, 0, 0);
        Candidate { member: MemberId([n; 32]), reputation, idle_rounds, hired, delivered, bonus }
    }

    fn question(max_winners: u32, candidates: Vec<Candidate>) -> SelectorQuestion {
        SelectorQuestion::new(MarksQuestion { round: Round(1), max_winners, candidates })
    }

    fn weights<const N: usize>(focus: Focus, facts: [fn(&mut Candidate); N]) -> Vec<u16> {
        let numbered = facts.into_iter().zip(1_u8..);
        let candidates = numbered.map(|(fact, n)| {
            let mut candidate = candidate(n);
            fact(&mut candidate);
            candidate
        });
        question(4, candidates.collect()).weights(focus).into_values().collect()
    }

    #[test]
    fn every_focus_weighs_what_it_says() {
        assert_eq!(weights(Focus::Even, [|c| c.idle_rounds = 9, |c| c.hired = 9]), [100, 100]);
        let idle: [fn(&mut Candidate); 3] = [|_| (), |c| c.idle_rounds = 4, |c| c.idle_rounds = u64::MAX];
        assert_eq!(weights(Focus::Coverage, idle), [50, 125, 200]);
        let delivers: [fn(&mut Candidate); 3] =
            [|c| (c.hired, c.delivered) = (10, 0), |_| (), |c| (c.hired, c.delivered) = (10, 10)];
        assert_eq!(weights(Focus::Speed, delivers), [62, 125, 187]);
        let brings: [fn(&mut Candidate); 3] =
            [|c| (c.hired, c.bonus) = (4, 300), |c| (c.hired, c.bonus) = (2, 300), |_| ()];
        assert_eq!(weights(Focus::Thrift, brings), [75, 150, 100]);
        let hired: [fn(&mut Candidate); 3] = [|_| (), |c| c.hired = 2, |c| c.hired = 40];
        assert_eq!(weights(Focus::Newcomers, hired), [200, 125, 50]);
        assert_eq!(weights(Focus::Fairness, [|c| c.hired = 11, |c| c.hired = 5]), [75, 150]);
    }

    #[test]
    fn weights_stay_in_bounds_whatever_the_ledger_says() {
        let most: fn(&mut Candidate) = |c| {
            (c.idle_rounds, c.hired, c.delivered, c.bonus) = (u64::MAX, u64::MAX, u64::MAX, u64::MAX);
        };
        let odd: fn(&mut Candidate) = |c| (c.delivered, c.bonus) = (u64::MAX, u64::MAX);
        for focus in Focus::ALL {
            let weights = weights(focus, [most, most, odd, |_| ()]);
            assert!(weights.iter().all(|weight| (Marks::LEAST..=Marks::MOST).contains(weight)), "{focus:?}");
        }
    }

    #[test]
    fn the_menu_has_every_focus_with_all_three_quarters_and_half() {
        let numbers = |most| {
            let question = question(most, Vec::new());
            let numbers: BTreeSet<u32> = question.menu().iter().map(|option| option.hire).collect();
            assert_eq!(question.menu().len(), numbers.len() * Focus::ALL.len(), "nothing is there twice");
            numbers.into_iter().collect::<Vec<_>>()
        };
        assert_eq!([0, 1, 2, 3].map(numbers), [vec![1], vec![1], vec![1, 2], vec![2, 3]]);
        assert_eq!(numbers(8), [4, 6, 8]);
        assert_eq!(question(4, Vec::new()).menu()[0], SelectorOption { hire: 4, focus: Focus::Even });
    }

    #[test]
    fn coverage_picks_from_the_menu() {
        let question = question(4, vec![candidate(1)]);
        let pick = Coverage.decide(&question);
        assert!(question.menu().contains(&pick.option));
        assert_eq!(pick.option, SelectorOption { hire: 4, focus: Focus::Coverage });
    }

    #[test]
    fn names_are_one_lower_case_word_each() {
        let words = Focus::ALL.map(Focus::name);
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
        assert_eq!(words.into_iter().collect::<BTreeSet<_>>().len(), Focus::ALL.len());
    }
}
