//! What is made of the round's updates: those that only pretend to be work are found out, the others become the next
//! model. Both are ordered once for each set of updates, and compared with what a body claims.

use std::collections::BTreeMap;

use super::{AggregateOrder, BatchId, Effect, InspectOrder, Machine, OrderedUpdate, Result};
use crate::{
    body::SettleEvidence,
    codec,
    consensus::Verdict,
    crypto::Signed,
    detection::{Pretence, Signs},
    ids::{BlobRef, Hash, MemberId},
    state::Stage,
    statement::{Appraisal, UpdateOffer},
};

/// What is known of something that takes work to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// It is being found out.
    Ordered,
    /// It is this.
    Known(T),
    /// There is none: one of the updates cannot enter an aggregate.
    Nothing,
}

/// What a Settle makes of its updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    /// The next model.
    pub(super) model: BlobRef,
    /// Whose updates are not in it, and why.
    pub(super) refused: BTreeMap<MemberId, Pretence>,
}

/// What was asked for in the open round, by batch.
#[derive(Debug, Default)]
pub(super) struct Findings {
    signs: BTreeMap<BatchId, Found<Signs>>,
    means: BTreeMap<BatchId, Found<BlobRef>>,
}

impl Findings {
    /// Forgets what was ordered and is not known: some of it rested on a blob that is lost.
    pub(super) fn start_over(&mut self) {
        self.signs.retain(|_, found| *found != Found::Ordered);
        self.means.retain(|_, found| *found != Found::Ordered);
    }
}

impl Machine {
    /// Updates that this member would settle: here, sound, and signed for.
    pub(super) fn sound_updates(&self) -> BTreeMap<MemberId, UpdateOffer> {
        let offers = self.pool.updates.iter().filter(|(maker, _)| self.training.is_sound(maker));
        offers.map(|(maker, said)| (*maker, said.what)).collect()
    }

    /// Orders what this member would propose, before anybody asks for it.
    pub(super) fn prepare_model(&mut self) {
        let updates = self.sound_updates();
        if !updates.is_empty() {
            let appraisals = self.appraisals();
            self.make_of(&updates, &appraisals);
        }
    }

    /// The appraisals that are here.
    pub(super) fn appraisals(&self) -> Vec<Signed<Appraisal>> {
        self.pool.appraisals.iter().map(|(_, said)| said.signed.clone()).collect()
    }

    /// R37: what is made of `updates`, when `appraisals` say in which order they have come.
    pub(super) fn make_of(
        &mut self,
        updates: &BTreeMap<MemberId, UpdateOffer>,
        appraisals: &[Signed<Appraisal>],
    ) -> Found<Made> {
        let signs = match self.signs_of(updates) {
            Found::Known(signs) => signs,
            Found::Ordered => return Found::Ordered,
            Found::Nothing => return Found::Nothing,
        };
        let refused = signs.pretences(&self.arrivals(appraisals), &self.state.seed);
        let mut kept = updates.clone();
        kept.retain(|maker, _| !refused.contains_key(maker));
        match self.mean_of(&kept) {
            Found::Known(model) => Found::Known(Made { model, refused }),
            Found::Ordered => Found::Ordered,
            Found::Nothing => Found::Nothing,
        }
    }

    /// In which order whose updates have reached whom.
    fn arrivals(&self, appraisals: &[Signed<Appraisal>]) -> BTreeMap<MemberId, Vec<MemberId>> {
        let winners: Vec<MemberId> = self.training.awards().copied().collect();
        let arrivals = |signed: &Signed<Appraisal>| Some((signed.signer, signed.peek().ok()?.arrivals(&winners)));
        appraisals.iter().filter_map(arrivals).collect()
    }

    /// What the bytes of `updates` say, which is ordered if need be.
    fn signs_of(&mut self, updates: &BTreeMap<MemberId, UpdateOffer>) -> Found<Signs> {
        if updates.is_empty() {
            return Found::Known(Signs::default());
        }
        let updates = self.ordered(updates);
        let (base, previous) = (self.state.model, self.state.previous);
        let batch = BatchId(Hash::derive("althing 1 batch", &[&codec::encode(&(base, previous, &updates))]));
        if let Some(signs) = self.bodies.findings.signs.get(&batch) {
            return signs.clone();
        }
        if self.are_here(updates.iter().map(|ordered| ordered.update).chain([base, previous])) {
            self.bodies.findings.signs.insert(batch, Found::Ordered);
            self.effects.push(Effect::Inspect(InspectOrder { batch, base, previous, updates }));
        }
        Found::Ordered
    }

