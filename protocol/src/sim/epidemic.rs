//! What the world does for an epidemic exchange: offers travel, models are trained and averaged.

use std::collections::{BTreeMap, BTreeSet};

use super::{agent::poisons, archive::Archive, property::Sight, queue::Event, world::World};
use crate::{
    aggregate,
    crypto::Signed,
    epidemic::{Input as Step, MixOrder, Refusal, StepOrder, mix},
    event::Event as Told,
    ids::{BlobRef, Hash, MemberId},
    machine::Input,
    statement::ModelOffer,
    time::Time,
    wire::Request,
};

/// Training goes this part of the way to what a member's own data would have it learn.
const TRAINING_GAIN: f32 = 0.3;

/// A step that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Stepped {
    /// When.
    pub at: Time,
    /// The member's own model after it.
    pub model: Vec<f32>,
    /// Models that entered it, besides its own.
    pub accepted: usize,
    /// Models that did not.
    pub refused: usize,
}

/// What `member`'s own data would have it learn: somewhere else for each member.
pub(super) fn target(member: &MemberId, parameters: usize) -> Vec<f32> {
    let hash = Hash::derive("althing 1 simulated data", &[member.as_bytes()]);
    hash.as_bytes().iter().take(parameters).map(|byte| f32::from(*byte) / 128.0 - 1.0).collect()
}

impl World<'_> {
    pub(super) fn offer(&mut self, who: usize, to: &MemberId, offer: Signed<ModelOffer>) {
        let now = self.queue.now();
        if let (Ok(said), true) = (offer.peek(), self.nodes[who].liar.is_none()) {
            let store = &self.nodes[who].store;
            self.witness.see(now, &Sight::Offered { who, said: &said, store });
        }
        let Some(&peer) = self.places.get(to) else { return };
        if !self.joined(who, peer) {
            return;
        }
        let bytes = Request::Model(offer).encode();
        self.trace.note(now, who, "offer", &bytes);
        let (asked_in, life) = (self.nodes[who].life, self.nodes[peer].life);
        for span in self.link.arrivals(&mut self.rng) {
            let bytes = bytes.clone();
            self.queue.put_in(span, Event::Question { to: peer, life, from: who, asked_in, bytes });
        }
    }

    /// Trains towards what the member's own data would have it learn.
    pub(super) fn train_step(&mut self, who: usize, order: &StepOrder) {
        let poison = self.scenario.liars.get(&who).is_some_and(poisons);
        let agent = &mut self.nodes[who].agent;
        let took = agent.rng.within(agent.habits.training_ms / 4, agent.habits.training_ms);
        let fails = agent.rng.chance(agent.habits.failure_permille);
        let Some(base) = self.archive.get(&order.base).filter(|_| !fails) else {
            return self.done(who, took, Step::Untrained { step: order.step }, None);
        };
        let start: Vec<f32> = aggregate::parameters(&base).collect();
        let goal = target(&self.nodes[who].id, start.len());
        let towards = |(w, goal): (&f32, f32)| w + TRAINING_GAIN * (goal - w);
        let mut trained: Vec<f32> = start.iter().zip(goal).map(towards).collect();
        if let Some(first) = trained.first_mut().filter(|_| poison) {
            *first = *self.nodes[who].agent.rng.pick(&[f32::NAN, f32::INFINITY, 1e9]).unwrap_or(&f32::NAN);
        }
        let model = self.archive.put(aggregate::encode(&trained));
        let input = Step::Trained { step: order.step, model, samples: 100, training_ms: took };
        self.done(who, took, input, Some(model));
    }

    pub(super) fn mix(&mut self, who: usize, order: &MixOrder) {
        let now = self.queue.now();
        let contents = |archive: &Archive, blob: &BlobRef| archive.get(blob).map(|bytes| bytes.to_vec());
        let own = contents(&self.archive, &order.own).unwrap_or_default();
        let received: Vec<(MemberId, Vec<u8>)> = order
            .received
            .iter()
            .filter_map(|(member, blob)| Some((*member, contents(&self.archive, blob)?)))
            .collect();
        let views: Vec<(MemberId, &[u8])> = received.iter().map(|(member, bytes)| (*member, &bytes[..])).collect();
        let mixture = mix(&self.federation.genesis, order.step, (self.nodes[who].id, &own), &views);
        self.witness.see(now, &Sight::Mixed { own: &own, received: &views, mixture: &mixture });
        let model = self.archive.put(mixture.model);
        let refused: BTreeMap<MemberId, Refusal> = mixture.refused;
        self.done(who, 1, Step::Mixed { step: order.step, model, refused }, Some(model));
    }

    fn done(&mut self, who: usize, ms: u64, input: Step, stored: Option<BlobRef>) {
        let life = self.nodes[who].life;
        self.queue.put_in_ms(ms, Event::Done { who, life, input: Input::Epidemic(input), stored });
    }

    pub(super) fn forget(&mut self, who: usize, blobs: &BTreeSet<BlobRef>) {
        let node = &mut self.nodes[who];
        node.store.blobs.retain(|blob| !blobs.contains(blob));
        node.seeking.retain(|blob, _| !blobs.contains(blob));
    }

    /// Takes note of a step that a member says it has ended.
    pub(super) fn stepped(&mut self, who: usize, told: &Told) {
        let Told::Stepped { model, accepted, refused, .. } = *told else { return };
        let parameters = self.archive.get(&model).map(|bytes| aggregate::parameters(&bytes).collect());
        let (at, model) = (self.queue.now(), parameters.unwrap_or_default());
        self.nodes[who].steps.push(Stepped { at, model, accepted, refused });
    }
}
