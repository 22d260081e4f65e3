//! Those who taught most per time, and some of whom nothing is known.

use std::time::Duration;

use althing_protocol::ids::MemberId;

use super::{DraftQuestion, Lots, Rival, Sight, draft};
use crate::policy::{Pick, Policy};

/// Share of the places that go to members who never trained, in the first round.
const EXPLORE: f64 = 0.9;

/// What is left of that share after a round.
const EXPLORE_KEPT: f64 = 0.98;

/// The least that it becomes.
const EXPLORE_LEAST: f64 = 0.2;

/// Members count as good as the last that would be picked from this share of its utility on.
const CUT_OFF: f64 = 0.95;

/// Weight of the doubt about utilities that are old.
const DOUBT: f64 = 0.1;

/// Power of the penalty for who is slower than the preferred duration.
const PENALTY: f64 = 2.0;

/// Oort after Lai, Zhu, Madhyastha and Chowdhury ("Oort: efficient federated learning via guided participant selection",
/// OSDI 2021), with the constants of its algorithm 1. Mean losses take the place of root mean squares, since that is what
/// a training tells, and the preferred duration is fixed: there is no pacer.
#[derive(Debug, Clone)]
pub struct Oort {
    lots: Lots,
    preferred: Duration,
}

impl Oort {
    /// Whoever takes longer than `preferred` counts for less.
    pub fn new(seed: u64, preferred: Duration) -> Self {
        Self { lots: Lots::new("oort", seed), preferred }
    }

    /// What a member is worth by its last training; nothing is known of one that never trained.
    ///
    /// `samples * loss + sqrt(0.1 ln(round) / last round)`, times `(preferred / duration)^2` for the slow.
    fn utility(&self, sight: &Sight, round: u64) -> Option<f64> {
        let last = sight.last?;
        let statistical = sight.samples as f64 * last.loss.max(0.0);
        let doubt = (DOUBT * libm::log(round.max(1) as f64) / last.round.0.max(1) as f64).sqrt();
        let slow = self.preferred.as_secs_f64() / last.duration.as_secs_f64().max(f64::MIN_POSITIVE);
        Some((statistical + doubt) * if slow < 1.0 { libm::pow(slow, PENALTY) } else { 1.0 })
    }

    /// All whom it would pick, the best known first; behind them whoever is left.
    fn ranking(&self, question: &DraftQuestion) -> Vec<MemberId> {
        let round = question.round.0;
        let name = |member: &MemberId| [&round.to_le_bytes()[..], member.as_bytes()].concat();
        let mut known: Vec<(MemberId, f64)> = Vec::new();
        let mut unknown: Vec<(MemberId, f64)> = Vec::new();
        for sight in &question.sights {
            match self.utility(sight, round) {
                Some(utility) => known.push((sight.member, utility)),
                None => unknown.push((sight.member, 1.0)),
            }
        }
        known.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let explored = ((explore(round) * question.places as f64) as usize).min(unknown.len());
        let exploited = question.places - explored;
        let least = known
            .get(exploited.saturating_sub(1))
            .or_else(|| known.last())
            .map_or(0.0, |(_, utility)| CUT_OFF * utility);
        let good: Vec<_> = known.iter().copied().filter(|(_, utility)| *utility >= least).collect();
        let mut ranking = self.lots.sample(&good, exploited, name);
        ranking.extend(self.lots.sample(&unknown, unknown.len(), name));
        ranking.extend(known.iter().map(|(member, _)| *member));
        ranking
    }
}

/// The share of unknown members in this round, from 1.
fn explore(round: u64) -> f64 {
    (EXPLORE * libm::pow(EXPLORE_KEPT, round.saturating_sub(1) as f64)).max(EXPLORE_LEAST)
}

impl Policy<DraftQuestion> for Oort {
    fn decide(&mut self, question: &DraftQuestion) -> Pick<MemberId> {
        draft::next(question, &self.ranking(question))
    }
}

impl Rival<DraftQuestion> for Oort {}
