//! How many to hire, and nothing else: favouring nobody.

use std::cmp::Reverse;

use althing_protocol::event::DecidedBy;

use super::Rival;
use crate::{
    policy::{Pick, Policy, Question},
    selector::{Focus, SelectorOption, SelectorQuestion},
};

/// Hires as near to `K` members as the menu allows, in every round.
#[derive(Debug, Clone, Copy)]
pub struct FixedNumber {
    /// K.
    pub hire: u32,
}

impl Policy<SelectorQuestion> for FixedNumber {
    fn decide(&mut self, question: &SelectorQuestion) -> Pick<SelectorOption> {
        nearest(question, self.hire.into())
    }
}

impl Rival<SelectorQuestion> for FixedNumber {}

/// Hires as near to `K0 (1 - a)^t` members in round `t`, from 0, as the menu allows.
#[derive(Debug, Clone, Copy)]
pub struct Decaying {
    wanted: f64,
    left: f64,
}

impl Decaying {
    /// Begins with `first` members, and loses the share `decay` of the number in each round.
    pub fn new(first: u32, decay: f64) -> Self {
        Self { wanted: first.into(), left: 1.0 - decay.clamp(0.0, 1.0) }
    }
}

impl Policy<SelectorQuestion> for Decaying {
    fn decide(&mut self, question: &SelectorQuestion) -> Pick<SelectorOption> {
        nearest(question, self.wanted)
    }
}

impl Rival<SelectorQuestion> for Decaying {
    fn learn(&mut self, _: &SelectorQuestion, _: SelectorOption, _: f64) {
        self.wanted *= self.left;
    }
}

/// The number on the menu that is nearest to `wanted`, the greater of two that are as near.
fn nearest(question: &SelectorQuestion, wanted: f64) -> Pick<SelectorOption> {
    let away = |hire: u32| (f64::from(hire) - wanted).abs();
    let numbers = question.menu().iter().map(|option| option.hire);
    let hire = numbers.min_by(|a, b| away(*a).total_cmp(&away(*b)).then(Reverse(a).cmp(&Reverse(b)))).unwrap_or(1);
    Pick { option: SelectorOption { hire, focus: Focus::Even }, by: DecidedBy::Rules }
}
