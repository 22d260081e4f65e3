//! What training brings, without training: a model of value.
//!
//! The work of a round is `q * s / (s + half_samples)`, where `s` counts the examples of all updates that were delivered and
//! `q` is their mean quality: averaging more updates helps less and less, and updates without work dilute the others. After
//! work `w` of all rounds, `(1 + w / half_work) ^ -fading` of what could be learnt is still missing. docs/market.md says how
//! the numbers were found, and what is not in them.

use serde::{Deserialize, Serialize};

use super::error::Error;

/// Millionths in one.
const MICRO: f64 = 1e6;

/// How it is found out what training brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// `value`: by a model of value.
    Value,
    /// `real`: by training, see [`super::school`].
    Real,
}

/// The numbers of the model of value, and what is drawn whether or not there is training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Learning {
    /// How it is found out what training brings.
    pub(super) kind: Kind,
    /// Accuracy before the first round, from 0 to 1.
    pub(super) first_accuracy: f64,
    /// Accuracy that is never quite reached.
    pub(super) last_accuracy: f64,
    /// Work with which half of what can be learnt is learnt, if `fading` is 1.
    pub(super) half_work: f64,
    /// How fast the rest is learnt.
    pub(super) fading: f64,
    /// Examples of a round that do half of the work that any number could.
    pub(super) half_samples: f64,
    /// Loss before the first round.
    pub(super) first_loss: f64,
    /// Standard deviation of an appraisal, as a part of the mean gain of the round's updates.
    pub(super) noise: f64,
    /// Members who appraise in a round.
    pub(super) appraisers: usize,
    /// In thousandths, feigned updates that are found out from their bytes, and so are not delivered.
    pub(super) detected_permille: u32,
}

/// An update, as far as it matters to the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Work {
    /// Examples that were trained on.
    pub(super) samples: f64,
    /// What they are worth, from 0 to 1.
    pub(super) quality: f64,
}

impl Learning {
    /// Checks every number.
    ///
    /// # Errors
    /// [`Error::Config`] names what is out of bounds.
    pub(super) fn validate(&self) -> Result<(), Error> {
        let accuracies = 0.0 <= self.first_accuracy && self.first_accuracy <= self.last_accuracy;
        let above_zero = [self.half_work, self.fading, self.half_samples, self.first_loss];
        let holds = accuracies
            && self.last_accuracy <= 1.0
            && above_zero.iter().all(|number| *number > 0.0 && number.is_finite())
            && (0.0..=1e3).contains(&self.noise)
            && self.appraisers > 0
            && self.detected_permille <= 1_000;
        let words = "learning: accuracies must rise within 0 and 1, half_work, fading, half_samples and first_loss be above \
                     0, noise at most 1000, appraisers at least 1, detected_permille at most 1000";
        if holds { Ok(()) } else { Err(Error::Config(words.to_owned())) }
    }

    /// The work of a round with these updates.
    pub(super) fn work(&self, updates: &[Work]) -> f64 {
        let samples: f64 = updates.iter().map(|update| update.samples).sum();
        let good: f64 = updates.iter().map(|update| update.samples * update.quality).sum();
        // The mean quality times the examples is the sum of both.
        good / (samples + self.half_samples)
    }

    /// Accuracy after so much work.
    pub(super) fn accuracy(&self, work: f64) -> f64 {
        self.last_accuracy - (self.last_accuracy - self.first_accuracy) * self.missing(work)
    }

    /// By how much `more` work lowers the loss, in millionths.
    pub(super) fn gain(&self, work: f64, more: f64) -> f64 {
        MICRO * self.first_loss * (self.missing(work) - self.missing(work + more))
    }

    /// The part of what can be learnt that is not learnt yet.
    fn missing(&self, work: f64) -> f64 {
        (1.0 + work / self.half_work).powf(-self.fading)
    }
}
