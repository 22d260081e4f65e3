//! Golden hashes of every format. A change here makes another network: change them on purpose only, with the version in
//! the contexts of hashes and in the names of protocols.

use althing_protocol::{
    codec,
    epidemic::{self, Epidemic},
    ids::{Hash, Height, Step},
    machine::{Durable, Effect, Input, Machine},
    sim::Scenario,
    state::Federation,
    statement::Bid,
    time::Time,
};

use super::samples;

/// Each format's name and the beginning of the hash of its sample.
const GOLDEN: &[(&str, &str)] = &[
    ("message: sealed bid", "be236d8b"),
    ("message: marks", "14e1e212"),
    ("message: opened bid", "859a6f24"),
    ("message: counter-offers", "0886c7f3"),
    ("message: reply", "2a6975e5"),
    ("message: update", "69e9a8bf"),
    ("message: withdrawal", "c510cb0c"),
    ("message: appraisal", "61038749"),
    ("message: instruction: transfer", "02696d8f"),
    ("message: instruction: funds", "9b358a3b"),
    ("message: instruction: join", "45ab4dc5"),
    ("message: instruction: leave", "a4fa521a"),
    ("message: instruction: revoke", "9d873f3e"),
    ("message: instruction: vote", "0e834c84"),
    ("message: have", "96018644"),
    ("message: tip", "0dc2bf2b"),
    ("message: vote", "84399e94"),
    ("message: vote for none", "845c9c34"),
    ("message: proposal", "82b68ba3"),
    ("message: polka certificate", "4e3a0864"),
    ("message: ended round", "11afb5cc"),
    ("message: begun round", "a248d8b9"),
    ("message: plan", "4bad4eaf"),
    ("message: settle", "d2a989a0"),
    ("body: plan", "6321dea5"),
    ("body: settle", "591d8b92"),
    ("request", "e08b620d"),
    ("request: model", "f9832ade"),
    ("response", "36412059"),
    ("genesis", "a7593e16"),
    ("state", "ba995ace"),
    ("journal", "ce569c6f"),
    ("saved step", "163f5606"),
];

fn encoded() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, message) in samples::messages() {
        all.push((format!("message: {name}"), message.encode()));
    }
    for (name, body) in samples::bodies() {
        all.push((format!("body: {name}"), body.encode()));
    }
    all.push(("request".into(), samples::request().encode()));
    all.push(("request: model".into(), samples::offered_model().encode()));
    all.push(("response".into(), samples::response().encode()));
    all.push(("genesis".into(), codec::encode(&samples::federation().genesis)));
    all.push(("state".into(), samples::state().encode()));
    all.push(("journal".into(), journal().concat()));
    all.push(("saved step".into(), saved_step()));
    all
}

/// What a member alone in its federation writes on its way to its first decision.
fn journal() -> Vec<Vec<u8>> {
    let scenario = Scenario::quiet(1, 1);
    let federation = Federation::new(scenario.genesis());
    let identity = scenario.identities().remove(0);
    let (mut machine, mut effects) = Machine::recover(federation, identity, Durable::default(), Time(0)).unwrap();
    let round = machine.state().round;
    let bid = Some(Bid { contract: 0, price: 1_000, samples: 600 });
    effects.extend(machine.handle(Input::BidChosen { round, bid }, Time(1)).unwrap());
    let weights = [].into();
    effects.extend(machine.handle(Input::MarksChosen { round, hire: 1, weights }, Time(2)).unwrap());
    assert_eq!(machine.state().height, Height(1), "alone, it decides at once");
    let appended = effects.into_iter().filter_map(|effect| match effect {
        Effect::Append(entry) => Some(codec::encode(&entry)),
        _ => None,
    });
    appended.collect()
}

/// What a member saves when it has trained its first step.
fn saved_step() -> Vec<u8> {
    let federation = samples::federation();
    let first = federation.genesis.task.initial_model;
    let mut epidemic = Epidemic::recover(federation, samples::keypair(), None, &[first].into()).unwrap();
    epidemic.start(first, Time(0));
    let trained = epidemic::Input::Trained { step: Step(1), model: first, samples: 1, training_ms: 1 };
    let saved = epidemic.handle(trained, Time(1)).into_iter().find_map(|effect| match effect {
        epidemic::Effect::Save(bytes) => Some(bytes),
        _ => None,
    });
    saved.unwrap()
}

#[test]
fn formats_are_frozen() {
    let found: Vec<(String, String)> =
        encoded().into_iter().map(|(name, bytes)| (name, Hash::of(&bytes).short())).collect();
    let golden: Vec<(String, String)> =
        GOLDEN.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect();
    assert_eq!(found, golden, "a format has changed");
}

#[test]
fn what_is_encoded_is_decoded_to_the_same() {
    for (name, message) in samples::messages() {
        assert_eq!(althing_protocol::wire::Message::decode(&message.encode()), Ok(message), "{name}");
    }
    for (name, body) in samples::bodies() {
        assert_eq!(althing_protocol::body::Body::decode(&body.encode()), Ok(body), "{name}");
    }
    for request in [samples::request(), samples::offered_model()] {
        assert_eq!(althing_protocol::wire::Request::decode(&request.encode()), Ok(request));
    }
    assert_eq!(althing_protocol::wire::Response::decode(&samples::response().encode()), Ok(samples::response()));
}
