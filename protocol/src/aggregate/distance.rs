//! Rules that measure how far updates lie from each other: nearest-neighbour mixing and multi-Krum.

use super::{
    blocks::{Row, Updates},
    mean,
};

/// Parts in which a sum over coordinates is kept, one for each place modulo their number. The compiler may then work
/// on many coordinates at once without another order of any sum.
pub(super) const PARTS: usize = 8;

/// A squared distance while it is measured, in double precision: squares of single precision cannot overflow it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Squares([f64; PARTS]);

impl Squares {
    /// Adds what two rows are apart.
    pub(super) fn add(&mut self, a: &Row, b: &Row) {
        let mut sums = self.0;
        let ((a, _), (b, _)) = (a.as_chunks::<PARTS>(), b.as_chunks::<PARTS>());
        for (a, b) in a.iter().zip(b) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                let step = f64::from(*a) - f64::from(*b);
                *sum += step * step;
            }
        }
        self.0 = sums;
    }

    /// The squared distance.
    pub(super) fn total(self) -> f64 {
        self.0.into_iter().fold(0.0, |sum, part| sum + part)
    }
}

/// The updates, each replaced by the mean of those nearest to it, all but `liars`: as many fewer as leave a majority.
pub(super) fn mix<'a>(updates: Updates<'a>, liars: usize) -> Updates<'a> {
    let circles = circles(&pairwise(&updates), liars);
    updates.mixed(circles)
}

/// For each update itself and those least far from it, all but `liars`: as many fewer as leave a majority.
pub(super) fn circles(far: &[Vec<f64>], liars: usize) -> Vec<Vec<usize>> {
    let kept = far.len() - liars.min((far.len() - 1) / 2);
    far.iter().enumerate().map(|(own, line)| circle(own, line, kept)).collect()
}

/// The places of the `kept` updates nearest to update `own`, itself first of all. Among equals the first is nearer.
/// They come back in order, so that equal circles have equal means.
fn circle(own: usize, line: &[f64], kept: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..line.len()).collect();
    places.sort_by(|a, b| (*a != own).cmp(&(*b != own)).then(line[*a].total_cmp(&line[*b])));
    places.truncate(kept);
    places.sort_unstable();
    places
}

/// The mean of the updates with the best scores, all but `liars`: as many fewer as leave `2 liars + 3` in all.
pub(super) fn multi_krum(updates: &Updates<'_>, liars: usize) -> Vec<u8> {
    let liars = liars.min(updates.count().saturating_sub(3) / 2);
    if liars == 0 {
        return mean::equal(updates);
    }
    let chosen = best(&pairwise(updates), liars);
    updates
        .combine(|rows, made| mean::of(chosen.iter().filter_map(|place| rows.get(*place)).map(|row| (1.0, row)), made))
}

/// The places of all but `liars` updates, in order: those whose neighbours are near.
fn best(distances: &[Vec<f64>], liars: usize) -> Vec<usize> {
    let neighbours = distances.len() - liars - 2;
    let scores: Vec<f64> = distances
        .iter()
        .enumerate()
        .map(|(own, line)| {
            let others = line.iter().enumerate().filter(|(place, _)| *place != own);
            let mut others: Vec<f64> = others.map(|(_, distance)| *distance).collect();
            others.sort_by(f64::total_cmp);
            others.iter().take(neighbours).fold(0.0, |sum, distance| sum + distance)
        })
        .collect();
    let mut places: Vec<usize> = (0..distances.len()).collect();
    places.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    places.truncate(distances.len() - liars);
    places.sort_unstable();
    places
}

/// The squared distances of all updates from each other, in one pass.
fn pairwise(updates: &Updates<'_>) -> Vec<Vec<f64>> {
    let count = updates.count();
    let mut squares = vec![vec![Squares::default(); count]; count];
    updates.for_each_block(|_, rows| {
        for (line, (place, row)) in squares.iter_mut().zip(rows.iter().enumerate()) {
            for (squares, other) in line.iter_mut().zip(rows).take(place) {
                squares.add(row, other);
            }
        }
    });
    let between = |a: usize, b: usize| squares[a.max(b)][a.min(b)].total();
    (0..count).map(|a| (0..count).map(|b| between(a, b)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_are_told_apart_by_their_order() {
        let all_alike = vec![vec![1.0; 7]; 7];
        assert_eq!(best(&all_alike, 2), [0, 1, 2, 3, 4]);
        assert_eq!(circle(5, &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0], 4), [0, 1, 2, 5]);
        // An update stays in its own circle however many are just like it.
        assert_eq!(circle(6, &[0.0; 7], 2), [0, 6]);
    }
}
