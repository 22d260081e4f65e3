//! Costs at many orders, and what they mean as (epsilon, delta).

use serde::{Deserialize, Serialize};

use super::{gaussian::rdp, spend::Spend};

/// The orders at which curves are kept: 1.1 to 10.9 by tenths, all whole orders to 63, then doublings from 128 to 1024.
pub fn default_orders() -> impl Iterator<Item = f64> {
    let tenths = (1..100).map(|tenth| 1.0 + f64::from(tenth) / 10.0);
    let doublings = [128.0, 256.0, 512.0, 1024.0];
    tenths.chain((11..64).map(f64::from)).chain(doublings)
}

/// How a Renyi divergence becomes (epsilon, delta).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conversion {
    /// Canonne, Kamath and Steinke (2020), proposition 12: the smaller epsilon. Zero where the total variation alone shows it.
    Tight,
    /// Mironov (2017), proposition 3: `rdp + ln(1/delta) / (order - 1)`, which most published figures before 2021 rest on.
    Classic,
}

/// Below this order the tight conversion loses its digits to cancellation, and no optimum lies there.
const MIN_TIGHT_ORDER: f64 = 1.01;

impl Conversion {
    /// The epsilon that a divergence `rdp` of order `order` implies at `delta` (above 0, below 1). Zero or more.
    pub fn epsilon(self, order: f64, rdp: f64, delta: f64) -> f64 {
        let epsilon = match self {
            // The total variation is at most √(1 - exp(-rdp)) (Bretagnolle and Huber).
            Self::Tight if delta * delta + (-rdp).exp_m1() > 0.0 => 0.0,
            Self::Tight if order <= MIN_TIGHT_ORDER => f64::INFINITY,
            Self::Tight | Self::Classic => rdp + self.offset(order, delta),
        };
        if epsilon.is_nan() { f64::INFINITY } else { epsilon.max(0.0) }
    }

    /// What epsilon is more than the divergence.
    pub(super) fn offset(self, order: f64, delta: f64) -> f64 {
        match self {
            Self::Tight => (-1.0 / order).ln_1p() - (delta.ln() + order.ln()) / (order - 1.0),
            Self::Classic => -delta.ln() / (order - 1.0),
        }
    }
}

/// An (epsilon, delta) guarantee and the order that gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guarantee {
    /// Epsilon; infinite when there is no guarantee at all.
    pub epsilon: f64,
    /// The order with the least epsilon; none when there is no guarantee.
    pub order: Option<f64>,
}

/// The Renyi divergence of some training at each of the [`default_orders`].
///
/// Curves of trainings whose parameters were fixed beforehand may be added. For choices made on the way there is the
/// [`Filter`](super::Filter).
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    rdp: Vec<f64>,
}

impl Curve {
    /// The curve of no training at all.
    pub fn zero() -> Self {
        Self { rdp: default_orders().map(|_| 0.0).collect() }
    }

    /// The curve of `spend`.
    pub fn of(spend: &Spend) -> Self {
        Self { rdp: default_orders().map(|order| spend.cost(rdp(spend.q(), spend.sigma(), order))).collect() }
    }

    /// Adds the cost of what was done besides.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in self.rdp.iter_mut().zip(&other.rdp) {
            *sum += part;
        }
    }

    /// Orders and divergences, by rising order.
    pub fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        default_orders().zip(self.rdp.iter().copied())
    }

    /// The least epsilon at `delta` (above 0, below 1) over all orders.
    pub fn guarantee(&self, delta: f64, conversion: Conversion) -> Guarantee {
        let none = Guarantee { epsilon: f64::INFINITY, order: None };
        self.points().fold(none, |best, (order, rdp)| {
            let epsilon = conversion.epsilon(order, rdp, delta);
            if epsilon < best.epsilon { Guarantee { epsilon, order: Some(order) } } else { best }
        })
    }
}
