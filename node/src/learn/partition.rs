//! Who holds which sample: the training set divided among the members, and each member's part held out for appraisal.
//!
//! Every member works the partition out alone from the same labels and seed, so it must come out alike everywhere.
//! All draws are from ChaCha20; the only floating point is the gamma variate behind a Dirichlet share, whose last bits
//! depend on the mathematical library of the machine. Shares are therefore rounded to 2^-20 before anything is cut.

use std::{collections::BTreeMap, fmt, str::FromStr};

use althing_protocol::ids::Hash;
use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;
use rand_distr::{Distribution, Gamma};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Keeps the draws of the partition apart from those of the hold-out, which may come from the same seed.
const ASSIGN_CONTEXT: &str = "althing 2026 data partition";
/// See [`ASSIGN_CONTEXT`].
const HOLD_OUT_CONTEXT: &str = "althing 2026 held-out samples";
/// Samples that every member gets, as long as there are that many for each.
const SAMPLES_PER_MEMBER_MIN: usize = 10;
/// Draws of a Dirichlet partition before members below the minimum are topped up instead.
const DRAWS_MAX: usize = 20;
/// Steps between 0 and 1 to which a share is rounded.
const SHARE_STEPS: f64 = (1 << 20) as f64;
/// Concentrations that a partition may have: below, a class goes to one member; above, the split is even.
const ALPHA: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;
/// Shards that one member may have.
const SHARDS_PER_MEMBER_MAX: usize = 1_000;
/// Labels that fit the byte of a label.
const LABELS_MAX: usize = 256;

/// How the training set is divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Partition {
    /// `iid`: shuffled and cut into equal parts.
    Iid,
    /// `dirichlet:0.5`: each class is divided by shares from a Dirichlet distribution.
    Dirichlet {
        /// Concentration: the smaller, the fewer classes a member sees.
        alpha: f64,
    },
    /// `shards:2`: sorted by label, cut into equal shards, and so many shards dealt to each member.
    Shards {
        /// Shards for each member.
        per_member: usize,
    },
    /// `label:2`: each member holds so many labels, and the holders of a label divide it evenly.
    ///
    /// With fewer places than labels the labels left over are dealt out too, lest their samples be lost.
    LabelK {
        /// Labels for each member.
        k: usize,
    },
}

/// Why there is no such partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// The text names none.
    #[error("no partition is called {0:?}; write iid, dirichlet:0.5, shards:2 or label:2")]
    Unknown(String),
    /// The number after the colon is out of bounds.
    #[error("the number in {text:?} must be {bounds}")]
    Number {
        /// The text as given.
        text: String,
        /// What would do.
        bounds: String,
    },
    /// Nobody is there to divide among.
    #[error("a partition needs at least one member")]
    NoMember,
    /// Somebody would go without.
    #[error("{samples} samples cannot be divided among {members} members so that each has one: take fewer members")]
    TooFewSamples {
        /// Samples there are.
        samples: usize,
        /// Members there are.
        members: usize,
    },
    /// More labels asked for each member than there are.
    #[error("label:{k} asks for {k} labels per member, the data has {classes}: ask for fewer")]
    TooFewLabels {
        /// Labels asked for.
        k: usize,
        /// Labels there are.
        classes: usize,
    },
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iid => f.write_str("iid"),
            Self::Dirichlet { alpha } => write!(f, "dirichlet:{alpha}"),
            Self::Shards { per_member } => write!(f, "shards:{per_member}"),
            Self::LabelK { k } => write!(f, "label:{k}"),
        }
    }
}

impl FromStr for Partition {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        match (name, number) {
            ("iid", None) => Ok(Self::Iid),
            ("dirichlet", Some(number)) => {
                let alpha = number.parse().ok().filter(|alpha| ALPHA.contains(alpha));
                let bounds = || format!("from {} to {}", ALPHA.start(), ALPHA.end());
                alpha.map(|alpha| Self::Dirichlet { alpha }).ok_or_else(|| number_error(text, bounds()))
            }
            ("shards", Some(number)) => {
                Ok(Self::Shards { per_member: parse_count(text, number, SHARDS_PER_MEMBER_MAX)? })
            }
            ("label", Some(number)) => Ok(Self::LabelK { k: parse_count(text, number, LABELS_MAX)? }),
            _ => Err(PartitionError::Unknown(excerpt(text))),
        }
    }
}

