//! What each update has brought: how much of what a round's updates gain together is due to whom.
//!
//! A member evaluates coalitions of updates on held-out data of its own. Which coalitions, and what follows from their
//! values for each update, is said here. Nobody has to agree on the outcome, so floats may enter: every member signs its
//! own ([`crate::statement::Appraisal`]), and a Settle takes their median.

mod cosine;
mod shapley;
mod surrogate;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::cosine::cosines;
use crate::ids::Hash;

/// How it is found out what each update has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contribution {
    /// `alone`: what an update would gain without the others, so that two that teach the same are both paid for it.
    Alone,
    /// `cosine`: what all gain together, divided by how far each goes where all go together. One evaluation.
    Cosine,
    /// `leave-one-out`: what would be missing without it. One evaluation for each update and one more.
    LeaveOneOut,
    /// `shapley`: what it adds to any of the others, on average over all orders in which they can come. The only division
    /// that adds up to the whole, pays nothing to those who add nothing and equals equally.
    ///
    /// Up to [`EXACT_MOST`] updates every coalition is evaluated. Of more, three for each update are, and the others'
    /// values are inferred: see [`Contribution::coalitions`].
    #[default]
    Shapley,
}

/// Updates up to which Shapley values are exact.
pub const EXACT_MOST: usize = shapley::EXACT_MOST;

/// Words name no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no way to find out what an update has brought; say alone, cosine, leave-one-out or shapley")]
pub struct ContributionError(String);

impl fmt::Display for Contribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alone => "alone",
            Self::Cosine => "cosine",
            Self::LeaveOneOut => "leave-one-out",
            Self::Shapley => "shapley",
        })
    }
}

impl FromStr for Contribution {
    type Err = ContributionError;

    fn from_str(text: &str) -> Result<Self, ContributionError> {
        match text {
            "alone" => Ok(Self::Alone),
            "cosine" => Ok(Self::Cosine),
            "leave-one-out" => Ok(Self::LeaveOneOut),
            "shapley" => Ok(Self::Shapley),
            _ => Err(ContributionError(text.to_owned())),
        }
    }
}

/// Some of a round's updates, by their places in the order of their makers' ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coalition(u128);

impl Coalition {
    /// Nobody.
    pub const NOBODY: Self = Self(0);

    /// The first so many updates, at most 128.
    pub const fn whole(updates: usize) -> Self {
        if updates < 128 { Self((1 << updates) - 1) } else { Self(u128::MAX) }
    }

    /// The update at this place alone.
    pub const fn alone(place: usize) -> Self {
        Self(1 << place)
    }

    /// With the update at this place.
    #[must_use]
    pub const fn with(self, place: usize) -> Self {
        Self(self.0 | 1 << place)
    }

    /// Without the update at this place.
    #[must_use]
    pub const fn without(self, place: usize) -> Self {
        Self(self.0 & !(1 << place))
    }

    /// Whether the update at this place is in it.
    pub const fn contains(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    /// How many updates are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether it is [`Coalition::NOBODY`].
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The places of its updates, in ascending order.
    pub fn places(self) -> impl Iterator<Item = usize> {
        (0..128).filter(move |place| self.contains(*place))
    }
}

/// The updates that a round has made, at most [`crate::limits::MAX_MEMBERS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Updates {
    /// Their weights in the mean, in the order of their makers' ids.
    weights: Vec<f64>,
    /// Decides which coalitions are evaluated where not all are.
    seed: Hash,
}

impl Updates {
    /// Updates that rest on so many examples each, in the order of their makers' ids.
    pub fn new(samples: &[u64], seed: Hash) -> Self {
        let weights = samples.iter().map(|&samples| samples.max(1) as f64).collect();
        Self { weights, seed }
    }

    const fn len(&self) -> usize {
        self.weights.len()
    }
}

impl Contribution {
    /// The coalitions of `updates` to evaluate, none twice and none of nobody: one for [`Contribution::Cosine`], at most
    /// one more than there are updates for [`Contribution::LeaveOneOut`], and for [`Contribution::Shapley`] all of at
    /// most six updates and three for each of more.
    pub fn coalitions(self, updates: &Updates) -> Vec<Coalition> {
        let whole = Coalition::whole(updates.len());
        let mut coalitions = match self {
            _ if whole.is_empty() => Vec::new(),
            Self::Alone => (0..updates.len()).map(Coalition::alone).collect(),
            Self::Cosine => vec![whole],
            Self::LeaveOneOut => (0..updates.len()).map(|place| whole.without(place)).chain([whole]).collect(),
            Self::Shapley => shapley::coalitions(updates),
        };
        coalitions.retain(|coalition| !coalition.is_empty());
        coalitions
    }

    /// What each of `updates` has brought, if each of its [`coalitions`](Self::coalitions) gains so much, and each update
    /// goes so far where all go together (`cosines`, from -1 to 1, which count for [`Contribution::Cosine`] only).
    ///
    /// Nothing for anybody where `values` are not those of the coalitions.
    pub fn shares(self, updates: &Updates, values: &[f64], cosines: &[f64]) -> Vec<f64> {
        let coalitions = self.coalitions(updates);
        if values.len() != coalitions.len() || cosines.len() != updates.len() {
            return vec![0.0; updates.len()];
        }
        let value = |coalition: Coalition| {
            let known = coalitions.iter().position(|known| *known == coalition);
            known.map_or(0.0, |place| values[place])
        };
        let whole = Coalition::whole(updates.len());
        let places = 0..updates.len();
        match self {
            Self::Alone => places.map(|place| value(Coalition::alone(place))).collect(),
            Self::Cosine => by_cosine(value(whole), cosines),
            Self::LeaveOneOut => places.map(|place| value(whole) - value(whole.without(place))).collect(),
            Self::Shapley => shapley::shares(updates, &coalitions, values),
        }
    }
}

/// `whole`, divided among updates that go the way of all; who goes against it has no part.
fn by_cosine(whole: f64, cosines: &[f64]) -> Vec<f64> {
    let along = |cosine: &f64| cosine.max(0.0);
    let total: f64 = cosines.iter().map(along).sum();
    cosines.iter().map(|cosine| if total > 0.0 { whole * along(cosine) / total } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests;
