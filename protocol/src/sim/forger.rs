//! Messages that no honest member could have sent.

use super::rng::Rng;
use crate::{
    consensus::{self, PolkaCertificate, UNSIGNED, Vote, VoteKind},
    crypto::{Keypair, Signed},
    ids::{Hash, Height, MemberId, NetworkId, Signature},
    limits::MAX_MESSAGE_BYTES,
    state::{Federation, State},
    statement::{BidCommit, BodyOffer},
    wire::Message,
};

/// Makes forgeries of every kind in turn.
#[derive(Debug)]
pub(super) struct Forger {
    network: NetworkId,
    members: Vec<MemberId>,
    stranger: Keypair,
    rng: Rng,
    made: u64,
}

impl Forger {
    pub(super) fn new(federation: &Federation, rng: Rng) -> Self {
        Self {
            network: federation.network,
            members: federation.genesis.members.iter().map(|member| member.id).collect(),
            stranger: Keypair::from_secret([0xee; 32]),
            rng,
            made: 0,
        }
    }

    /// A forgery by `liar`, with the author that the network names.
    pub(super) fn forge(&mut self, state: &State, liar: &Keypair) -> (MemberId, Vec<u8>) {
        self.made += 1;
        let own = self.commit(state, liar, &self.network);
        let bytes = match self.made % 12 {
            0 => return (self.stranger.id(), own),
            1 => self.noise(),
            2 => own.get(..own.len() - 1).unwrap_or_default().to_vec(),
            3 => own.into_iter().chain([0]).collect(),
            4 => flip_last(own),
            5 => self.commit(state, liar, &NetworkId([7; 32])),
            6 => self.commit(state, &self.stranger, &self.network),
            7 => vec![0x81; 500],
            8 if self.made < 12 => vec![0; MAX_MESSAGE_BYTES + 1],
            8 | 9 => self.vote(state, liar),
            10 => self.certificate(state),
            _ => self.body(state),
        };
        (liar.id(), bytes)
    }

    /// Bytes that begin like no CBOR value.
    fn noise(&mut self) -> Vec<u8> {
        let length = self.rng.below(200);
        std::iter::once(0xff).chain((0..length).map(|_| self.rng.next() as u8)).collect()
    }

    fn commit(&self, state: &State, signer: &Keypair, network: &NetworkId) -> Vec<u8> {
        let commit = BidCommit { round: state.round, seal: Some(Hash::of(b"forged")) };
        Message::Commit(Signed::new(signer, network, &commit)).encode()
    }

    /// A vote in the name of somebody else, around the height that is being decided.
    fn vote(&mut self, state: &State, liar: &Keypair) -> Vec<u8> {
        let others: Vec<MemberId> = self.members.iter().copied().filter(|member| *member != liar.id()).collect();
        let height = Height(state.height.0 + self.rng.below(4));
        let kind = if self.rng.chance(500) { VoteKind::Prevote } else { VoteKind::Precommit };
        let vote = Vote { kind, height, round: 0, body: None, signer: liar.id(), signature: UNSIGNED };
        let signed = if self.rng.chance(500) {
            let signer = self.rng.pick(&others).copied().unwrap_or_else(|| self.stranger.id());
            Vote { signer, ..vote.signed(liar, &self.network) }
        } else {
            vote.signed(&self.stranger, &self.network)
        };
        Message::Agreement(consensus::Message::Vote(signed)).encode()
    }

    /// A certificate with signatures of nobody.
    fn certificate(&mut self, state: &State) -> Vec<u8> {
        let height = Height(state.height.0 + self.rng.below(3));
        let signatures = self.members.iter().map(|member| (*member, Signature([1; 64]))).collect();
        let certificate = PolkaCertificate { height, round: 0, body: Hash::of(b"forged"), signatures };
        Message::Agreement(consensus::Message::PolkaCertificate(certificate)).encode()
    }

    /// A body offered by a stranger.
    fn body(&self, state: &State) -> Vec<u8> {
        let height = state.height.next();
        let offer = BodyOffer { height, agreement_round: 0, valid_round: None, body: vec![1, 2, 3].into() };
        Message::Body(Signed::new(&self.stranger, &self.network, &offer)).encode()
    }
}

/// The last byte of a statement belongs to its signature.
fn flip_last(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes
}
