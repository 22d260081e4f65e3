//! What two members do between themselves: questions with their answers, and blobs.

use super::{byzantine::Lie, queue::Event, queue::Life, world::World};
use crate::{
    ids::{BlobRef, Height, MemberId},
    machine::{Input, ReplyId},
    wire::{Request, Response},
};

/// A question waits so long for its answer, in milliseconds.
const PATIENCE_MS: u64 = 1_000;

/// Somebody who has a blob is looked for so often, in milliseconds.
const SEEK_MS: u64 = 150;

/// A blob travels for at most so long, in milliseconds.
const TRANSFER_MS: u64 = 80;

impl World<'_> {
    pub(super) fn ask(&mut self, who: usize, to: &MemberId, request: Request) {
        let Some(&peer) = self.places.get(to) else { return };
        let node = &mut self.nodes[who];
        node.asked += 1;
        node.asking = Some((peer, node.asked));
        let (life, question) = (node.life, node.asked);
        self.queue.put_in_ms(PATIENCE_MS, Event::Patience { who, life, from: peer, question });
        if self.joined(who, peer) {
            let there = self.nodes[peer].life;
            let bytes = request.encode();
            for span in self.link.arrivals(&mut self.rng) {
                let bytes = bytes.clone();
                self.queue.put_in(span, Event::Question { to: peer, life: there, from: who, asked_in: life, bytes });
            }
        }
    }

    pub(super) fn hear_question(&mut self, to: usize, life: Life, from: usize, asked_in: Life, bytes: Vec<u8>) {
        if self.nodes[to].life != life || !self.joined(from, to) {
            return;
        }
        let node = &mut self.nodes[to];
        node.asked += 1;
        let reply = node.asked;
        node.questions.insert(reply, (from, asked_in));
        self.trace.note(self.queue.now(), to, "question", &bytes);
        let from = self.nodes[from].id;
        self.step(to, Input::Asked { from, reply, bytes });
    }

    pub(super) fn reply(&mut self, who: usize, reply: ReplyId, from: Height) {
        let Some((to, life)) = self.nodes[who].questions.remove(&reply) else { return };
        let decisions = self.nodes[who].store.decisions.range(from..).map(|(_, decision)| decision.clone());
        let mut bytes = Response::of(decisions).encode();
        if self.lies(who, Lie::FalseTips) && self.rng.chance(500) {
            // Half of its answers are cut, which makes nonsense of them, and of an empty one too.
            bytes.pop();
        }
        for span in self.link.arrivals(&mut self.rng) {
            let bytes = bytes.clone();
            self.queue.put_in(span, Event::Answer { to, life, from: who, bytes });
        }
    }

    pub(super) fn hear_answer(&mut self, to: usize, life: Life, from: usize, bytes: Vec<u8>) {
        let waits = self.nodes[to].asking.is_some_and(|(peer, _)| peer == from);
        if self.nodes[to].life != life || !waits || !self.joined(from, to) {
            return;
        }
        self.nodes[to].asking = None;
        self.trace.note(self.queue.now(), to, "answer", &bytes);
        let from = self.nodes[from].id;
        self.step(to, Input::Answered { from, bytes });
    }

    pub(super) fn lose_patience(&mut self, who: usize, life: Life, from: usize, question: ReplyId) {
        if self.nodes[who].life == life && self.nodes[who].asking == Some((from, question)) {
            self.nodes[who].asking = None;
            let from = self.nodes[from].id;
            self.step(who, Input::Unanswered { from });
        }
    }

    /// A connection is gone: so is the question that was asked over it. The machine knows by itself.
    pub(super) fn forget_question(&mut self, who: usize, peer: usize) {
        let node = &mut self.nodes[who];
        node.asking = node.asking.filter(|(asked, _)| *asked != peer);
    }

    pub(super) fn fetch(&mut self, who: usize, blob: BlobRef, from: &[MemberId]) {
        let providers: Vec<usize> = from.iter().filter_map(|id| self.places.get(id).copied()).collect();
        let node = &mut self.nodes[who];
        let life = node.life;
        let is_new = !node.seeking.contains_key(&blob);
        node.seeking.entry(blob).or_default().extend(providers);
        if is_new {
            self.queue.put_in_ms(1, Event::Seek { who, life, blob });
        }
    }

    /// Asks one of those who may have the blob; asks again later if none of them can give it now.
    pub(super) fn seek(&mut self, who: usize, life: Life, blob: BlobRef) {
        if self.nodes[who].life != life {
            return;
        }
        let Some(named) = self.nodes[who].seeking.get(&blob) else { return };
        if self.nodes[who].store.blobs.contains(&blob) {
            self.nodes[who].seeking.remove(&blob);
            return self.step(who, Input::BlobReady(blob));
        }
        let gives = |peer: &usize| {
            let has = self.nodes[*peer].store.can_give(&blob) && self.archive.get(&blob).is_some();
            has && self.joined(who, *peer) && !self.lies(*peer, Lie::HoardBlobs)
        };
        let givers: Vec<usize> = named.iter().copied().filter(gives).collect();
        match self.rng.pick(&givers) {
            Some(&from) => {
                let sent_in = self.nodes[from].life;
                let span = self.rng.within(1, TRANSFER_MS);
                self.queue.put_in_ms(span, Event::Blob { who, life, blob, from, sent_in });
            }
            None => self.queue.put_in_ms(SEEK_MS, Event::Seek { who, life, blob }),
        }
    }

    pub(super) fn receive_blob(&mut self, who: usize, life: Life, blob: BlobRef, from: usize, sent_in: Life) {
        if self.nodes[who].life != life || !self.nodes[who].seeking.contains_key(&blob) {
            return;
        }
        if !self.joined(who, from) || self.nodes[from].life != sent_in {
            return self.seek(who, life, blob);
        }
        self.nodes[who].seeking.remove(&blob);
        self.nodes[who].store.blobs.insert(blob);
        self.step(who, Input::BlobReady(blob));
    }
}
