//! Members that break the protocol. Their machines are honest; what these say is changed on its way out, and signed again
//! with their own keys, which is all that a liar can do.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use althing_node::driver::Outlet;
use althing_protocol::{
    body::{Body, Evidence},
    consensus::{self, Vote},
    crypto::{Keypair, Signed},
    ids::{Hash, MemberId, NetworkId},
    statement::BodyOffer,
    wire::{Message, Topic},
};

use super::sight::Sight;

/// A way to break the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// Bids, wins and trains, and offers no update, nor a body that names it.
    Withhold,
    /// Serves blobs in which a byte of each piece is wrong.
    FalseBlobs,
    /// Votes for two things in one slot.
    Equivocate,
    /// Proposes another model than the updates of the round come to, and votes for no other.
    FalseModel,
    /// Speaks in the names of others.
    Forge,
    /// Takes up the places at its neighbours' doors, with connections that say nothing and keys that are nobody's.
    Besiege,
}

impl Breach {
    /// Every way.
    pub const ALL: [Self; 6] =
        [Self::Withhold, Self::FalseBlobs, Self::Equivocate, Self::FalseModel, Self::Forge, Self::Besiege];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Withhold => "withhold",
            Self::FalseBlobs => "false-blobs",
            Self::Equivocate => "equivocate",
            Self::FalseModel => "false-model",
            Self::Forge => "forge",
            Self::Besiege => "besiege",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no breach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no breach; say withhold, false-blobs, equivocate, false-model, forge or besiege")]
pub struct BreachError(String);

impl FromStr for Breach {
    type Err = BreachError;

    fn from_str(text: &str) -> Result<Self, BreachError> {
        Self::ALL.into_iter().find(|breach| breach.word() == text).ok_or_else(|| BreachError(text.to_owned()))
    }
}

/// What changes the words of a member that breaks the protocol.
pub(super) struct Breaker {
    pub(super) breach: Breach,
    pub(super) from_round: u64,
    pub(super) key: Keypair,
    pub(super) network: NetworkId,
    /// Members in whose names it may speak.
    pub(super) others: Vec<MemberId>,
    pub(super) sight: Arc<Sight>,
    /// How many it has spoken for.
    pub(super) spoken: AtomicUsize,
}

impl Breaker {
    /// Whether its time has come.
    fn does(&self, breach: Breach) -> bool {
        self.breach == breach && self.sight.round().number >= self.from_round
    }

    /// Whether a body names an update of its own, which whoever sees it would ask for.
    fn has_update(&self, offer: &Signed<BodyOffer>) -> bool {
        let body = offer.open(&self.network).ok().and_then(|offer| Body::decode(&offer.body).ok());
        match body.map(|body| body.evidence) {
            Some(Evidence::Settle(settle)) => settle.updates.iter().any(|update| update.signer == self.key.id()),
            Some(Evidence::Plan(_)) | None => false,
        }
    }

    /// Another vote for the slot of `own`.
    fn second(&self, own: &Vote) -> Vec<u8> {
        let body = match own.body {
            Some(_) => None,
            None => Some(Hash::of(b"a body that nobody has")),
        };
        let vote = Vote { body, ..own.clone() }.signed(&self.key, &self.network);
        Message::Agreement(consensus::Message::Vote(vote)).encode()
    }

    /// What it said itself, in the name of somebody else. Only the signature is not theirs.
    fn forged(&self, message: Message) -> Option<Vec<u8>> {
        let place = self.spoken.fetch_add(1, Ordering::Relaxed);
        let other = *self.others.get(place % self.others.len().max(1))?;
        let message = match message {
            Message::Commit(signed) => Message::Commit(in_the_name_of(other, signed)),
            Message::Reveal(signed) => Message::Reveal(in_the_name_of(other, signed)),
            Message::Update(signed) => Message::Update(in_the_name_of(other, signed)),
            Message::Appraisal(signed) => Message::Appraisal(in_the_name_of(other, signed)),
            Message::Agreement(consensus::Message::Vote(vote)) => {
                Message::Agreement(consensus::Message::Vote(Vote { signer: other, ..vote }))
            }
            _ => return None,
        };
        Some(message.encode())
    }
}

fn in_the_name_of<T>(member: MemberId, mut signed: Signed<T>) -> Signed<T> {
    signed.signer = member;
    signed
}

impl Outlet for Breaker {
    fn publish(&self, _: Topic, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let Ok(message) = Message::decode(&bytes) else { return vec![bytes] };
        match message {
            Message::Update(_) if self.does(Breach::Withhold) => Vec::new(),
            Message::Body(offer) if self.does(Breach::Withhold) && self.has_update(&offer) => Vec::new(),
            Message::Agreement(consensus::Message::Vote(own))
                if own.signer == self.key.id() && self.does(Breach::Equivocate) =>
            {
                let second = self.second(&own);
                vec![bytes, second]
            }
            message if self.does(Breach::Forge) => [bytes].into_iter().chain(self.forged(message)).collect(),
            _ => vec![bytes],
        }
    }

