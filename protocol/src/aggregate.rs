//! Verified aggregation: the updates of a round become one model, the same to the last bit on every machine.
//!
//! Every member computes the aggregate and compares its hash, so each rule is one fixed sequence of IEEE operations
//! (conversion, sum, difference, product, quotient, square root) over the updates in the order given, by member. The
//! compiler may work on many coordinates at once, since none depends on another. It may not reorder a sum, and Rust
//! never contracts a product and a sum into one operation. Sums over coordinates are kept in a fixed number of parts.
//!
//! Rules work on the parameters themselves, not on what the updates changed in them. All but clipping would give the
//! same either way but for rounding, since moving every update moves their result with it; this way nothing is rounded
//! before it has to be. Clipping, and mixing by direction, start from the round's first model, which is why [`aggregate`]
//! asks for it.
//!
//! Where members train slices of the model, [`aggregate_slices`] puts each coordinate together from its holders.
//!
//! Only the weighted mean uses the number of examples that a member claims. Whoever lies about parameters lies about
//! that number too, so the other rules, and every rule behind a mixing, count each member once.

mod alignment;
mod blocks;
mod clipping;
mod distance;
mod holders;
mod mean;
mod rule;
mod sorted;

pub use holders::{Held, aggregate_slices};
pub use mean::weighted_mean;
pub use rule::{Mixing, Radius, Rule, RuleError};

use blocks::Updates;

use crate::{model::Width, update::CodingError};

/// An update as a rule sees it.
#[derive(Debug, Clone, Copy)]
pub struct Weighted<'a> {
    /// Examples behind it; its weight in the weighted mean.
    pub samples: u64,
    /// Little-endian single-precision parameters.
    pub bytes: &'a [u8],
}

/// Why an update cannot enter an aggregate. Its bytes are known by their hash, so this is a fact about its maker.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateFault {
    /// No contract asks for this width.
    #[error("no contract on the menu has the width {width}")]
    Width {
        /// Which width.
        width: Width,
    },
    /// Its bytes are no coded update.
    #[error(transparent)]
    Coding(#[from] CodingError),
    /// Another number of parameters than the slice has that it started from.
    #[error("{got} bytes where the slice that it started from has {want}")]
    Length {
        /// Bytes of the update.
        got: usize,
        /// Bytes of the slice.
        want: usize,
    },
    /// A parameter is infinite or not a number.
    #[error("parameter {index} is not a finite number")]
    NotFinite {
        /// Its place.
        index: usize,
    },
    /// Farther from the slice of the round's first model that it started from than the genesis allows.
    #[error("it lies {distance:.1} from the model it started from; {limit} is allowed")]
    TooFar {
        /// Euclidean distance.
        distance: f64,
        /// Largest distance allowed.
        limit: u32,
    },
}

const WIDTH: usize = size_of::<f32>();

/// Checks an update against the model, or the slice of it, that it started from.
///
/// # Errors
/// [`UpdateFault`] names the first fault.
pub fn check(base: &[u8], update: &[u8], max_norm: u32) -> Result<(), UpdateFault> {
    if update.len() != base.len() || !base.len().is_multiple_of(WIDTH) {
        return Err(UpdateFault::Length { got: update.len(), want: base.len() });
    }
    let mut squares = 0.0_f64;
    for (index, (new, old)) in parameters(update).zip(parameters(base)).enumerate() {
        if !new.is_finite() {
            return Err(UpdateFault::NotFinite { index });
        }
        let step = f64::from(new) - f64::from(old);
        squares += step * step;
    }
    let distance = squares.sqrt();
    if distance > f64::from(max_norm) {
        return Err(UpdateFault::TooFar { distance, limit: max_norm });
    }
    Ok(())
}

/// The aggregate of `updates` as little-endian single-precision parameters: mixed first, then put together by `rule`.
///
/// `base` is the round's first model. The updates must have passed [`check`] against it and stand in the order of
/// their makers' ids. A rule that has fewer updates than it needs bears as many liars as it then can; with none left
/// to bear it is the mean of all, each counted once. `None` for no update, or for lengths that differ.
pub fn aggregate(rule: Rule, mixing: Mixing, base: &[u8], updates: &[Weighted<'_>]) -> Option<Vec<u8>> {
    aggregate_within(rule, mixing, base, updates, 1.0)
}

/// As [`aggregate`], with `reach` for the part of a radius that counts.
fn aggregate_within(rule: Rule, mixing: Mixing, base: &[u8], updates: &[Weighted<'_>], reach: f64) -> Option<Vec<u8>> {
    let plain = Updates::new(updates).filter(|updates| updates.bytes() == base.len())?;
    let seen = match mixing {
        Mixing::None if rule == Rule::WeightedMean => return weighted_mean(updates),
        Mixing::None => plain,
        Mixing::Nearest { liars } => distance::mix(plain, liars as usize),
        Mixing::Aligned { liars } => alignment::mix(plain, base, liars as usize),
    };
    Some(match rule {
        Rule::WeightedMean => mean::equal(&seen),
        Rule::Median => sorted::median(&seen),
        Rule::TrimmedMean { liars } => sorted::trimmed_mean(&seen, liars as usize),
        Rule::MultiKrum { liars } => distance::multi_krum(&seen, liars as usize),
        Rule::CentredClipping { radius } => clipping::centred(&seen, base, radius.get() * reach),
    })
}

/// The scalar products of all steps from `base` with each other and themselves. `None` for no update, or for lengths that
/// differ.
pub(crate) fn step_products(base: &[u8], updates: &[&[u8]]) -> Option<Vec<Vec<f64>>> {
    let updates: Vec<Weighted<'_>> = updates.iter().map(|bytes| Weighted { samples: 0, bytes }).collect();
    let updates = Updates::new(&updates).filter(|updates| updates.bytes() == base.len())?;
    Some(alignment::products(&updates, base))
}

/// The parameters that `bytes` hold; a trailing part of one is left out.
pub fn parameters(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks::<WIDTH>().0.iter().map(|chunk| f32::from_le_bytes(*chunk))
}

/// The bytes of `parameters`.
pub fn encode(parameters: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parameters.len() * WIDTH);
    for parameter in parameters {
        bytes.extend_from_slice(&parameter.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
