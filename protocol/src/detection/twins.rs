//! How far the steps of a round's updates point apart.

use super::{Handed, LEAST_CHANGED, portrait::gap};
use crate::{aggregate, model::Slice};

/// What two steps have in common, over the parameters that both hold.
#[derive(Debug, Clone, Copy, Default)]
struct Common {
    parameters: u64,
    product: f64,
    one: f64,
    other: f64,
}

/// For every two updates, one less the cosine between their steps; nothing where they share too little.
pub(super) fn gaps(base: &[u8], updates: &[Handed<'_>]) -> Vec<Vec<Option<f64>>> {
    let mut common = vec![vec![Common::default(); updates.len()]; updates.len()];
    let (base, _) = base.as_chunks::<{ size_of::<f32>() }>();
    for part in Slice::parts(&updates.iter().map(|handed| handed.slice).collect::<Vec<_>>()) {
        let start = part.slice.gather(base).into_flattened();
        let held = part.holders.iter().filter_map(|place| updates.get(*place));
        let rows: Vec<Vec<u8>> = held.map(|handed| part_of(handed, &part.slice)).collect();
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let Some(products) = aggregate::step_products(&start, &rows) else { continue };
        for (a, &one) in part.holders.iter().enumerate() {
            for (b, &other) in part.holders.iter().enumerate() {
                let pair = &mut common[one][other];
                pair.parameters += part.slice.len() as u64;
                pair.product += products[a][b];
                pair.one += products[a][a];
                pair.other += products[b][b];
            }
        }
    }
    let between = |pair: Common| gap(pair.product, pair.one, pair.other).filter(|_| pair.parameters >= LEAST_CHANGED);
    common.into_iter().map(|line| line.into_iter().map(between).collect()).collect()
}

/// What an update says about a part of what it holds.
fn part_of(handed: &Handed<'_>, part: &Slice) -> Vec<u8> {
    let (parameters, _) = handed.bytes.as_chunks::<{ size_of::<f32>() }>();
    handed.slice.own_places(part).gather(parameters).into_flattened()
}
