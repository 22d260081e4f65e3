//! The selector: how many members to hire, and which kinds to favour. It sees neither prices nor names.

use std::collections::BTreeMap;

use althing_protocol::{
    event::DecidedBy,
    ids::MemberId,
    machine::{Candidate, MarksQuestion},
    statement::Marks,
};

use crate::policy::{Pick, Policy, Question};

/// Rounds without work after which a member counts as fully rested.
const RESTED: u64 = 8;

/// Which kind of member to favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// None.
    Even,
    /// Those who have delivered what they promised.
    Reliable,
    /// Those who were not hired for long: their data is least represented.
    Rested,
}

/// An entry of the selector's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    menu: Vec<SelectorOption>,
}

impl SelectorQuestion {
    /// Whom to favour? The menu offers all that may be hired, and half as many.
    pub fn new(question: MarksQuestion) -> Self {
        let most = question.max_winners.max(1);
        let mut numbers = vec![most];
        numbers.extend((most > 1).then_some(most.div_ceil(2)));
        let focuses = [Focus::Even, Focus::Reliable, Focus::Rested];
        let with = |hire: u32| focuses.map(|focus| SelectorOption { hire, focus });
        Self { candidates: question.candidates, menu: numbers.into_iter().flat_map(with).collect() }
    }

    /// The weights, in hundredths, that `focus` gives the candidates.
    pub fn weights(&self, focus: Focus) -> BTreeMap<MemberId, u16> {
        self.candidates.iter().map(|candidate| (candidate.member, weight(candidate, focus))).collect()
    }
}

/// From half to twice the neutral weight.
fn weight(candidate: &Candidate, focus: Focus) -> u16 {
    let spread = u64::from(Marks::MOST - Marks::LEAST);
    let extra = match focus {
        Focus::Even => return Marks::NEUTRAL,
        // A newcomer counts as having failed half of the time.
        Focus::Reliable => spread * (candidate.delivered + 1) / (candidate.hired + 2),
        Focus::Rested => spread * candidate.idle_rounds.min(RESTED) / RESTED,
    };
    Marks::LEAST + u16::try_from(extra.min(spread)).unwrap_or(0)
}

impl Question for SelectorQuestion {
    type Option = SelectorOption;

    fn menu(&self) -> &[SelectorOption] {
        &self.menu
    }
}

/// Hires as many as it may and favours the rested, so that everybody's data gets in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coverage;

impl Policy<SelectorQuestion> for Coverage {
    fn decide(&mut self, question: &SelectorQuestion) -> Pick<SelectorOption> {
        let hire = question.menu().iter().map(|option| option.hire).max().unwrap_or(1);
        Pick { option: SelectorOption { hire, focus: Focus::Rested }, by: DecidedBy::Rules }
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::Round;

    use super::*;

    fn candidate(n: u8, idle_rounds: u64, hired: u64, delivered: u64) -> Candidate {
        Candidate { member: MemberId([n; 32]), reputation: 500, idle_rounds, hired, delivered }
    }

    fn question(candidates: Vec<Candidate>) -> SelectorQuestion {
        SelectorQuestion::new(MarksQuestion { round: Round(1), max_winners: 4, candidates })
    }

    #[test]
    fn weights_follow_the_focus_and_stay_in_bounds() {
        let question = question(vec![candidate(1, 0, 10, 10), candidate(2, 100, 10, 0)]);
        let weights = |focus| question.weights(focus).into_values().collect::<Vec<_>>();
        assert_eq!(weights(Focus::Even), [100, 100]);
        assert_eq!(weights(Focus::Rested), [50, 200]);
        let reliable = weights(Focus::Reliable);
        assert!(reliable[0] > 100 && reliable[1] < 100);
        assert!(reliable.iter().all(|weight| (Marks::LEAST..=Marks::MOST).contains(weight)));
    }

    #[test]
    fn coverage_picks_from_the_menu() {
        let question = question(vec![candidate(1, 3, 1, 1)]);
        let pick = Coverage.decide(&question);
        assert!(question.menu().contains(&pick.option));
        assert_eq!(pick.option.hire, 4);
    }
}
