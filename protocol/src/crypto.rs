//! Signatures: one key per member, one domain per kind of statement.

use std::{fmt, marker::PhantomData};

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

use crate::{
    codec::{self, DecodeError},
    ids::{Hash, MemberId, NetworkId, Signature},
};

/// What a signature is about. A signature made for one kind never verifies as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Domain {
    /// A sealed bid.
    BidCommit = 1,
    /// An opened bid.
    BidReveal = 2,
    /// The selector's marks.
    Marks = 3,
    /// An update offered for aggregation.
    Update = 4,
    /// An appraisal of a round's updates.
    Appraisal = 5,
    /// A vote of the agreement.
    Vote = 6,
    /// A proposal of the agreement.
    Proposal = 7,
    /// A proposed body on its way.
    Body = 8,
    /// A greeting between peers.
    Hello = 9,
    /// A member's own model, offered to a peer.
    Model = 10,
    /// The chair's counter-offers.
    CounterOffers = 11,
    /// A reply to a counter-offer.
    CounterReply = 12,
    /// What an account's owner wants done with its credits.
    Instruction = 13,
    /// What lets a newcomer in.
    Invitation = 14,
    /// A newcomer's claim to an invitation.
    Claim = 15,
    /// A winner's word that no update of it will come.
    Withdrawal = 16,
}

/// A member's secret key.
#[derive(Clone)]
pub struct Keypair(SigningKey);

impl Keypair {
    /// The key pair of a 32-byte ed25519 secret.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// The secret, for the key file and for the libp2p identity.
    pub fn secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The member that this key speaks for.
    pub fn id(&self) -> MemberId {
        MemberId(self.0.verifying_key().to_bytes())
    }

    /// Signs `payload` as a statement of kind `domain` in `network`.
    pub fn sign(&self, domain: Domain, network: &NetworkId, payload: &[u8]) -> Signature {
        Signature(self.0.sign(digest(domain, network, payload).as_bytes()).to_bytes())
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.id().short())
    }
}

/// Whether `signature` is `signer`'s over `payload`, for this kind of statement and this network.
pub fn verify(signer: &MemberId, domain: Domain, network: &NetworkId, payload: &[u8], signature: &Signature) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(signer.as_bytes()) else {
        return false;
    };
    let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
    key.verify_strict(digest(domain, network, payload).as_bytes(), &signature).is_ok()
}

/// What is signed: a hash, so that a key is asked for 32 bytes whatever the statement's size.
fn digest(domain: Domain, network: &NetworkId, payload: &[u8]) -> Hash {
    Hash::derive("althing 1 signature", &[&[domain as u8], network.as_bytes(), payload])
}

/// A kind of statement that members sign.
pub trait Statement: Serialize + DeserializeOwned {
    /// Its domain.
    const DOMAIN: Domain;
    /// Longest encoding that is worth decoding, in bytes.
    const MAX_BYTES: usize;
}

/// A statement as its signer encoded it, with the signature over exactly those bytes.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Signed<T> {
    /// Who says it.
    pub signer: MemberId,
    payload: ByteBuf,
    signature: Signature,
    #[serde(skip)]
    statement: PhantomData<fn() -> T>,
}

/// Why a signed statement is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The signature is not the signer's, or is for another kind of statement or another network.
    #[error("the signature of {0:?} does not verify for this network")]
    Forged(MemberId),
    /// Well signed, but not a statement of this kind.
    #[error("a signed statement is {0}")]
    Decode(#[from] DecodeError),
}

impl<T: Statement> Signed<T> {
    /// `statement`, signed by `keypair` for `network`.
    pub fn new(keypair: &Keypair, network: &NetworkId, statement: &T) -> Self {
        let payload = codec::encode(statement);
        let signature = keypair.sign(T::DOMAIN, network, &payload);
        Self { signer: keypair.id(), payload: ByteBuf::from(payload), signature, statement: PhantomData }
    }

    /// The statement, verified first and decoded then.
    ///
    /// # Errors
    /// [`StatementError`] when it is too long, forged or malformed.
    pub fn open(&self, network: &NetworkId) -> Result<T, StatementError> {
        if self.payload.len() > T::MAX_BYTES {
            return Err(DecodeError::TooLong { len: self.payload.len(), max: T::MAX_BYTES }.into());
        }
        if !verify(&self.signer, T::DOMAIN, network, &self.payload, &self.signature) {
            return Err(StatementError::Forged(self.signer));
        }
        Ok(codec::decode(&self.payload, T::MAX_BYTES)?)
    }

    /// The statement without another look at its signature: for statements that were opened before.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no such statement.
    pub fn peek(&self) -> Result<T, DecodeError> {
        codec::decode(&self.payload, T::MAX_BYTES)
    }

    /// Hash of the statement's bytes, by which others refer to it.
    pub fn digest(&self) -> Hash {
        Hash::of(&self.payload)
    }
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self { signer: self.signer, payload: self.payload.clone(), signature: self.signature, statement: PhantomData }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.signer, &self.payload, &self.signature) == (&other.signer, &other.payload, &other.signature)
    }
}

impl<T> Eq for Signed<T> {}

impl<T> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({}, {})", self.signer.short(), Hash::of(&self.payload).short())
    }
}
