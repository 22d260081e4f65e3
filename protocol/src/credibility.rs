//! Credibility: how much a member's appraisals count, by how they have stood beside those of others.
//!
//! An appraisal cannot be checked, since it rests on data that nobody else has. But who praises friends or talks rivals
//! down strays from the others, and farther than honest members stray who only have other data. So a member is doubted
//! if it is much farther from the others than members of this round usually are: what it says then counts for nothing, and
//! its credibility halves. It is won back slowly, so that a liar has little of it when it lies less openly.
//!
//! Gains are weighted medians: as long as honest members hold more than half of the credibility, no gain lies outside of
//! what some of them say.

use std::collections::BTreeMap;

use crate::{ids::MemberId, ledger::Ledger, statement::Appraisal};

/// Farther from the others than this many times the usual distance, a member is doubted ...
const DOUBT_BEYOND: u128 = 4;

/// ... and up to this many times it is believed. Between the two nothing is said of it.
const BELIEVE_UP_TO: u128 = 2;

/// Appraisals that make a usual distance. Of fewer, nobody is judged.
const LEAST_APPRAISALS: usize = 4;

/// Gains in which two appraisals must agree to the last digit to be one: a single one could be chance.
const LEAST_EQUAL: usize = 2;

/// Parts of a credibility, so that as many as there can be members can share one.
const SHARES: u64 = 128;

/// Parts of a millionth of loss, in which mean distances are told apart.
const FINENESS: u128 = 1_000;

/// How a member's appraisal has stood beside those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It says what others say, as nearly as members usually do.
    Believed,
    /// Neither that nor the opposite, or the same as another to the last digit.
    Open,
    /// It strays too far.
    Doubted,
}

/// What the appraisal of each member counts: its credibility, shared with all that say the same to the last digit.
/// Whoever copies adds nothing to what was said. Only if those who agree hold most of all credibility, each counts in
/// full: they decide however they came to agree, and where nothing differs, honest members find the same.
pub fn weights(appraisals: &BTreeMap<MemberId, Appraisal>, ledger: &Ledger) -> BTreeMap<MemberId, u64> {
    let credibility = |member: &MemberId| {
        let account = ledger.accounts.get(member);
        u64::from(account.map_or(0, |account| account.credibility).max(1)) * SHARES
    };
    let total: u64 = appraisals.keys().map(credibility).sum();
    let weight = |(member, appraisal): (&MemberId, &Appraisal)| {
        let (own, copies) = (credibility(member), copies(member, appraisal, appraisals));
        let together = own + copies.iter().map(|other| credibility(other)).sum::<u64>();
        let sharers = if 2 * together > total { 1 } else { 1 + copies.len() as u64 };
        (*member, own / sharers)
    };
    appraisals.iter().map(weight).collect()
}

/// Others that say the same of those whom both have appraised.
fn copies<'a>(
    member: &MemberId,
    appraisal: &Appraisal,
    appraisals: &'a BTreeMap<MemberId, Appraisal>,
) -> Vec<&'a MemberId> {
    let is_copy = |other: &Appraisal| {
        let common = || appraisal.gains.iter().filter_map(|(maker, gain)| Some((*gain, *other.gains.get(maker)?)));
        common().all(|(a, b)| a == b) && common().filter(|(gain, _)| *gain != 0).count() >= LEAST_EQUAL
    };
    let others = appraisals.iter().filter(|(other, appraisal)| *other != member && is_copy(appraisal));
    others.map(|(other, _)| other).collect()
}

/// The gain of the update of `maker` by the appraisals of all others that have a weight, but `without`: the lower
/// weighted median, clamped.
/// `None` if nobody says anything.
pub fn gain(
    maker: &MemberId,
    without: Option<&MemberId>,
    appraisals: &BTreeMap<MemberId, Appraisal>,
    weights: &BTreeMap<MemberId, u64>,
) -> Option<i64> {
    let others = appraisals.iter().filter(|(appraiser, _)| *appraiser != maker && Some(*appraiser) != without);
    median(others.filter_map(|(appraiser, appraisal)| {
        let (gain, weight) = (*appraisal.gains.get(maker)?, *weights.get(appraiser)?);
        Some((clamped(gain), u128::from(weight)))
    }))
}

/// The accuracy of the model that the round started from: the lower weighted median of what all say that have a weight
/// and held-out data, in millionths. `None` if nobody says anything.
pub fn accuracy_ppm(appraisals: &BTreeMap<MemberId, Appraisal>, weights: &BTreeMap<MemberId, u64>) -> Option<u32> {
    let measured = appraisals.iter().filter(|(_, appraisal)| appraisal.held_out.samples > 0);
    median(measured.filter_map(|(appraiser, appraisal)| {
        Some((appraisal.held_out.accuracy_ppm, u128::from(*weights.get(appraiser)?)))
    }))
}

/// The least of the values with which half of all weight is reached.
fn median<T: Ord>(said: impl Iterator<Item = (T, u128)>) -> Option<T> {
    let mut said: Vec<(T, u128)> = said.collect();
    said.sort();
    let total: u128 = said.iter().map(|(_, weight)| weight).sum();
    let mut reached = 0;
    said.into_iter().find_map(|(value, weight)| {
        reached += weight;
        (2 * reached >= total).then_some(value)
    })
}

fn clamped(gain: i64) -> i64 {
    gain.clamp(-Appraisal::MOST, Appraisal::MOST)
}

/// How every appraisal stands beside the others, in what it says of `makers`. Who says nothing of them has no standing.
pub fn standings(
    makers: &[MemberId],
    appraisals: &BTreeMap<MemberId, Appraisal>,
    weights: &BTreeMap<MemberId, u64>,
) -> BTreeMap<MemberId, Standing> {
    let distance = |member: &MemberId| Some((*member, distance(member, makers, appraisals, weights)?));
    let distances: BTreeMap<MemberId, u128> = appraisals.keys().filter_map(distance).collect();
    let weight = |member| u128::from(weights.get(member).copied().unwrap_or(0));
    let usual = median(distances.iter().map(|(member, distance)| (*distance, weight(member))));
    let Some(usual) = usual.filter(|_| distances.len() >= LEAST_APPRAISALS) else { return BTreeMap::new() };
    let standing = |(member, distance): (&MemberId, &u128)| {
        let is_copied = || appraisals.get(member).is_some_and(|own| !copies(member, own, appraisals).is_empty());
        let standing = match *distance {
            distance if distance > DOUBT_BEYOND * usual => Standing::Doubted,
            distance if distance <= BELIEVE_UP_TO * usual && !is_copied() => Standing::Believed,
            _ => Standing::Open,
        };
        (*member, standing)
    };
    distances.iter().map(standing).collect()
}

/// How far `member` is from what the others say of the updates that it has appraised, on average.
fn distance(
    member: &MemberId,
    makers: &[MemberId],
    appraisals: &BTreeMap<MemberId, Appraisal>,
    weights: &BTreeMap<MemberId, u64>,
) -> Option<u128> {
    let own = appraisals.get(member)?;
    let apart = |maker: &MemberId| {
        let said = clamped(*own.gains.get(maker).filter(|_| maker != member)?);
        Some(u128::from(said.abs_diff(gain(maker, Some(member), appraisals, weights)?)))
    };
    let apart: Vec<u128> = makers.iter().filter_map(apart).collect();
    (FINENESS * apart.iter().sum::<u128>()).checked_div(apart.len() as u128)
}

#[cfg(test)]
mod tests;
