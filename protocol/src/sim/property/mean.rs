//! No honest vote goes to a body whose model is not the mean of its updates.

use std::collections::{BTreeMap, BTreeSet};

use super::{Archive, Property, Sight, reading};
use crate::{
    body::{Body, Evidence, SettleEvidence},
    consensus,
    genesis::Genesis,
    ids::{BlobRef, Hash, Height},
    statement::{BodyOffer, UpdateOffer},
    wire::Message,
};

/// Recomputes the mean of every body that an honest member votes for.
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
            let mean = if settle.updates.is_empty() { *base } else { self.mean(settle, base, archive)? };
            if mean != settle.model {
                return Err(format!("{} names {}, but the mean is {mean}", id.short(), settle.model));
            }
        }
        self.sound.insert(id);
        Ok(())
    }

    /// The mean, number by number: each column holds what its holders say, in the order of the makers. What nobody
    /// holds stays as it was.
    fn mean(&self, settle: &SettleEvidence, base: &BlobRef, archive: &Archive) -> Result<BlobRef, String> {
        let base = numbers(base, archive)?;
        let mut columns = vec![Vec::new(); base.len()];
        for signed in &settle.updates {
            let offer = signed.peek().map_err(|error| error.to_string())?;
            let row = self.row(&offer, &base, archive);
            let row = row.map_err(|why| format!("{}'s update cannot enter a mean: {why}", signed.signer.short()))?;
            for (column, value) in columns.iter_mut().zip(row) {
                column.extend(value.map(|value| (offer.samples as f64, value)));
            }
        }
        let mean =
            columns.iter().zip(&base).map(|(column, base)| if column.is_empty() { *base } else { mean_of(column) });
        Ok(BlobRef::of(&mean.flat_map(|value| (value as f32).to_le_bytes()).collect::<Vec<u8>>()))
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
            Sight::Forgery { .. } | Sight::Offered { .. } | Sight::Mixed { .. } => {}
        }
        Ok(())
    }
}
