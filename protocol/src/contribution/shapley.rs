//! Shapley values: exact where every coalition can be evaluated, estimated where only some can.

use super::{Coalition, Updates, surrogate::Surrogate};
use crate::ids::Hash;

/// Updates of which every coalition is evaluated.
pub(super) const EXACT_MOST: usize = 6;

/// Updates up to which every coalition's inferred value is looked at.
const ENUMERABLE: usize = 12;

/// Orders over which inferred values are averaged for more; each is also taken backwards.
const ORDERS: u64 = 256;

/// Which coalitions to evaluate.
///
/// Of more than [`EXACT_MOST`] updates, three for each: the whole, each alone, the whole without each, and a third of all
/// that stand next to each other in a random ring, starting from each but one.
pub(super) fn coalitions(updates: &Updates) -> Vec<Coalition> {
    let (count, whole) = (updates.len(), Coalition::whole(updates.len()));
    if count <= EXACT_MOST {
        return all(count).skip(1).collect();
    }
    let ring = shuffled(updates, "althing 1 ring", 0);
    let neighbours = |start: usize| {
        let places = ring.iter().cycle().skip(start).take(count.div_ceil(3));
        places.fold(Coalition::NOBODY, |group, &place| group.with(place))
    };
    let without = (0..count).map(|place| whole.without(place));
    let groups = (1..count).map(neighbours);
    (0..count).map(Coalition::alone).chain(without).chain(groups).chain([whole]).collect()
}

/// The values of these [`coalitions`], divided.
pub(super) fn shares(updates: &Updates, coalitions: &[Coalition], values: &[f64]) -> Vec<f64> {
    let places = updates.len();
    if places <= EXACT_MOST {
        let known = |coalition: Coalition| coalitions.iter().position(|known| *known == coalition);
        return exact(places, |coalition| known(coalition).map_or(0.0, |place| values[place]));
    }
    let Some(surrogate) = Surrogate::fit(updates, coalitions, values) else { return vec![0.0; places] };
    let value = |coalition| surrogate.value(coalition);
    let inferred = if places <= ENUMERABLE { exact(places, value) } else { sampled(updates, value) };
    // The whole is known, so the parts are made to add up to it.
    let whole = coalitions.iter().position(|coalition| *coalition == Coalition::whole(places));
    let whole = whole.map_or(0.0, |place| values[place]);
    let missing = (whole - inferred.iter().sum::<f64>()) / places as f64;
    inferred.iter().map(|share| share + missing).collect()
}

/// Every coalition of so many updates, at most [`ENUMERABLE`]; nobody first.
fn all(updates: usize) -> impl Iterator<Item = Coalition> {
    (0..1_u128 << updates).map(Coalition)
}

/// What each update adds to the others, averaged over all orders (Shapley 1953), by the value of every coalition.
///
/// An update comes right after the coalition `S` in one of `n * C(n - 1, |S|)` orders.
fn exact(updates: usize, value: impl Fn(Coalition) -> f64) -> Vec<f64> {
    let values: Vec<f64> =
        all(updates).map(|coalition| if coalition.is_empty() { 0.0 } else { value(coalition) }).collect();
    let mut orders = vec![updates as f64];
    for size in 1..updates {
        orders.push(orders[size - 1] * (updates - size) as f64 / size as f64);
    }
    let mut shares = vec![0.0; updates];
    for (coalition, before) in all(updates).zip(&values) {
        for place in (0..updates).filter(|place| !coalition.contains(*place)) {
            let after = values[coalition.with(place).0 as usize];
            shares[place] += (after - before) / orders[coalition.len()];
        }
    }
    shares
}

/// The same over random orders.
fn sampled(updates: &Updates, value: impl Fn(Coalition) -> f64) -> Vec<f64> {
    let mut shares = vec![0.0; updates.len()];
    for draw in 0..ORDERS {
        let mut order = shuffled(updates, "althing 1 orders", draw);
        for _ in 0..2 {
            let (mut coalition, mut before) = (Coalition::NOBODY, 0.0);
            for &place in &order {
                coalition = coalition.with(place);
                let after = value(coalition);
                shares[place] += (after - before) / (2 * ORDERS) as f64;
                before = after;
            }
            order.reverse();
        }
    }
    shares
}

/// The places of `updates` in a random order, for each draw another.
fn shuffled(updates: &Updates, purpose: &str, draw: u64) -> Vec<usize> {
    let lot = |place: &usize| {
        let place = (*place as u64).to_le_bytes();
        Hash::derive(purpose, &[updates.seed.as_bytes(), &draw.to_le_bytes(), &place])
    };
    let mut order: Vec<usize> = (0..updates.len()).collect();
    order.sort_by_cached_key(lot);
    order
}