fn parse_count(text: &str, number: &str, max: usize) -> Result<usize, PartitionError> {
    let count = number.parse().ok().filter(|count| (1..=max).contains(count));
    count.ok_or_else(|| number_error(text, format!("a whole number from 1 to {max}")))
}

fn number_error(text: &str, bounds: String) -> PartitionError {
    PartitionError::Number { text: excerpt(text), bounds }
}

/// As much of a user's text as belongs in a message.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Serialize for Partition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Partition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The sample numbers of each member, ascending. Every sample goes to exactly one member and no member goes without.
///
/// # Errors
/// [`PartitionError`] if there is no member, fewer samples than members, or fewer labels than asked for.
pub fn assign(
    labels: &[u8],
    members: usize,
    partition: &Partition,
    seed: u64,
) -> Result<Vec<Vec<u32>>, PartitionError> {
    if members == 0 {
        return Err(PartitionError::NoMember);
    }
    if labels.len() < members {
        return Err(PartitionError::TooFewSamples { samples: labels.len(), members });
    }
    let mut rng = generator(ASSIGN_CONTEXT, seed);
    let mut parts = match *partition {
        Partition::Iid => iid(labels, members, &mut rng),
        Partition::Dirichlet { alpha } => dirichlet(labels, members, alpha, &mut rng),
        Partition::Shards { per_member } => shards(labels, members, per_member, &mut rng),
        Partition::LabelK { k } => label_k(labels, members, k, &mut rng)?,
    };
    top_up(&mut parts, 1);
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}

/// The samples of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Those to train on, ascending.
    pub train: Vec<u32>,
    /// Those never trained on, ascending: updates are appraised on them.
    pub held_out: Vec<u32>,
}

/// Sets `fraction` of a member's samples aside, at least one as long as one remains to train on.
///
/// A fraction outside [0, 1] counts as the nearer end.
pub fn hold_out(indices: &[u32], fraction: f64, seed: u64) -> Split {
    let mut rng = generator(HOLD_OUT_CONTEXT, seed);
    let mut shuffled = indices.to_vec();
    shuffled.shuffle(&mut rng);
    let wanted = (indices.len() as f64 * fraction) as usize;
    let count = wanted.max(1).min(indices.len().saturating_sub(1));
    let mut train = shuffled.split_off(count);
    shuffled.sort_unstable();
    train.sort_unstable();
    Split { train, held_out: shuffled }
}

fn generator(context: &str, seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(Hash::derive(context, &[&seed.to_le_bytes()]).0)
}

fn iid(labels: &[u8], members: usize, rng: &mut ChaCha20Rng) -> Vec<Vec<u32>> {
    let mut indices: Vec<u32> = (0..labels.len() as u32).collect();
    indices.shuffle(rng);
    even_cuts(&indices, members).map(<[u32]>::to_vec).collect()
}

fn shards(labels: &[u8], members: usize, per_member: usize, rng: &mut ChaCha20Rng) -> Vec<Vec<u32>> {
    let sorted: Vec<u32> = by_label(labels, rng).into_values().flatten().collect();
    let mut shards: Vec<&[u32]> = even_cuts(&sorted, members * per_member).collect();
    shards.shuffle(rng);
    shards.chunks(per_member).map(<[&[u32]]>::concat).collect()
}

fn label_k(labels: &[u8], members: usize, k: usize, rng: &mut ChaCha20Rng) -> Result<Vec<Vec<u32>>, PartitionError> {
    let classes = by_label(labels, rng);
    if k > classes.len() {
        return Err(PartitionError::TooFewLabels { k, classes: classes.len() });
    }
    let holders = deal_labels(classes.len(), members, k, rng);
    let mut parts = vec![Vec::new(); members];
    for (indices, holders) in classes.values().zip(&holders) {
        for (cut, &member) in even_cuts(indices, holders.len()).zip(holders) {
            parts[member].extend_from_slice(cut);
        }
    }
    Ok(parts)
}

