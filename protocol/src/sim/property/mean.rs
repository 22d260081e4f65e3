//! No honest vote goes to a body that refuses other updates than it must, or whose model does not follow from the rest
//! by the rule of the genesis.

use std::collections::{BTreeMap, BTreeSet};

use super::{Archive, Property, Sight, reading};
use crate::{
    aggregate::{Mixing, Rule},
    body::{Body, Evidence, SettleEvidence},
    consensus,
    detection::Pretence,
    genesis::{Aggregation, Genesis},
    ids::{BlobRef, Hash, Height},
    statement::{BodyOffer, UpdateOffer},
    wire::Message,
};

/// Recomputes the model of every body that an honest member votes for: by the mean, and among whole updates by the
/// median and the trimmed mean too, mixed before or not. Of other models it judges only the updates that enter them.
#[derive(Debug)]
pub(super) struct TrueMean {
    genesis: Genesis,
    /// Every body that anybody has shown.
    shown: BTreeMap<Hash, Vec<u8>>,
    /// Bodies whose model was recomputed.
    sound: BTreeSet<Hash>,
    /// The model after each height.
    models: BTreeMap<Height, BlobRef>,
}

impl TrueMean {
    pub(super) fn new(genesis: &Genesis) -> Self {
        Self {
            shown: BTreeMap::new(),
            sound: BTreeSet::new(),
            models: [(Height(0), genesis.task.initial_model)].into(),
            genesis: genesis.clone(),
        }
    }

    fn show(&mut self, message: &Message) {
        if let Message::Body(signed) = message
            && let Ok(BodyOffer { body, .. }) = signed.peek()
        {
            self.shown.insert(Hash::of(&body), body.into_vec());
        }
    }

    fn check_vote(&mut self, id: Hash, archive: &Archive) -> Result<(), String> {
        if self.sound.contains(&id) {
            return Ok(());
        }
        let bytes = self.shown.get(&id).ok_or_else(|| format!("{} was never shown", id.short()))?;
        let body = Body::decode(bytes).map_err(|error| error.to_string())?;
        if let Evidence::Settle(settle) = &body.evidence {
            let before = Height(body.header.height.0 - 1);
            let base = self.models.get(&before).ok_or_else(|| format!("height {before} is not decided"))?;
            let model = if settle.updates.is_empty() { Some(*base) } else { self.model(settle, base, archive)? };
            if let Some(model) = model.filter(|model| *model != settle.model) {
                return Err(format!("{} names {}, but the model is {model}", id.short(), settle.model));
            }
        }
        self.sound.insert(id);
        Ok(())
    }

    /// The model, number by number, of what the makers say in their order. What nobody holds stays as it was. `None`
    /// where it is not known here how they are put together.
    fn model(&self, settle: &SettleEvidence, base: &BlobRef, archive: &Archive) -> Result<Option<BlobRef>, String> {
        let first = *base;
        let base = numbers(&first, archive)?;
        let mut rows = Vec::new();
        for signed in &settle.updates {
            let offer = signed.peek().map_err(|error| error.to_string())?;
            let row = self.row(&offer, &base, archive);
            let row = row.map_err(|why| format!("{}'s update cannot enter a mean: {why}", signed.signer.short()))?;
            let changes = row.iter().zip(&base).any(|(new, old)| new.is_some_and(|new| new != *old));
            // Models here are too small for any other pretence to show.
            if settle.refused.get(&signed.signer) != (!changes).then_some(&Pretence::Idle) {
                return Err(format!("{}'s update is refused without reason, or not with", signed.signer.short()));
            }
            if changes {
                rows.push((offer.samples as f64, row));
            }
        }
        if rows.is_empty() {
            return Ok(Some(first));
        }
        let model = if self.genesis.aggregation == Aggregation::default() {
            Some(mean(&rows, &base))
        } else {
            let whole: Option<Vec<Vec<f64>>> = rows.into_iter().map(|(_, row)| row.into_iter().collect()).collect();
            whole.and_then(|rows| robust(self.genesis.aggregation, &base, rows))
        };
        let bytes =
            |model: Vec<f64>| model.into_iter().flat_map(|value| (value as f32).to_le_bytes()).collect::<Vec<u8>>();
        Ok(model.map(|model| BlobRef::of(&bytes(model))))
    }

    /// What an update says about each number of the model, if it is sound.
    fn row(&self, offer: &UpdateOffer, base: &[f64], archive: &Archive) -> Result<Vec<Option<f64>>, String> {
        let contract =
            self.genesis.contracts.get(usize::from(offer.contract)).ok_or("its contract is not on the menu")?;
        let held = reading::held(&self.genesis, contract.width);
        let before: Vec<f64> = base.iter().zip(&held).filter_map(|(base, held)| held.then_some(*base)).collect();
        let bytes = archive.get(&offer.update).ok_or("nobody has ever made it")?;
        let after = reading::read(self.genesis.exchange.codec, &before, &bytes)?;
        let distance = after.iter().zip(&before).map(|(new, old)| (new - old) * (new - old)).sum::<f64>().sqrt();
        if !distance.is_finite() || distance > f64::from(self.genesis.limits.max_update_norm) {
            return Err(format!("it lies {distance} away"));
        }
        let mut after = after.into_iter();
        Ok(held.into_iter().map(|held| held.then(|| after.next()).flatten()).collect())
    }
}

/// The mean of each column, over those who hold it.
fn mean(rows: &[(f64, Vec<Option<f64>>)], base: &[f64]) -> Vec<f64> {
    let column = |place: usize| -> Vec<(f64, f64)> {
        rows.iter().filter_map(|(weight, row)| Some((*weight, row.get(place).copied().flatten()?))).collect()
    };
    let value = |(place, base): (usize, &f64)| {
        let column = column(place);
        if column.is_empty() { *base } else { mean_of(&column) }
    };
    base.iter().enumerate().map(value).collect()
}

