//! The genesis, which a stranger's invitation may name: whatever passes validation can be worked with.

use althing_protocol::{
    codec,
    genesis::Genesis,
    limits::MAX_GENESIS_BYTES,
    state::{Federation, State},
    update::Format,
};

/// Parameters up to which slices are worked out: those of larger models only take longer.
const SMALL: u64 = 1 << 16;

pub(super) fn run(bytes: &[u8]) {
    let Ok(genesis) = codec::decode::<Genesis>(bytes, MAX_GENESIS_BYTES) else { return };
    let written = codec::encode(&genesis);
    let again: Genesis = codec::decode(&written, usize::MAX).expect("what was read can be written");
    // Not the values: a learning rate that is not a number differs from itself.
    assert_eq!(codec::encode(&again), written);
    if genesis.validate().is_err() {
        return;
    }
    if genesis.task.tensors.parameters() <= SMALL {
        let format = Format::of(&genesis);
        assert!(genesis.contracts.iter().all(|contract| format.slice(contract.width).is_some()));
    }
    let federation = Federation::new(genesis);
    let state = State::genesis(&federation);
    state.validators().expect("a sound genesis names somebody who votes");
    state.ledger.check().expect("a sound genesis makes a sound ledger");
}