/// The holders of each label. A member takes the first `k` labels that it lacks from a shuffled deck, and a new deck
/// is opened when that one cannot serve it, so that all labels find nearly equally many holders.
fn deal_labels(classes: usize, members: usize, k: usize, rng: &mut ChaCha20Rng) -> Vec<Vec<usize>> {
    let mut holders = vec![Vec::new(); classes];
    let mut deck = shuffled_deck(classes, rng);
    for member in 0..members {
        for _ in 0..k {
            let place = loop {
                match deck.iter().position(|&label| !holders[label].contains(&member)) {
                    Some(place) => break place,
                    None => deck.extend(shuffled_deck(classes, rng)),
                }
            };
            holders[deck.remove(place)].push(member);
        }
    }
    for (label, holders) in holders.iter_mut().enumerate().filter(|(_, holders)| holders.is_empty()) {
        holders.push(label % members);
    }
    holders
}

fn shuffled_deck(classes: usize, rng: &mut ChaCha20Rng) -> Vec<usize> {
    let mut deck: Vec<usize> = (0..classes).collect();
    deck.shuffle(rng);
    deck
}

/// Draws until everybody has enough; a very small alpha may never do that, so in the end the poorest are topped up.
fn dirichlet(labels: &[u8], members: usize, alpha: f64, rng: &mut ChaCha20Rng) -> Vec<Vec<u32>> {
    let enough = SAMPLES_PER_MEMBER_MIN.min(labels.len() / members);
    let classes = by_label(labels, rng);
    let mut parts = Vec::new();
    for _ in 0..DRAWS_MAX {
        parts = vec![Vec::new(); members];
        for indices in classes.values() {
            cut_by_shares(indices, &dirichlet_shares(members, alpha, rng), &mut parts);
        }
        if parts.iter().all(|part| part.len() >= enough) {
            return parts;
        }
    }
    top_up(&mut parts, enough);
    parts
}

/// Dirichlet shares: every member's is a gamma variate, of the sum of all.
fn dirichlet_shares(members: usize, alpha: f64, rng: &mut ChaCha20Rng) -> Vec<u64> {
    let Ok(gamma) = Gamma::new(alpha, 1.0) else { return vec![1; members] };
    let draws: Vec<f64> = (0..members).map(|_| gamma.sample(rng)).collect();
    let mut shares = in_steps(&draws);
    if shares.iter().all(|&share| share == 0) {
        // With a tiny alpha every draw may underflow: then one member has it all, as in the limit.
        shares[rng.random_range(0..members)] = 1;
    }
    shares
}

/// Each draw's share of the sum, in steps of 2^-20.
fn in_steps(draws: &[f64]) -> Vec<u64> {
    let total: f64 = draws.iter().sum();
    draws.iter().map(|draw| (draw / total * SHARE_STEPS).round() as u64).collect()
}

/// Cuts `indices` in proportion to `shares`, in integers.
fn cut_by_shares(indices: &[u32], shares: &[u64], parts: &mut [Vec<u32>]) {
    let total: u64 = shares.iter().sum();
    let (mut share_so_far, mut begin) = (0, 0);
    for (part, share) in parts.iter_mut().zip(shares) {
        share_so_far += share;
        let end = (indices.len() as u64 * share_so_far / total) as usize;
        part.extend_from_slice(&indices[begin..end]);
        begin = end;
    }
}

/// Moves single samples from the richest member to the poorest until everybody has `enough`.
fn top_up(parts: &mut [Vec<u32>], enough: usize) {
    while let Some(poor) = (0..parts.len()).find(|&member| parts[member].len() < enough) {
        let richest = (0..parts.len()).max_by_key(|&member| parts[member].len());
        let Some(sample) = richest.and_then(|rich| parts[rich].pop()) else { return };
        parts[poor].push(sample);
    }
}

/// The sample numbers of each label, shuffled.
fn by_label(labels: &[u8], rng: &mut impl Rng) -> BTreeMap<u8, Vec<u32>> {
    let mut classes: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
    for (index, &label) in (0..).zip(labels) {
        classes.entry(label).or_default().push(index);
    }
    classes.values_mut().for_each(|indices| indices.shuffle(rng));
    classes
}

/// `items` in `pieces` pieces whose lengths differ by at most one.
fn even_cuts<T>(items: &[T], pieces: usize) -> impl Iterator<Item = &[T]> {
    let border = move |piece: usize| items.len() * piece / pieces;
    (0..pieces).map(move |piece| &items[border(piece)..border(piece + 1)])
}

#[cfg(test)]
mod tests;