    /// The mean of `updates`, which is ordered if need be; the model as it is, if there are none.
    fn mean_of(&mut self, updates: &BTreeMap<MemberId, UpdateOffer>) -> Found<BlobRef> {
        let base = self.state.model;
        if updates.is_empty() {
            return Found::Known(base);
        }
        let updates = self.ordered(updates);
        let batch = BatchId(Hash::derive("althing 1 batch", &[&codec::encode(&(base, &updates))]));
        if let Some(mean) = self.bodies.findings.means.get(&batch) {
            return mean.clone();
        }
        if self.are_here(updates.iter().map(|ordered| ordered.update).chain([base])) {
            self.bodies.findings.means.insert(batch, Found::Ordered);
            self.effects.push(Effect::Aggregate(AggregateOrder { batch, base, updates }));
        }
        Found::Ordered
    }

    /// Whether all these are here. What is not is fetched.
    fn are_here(&mut self, needed: impl Iterator<Item = BlobRef>) -> bool {
        let missing: Vec<BlobRef> = needed.filter(|blob| !self.blobs.contains(blob)).collect();
        for &blob in &missing {
            let from = self.present.iter().copied().collect();
            self.effects.push(Effect::Fetch { blob, from });
        }
        missing.is_empty()
    }

    /// Each update with the width of its contract, which is on the menu: other offers were refused.
    pub(super) fn ordered(&self, updates: &BTreeMap<MemberId, UpdateOffer>) -> Vec<OrderedUpdate> {
        let ordered = |(maker, offer): (&MemberId, &UpdateOffer)| {
            let width = self.federation.genesis.contract(offer.contract)?.width;
            Some(OrderedUpdate { maker: *maker, update: offer.update, samples: offer.samples, width })
        };
        updates.iter().filter_map(ordered).collect()
    }

    /// A batch has been inspected.
    pub(super) fn inspected(&mut self, batch: BatchId, signs: std::result::Result<Signs, Vec<MemberId>>) -> Result {
        // An order of a round that is over is of no use any more.
        let Some(slot) = self.bodies.findings.signs.get_mut(&batch) else { return Ok(()) };
        *slot = signs.map_or(Found::Nothing, Found::Known);
        self.prepare_model();
        self.judge_again()?;
        self.build_again()
    }

    /// A mean has been computed.
    pub(super) fn aggregated(&mut self, batch: BatchId, mean: std::result::Result<BlobRef, Vec<MemberId>>) -> Result {
        let Some(slot) = self.bodies.findings.means.get_mut(&batch) else { return Ok(()) };
        *slot = match mean {
            Ok(blob) => {
                self.blobs.insert(blob);
                Found::Known(blob)
            }
            Err(_) => Found::Nothing,
        };
        self.judge_again()?;
        self.build_again()
    }

    /// Whether a Settle refuses and makes of its updates what this member does; `None` while that is being found out.
    pub(super) fn judge_making(&mut self, evidence: &SettleEvidence) -> Option<Verdict> {
        let mut updates = BTreeMap::new();
        for signed in &evidence.updates {
            // The evidence was opened before, so every update can be read.
            let Ok(offer) = signed.peek() else { return Some(Verdict::Invalid) };
            updates.insert(signed.signer, offer);
        }
        match self.make_of(&updates, &evidence.appraisals) {
            Found::Ordered => None,
            Found::Known(made) if made.model == evidence.model && made.refused == evidence.refused => {
                Some(Verdict::Valid)
            }
            Found::Known(_) | Found::Nothing => Some(Verdict::Invalid),
        }
    }

    /// Fetches again what this member still lacks, from those who are here now.
    pub(super) fn fetch_what_is_missing(&mut self) {
        let mut needed = vec![self.state.model];
        if matches!(self.state.stage, Stage::Settling(_)) {
            needed.extend(self.pool.updates.iter().map(|(_, said)| said.what.update));
            needed.push(self.state.previous);
        }
        self.are_here(needed.into_iter());
    }
}
