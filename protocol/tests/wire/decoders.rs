//! No bytes make a decoder panic, and none that are not a value pass for one.

use althing_protocol::{
    body::Body,
    codec, consensus,
    crypto::Signed,
    genesis::Genesis,
    ids::Height,
    limits::MAX_MESSAGE_BYTES,
    machine::{Durable, Effect, Input, Machine, MachineError, Verdict},
    sim::Scenario,
    state::Federation,
    statement::{
        Appraisal, BidCommit, BidReveal, BodyOffer, CounterOffers, CounterReply, Marks, UpdateOffer, Withdrawal,
    },
    time::Time,
    update::Codec,
    wire::{MAX_RESPONSE_BYTES, Message, Request, Response},
};
use proptest::prelude::*;

use super::samples;

/// Every way to code an update.
const CODECS: [Codec; 3] = [Codec::F32, Codec::Q8, Codec::TopK { permille: 500 }];

/// A model that updates start from: two blocks of one byte a parameter and a part of a third.
const BASE: [u8; 4 * 520] = [0; 4 * 520];

/// Updates of that model, coded in every way.
fn updates() -> impl Iterator<Item = Vec<u8>> {
    let trained: Vec<f32> = (0..BASE.len() / 4).map(|place| (place % 7) as f32 - 3.0).collect();
    let base = vec![0.0; trained.len()];
    CODECS.into_iter().map(move |codec| codec.encode(&base, &trained, &mut base.clone(), &mut || 1 << 31).unwrap())
}

/// Lets every decoder look at `bytes`.
fn decode_all(bytes: &[u8]) {
    let _ = Message::decode(bytes);
    let _ = consensus::Message::decode(bytes);
    let _ = Body::decode(bytes);
    let _ = Request::decode(bytes);
    let _ = Response::decode(bytes);
    let _ = codec::decode::<Genesis>(bytes, MAX_MESSAGE_BYTES);
    macro_rules! open {
        ($($statement:ty),*) => {$(
            if let Ok(signed) = codec::decode::<Signed<$statement>>(bytes, MAX_MESSAGE_BYTES) {
                let _ = signed.open(&samples::NETWORK);
                let _ = signed.peek();
            }
        )*};
    }
    open!(BidCommit, BidReveal, Marks, CounterOffers, CounterReply, UpdateOffer, Withdrawal, Appraisal, BodyOffer);
    for codec in CODECS {
        if let Ok(update) = codec.decode(&BASE, bytes) {
            assert_eq!(update.len(), BASE.len());
        }
    }
}

/// A machine of four members with what was made durable, and its first effects.
fn recover(durable: Durable) -> Result<(Machine, Vec<Effect>), MachineError> {
    let scenario = Scenario::quiet(1, 4);
    Machine::recover(Federation::new(scenario.genesis()), scenario.identities().remove(0), durable, Time(0))
}

/// Encoded values of every kind.
fn encoded() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = samples::messages().iter().map(|(_, message)| message.encode()).collect();
    all.extend(samples::bodies().iter().map(|(_, body)| body.encode()));
    all.extend([samples::request().encode(), samples::response().encode(), samples::state().encode()]);
    all.extend([codec::encode(&samples::federation().genesis), codec::encode(&samples::commit())]);
    all.extend(updates());
    all
}

/// Encoded values with some bytes changed, cut or repeated.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    let changes = prop::collection::vec(change, 0..4);
    (prop::sample::select(encoded()), changes, any::<prop::sample::Index>(), 0..3_u8).prop_map(
        |(mut bytes, changes, place, how)| {
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let place = place.index(bytes.len());
            match how {
                0 => bytes.truncate(place),
                1 => bytes.extend_from_within(place..),
                _ => {}
            }
            bytes
        },
    )
}

/// Heads of CBOR values nested in each other, or claiming to be as long as can be.
fn monsters() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for head in [&[0x81][..], &[0xa1, 0x00], &[0x9f], &[0xbf, 0x00], &[0xc1], &[0xd8, 0x20]] {
        for depth in [10, 127, 128, 129, 10_000, 500_000 / head.len()] {
            all.push(head.repeat(depth));
        }
    }
    for major in 0..8_u8 {
        for length in [0x18, 0x19, 0x1a, 0x1b, 0x1f] {
            let claim = [&[major << 5 | length][..], &[0xff; 8]].concat();
            all.push([&[0xa1, 0x63, b'T', b'i', b'p'][..], &claim].concat());
            all.push([&[0x82, 0x00][..], &claim].concat());
            all.push(claim);
        }
    }
    all
}

