//! Verified aggregation: the weighted mean of the updates, the same to the last bit on every machine.
//!
//! Each coordinate is summed in double precision over the updates in the order given (by member), then divided and
//! rounded once. No coordinate depends on another, so the compiler may work on many at a time; it may not reorder a sum,
//! and Rust never contracts a product and a sum into one operation.

/// An update as the mean sees it.
#[derive(Debug, Clone, Copy)]
pub struct Weighted<'a> {
    /// Examples behind it; its weight.
    pub samples: u64,
    /// Little-endian single-precision parameters.
    pub bytes: &'a [u8],
}

/// Why an update cannot enter a mean. Its bytes are known by their hash, so this is a fact about its maker.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateFault {
    /// Another number of parameters than the model has.
    #[error("{got} bytes where the model has {want}")]
    Length {
        /// Bytes of the update.
        got: usize,
        /// Bytes of the model.
        want: usize,
    },
    /// A parameter is infinite or not a number.
    #[error("parameter {index} is not a finite number")]
    NotFinite {
        /// Its place.
        index: usize,
    },
    /// Farther from the round's first model than the genesis allows.
    #[error("it lies {distance:.1} from the model it started from; {limit} is allowed")]
    TooFar {
        /// Euclidean distance.
        distance: f64,
        /// Largest distance allowed.
        limit: u32,
    },
}

const WIDTH: usize = size_of::<f32>();

/// Checks an update against the model that it started from.
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

/// The weighted mean of `updates` as little-endian single-precision parameters.
///
/// The updates must have passed [`check`] and stand in the order of their makers' ids. A federation of updates that all
/// claim no example weighs them equally. `None` for no update, or updates of different lengths.
pub fn weighted_mean(updates: &[Weighted<'_>]) -> Option<Vec<u8>> {
    let length = updates.first()?.bytes.len();
    if updates.iter().any(|update| update.bytes.len() != length) || !length.is_multiple_of(WIDTH) {
        return None;
    }
    let mut sums = vec![0.0_f64; length / WIDTH];
    let unweighted = updates.iter().all(|update| update.samples == 0);
    let mut total = 0.0_f64;
    for update in updates {
        let weight = if unweighted { 1.0 } else { update.samples as f64 };
        total += weight;
        for (sum, parameter) in sums.iter_mut().zip(parameters(update.bytes)) {
            *sum += weight * f64::from(parameter);
        }
    }
    let mut mean = Vec::with_capacity(length);
    for sum in sums {
        mean.extend_from_slice(&((sum / total) as f32).to_le_bytes());
    }
    Some(mean)
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
mod tests {
    use super::*;
    use crate::ids::Hash;

    #[test]
    fn the_mean_weighs_by_examples() {
        let (a, b) = (encode(&[1.0, -2.0]), encode(&[4.0, 4.0]));
        let mean = weighted_mean(&[Weighted { samples: 2, bytes: &a }, Weighted { samples: 1, bytes: &b }]).unwrap();
        assert_eq!(parameters(&mean).collect::<Vec<_>>(), [2.0, 0.0]);
    }

    #[test]
    fn the_mean_is_the_same_to_the_last_bit_for_ever() {
        let update =
            |n: u32| encode(&(0..1000).map(|i| ((i * 7919 + n * 104_729) % 10_007) as f32 / 997.0).collect::<Vec<_>>());
        let updates: Vec<Vec<u8>> = (0..5).map(update).collect();
        let weighted: Vec<_> =
            updates.iter().zip([17, 1, 900, 33, 5]).map(|(bytes, samples)| Weighted { samples, bytes }).collect();
        let golden = Hash::of(&weighted_mean(&weighted).unwrap()).short();
        assert_eq!(golden, "972d70a3");
    }

    #[test]
    fn no_update_has_no_mean_and_no_weight_means_equal_weight() {
        assert_eq!(weighted_mean(&[]), None);
        let (a, b) = (encode(&[1.0]), encode(&[3.0]));
        let mean = weighted_mean(&[Weighted { samples: 0, bytes: &a }, Weighted { samples: 0, bytes: &b }]).unwrap();
        assert_eq!(parameters(&mean).collect::<Vec<_>>(), [2.0]);
    }

    #[test]
    fn faults_are_named() {
        let base = encode(&[0.0, 0.0]);
        assert!(matches!(check(&base, &encode(&[1.0]), 10), Err(UpdateFault::Length { got: 4, want: 8 })));
        assert!(matches!(check(&base, &encode(&[1.0, f32::NAN]), 10), Err(UpdateFault::NotFinite { index: 1 })));
        assert!(matches!(check(&base, &encode(&[f32::INFINITY, 0.0]), 10), Err(UpdateFault::NotFinite { index: 0 })));
        assert!(matches!(check(&base, &encode(&[30.0, 40.0]), 49), Err(UpdateFault::TooFar { .. })));
        assert_eq!(check(&base, &encode(&[30.0, 40.0]), 50), Ok(()));
    }
}