    fn serve(&self, mut answer: Vec<u8>) -> Vec<u8> {
        // The first byte says what follows; what follows is a piece and its proof, and ends with the piece's last byte.
        if self.does(Breach::FalseBlobs)
            && let [_, .., last] = answer.as_mut_slice()
        {
            *last ^= 1;
        }
        answer
    }

    fn aggregate(&self, mut model: Vec<u8>) -> Vec<u8> {
        if self.does(Breach::FalseModel)
            && let Some(first) = model.first_mut()
        {
            *first ^= 1;
        }
        model
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use althing_protocol::{
        consensus::{UNSIGNED, VoteKind},
        ids::{BlobRef, Height, Round},
        statement::{BidCommit, UpdateOffer},
    };

    use super::*;
    use crate::hostile::sight::{
        Ear,
        tests::{genesis, member, planned, tell},
    };

    const NETWORK: NetworkId = NetworkId([7; 32]);

    fn breaker(breach: Breach, from_round: u64) -> Breaker {
        let sight = Arc::new(Sight::new(genesis(3), BTreeSet::new(), "/nowhere".into()));
        tell(&mut Ear::new(Vec::new(), Arc::clone(&sight)), planned(3, &[1]));
        let key = Keypair::from_secret([1; 32]);
        let others = vec![member(2), member(3)];
        Breaker { breach, from_round, key, network: NETWORK, others, sight, spoken: AtomicUsize::new(0) }
    }

    /// What comes of `message`.
    fn said(breaker: &Breaker, message: &Message) -> Vec<Message> {
        let out = breaker.publish(message.topic(), message.encode());
        out.iter().map(|bytes| Message::decode(bytes).unwrap()).collect()
    }

    fn commit(breaker: &Breaker) -> Message {
        let commit = BidCommit { round: Round(3), seal: Some(Hash([1; 32])) };
        Message::Commit(Signed::new(&breaker.key, &NETWORK, &commit))
    }

    fn vote(breaker: &Breaker) -> Message {
        let (kind, height) = (VoteKind::Prevote, Height(5));
        let (signer, body) = (breaker.key.id(), Some(Hash([2; 32])));
        let vote = Vote { kind, height, round: 0, body, signer, signature: UNSIGNED };
        Message::Agreement(consensus::Message::Vote(vote.signed(&breaker.key, &NETWORK)))
    }

    fn update(breaker: &Breaker) -> Message {
        let update = BlobRef::of(b"an update");
        let offer = UpdateOffer { round: Round(3), contract: 0, update, samples: 9, training_ms: 1, epsilon_micro: 0 };
        Message::Update(Signed::new(&breaker.key, &NETWORK, &offer))
    }

    #[test]
    fn each_breach_does_its_own_and_nothing_before_its_time() {
        for breach in Breach::ALL {
            assert_eq!(breach.to_string().parse(), Ok(breach));
            let early = breaker(breach, 4);
            for message in [commit(&early), vote(&early), update(&early)] {
                assert_eq!(said(&early, &message), [message]);
            }
            assert_eq!(early.serve(vec![0, 1, 2]), [0, 1, 2]);
            assert_eq!(early.aggregate(vec![1, 2]), [1, 2]);
        }
        assert!("shout".parse::<Breach>().unwrap_err().to_string().contains("say withhold"));
    }

    #[test]
    fn a_withholder_says_everything_but_its_update() {
        let breaker = breaker(Breach::Withhold, 3);
        assert_eq!(said(&breaker, &update(&breaker)), []);
        assert_eq!(said(&breaker, &commit(&breaker)), [commit(&breaker)]);
    }

    #[test]
    fn an_equivocator_signs_two_votes_for_one_slot() {
        let breaker = breaker(Breach::Equivocate, 3);
        let said = said(&breaker, &vote(&breaker));
        let [Message::Agreement(consensus::Message::Vote(first)), Message::Agreement(consensus::Message::Vote(second))] =
            &said[..]
        else {
            panic!("two votes")
        };
        assert_ne!(first.body, second.body);
        assert_eq!((first.kind, first.height, first.round), (second.kind, second.height, second.round));
        assert_eq!(&second.clone().signed(&breaker.key, &NETWORK), second, "it is its own signature");
    }

    #[test]
    fn a_forger_speaks_for_others_but_cannot_sign_for_them() {
        let breaker = breaker(Breach::Forge, 3);
        for other in [2, 3, 2] {
            let said = said(&breaker, &commit(&breaker));
            let [_, Message::Commit(forged)] = &said[..] else { panic!("{said:?}") };
            assert_eq!(forged.signer, member(other));
            assert!(forged.open(&NETWORK).is_err());
        }
    }

    #[test]
    fn false_blobs_and_models_differ_in_one_bit() {
        assert_eq!(breaker(Breach::FalseBlobs, 3).serve(vec![0, 1, 2]), [0, 1, 3]);
        assert_eq!(breaker(Breach::FalseBlobs, 3).serve(vec![1]), [1], "a bare word is left as it is");
        assert_eq!(breaker(Breach::FalseModel, 3).aggregate(vec![1, 2]), [0, 2]);
    }
}
