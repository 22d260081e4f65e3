//! Who holds what: a part of everybody's data drawn from all, the rest sorted by label and dealt in blocks.

use althing_protocol::ids::Hash;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;

use super::grid::Similarity;

/// The samples of each of `members`. Every sample goes to exactly one of them, and of both parts each gets as many as
/// the others, or one fewer.
pub(super) fn assign(labels: &[u8], members: usize, similarity: Similarity, seed: u64) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = (0..labels.len()).collect();
    all.shuffle(&mut generator("althing byzfl partition", seed, 0));
    let mut sorted = all.split_off(all.len() * usize::from(similarity.percent) / 100);
    // In the order in which they were drawn where labels are equal.
    sorted.sort_by_key(|&sample| labels[sample]);
    let block = |samples: &[usize], member: usize| {
        let cut = |member: usize| member * samples.len() / members;
        samples[cut(member)..cut(member + 1)].to_vec()
    };
    (0..members).map(|member| [block(&all, member), block(&sorted, member)].concat()).collect()
}

/// A member's samples, dealt a batch at a time and shuffled anew when they run out.
pub(super) struct Deck {
    samples: Vec<usize>,
    dealt: usize,
    rng: ChaCha20Rng,
}

impl Deck {
    pub(super) fn new(samples: Vec<usize>, seed: u64, member: usize) -> Self {
        let dealt = samples.len();
        Self { samples, dealt, rng: generator("althing byzfl batches", seed, member as u64) }
    }

    /// The next so many samples; fewer only when there are no more before the next shuffle.
    pub(super) fn deal(&mut self, count: usize) -> &[usize] {
        if self.dealt >= self.samples.len() {
            self.samples.shuffle(&mut self.rng);
            self.dealt = 0;
        }
        let first = self.dealt;
        self.dealt = (first + count).min(self.samples.len());
        &self.samples[first..self.dealt]
    }
}

fn generator(context: &str, seed: u64, number: u64) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(Hash::derive(context, &[&seed.to_le_bytes(), &number.to_le_bytes()]).0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn kinds(part: &[usize], labels: &[u8]) -> usize {
        part.iter().map(|&sample| labels[sample]).collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn similarity_decides_how_many_labels_a_member_sees() {
        let labels: Vec<u8> = (0..2_000).map(|sample| (sample * 7 % 10) as u8).collect();
        for (word, most) in [("1", 10), ("0.33", 10), ("0", 2)] {
            let parts = assign(&labels, 10, word.parse().unwrap(), 4);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..2_000), "every sample has one holder");
            assert!(parts.iter().all(|part| (198..=202).contains(&part.len())));
            assert!(parts.iter().all(|part| kinds(part, &labels) <= most), "{word}");
        }
        let parts = assign(&labels, 10, "0.33".parse().unwrap(), 4);
        // A third of a member's 200 samples is drawn from all, so about 140 have the label of its block.
        let most_of_one = |part: &Vec<usize>| {
            let of_label = |label| part.iter().filter(|&&sample| labels[sample] == label).count();
            (0..10).map(of_label).max().unwrap()
        };
        let counts: Vec<usize> = parts.iter().map(most_of_one).collect();
        assert!(counts.iter().all(|count| (115..165).contains(count)), "{counts:?}");
        assert_ne!(parts, assign(&labels, 10, "0.33".parse().unwrap(), 5));
    }

    #[test]
    fn a_deck_deals_everything_before_it_is_shuffled() {
        let mut deck = Deck::new((0..10).collect(), 1, 0);
        for _ in 0..3 {
            let mut dealt: Vec<usize> = (0..3).flat_map(|_| deck.deal(4).to_vec()).collect();
            dealt.sort_unstable();
            assert_eq!(dealt, (0..10).collect::<Vec<_>>());
        }
    }
}
