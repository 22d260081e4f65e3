//! One step by itself: how much it changes, how its changes are spread, and how it points along the last global step.

use crate::aggregate::parameters;

/// What one pass over a step finds. All sums are in double precision, in the order of the parameters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Portrait {
    /// Parameters that it changes. Codecs leave most of them alone, so only these say anything.
    changed: u64,
    squares: f64,
    fourths: f64,
    /// With the last global step, over the parameters that this one changes.
    product: f64,
    /// Of the last global step, over the same.
    last_squares: f64,
}

impl Portrait {
    /// The step from `base` to `update`, beside the one from `previous` to `base`; all are of one slice.
    pub(super) fn of(base: &[u8], previous: &[u8], update: &[u8]) -> Self {
        let mut portrait = Self::default();
        for ((new, old), older) in parameters(update).zip(parameters(base)).zip(parameters(previous)) {
            let (step, last) = (f64::from(new) - f64::from(old), f64::from(old) - f64::from(older));
            if step == 0.0 {
                continue;
            }
            let square = step * step;
            portrait.changed += 1;
            portrait.squares += square;
            portrait.fourths += square * square;
            portrait.product += step * last;
            portrait.last_squares += last * last;
        }
        portrait
    }

    pub(super) const fn changed(&self) -> u64 {
        self.changed
    }

    /// One less the cosine between the two steps; nothing if there was no last one.
    pub(super) fn gap_to_last(&self) -> Option<f64> {
        gap(self.product, self.squares, self.last_squares)
    }

    /// The mean fourth power of the changes over the square of their mean square.
    pub(super) fn kurtosis(&self) -> f64 {
        self.changed as f64 * self.fourths / (self.squares * self.squares)
    }
}

/// One less the cosine, of a scalar product and two squared lengths; nothing if one of these is zero.
pub(super) fn gap(product: f64, one: f64, other: f64) -> Option<f64> {
    let lengths = one.sqrt() * other.sqrt();
    (lengths > 0.0).then(|| 1.0 - product / lengths)
}
