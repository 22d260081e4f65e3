//! Bodies, one after the other: a proposer may say anything, and whatever holds keeps the ledger sound.

use althing_protocol::{body::Body, state::State};

use super::{
    parts,
    signer::{MARKETS, Signer, VILLAGE},
};

/// A part of one byte says by which of the other mechanisms the market of the bodies after it works.
pub(super) fn run(bytes: &[u8]) {
    let (mut village, mut state) = open(&VILLAGE);
    for part in parts(bytes) {
        if let [choice] = part {
            (village, state) = open(&MARKETS[usize::from(*choice) % MARKETS.len()]);
        } else if let Some(next) = decide(village, &state, part) {
            state = next;
        }
    }
}

fn open(village: &'static Signer) -> (&'static Signer, State) {
    (village, State::genesis(&village.federation))
}

/// The state after the body, if it holds once its evidence is signed.
fn decide(village: &Signer, state: &State, part: &[u8]) -> Option<State> {
    // As it came it is hardly ever good, and must be turned away in peace.
    let _ = state.apply(&village.federation, part);
    let body = Body::decode(part).ok()?;
    let proposed = village.propose(state, &body)?;
    let (next, _, _) = state.apply(&village.federation, &proposed.encode()).expect("what is proposed is valid");
    next.ledger.check().expect("no body makes credits out of nothing");
    let stored = State::decode(&next.encode()).expect("every state can be stored");
    assert_eq!(stored, next);
    Some(next)
}
