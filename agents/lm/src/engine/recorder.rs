//! Probabilities of tokens.
//!
//! The library's own log-probabilities of greedy decoding are logarithms of logits, not of probabilities, and after a
//! schema's mask they belong to the mask. The recorder sees the logits themselves, as the model made them, and computes
//! the logarithm of their softmax.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mistralrs::{CustomLogitsProcessor, Tensor};

/// A token's number and the natural logarithm of its probability.
pub(super) type Scored = (u32, f64);

/// One place in the answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The token that was taken there.
    pub(super) taken: Scored,
    /// The likeliest tokens, likeliest first.
    pub(super) likeliest: Vec<Scored>,
}

/// Sees every distribution that the model makes, and changes none.
#[derive(Debug)]
pub(super) struct Recorder {
    /// How many of the likeliest tokens to keep.
    keep: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The places whose token is known.
    places: Vec<Place>,
    /// The latest place, whose token is known with the next one.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// How many tokens the library had before it. A second call with the same number shows the same place again,
    /// masked.
    context: usize,
    logits: Vec<f32>,
}

impl Recorder {
    /// A recorder that keeps the `keep` likeliest tokens of each place.
    pub(super) fn new(keep: usize) -> Self {
        Self { keep, seen: Mutex::default() }
    }

    /// The places of a finished answer whose last token was `last`.
    pub(super) fn finish(&self, last: Option<u32>) -> Vec<Place> {
        let mut seen = self.lock();
        if let Some(last) = last {
            self.close(&mut seen, last);
        }
        std::mem::take(&mut seen.places)
    }

    fn see(&self, logits: impl FnOnce() -> mistralrs::Result<Vec<f32>>, context: &[u32]) -> mistralrs::Result<()> {
        let mut seen = self.lock();
        if seen.open.as_ref().is_some_and(|open| open.context == context.len()) {
            return Ok(());
        }
        if let Some(last) = context.last() {
            self.close(&mut seen, *last);
        }
        seen.open = Some(Open { context: context.len(), logits: logits()? });
        Ok(())
    }

    fn close(&self, seen: &mut Seen, taken: u32) {
        if let Some(open) = seen.open.take() {
            seen.places.extend(place(&open.logits, taken, self.keep));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CustomLogitsProcessor for Recorder {
    fn apply(&self, logits: &Tensor, context: &[u32]) -> mistralrs::Result<Tensor> {
        self.see(|| logits.to_vec1(), context)?;
        Ok(logits.clone())
    }
}

/// What `logits` say of the token `taken`, and of the `keep` likeliest. `None` when there is no such token.
fn place(logits: &[f32], taken: u32, keep: usize) -> Option<Place> {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let log_sum = top + logits.iter().map(|logit| (f64::from(*logit) - top).exp()).sum::<f64>().ln();
    let score = |token: u32| {
        let logit = logits.get(usize::try_from(token).ok()?)?;
        Some((token, f64::from(*logit) - log_sum))
    };
    let mut likeliest: Vec<u32> = Vec::with_capacity(keep + 1);
    for token in 0..u32::try_from(logits.len()).ok()? {
        let at = likeliest.partition_point(|other| logits[*other as usize] >= logits[token as usize]);
        if at < keep {
            likeliest.insert(at, token);
            likeliest.truncate(keep);
        }
    }
    Some(Place { taken: score(taken)?, likeliest: likeliest.into_iter().filter_map(score).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn a_place_is_the_logarithm_of_the_softmax() {
        // Probabilities 1/8, 4/8, 1/8, 2/8, whatever is added to all logits.
        let logits = [1.0_f32, 4.0, 1.0, 2.0].map(|p| p.ln() + 300.0);
        let place = place(&logits, 3, 2).unwrap();
        assert!(near(place.taken.1, (2.0_f64 / 8.0).ln()), "{place:?}");
        assert_eq!(place.likeliest.iter().map(|scored| scored.0).collect::<Vec<_>>(), [1, 3]);
        assert!((place.likeliest[0].1 - 0.5_f64.ln()).abs() < 1e-4, "{place:?}");
        assert_eq!(super::place(&logits, 4, 2), None);
    }

    #[test]
    fn each_place_is_taken_from_the_first_look_and_the_next_context() {
        let recorder = Recorder::new(1);
        recorder.see(|| Ok(vec![0.0, 9.0]), &[7, 7]).unwrap();
        // The schema forbids token 1: the library looks again, at a masked copy.
        recorder.see(|| Ok(vec![0.0, f32::NEG_INFINITY]), &[7, 7]).unwrap();
        recorder.see(|| Ok(vec![9.0, 0.0]), &[7, 7, 0]).unwrap();
        let places = recorder.finish(Some(1));
        assert_eq!(places.iter().map(|place| place.taken.0).collect::<Vec<_>>(), [0, 1]);
        assert!(places.iter().all(|place| place.taken.1 < -8.9), "the taken tokens were unlikely: {places:?}");
        assert_eq!(places.iter().map(|place| place.likeliest[0].0).collect::<Vec<_>>(), [1, 0]);
        assert!(recorder.finish(None).is_empty());
    }
}
