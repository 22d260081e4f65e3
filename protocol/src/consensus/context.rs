//! The agreement that the Malachite core is asked to run: our types in the roles that it gives them.
//!
//! The core is named in this file, `convert.rs`, `host.rs` and `engine.rs` with its parts, and nowhere else.

use arc_malachitebft_core_types as types;

use super::validators::{Validator, ValidatorSet};
use crate::{
    crypto::Keypair,
    ids::{Hash, Height, MemberId, Signature},
};

/// The agreement that the core is asked to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreement;

/// A vote without its signature, in the core's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ballot {
    pub(super) kind: types::VoteType,
    pub(super) height: Height,
    pub(super) round: types::Round,
    pub(super) body: types::NilOrVal<Hash>,
    pub(super) voter: MemberId,
}

/// A proposal without its signature, in the core's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) height: Height,
    pub(super) round: types::Round,
    pub(super) body: Hash,
    pub(super) valid_round: types::Round,
    pub(super) proposer: MemberId,
}

/// Bodies travel outside of the core, so it has no parts to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoPart;

/// How members sign, as far as the core has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ed25519;

impl types::Context for Agreement {
    type Address = MemberId;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = Offer;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = types::LinearTimeouts;
    type Value = Hash;
    type Vote = Ballot;
    type Extension = ();
    type SigningScheme = Ed25519;

    #[expect(clippy::expect_used, reason = "a set's chairs are drawn from its own validators")]
    fn select_proposer<'a>(&self, set: &'a ValidatorSet, _: Height, round: types::Round) -> &'a Validator {
        set.get(&set.proposer(round.as_u32().unwrap_or(0))).expect("the proposer has a seat")
    }

    fn new_proposal(
        &self,
        height: Height,
        round: types::Round,
        body: Hash,
        valid_round: types::Round,
        proposer: MemberId,
    ) -> Offer {
        Offer { height, round, body, valid_round, proposer }
    }

    fn new_prevote(&self, height: Height, round: types::Round, body: types::NilOrVal<Hash>, voter: MemberId) -> Ballot {
        Ballot { kind: types::VoteType::Prevote, height, round, body, voter }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: types::Round,
        body: types::NilOrVal<Hash>,
        voter: MemberId,
    ) -> Ballot {
        Ballot { kind: types::VoteType::Precommit, height, round, body, voter }
    }
}

impl types::Address for MemberId {}

impl types::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl types::Value for Hash {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl types::Validator<Agreement> for Validator {
    fn address(&self) -> &MemberId {
        &self.id
    }

    fn public_key(&self) -> &MemberId {
        &self.id
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

impl types::ValidatorSet<Agreement> for ValidatorSet {
    fn count(&self) -> usize {
        self.validators().len()
    }

    fn total_voting_power(&self) -> u64 {
        self.total_power()
    }

    fn get_by_address(&self, address: &MemberId) -> Option<&Validator> {
        self.get(address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.validators().get(index)
    }
}

impl types::ProposalPart<Agreement> for NoPart {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

impl types::Vote<Agreement> for Ballot {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> types::Round {
        self.round
    }

    fn value(&self) -> &types::NilOrVal<Hash> {
        &self.body
    }

    fn take_value(self) -> types::NilOrVal<Hash> {
        self.body
    }

    fn vote_type(&self) -> types::VoteType {
        self.kind
    }

    fn validator_address(&self) -> &MemberId {
        &self.voter
    }

    fn extension(&self) -> Option<&types::SignedExtension<Agreement>> {
        None
    }

    fn take_extension(&mut self) -> Option<types::SignedExtension<Agreement>> {
        None
    }

    fn extend(self, _: types::SignedExtension<Agreement>) -> Self {
        self
    }
}

impl types::Proposal<Agreement> for Offer {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> types::Round {
        self.round
    }

    fn value(&self) -> &Hash {
        &self.body
    }

    fn take_value(self) -> Hash {
        self.body
    }

    fn pol_round(&self) -> types::Round {
        self.valid_round
    }

    fn validator_address(&self) -> &MemberId {
        &self.proposer
    }
}

impl types::SigningScheme for Ed25519 {
    type DecodingError = std::array::TryFromSliceError;
    type Signature = Signature;
    type PublicKey = MemberId;
    type PrivateKey = Keypair;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, Self::DecodingError> {
        bytes.try_into().map(Signature)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.as_bytes().to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<MemberId, Self::DecodingError> {
        bytes.try_into().map(MemberId)
    }

    fn encode_public_key(key: &MemberId) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}
