//! Bodies, one after the other: a proposer may say anything, and whatever holds keeps the ledger sound.

use althing_protocol::{body::Body, state::State};

use super::{parts, signer::VILLAGE};

pub(super) fn run(bytes: &[u8]) {
    let mut state = State::genesis(&VILLAGE.federation);
    for part in parts(bytes) {
        // As it came it is hardly ever good, and must be turned away in peace.
        let _ = state.apply(&VILLAGE.federation, part);
        let Ok(body) = Body::decode(part) else { continue };
        let Some(proposed) = VILLAGE.propose(&state, &body) else { continue };
        let (next, _, _) = state.apply(&VILLAGE.federation, &proposed.encode()).expect("what is proposed is valid");
        next.ledger.check().expect("no body makes credits out of nothing");
        let stored = State::decode(&next.encode()).expect("every state can be stored");
        assert_eq!(stored, next);
        state = next;
    }
}
