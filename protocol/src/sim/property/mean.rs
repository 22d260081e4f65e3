//! No honest vote goes to a body whose model is not the mean of its updates.

use std::collections::{BTreeMap, BTreeSet};

use super::{Archive, Property, Sight};
use crate::{
    body::{Body, Evidence, SettleEvidence},
    consensus,
    genesis::Genesis,
    ids::{BlobRef, Hash, Height},
    statement::BodyOffer,
    wire::Message,
};

/// Recomputes the mean of every body that an honest member votes for.
#[derive(Debug)]
pub(super) struct TrueMean {
    max_norm: f64,
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
            max_norm: f64::from(genesis.limits.max_update_norm),
            shown: BTreeMap::new(),
            sound: BTreeSet::new(),
            models: [(Height(0), genesis.task.initial_model)].into(),
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
            let mean = if settle.updates.is_empty() { *base } else { self.mean(settle, base, archive)? };
            if mean != settle.model {
                return Err(format!("{} names {}, but the mean is {mean}", id.short(), settle.model));
            }
        }
        self.sound.insert(id);
        Ok(())
    }

    /// The mean, number by number: each column of numbers is summed in the order of the makers.
    fn mean(&self, settle: &SettleEvidence, base: &BlobRef, archive: &Archive) -> Result<BlobRef, String> {
        let base = numbers(base, archive)?;
        let mut rows = Vec::new();
        for signed in &settle.updates {
            let offer = signed.peek().map_err(|error| error.to_string())?;
            let row = numbers(&offer.update, archive)?;
            let distance = row.iter().zip(&base).map(|(new, old)| (new - old) * (new - old)).sum::<f64>().sqrt();
            if row.len() != base.len() || !distance.is_finite() || distance > self.max_norm {
                return Err(format!("{}'s update cannot enter a mean", signed.signer.short()));
            }
            rows.push((offer.samples as f64, row));
        }
        if rows.iter().all(|(weight, _)| *weight == 0.0) {
            rows.iter_mut().for_each(|(weight, _)| *weight = 1.0);
        }
        let total: f64 = rows.iter().map(|(weight, _)| weight).sum();
        let column = |place: usize| rows.iter().map(|(weight, row)| weight * row[place]).sum::<f64>();
        let mean = (0..base.len()).flat_map(|place| ((column(place) / total) as f32).to_le_bytes());
        Ok(BlobRef::of(&mean.collect::<Vec<u8>>()))
    }
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
            Sight::Forgery { .. } => {}
        }
        Ok(())
    }
}
