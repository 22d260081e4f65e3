//! Ledgers and receipts from strangers: whoever has the genesis can check them.

use althing_protocol::{
    audit::{audit, follow},
    body::Body,
    codec,
    ids::{Hash, JobId},
    limits::MAX_MESSAGE_BYTES,
    passbook::Passbook,
    receipt::Receipt,
    state::State,
    wire::Decision,
};

use super::{parts, signer::VILLAGE};

pub(super) fn run(bytes: &[u8]) {
    let decode = |part| codec::decode::<Decision>(part, MAX_MESSAGE_BYTES).ok();
    let claimed: Vec<Decision> = parts(bytes).filter_map(decode).collect();
    let _ = audit(&VILLAGE.federation, &claimed);
    let (decided, state) = decide(&claimed);
    let found = audit(&VILLAGE.federation, &decided).expect("what is decided passes an audit");
    assert_eq!((found.heights, found.head), (state.height.0, state.head));
    assert_eq!(follow(&VILLAGE.federation, &decided, |_| {}).as_ref(), Ok(&state));
    for account in VILLAGE.accounts() {
        let passbook =
            Passbook::of(account, &VILLAGE.federation, &decided).expect("what passes an audit has passbooks");
        let sum: i128 = passbook.entries.iter().map(|entry| entry.change).sum();
        assert_eq!(sum, passbook.balance.into(), "the passbook of {account} leaves something out");
    }
    if let Some(decision) = decided.last() {
        parts(bytes).for_each(|part| check_receipt(decision, part));
    }
}

/// A receipt carries a state, under a checksum that anybody can make.
fn check_receipt(decision: &Decision, state: &[u8]) {
    let state = [Hash::of(state).as_bytes(), state].concat();
    let is_read = State::decode(&state).is_ok();
    let receipt = Receipt { decision: decision.clone(), state };
    let checked = receipt.verify(&VILLAGE.federation, JobId(1));
    assert!(is_read || checked.is_err(), "a receipt without a state proves nothing");
}

/// Those of the decisions that can be made, decided by everybody, and the state after them.
fn decide(claimed: &[Decision]) -> (Vec<Decision>, State) {
    let mut state = State::genesis(&VILLAGE.federation);
    let mut decided = Vec::new();
    for claim in claimed {
        let Ok(body) = Body::decode(&claim.body) else { continue };
        let Some(body) = VILLAGE.propose(&state, &body) else { continue };
        let bytes = body.encode();
        let (next, _, _) = state.apply(&VILLAGE.federation, &bytes).expect("what is proposed is valid");
        let certificate = VILLAGE.certify(&state, claim.certificate.round, Body::id_of(&bytes));
        decided.push(Decision { body: bytes.into(), certificate });
        state = next;
    }
    (decided, state)
}
