//! To whom a member sends: drawn anew in every step from a seed that only the member knows.

use std::collections::BTreeSet;

use super::Step;
use crate::ids::{Hash, MemberId};

/// `count` of the `present` members, or all if they are fewer: each set of so many is as likely as any other.
///
/// The draws are hashes of the seed, so who hears from whom is known to nobody before it happens. Sampling is that of
/// Fisher and Yates, ended after `count` places.
pub(super) fn pick(seed: &Hash, step: Step, present: &BTreeSet<MemberId>, count: usize) -> Vec<MemberId> {
    let mut members: Vec<MemberId> = present.iter().copied().collect();
    let count = count.min(members.len());
    for place in 0..count {
        let left = (members.len() - place) as u64;
        // The remainder of 64 bits by a number of members favours nobody by more than one part in 2^57.
        let drawn = draw(seed, step, place as u64) % left;
        members.swap(place, place + drawn as usize);
    }
    members.truncate(count);
    members
}

fn draw(seed: &Hash, step: Step, place: u64) -> u64 {
    let parts: [&[u8]; 3] = [seed.as_bytes(), &step.0.to_le_bytes(), &place.to_le_bytes()];
    let hash = Hash::derive("althing 1 epidemic peers", &parts);
    let (first, _) = hash.as_bytes().split_at(size_of::<u64>());
    first.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn members(count: u8) -> BTreeSet<MemberId> {
        (0..count).map(|n| MemberId([n; 32])).collect()
    }

    #[test]
    fn a_pick_has_so_many_different_members_or_all() {
        for (here, wanted, got) in [(0, 3, 0), (1, 3, 1), (3, 3, 3), (9, 3, 3), (9, 0, 0)] {
            let picked = pick(&Hash::ZERO, Step(1), &members(here), wanted);
            let distinct: BTreeSet<_> = picked.iter().collect();
            assert_eq!((picked.len(), distinct.len()), (got, got), "{wanted} of {here}");
        }
    }

    #[test]
    fn everybody_is_picked_as_often_as_anybody_and_steps_differ() {
        let mut times = BTreeMap::new();
        let mut sets = BTreeSet::new();
        for step in 0..3_000 {
            let mut picked = pick(&Hash::of(b"seed"), Step(step), &members(9), 3);
            picked.iter().for_each(|member| *times.entry(*member).or_insert(0_u32) += 1);
            picked.sort_unstable();
            sets.insert(picked);
        }
        // 1,000 of each are expected; the standard deviation is 26.
        assert!(times.len() == 9 && times.values().all(|count| (870..=1_130).contains(count)), "{times:?}");
        assert_eq!(sets.len(), 84, "every set of three among nine has come");
    }

    #[test]
    fn members_with_other_seeds_pick_others() {
        let all =
            |seed: &[u8]| -> Vec<_> { (0..20).map(|step| pick(&Hash::of(seed), Step(step), &members(9), 3)).collect() };
        assert_eq!(all(b"a"), all(b"a"));
        assert_ne!(all(b"a"), all(b"b"));
    }
}
