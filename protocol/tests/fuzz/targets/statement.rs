//! Statements of every kind, as a member might sign them, and what the agreement checks by itself.

use std::fmt::Debug;

use althing_protocol::{
    codec,
    consensus::{self, Certificate, Equivocation},
    crypto::{Signed, Statement},
    limits::MAX_MESSAGE_BYTES,
    state::State,
    statement::{
        Appraisal, BidCommit, BidReveal, BodyOffer, Claim, CounterOffers, CounterReply, Instruction, Invitation, Marks,
        ModelOffer, UpdateOffer, Withdrawal,
    },
};

use super::{signer::VILLAGE, wire::read_again};

pub(super) fn run(bytes: &[u8]) {
    let genesis = &VILLAGE.federation.genesis;
    open::<BidCommit>(bytes);
    open::<BodyOffer>(bytes);
    open::<Claim>(bytes);
    open::<CounterReply>(bytes);
    open::<Invitation>(bytes);
    open::<ModelOffer>(bytes);
    open::<Withdrawal>(bytes);
    open::<BidReveal>(bytes).map(|reveal| reveal.bid.is_allowed(genesis));
    open::<Marks>(bytes).map(|marks| marks.is_allowed());
    open::<CounterOffers>(bytes).map(|offers| offers.is_allowed(genesis));
    open::<UpdateOffer>(bytes).map(|offer| offer.is_allowed(genesis));
    if let Some(appraisal) = open::<Appraisal>(bytes) {
        let members: Vec<_> = VILLAGE.accounts().collect();
        let arrivals = appraisal.arrivals(&members);
        assert!(!appraisal.is_allowed() || arrivals.len() <= appraisal.arrivals.len());
    }
    if let Some(instruction) = open::<Instruction>(bytes) {
        carry_out(&instruction);
    }
    check_agreement(bytes);
}

/// What a statement says is what was signed, whether the bytes are the statement itself or come with a signature.
fn open<T: Statement + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    if let Ok(signed) = codec::decode::<Signed<T>>(bytes, MAX_MESSAGE_BYTES) {
        let opened = signed.open(VILLAGE.network());
        assert!(opened.is_err() || opened.ok() == signed.peek().ok());
        let again = VILLAGE.sign(&signed);
        let is_known = VILLAGE.key_of(&signed.signer).is_some();
        assert!(!is_known || again.open(VILLAGE.network()).ok() == signed.peek().ok());
    }
    read_again(bytes, |bytes| codec::decode::<T>(bytes, T::MAX_BYTES))
}

/// Whoever owns an account may have anything carried out, and credits stay as many as they were.
fn carry_out(instruction: &Instruction) {
    let _ = instruction.verify(VILLAGE.network());
    let state = State::genesis(&VILLAGE.federation);
    for owner in VILLAGE.accounts() {
        let mut ledger = state.ledger.clone();
        if ledger.carry_out(&owner, instruction, state.round).is_ok() {
            ledger.check().expect("no instruction makes credits out of nothing");
        }
    }
}

fn check_agreement(bytes: &[u8]) {
    let (network, state) = (VILLAGE.network(), State::genesis(&VILLAGE.federation));
    let validators = state.validators().expect("somebody votes");
    if let Ok(certificate) = codec::decode::<Certificate>(bytes, Certificate::MAX_BYTES) {
        let _ = certificate.verify(network, &validators);
    }
    if let Ok(offence) = codec::decode::<Equivocation>(bytes, MAX_MESSAGE_BYTES) {
        let _ = offence.verify(network, &validators);
    }
    if let Ok(message) = consensus::Message::decode(bytes) {
        let _ = message.verify(network, &validators);
    }
}