#[test]
fn deep_nesting_and_great_claims_are_refused() {
    for bytes in monsters() {
        decode_all(&bytes);
        // One of them is the greatest tip there can be.
        assert!(matches!(Message::decode(&bytes), Err(_) | Ok(Message::Tip(Height(u64::MAX)))));
        assert!(Body::decode(&bytes).is_err());
        assert!(Response::decode(&bytes).is_err());
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_looked_at() {
    let long = vec![0; MAX_RESPONSE_BYTES + 1];
    decode_all(&long);
    for refused in [
        Message::decode(&long).unwrap_err(),
        Body::decode(&long).unwrap_err(),
        Request::decode(&long).unwrap_err(),
        Response::decode(&long).unwrap_err(),
        consensus::Message::decode(&long).unwrap_err(),
    ] {
        assert!(matches!(refused, codec::DecodeError::TooLong { .. }), "{refused}");
    }
}

#[test]
fn a_whole_value_is_needed_and_nothing_after_it() {
    for (name, message) in samples::messages() {
        let bytes = message.encode();
        for length in 0..bytes.len() {
            assert!(Message::decode(&bytes[..length]).is_err(), "{name} cut to {length} bytes");
        }
        assert!(Message::decode(&[&bytes[..], &[0]].concat()).is_err(), "{name} with a byte after it");
    }
}

#[test]
fn a_whole_update_is_needed_and_nothing_after_it() {
    for (codec, bytes) in CODECS.into_iter().zip(updates()) {
        assert!(codec.decode(&BASE, &bytes).is_ok(), "{codec}");
        for length in 0..bytes.len() {
            assert!(codec.decode(&BASE, &bytes[..length]).is_err(), "{codec} cut to {length} bytes");
        }
        assert!(codec.decode(&BASE, &[&bytes[..], &[0]].concat()).is_err(), "{codec} with a byte after it");
    }
}

#[test]
fn a_damaged_store_is_named() {
    let journal = |entry: &[u8]| recover(Durable { journal: vec![entry.to_vec()], ..Durable::default() });
    let state = |bytes: &[u8]| recover(Durable { state: Some(bytes.to_vec()), ..Durable::default() });
    let whole = samples::state().encode();
    for damaged in
        [journal(&[]), journal(&[0xff; 40]), state(&[]), state(&whole[1..]), state(&whole[..whole.len() - 1])]
    {
        let error = damaged.err().unwrap();
        assert!(matches!(error, MachineError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
    }
    assert!(state(&whole).is_ok());
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decode_all(&bytes);
        let journal = vec![bytes.clone()];
        let _ = recover(Durable { journal, ..Durable::default() });
        let _ = recover(Durable { state: Some(bytes), ..Durable::default() });
    }

    #[test]
    fn damaged_values_do_no_harm(bytes in damaged()) {
        decode_all(&bytes);
        let (mut machine, _) = recover(Durable::default()).unwrap();
        let member = Scenario::quiet(1, 4).identities()[1].keypair.id();
        let before = machine.state().clone();
        let (verdict, _) = machine.receive(member, member, &bytes, Time(1)).unwrap();
        // Its samples are of another network, so that at most unsigned words about blobs and heights are heard.
        if verdict == Verdict::Accept {
            prop_assert!(matches!(Message::decode(&bytes), Ok(Message::Have(_) | Message::Tip(_))));
        }
        machine.handle(Input::Asked { from: member, reply: 1, bytes: bytes.clone() }, Time(2)).unwrap();
        machine.handle(Input::Answered { from: member, bytes }, Time(3)).unwrap();
        prop_assert_eq!(machine.state(), &before);
    }

    #[test]
    fn no_damage_to_a_state_goes_unnoticed(change in any::<(prop::sample::Index, u8)>()) {
        let mut bytes = samples::state().encode();
        let (place, byte) = (change.0.index(bytes.len()), change.1);
        prop_assume!(bytes[place] != byte);
        bytes[place] = byte;
        let recovered = recover(Durable { state: Some(bytes), ..Durable::default() });
        let is_damaged = matches!(recovered, Err(MachineError::Damaged { .. }));
        prop_assert!(is_damaged);
    }
}
