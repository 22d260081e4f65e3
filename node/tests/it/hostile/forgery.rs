//! Messages that no honest node sends.

use std::collections::BTreeMap;

use althing_node::net::Topic;
use althing_protocol::{
    consensus::{self, Proposal, UNSIGNED, Vote, VoteKind},
    crypto::{Keypair, Signed, Statement},
    ids::{BlobRef, Hash, Height, MemberId, NetworkId, Round},
    statement::{
        Appraisal, Bid, BidCommit, BidReveal, BodyOffer, CounterOffer, CounterOffers, CounterReply, HeldOut, Marks,
        Reply, UpdateOffer,
    },
    wire::Message,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the liar knows when it lies.
#[derive(Clone)]
pub(super) struct Lie {
    /// In whose name.
    pub(super) signer: MemberId,
    /// Whose key signs.
    pub(super) key: Keypair,
    /// For which network it signs.
    pub(super) network: NetworkId,
    /// The round that the others are in.
    pub(super) round: Round,
    /// The height that the others are about to decide.
    pub(super) height: Height,
}

impl Lie {
    /// One message of each kind that members sign, all different for each `number`.
    pub(super) fn of_each_kind(&self, number: u64) -> Vec<Message> {
        let Self { round, height, .. } = *self;
        let hash = Hash::derive("a lie", &[&number.to_le_bytes()]);
        let (bid, salt) = (Bid { contract: 0, price: number, samples: 100 }, hash);
        let update = BlobRef { hash, size: 796_840 };
        let gains = BTreeMap::from([(self.signer, 1 + number as i64)]);
        vec![
            Message::Commit(self.sign(&BidCommit { round, seal: Some(bid.seal(&self.signer, round, &salt)) })),
            self.vote(VoteKind::Precommit, height, 0, Some(hash)),
            Message::Reveal(self.sign(&BidReveal { round, bid, salt, marks: None })),
            Message::Update(self.sign(&UpdateOffer {
                round,
                contract: 0,
                update,
                samples: 9 + number,
                training_ms: 1,
                epsilon_micro: 0,
            })),
            self.proposal(height, hash),
            Message::Appraisal(self.sign(&Appraisal {
                round,
                gains,
                held_out: HeldOut { samples: 1, accuracy_ppm: 0 },
                arrivals: Default::default(),
            })),
            self.vote(VoteKind::Prevote, height.next(), 0, Some(hash)),
            Message::Body(self.sign(&body(height, hash))),
            Message::CounterReply(self.sign(&CounterReply { round, offers: hash, reply: Reply::Accept })),
            Message::CounterOffers(self.sign(&CounterOffers {
                round,
                offers: vec![CounterOffer { member: self.signer, contract: 1, price: number }],
            })),
            Message::Marks(self.sign(&Marks { round, hire: 1, weights: BTreeMap::from([(self.signer, 150)]) })),
        ]
    }

    pub(super) fn vote(&self, kind: VoteKind, height: Height, round: u32, body: Option<Hash>) -> Message {
        let vote = Vote { kind, height, round, body, signer: self.signer, signature: UNSIGNED };
        let vote = vote.signed(&self.key, &self.network);
        Message::Agreement(consensus::Message::Vote(Vote { signer: self.signer, ..vote }))
    }

    pub(super) fn proposal(&self, height: Height, body: Hash) -> Message {
        let proposal = Proposal { height, round: 0, body, valid_round: None, signer: self.signer, signature: UNSIGNED };
        let proposal = proposal.signed(&self.key, &self.network);
        Message::Agreement(consensus::Message::Proposal(Proposal { signer: self.signer, ..proposal }))
    }

    pub(super) fn sign<T: Statement>(&self, statement: &T) -> Signed<T> {
        let mut signed = Signed::new(&self.key, &self.network, statement);
        signed.signer = self.signer;
        signed
    }
}

/// A body of the right place, but of nonsense.
fn body(height: Height, hash: Hash) -> BodyOffer {
    BodyOffer { height, agreement_round: 0, valid_round: None, body: hash.as_bytes().to_vec().into() }
}

/// Bytes that are no message: random, cut, too long, and nested so deeply that a careless decoder would overflow.
pub(super) fn noise(honest: &Message, count: usize) -> Vec<(Topic, Vec<u8>)> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let whole = honest.encode();
    let one = |number: usize| match number % 5 {
        0 => {
            let length = random.random_range(0..2_000);
            (Topic::Round, (0..length).map(|_| random.random()).collect())
        }
        1 => (Topic::Consensus, whole[..random.random_range(0..whole.len())].to_vec()),
        2 => (Topic::Round, nested(10_000)),
        3 => (Topic::Have, [whole.as_slice(), &[0]].concat()),
        // Longer than any message may be, on the topic that takes the longest. A few of them weigh as much as all else.
        _ if number < 15 => (Topic::Bodies, vec![0x40; 800 * 1024]),
        _ => (Topic::Tip, vec![0xff; 1 + number]),
    };
    (0..count).map(one).collect()
}

/// Lists in lists. The outermost is a message's, so that the decoder gets inside.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x82, 0x00];
    bytes.resize(depth, 0x81);
    bytes
}
