//! A contextual bandit: it learns from what its picks earned, and tries what it knows little of.
//!
//! LinUCB after Li, Chu, Langford and Schapire ("A contextual-bandit approach to personalized news article
//! recommendation", WWW 2010), with one ridge regression for all entries of the menu, since features tell them apart.
//! Sums have one order and the only root is a square root, so equal histories give equal picks everywhere.

use althing_protocol::event::DecidedBy;

use super::{Features, Rival};
use crate::policy::{Pick, Policy};

/// Ridge regression of rewards on `N` features, and a bonus for what is uncertain.
#[derive(Debug, Clone)]
pub struct LinUcb<const N: usize, T> {
    /// How much uncertainty counts.
    alpha: f64,
    /// The inverse of the sum of `x x'`, with the ridge.
    inverse: [[f64; N]; N],
    /// The sum of `reward x`.
    rewarded: [f64; N],
    otherwise: T,
}

impl<const N: usize, T> LinUcb<N, T> {
    /// A bandit that has seen nothing, and says `otherwise` to a question without a menu. `alpha` is what a standard
    /// deviation of doubt is worth; 0 tries nothing new.
    pub fn new(alpha: f64, otherwise: T) -> Self {
        let mut inverse = [[0.0; N]; N];
        (0..N).for_each(|place| inverse[place][place] = 1.0);
        Self { alpha, inverse, rewarded: [0.0; N], otherwise }
    }

    /// What it expects of these features, and how uncertain that is.
    fn estimate(&self, x: &[f64; N]) -> (f64, f64) {
        let spread = times(&self.inverse, x);
        (dot(&times(&self.inverse, &self.rewarded), x), dot(&spread, x).max(0.0).sqrt())
    }

    /// These features earned `reward`. The inverse follows by Sherman and Morrison's formula.
    fn add(&mut self, x: &[f64; N], reward: f64) {
        let spread = times(&self.inverse, x);
        let scale = 1.0 + dot(&spread, x);
        for (row, left) in self.inverse.iter_mut().zip(spread) {
            row.iter_mut().zip(spread).for_each(|(value, right)| *value -= left * right / scale);
        }
        self.rewarded.iter_mut().zip(x).for_each(|(sum, value)| *sum += reward * value);
    }
}

impl<const N: usize, Q: Features<N>> Policy<Q> for LinUcb<N, Q::Option> {
    fn decide(&mut self, question: &Q) -> Pick<Q::Option> {
        let hope = |option: &Q::Option| {
            let (expected, doubt) = self.estimate(&question.features(*option));
            expected + self.alpha * doubt
        };
        let hopes = question.menu().iter().map(|option| (hope(option), *option));
        let best = hopes.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
        Pick { option: best.map_or(self.otherwise, |(_, option)| option), by: DecidedBy::Rules }
    }
}

impl<const N: usize, Q: Features<N>> Rival<Q> for LinUcb<N, Q::Option> {
    fn learn(&mut self, question: &Q, option: Q::Option, reward: f64) {
        if reward.is_finite() {
            self.add(&question.features(option), reward);
        }
    }
}

fn times<const N: usize>(matrix: &[[f64; N]; N], vector: &[f64; N]) -> [f64; N] {
    let mut product = [0.0; N];
    product.iter_mut().zip(matrix).for_each(|(value, row)| *value = dot(row, vector));
    product
}

fn dot<const N: usize>(left: &[f64; N], right: &[f64; N]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}
