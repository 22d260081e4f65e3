//! Those who have most to learn, of some that are asked.

use althing_protocol::ids::MemberId;

use super::{DraftQuestion, Lots, Rival, Sight, draft};
use crate::policy::{Pick, Policy};

/// Power-of-Choice after Cho, Wang and Joshi ("Client selection in federated learning: convergence analysis and
/// power-of-choice selection strategies", 2020): `d` members are drawn in proportion to their examples and asked for the
/// loss of the present model; those with the highest are picked.
#[derive(Debug, Clone)]
pub struct PowerOfChoice {
    lots: Lots,
    asked: usize,
}

impl PowerOfChoice {
    /// Asks `asked` members in each round, and no fewer than are to be picked.
    pub fn new(seed: u64, asked: usize) -> Self {
        Self { lots: Lots::new("power of choice", seed), asked }
    }

    fn ranking(&self, question: &DraftQuestion) -> Vec<MemberId> {
        let weighted: Vec<(&Sight, f64)> = question.sights.iter().map(|sight| (sight, sight.samples as f64)).collect();
        let name = |sight: &&Sight| [&question.round.0.to_le_bytes()[..], sight.member.as_bytes()].concat();
        let mut asked = self.lots.sample(&weighted, self.asked.max(question.places), name);
        asked.sort_by(|a, b| b.loss.total_cmp(&a.loss).then_with(|| a.member.cmp(&b.member)));
        asked.into_iter().map(|sight| sight.member).collect()
    }
}

impl Policy<DraftQuestion> for PowerOfChoice {
    fn decide(&mut self, question: &DraftQuestion) -> Pick<MemberId> {
        draft::next(question, &self.ranking(question))
    }
}

impl Rival<DraftQuestion> for PowerOfChoice {}
