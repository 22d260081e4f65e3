//! Rules that sort each coordinate: trimmed mean and median.
//!
//! A row of one update is compared with a row of another, so that a sorting network works on many coordinates at once.
//! What is sorted are integers in the total order of floating-point numbers, so even zeros with different signs have
//! one order everywhere.

use super::blocks::{BLOCK, Row, Updates};

type Keys = [i32; BLOCK];

/// The mean of the middle of each coordinate, without the `liars` lowest and highest values: as many fewer as leave
/// at least one.
pub(super) fn trimmed_mean(updates: &Updates<'_>, liars: usize) -> Vec<u8> {
    let count = updates.count();
    let cut = liars.min((count - 1) / 2);
    let (kept, network) = (cut..count - cut, network(count, cut));
    let mut keys = vec![[0; BLOCK]; count];
    updates.combine(|rows, made| {
        for (keys, row) in keys.iter_mut().zip(rows) {
            for (key, value) in keys.iter_mut().zip(row) {
                *key = swap(value.to_bits().cast_signed());
            }
        }
        for (low, high) in &network {
            exchange(&mut keys, *low, *high);
        }
        middle(keys.get(kept.clone()).unwrap_or_default(), made);
    })
}

/// The median of each coordinate, or the mean of the middle two: all that trimming can leave out is left out.
pub(super) fn median(updates: &Updates<'_>) -> Vec<u8> {
    trimmed_mean(updates, usize::MAX)
}

/// Between the bits of a number and an integer in the total order of numbers; its own inverse.
fn swap(bits: i32) -> i32 {
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

/// The lower of each pair goes to row `low`, the higher to row `high`, which comes after it.
fn exchange(keys: &mut [Keys], low: usize, high: usize) {
    let (before, after) = keys.split_at_mut(high);
    let (Some(low), Some(high)) = (before.get_mut(low), after.first_mut()) else { return };
    for (low, high) in low.iter_mut().zip(high) {
        (*low, *high) = ((*low).min(*high), (*low).max(*high));
    }
}

/// The mean of sorted rows: summed upwards in double precision, divided, rounded once.
fn middle(rows: &[Keys], made: &mut Row) {
    let (mut sums, count) = ([0.0_f64; BLOCK], rows.len() as f64);
    for row in rows {
        for (sum, key) in sums.iter_mut().zip(row) {
            *sum += f64::from(f32::from_bits(swap(*key).cast_unsigned()));
        }
    }
    for (value, sum) in made.iter_mut().zip(sums) {
        *value = (sum / count) as f32;
    }
}

/// The exchanges that sort `count` rows, but for the `cut` first and last (Batcher's merge exchange; Knuth, volume 3,
/// section 5.2.2, algorithm M).
fn network(count: usize, cut: usize) -> Vec<(usize, usize)> {
    let mut exchanges = Vec::new();
    let top = count.next_power_of_two() / 2;
    let mut merged = top;
    while merged > 0 {
        let (mut reach, mut phase, mut distance) = (top, 0, merged);
        loop {
            let lows = (0..count.saturating_sub(distance)).filter(|low| low & merged == phase);
            exchanges.extend(lows.map(|low| (low, low + distance)));
            if reach == merged {
                break;
            }
            distance = reach - merged;
            reach /= 2;
            phase = merged;
        }
        merged /= 2;
    }
    needed(exchanges, count, cut)
}

/// Leaves out the exchanges that only order what is cut.
fn needed(exchanges: Vec<(usize, usize)>, count: usize, cut: usize) -> Vec<(usize, usize)> {
    let mut wanted: Vec<bool> = (0..count).map(|place| (cut..count - cut).contains(&place)).collect();
    let mut kept: Vec<_> = exchanges
        .into_iter()
        .rev()
        .filter(|(low, high)| {
            let matters = wanted[*low] || wanted[*high];
            wanted[*low] |= matters;
            wanted[*high] |= matters;
            matters
        })
        .collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What sorts every sequence of zeros and ones sorts every sequence.
    #[test]
    fn the_network_sorts() {
        for count in 1..=13 {
            for cut in 0..=(count - 1) / 2 {
                let exchanges = network(count, cut);
                for ones in 0_u32..1 << count {
                    let mut bits: Vec<u32> = (0..count).map(|place| ones >> place & 1).collect();
                    for (low, high) in &exchanges {
                        (bits[*low], bits[*high]) = (bits[*low].min(bits[*high]), bits[*low].max(bits[*high]));
                    }
                    let zeros = count - ones.count_ones() as usize;
                    for (place, bit) in bits.iter().enumerate().take(count - cut).skip(cut) {
                        assert_eq!(*bit == 1, place >= zeros, "{count} rows without {cut}, input {ones:b}");
                    }
                }
            }
        }
    }

    #[test]
    fn keys_have_the_total_order_and_come_back() {
        let numbers = [-f32::INFINITY, -1e30, -1.0, -f32::MIN_POSITIVE, -0.0, 0.0, 1e-45, 1.0, f32::MAX, f32::NAN];
        let keys: Vec<i32> = numbers.iter().map(|number| swap(number.to_bits().cast_signed())).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        for (key, number) in keys.iter().zip(numbers) {
            assert_eq!(swap(*key).cast_unsigned(), number.to_bits());
        }
    }
}