/// What a robust rule makes of whole updates, each counted once. `None` for a rule that is not known here.
fn robust(aggregation: Aggregation, base: &[f64], rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let middle = (rows.len() - 1) / 2;
    let cut = match aggregation.rule {
        Rule::WeightedMean => 0,
        Rule::Median => middle,
        Rule::TrimmedMean { liars } => middle.min(liars as usize),
        Rule::MultiKrum { .. } | Rule::CentredClipping { .. } => return None,
    };
    let rows = match aggregation.mixing {
        Mixing::None => rows,
        Mixing::Nearest { liars } => {
            let apart = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            mixed(&rows, &circles(&rows, liars as usize, apart))
        }
        Mixing::Aligned { liars } => {
            let step = |row: &Vec<f64>| row.iter().zip(base).map(|(a, b)| f64::from((a - b) as f32)).collect();
            let steps: Vec<Vec<f64>> = rows.iter().map(step).collect();
            mixed(&shortened(base, &rows, &steps), &circles(&steps, liars as usize, |other, own| -along(other, own)))
        }
    };
    let value = |place: usize| {
        let mut column: Vec<f64> = rows.iter().map(|row| row[place]).collect();
        if aggregation.rule != Rule::WeightedMean {
            column.sort_by(f64::total_cmp);
        }
        let kept: Vec<(f64, f64)> = column[cut..column.len() - cut].iter().map(|value| (1.0, *value)).collect();
        mean_of(&kept)
    };
    Some((0..rows.first()?.len()).map(value).collect())
}

/// Each row with its step from `base` made no longer than the lower median of them, as if a member had sent that.
fn shortened(base: &[f64], rows: &[Vec<f64>], steps: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let lengths: Vec<f64> = steps.iter().map(|step| step.iter().map(|a| a * a).sum::<f64>().sqrt()).collect();
    let mut sorted = lengths.clone();
    sorted.sort_by(f64::total_cmp);
    let most = sorted[(sorted.len() - 1) / 2];
    let short = |(row, length): (&Vec<f64>, &f64)| {
        let share = most / length;
        let moved = |(value, base): (&f64, &f64)| f64::from((base + share * (value - base)) as f32);
        if share < 1.0 { row.iter().zip(base).map(moved).collect() } else { row.clone() }
    };
    rows.iter().zip(&lengths).map(short).collect()
}

/// How far `other` goes along `own`, for its length; one of no length goes nowhere.
fn along(other: &[f64], own: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = product(other, other).sqrt();
    if length > 0.0 { product(own, other) / length } else { f64::NEG_INFINITY }
}

/// For each point itself and those that are least apart from it, in order.
fn circles(points: &[Vec<f64>], liars: usize, apart: impl Fn(&[f64], &[f64]) -> f64) -> Vec<Vec<usize>> {
    let kept = points.len() - liars.min((points.len() - 1) / 2);
    let circle = |own: usize| {
        let mut others: Vec<usize> = (0..points.len()).filter(|place| *place != own).collect();
        let from_own = |place: usize| apart(&points[place], &points[own]);
        others.sort_by(|a, b| from_own(*a).total_cmp(&from_own(*b)));
        let mut circle: Vec<usize> = std::iter::once(own).chain(others).take(kept).collect();
        circle.sort_unstable();
        circle
    };
    (0..points.len()).map(circle).collect()
}

/// Each row replaced by the mean of its circle, as if a member had sent that.
fn mixed(rows: &[Vec<f64>], circles: &[Vec<usize>]) -> Vec<Vec<f64>> {
    let mean = |circle: &Vec<usize>| {
        let at = |place: usize| circle.iter().map(|row| rows[*row][place]).sum::<f64>() / circle.len() as f64;
        (0..rows[0].len()).map(|place| f64::from(at(place) as f32)).collect()
    };
    circles.iter().map(mean).collect()
}

/// The mean of values with their weights; if none has a weight, all weigh the same.
fn mean_of(column: &[(f64, f64)]) -> f64 {
    let unweighted = column.iter().all(|(weight, _)| *weight == 0.0);
    let weight = |weight: f64| if unweighted { 1.0 } else { weight };
    let total: f64 = column.iter().map(|(given, _)| weight(*given)).sum();
    column.iter().map(|(given, value)| weight(*given) * value).sum::<f64>() / total
}

fn numbers(blob: &BlobRef, archive: &Archive) -> Result<Vec<f64>, String> {
    let bytes = archive.get(blob).ok_or_else(|| format!("nobody has ever made {blob}"))?;
    let (chunks, _) = bytes.as_chunks::<4>();
    Ok(chunks.iter().map(|chunk| f64::from(f32::from_le_bytes(*chunk))).collect())
}

impl Property for TrueMean {
    fn name(&self) -> &'static str {
        "no honest vote goes to a wrong model"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Lie { message } => self.show(message),
            Sight::Commit { commit, .. } => {
                self.models.insert(commit.height, commit.state.model);
            }
            Sight::Said { id, message, archive, .. } => {
                self.show(message);
                if let Message::Agreement(consensus::Message::Vote(vote)) = message
                    && vote.signer == *id
                    && let Some(body) = vote.body
                {
                    return self.check_vote(body, archive);
                }
            }
            Sight::Forgery { .. }
            | Sight::Accused { .. }
            | Sight::Restored { .. }
            | Sight::Offered { .. }
            | Sight::Mixed { .. } => {}
        }
        Ok(())
    }
}
