//! Steps of one member's exchange, seen from outside: what leads to what, and what leads to nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use althing_protocol::{
    aggregate,
    crypto::{Keypair, Signed},
    epidemic::{Effect, Epidemic, Exchange, Input, MixOrder, Refusal, STALE_STEPS, Timer, mix},
    event::Event,
    genesis::Bounds,
    ids::{BlobRef, Hash, MemberId, NetworkId, Round, Step},
    sim::Scenario,
    state::Federation,
    statement::ModelOffer,
    time::Time,
    wire::{MAX_REQUEST_BYTES, Request},
};

const LISTEN: Bounds = Bounds { min_ms: 100, max_ms: 1_000 };

fn scenario(members: usize, topology: &str) -> Scenario {
    let exchange = Exchange { topology: topology.parse().unwrap(), listen: LISTEN, ..Exchange::default() };
    Scenario { exchange, ..Scenario::quiet(1, members) }
}

/// The keys of the simulated members, made once: their hash chains, which nobody needs here, take long.
fn key(place: usize) -> Keypair {
    static KEYS: LazyLock<Vec<Keypair>> =
        LazyLock::new(|| Scenario::quiet(1, 20).identities().into_iter().map(|identity| identity.keypair).collect());
    KEYS[place].clone()
}

fn first() -> BlobRef {
    BlobRef::of(&Scenario::first_model())
}

/// A model as long as the first, known by its name.
fn model(name: u8) -> BlobRef {
    BlobRef { hash: Hash([name; 32]), size: first().size }
}

/// One member, place 0 of its federation, and the time.
struct Member {
    federation: Federation,
    epidemic: Epidemic,
    saved: Option<Vec<u8>>,
    now: Time,
}

impl Member {
    fn new(members: usize, topology: &str) -> Self {
        let federation = Federation::new(scenario(members, topology).genesis());
        let here = BTreeSet::from([first()]);
        let epidemic = Epidemic::recover(federation.clone(), key(0), None, &here).unwrap();
        Self { federation, epidemic, saved: None, now: Time(0) }
    }

    /// The same member after a crash, with these blobs.
    fn restarted(&self, here: &[BlobRef]) -> Self {
        let here = here.iter().copied().collect();
        let (federation, saved) = (self.federation.clone(), self.saved.clone());
        let epidemic = Epidemic::recover(federation.clone(), key(0), saved.as_deref(), &here).unwrap();
        Self { federation, epidemic, saved, now: self.now }
    }

    fn took(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        for effect in &effects {
            if let Effect::Save(bytes) = effect {
                self.saved = Some(bytes.clone());
            }
        }
        effects
    }

    fn start(&mut self) -> Vec<Effect> {
        let effects = self.epidemic.start(first(), self.now);
        self.took(effects)
    }

    fn at(&mut self, ms: u64, input: Input) -> Vec<Effect> {
        self.now = Time(ms);
        let effects = self.epidemic.handle(input, self.now);
        self.took(effects)
    }

    fn meet(&mut self, places: impl IntoIterator<Item = usize>) {
        for place in places {
            let id = key(place).id();
            assert_eq!(self.at(0, Input::PeerUp(id)), []);
        }
    }

    fn offer(&self, place: usize, step: u64, model: BlobRef) -> Input {
        let keypair = key(place);
        let offer = ModelOffer { step: Step(step), model };
        Input::Offered { from: keypair.id(), offer: Signed::new(&keypair, &self.federation.network, &offer) }
    }

    /// Trains step 1 to `model(1)` by 1,000 ms.
    fn train(&mut self) -> Vec<Effect> {
        self.start();
        self.at(1_000, trained(1, model(1), 700))
    }
}

fn trained(step: u64, model: BlobRef, training_ms: u64) -> Input {
    Input::Trained { step: Step(step), model, samples: 50, training_ms }
}

fn mixed(step: u64, model: BlobRef) -> Input {
    Input::Mixed { step: Step(step), model, refused: BTreeMap::new() }
}

fn settle(step: u64) -> Input {
    Input::TimerFired(Timer::Settle(Step(step)))
}

fn listen(step: u64) -> Input {
    Input::TimerFired(Timer::Listen(Step(step)))
}

/// An effect in a word, and what matters of it.
fn word(effect: &Effect) -> String {
    match effect {
        Effect::Save(_) => "save".into(),
        Effect::Offer { offer, .. } => format!("offer {}", offer.peek().unwrap().step),
        Effect::Train(order) => format!("train {} from {}", order.step, order.base.hash.short()),
        Effect::StopTraining => "stop training".into(),
        Effect::Fetch { blob, .. } => format!("fetch {}", blob.hash.short()),
        Effect::Mix(MixOrder { own, received, .. }) => format!("mix {} and {}", own.hash.short(), received.len()),
        Effect::Forget(blobs) => {
            let names: Vec<String> = blobs.iter().map(|blob| blob.hash.short()).collect();
            format!("forget {}", names.join(" "))
        }
        Effect::SetTimer(timer, span) => format!("{timer:?} in {}", span.as_millis()),
        Effect::CancelTimer(timer) => format!("no {timer:?}"),
        Effect::Blame { .. } => "blame".into(),
        Effect::Tell(Event::Stepped { step, received, accepted, .. }) => {
            format!("stepped {step}: {accepted} of {received}")
        }
        Effect::Tell(Event::Misbehaved { .. }) => "misbehaved".into(),
        Effect::Tell(Event::Arrived { step, model, .. }) => format!("{} arrived for {step}", model.hash.short()),
        Effect::Tell(other) => format!("{other:?}"),
    }
}

fn words(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(word).collect()
}

#[test]
fn a_step_from_its_training_to_the_next() {
    let mut member = Member::new(4, "epidemic:2");
    member.meet(1..4);
    let first = first().hash.short();
    assert_eq!(words(&member.start()), [format!("train 1 from {first}")]);
    let offer = member.offer(1, 7, model(11));
    let steps = [
        ("an offer that comes while it trains is fetched", 500, offer, vec!["fetch 0b0b0b0b"]),
        ("and is here", 600, Input::BlobReady(model(11)), vec!["0b0b0b0b arrived for 1"]),
        (
            "the trained model is saved before it is sent to two",
            1_000,
            trained(1, model(1), 700),
            vec!["save", "offer 1", "offer 1", "Settle(Step(1)) in 100"],
        ),
        ("one model has come, but two are hoped for", 1_100, settle(1), vec!["Listen(Step(1)) in 600"]),
        ("an answer to another step is of no use", 1_150, mixed(1, model(9)), vec![]),
    ];
    for (what, ms, input, expected) in steps {
        assert_eq!(words(&member.at(ms, input)), expected, "{what}");
    }
    let offer = member.offer(3, 1, model(13));
    assert_eq!(words(&member.at(1_200, offer)), ["fetch 0d0d0d0d"]);
    let ended = member.at(1_300, Input::BlobReady(model(13)));
    assert_eq!(
        words(&ended),
        ["0d0d0d0d arrived for 1", "no Settle(Step(1))", "no Listen(Step(1))", "mix 01010101 and 2"],
        "the second has come: nothing more is waited for"
    );
    assert_eq!(member.at(1_350, listen(1)), [], "a timer that was late changes nothing");
    let next = member.at(1_400, mixed(1, model(2)));
    assert_eq!(
        words(&next),
        ["save", "stepped 1: 2 of 2", "forget 0b0b0b0b 0d0d0d0d", "train 2 from 02020202"],
        "what others sent is deleted; its own stays for who may still be fetching it"
    );
}

#[test]
fn nothing_is_waited_for_beyond_the_time_that_training_took() {
    for (training_ms, listened_ms) in [(1, 100), (700, 700), (60_000, 1_000)] {
        let mut member = Member::new(4, "epidemic:2");
        member.meet(1..4);
        member.start();
        member.at(1_000, trained(1, model(1), training_ms));
        let left = listened_ms - 100;
        assert_eq!(words(&member.at(1_100, settle(1))), [format!("Listen(Step(1)) in {left}")]);
        assert_eq!(words(&member.at(1_100 + left, listen(1)))[2], "mix 01010101 and 0", "nobody has come");
    }
}

#[test]
fn nobody_is_waited_for_who_is_not_there() {
    for (here, wanted) in [(0, "mix 01010101 and 0"), (1, "Listen(Step(1)) in 600")] {
        let mut member = Member::new(4, "epidemic:2");
        member.meet(1..=here);
        let sent = words(&member.train()).iter().filter(|word| *word == "offer 1").count();
        assert_eq!(sent, here, "it sends to those that are there");
        assert_eq!(words(&member.at(1_100, settle(1))).last().unwrap(), wanted);
    }
    let mut member = Member::new(4, "epidemic:2");
    member.meet(1..4);
    for place in 1..4 {
        let gone = key(place).id();
        member.at(0, Input::PeerDown(gone));
    }
    assert_eq!(words(&member.train()), ["save", "Settle(Step(1)) in 100"]);
}

#[test]
fn a_training_that_fails_costs_its_step_and_no_more() {
    let mut member = Member::new(2, "epidemic:1");
    member.start();
    assert_eq!(words(&member.at(10, Input::Untrained { step: Step(1) })), ["Settle(Step(1)) in 100"]);
    let first = first().hash.short();
    assert_eq!(words(&member.at(110, settle(1))).last().unwrap(), &format!("mix {first} and 0"), "with what it had");
    assert_eq!(words(&member.at(111, mixed(1, self::first()))).last().unwrap(), &format!("train 2 from {first}"));
}

#[test]
fn offers_that_are_none_are_refused_and_their_sender_is_blamed() {
    let member = Member::new(4, "epidemic:2");
    let (one, two) = (key(1), key(2));
    let offer = ModelOffer { step: Step(1), model: model(9) };
    let network = member.federation.network;
    let long = ModelOffer { step: Step(1), model: BlobRef { size: first().size + 4, ..model(9) } };
    let cases = [
        ("of another network", one.id(), Signed::new(&one, &NetworkId([9; 32]), &offer)),
        ("passed on", one.id(), Signed::new(&two, &network, &offer)),
        ("of another size", one.id(), Signed::new(&one, &network, &long)),
    ];
    for (what, from, offer) in cases {
        let mut member = Member::new(4, "epidemic:2");
        member.start();
        assert_eq!(words(&member.at(1, Input::Offered { from, offer })), ["blame", "misbehaved"], "{what}");
    }
    let stranger = Keypair::from_secret([99; 32]);
    let mut member = Member::new(4, "epidemic:2");
    member.start();
    let offer = Signed::new(&stranger, &network, &offer);
    assert_eq!(member.at(1, Input::Offered { from: stranger.id(), offer }), [], "the network admits no strangers");
}

#[test]
fn each_sender_counts_once_and_no_flood_gets_through() {
    let mut member = Member::new(4, "epidemic:2");
    member.meet(1..4);
    member.start();
    let steps = [
        ("the first", (1, 5, 21), vec!["fetch 15151515"]),
        ("the same again", (1, 5, 21), vec![]),
        ("another for the same step", (1, 5, 22), vec!["misbehaved"]),
        ("an older one", (1, 4, 23), vec![]),
        ("a newer one in the same step of ours", (1, 6, 24), vec![]),
        ("another sender", (2, u64::MAX, 25), vec!["fetch 19191919"]),
    ];
    for (what, (place, step, name), expected) in steps {
        let offer = member.offer(place, step, model(name));
        assert_eq!(words(&member.at(10, offer)), expected, "{what}");
    }
}

/// Everybody sends to one member at once: it holds so many and no more.
#[test]
fn a_crowd_is_cut() {
    let mut member = Member::new(20, "epidemic:1");
    member.meet(1..20);
    member.start();
    let offers: Vec<_> = (1..20).map(|place| member.offer(place, 1, model(100 + place as u8))).collect();
    let fetched = offers.into_iter().filter(|offer| !member.at(10, offer.clone()).is_empty()).count();
    assert_eq!(fetched, member.federation.genesis.exchange.topology.most_received());
    assert_eq!(fetched, 10);
}

#[test]
fn what_never_comes_is_given_up_after_a_few_steps() {
    let mut member = Member::new(4, "epidemic:1");
    member.meet([1]);
    member.start();
    let offer = member.offer(1, 1, model(50));
    assert_eq!(words(&member.at(0, offer)), ["fetch 32323232"]);
    for step in 1..=STALE_STEPS {
        let name = step as u8;
        member.at(step * 10_000, trained(step, model(100 + name), 1));
        member.at(step * 10_000 + 100, settle(step));
        member.at(step * 10_000 + 200, listen(step));
        let ended = words(&member.at(step * 10_000 + 300, mixed(step, model(name))));
        let given_up = ended.iter().any(|word| word.starts_with("forget") && word.contains("32323232"));
        assert_eq!(given_up, step == STALE_STEPS, "after step {step}: {ended:?}");
    }
    assert_eq!(member.at(90_000, Input::BlobReady(model(50))), [], "too late");
}

#[test]
fn a_crash_between_any_two_effects_never_makes_a_step_twice() {
    let mut member = Member::new(3, "epidemic:2");
    member.meet(1..3);
    let fresh = words(&member.restarted(&[first()]).start());
    assert_eq!(fresh, [format!("train 1 from {}", first().hash.short())], "nothing was saved, so nothing was said");
    let before = member.saved.clone();
    let announced = member.train();
    assert_eq!(words(&announced)[..2], ["save", "offer 1"]);
    // The crash comes before the save: nobody has heard of the model, and it is trained anew.
    let unsaved = Member { saved: before, ..member.restarted(&[first(), model(1)]) };
    assert_eq!(words(&unsaved.restarted(&[first(), model(1)]).start()), fresh);
    // After it: the same model is sent, whoever has heard of it before.
    let mut again = member.restarted(&[first(), model(1)]);
    again.meet(1..3);
    let said = |effects: &[Effect]| -> BTreeSet<Vec<u8>> {
        let offers = effects.iter().filter_map(|effect| match effect {
            Effect::Offer { offer, .. } => Some(Request::Model(offer.clone()).encode()),
            _ => None,
        });
        offers.collect()
    };
    let effects = again.start();
    assert_eq!(words(&effects), ["offer 1", "offer 1", "Settle(Step(1)) in 100"]);
    assert_eq!(said(&effects), said(&announced), "word for word");
    assert!(said(&effects).iter().all(|bytes| bytes.len() <= MAX_REQUEST_BYTES));
    // The model is lost with the disk's last seconds: its step is over, because it may have been announced.
    let mut lost = member.restarted(&[first()]);
    assert_eq!(words(&lost.start()), [format!("train 2 from {}", first().hash.short())]);
    // The average is saved: the next step begins, from it.
    member.at(1_100, settle(1));
    member.at(1_700, listen(1));
    member.at(1_800, mixed(1, model(2)));
    let mut next = member.restarted(&[first(), model(1), model(2)]);
    assert_eq!(words(&next.start()), ["train 2 from 02020202"]);
}

#[test]
fn what_was_saved_and_is_damaged_is_not_taken_for_a_step() {
    let mut member = Member::new(2, "epidemic:1");
    member.train();
    let mut bytes = member.saved.clone().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let here = BTreeSet::from([first()]);
    let recovered = Epidemic::recover(member.federation.clone(), key(0), Some(&bytes[..]), &here);
    assert!(recovered.unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn an_exchange_that_ends_leaves_its_progress_for_one_round() {
    let mut member = Member::new(3, "elected");
    let (round, recent) = (Round(4), [first(), model(90)]);
    assert_eq!(member.epidemic.progress(round, recent), None, "there is none yet");
    member.train();
    member.at(1_100, settle(1));
    member.at(1_200, mixed(1, model(2)));
    assert!(member.epidemic.is_running());
    let ended = member.epidemic.stop(Time(2_000));
    assert!(words(&ended).contains(&"stop training".to_owned()) && !member.epidemic.is_running());
    assert_eq!(member.epidemic.progress(round, [model(90), model(91)]), None, "it set out from an older model");
    let (progress, saved) = member.epidemic.progress(round, recent).unwrap();
    assert_eq!(progress, model(2));
    member.took(vec![saved]);
    let mut member = member.restarted(&[first(), model(2)]);
    assert_eq!(member.epidemic.progress(round, recent).unwrap().0, model(2), "the same round after a crash");
    assert_eq!(member.epidemic.progress(Round(5), recent), None, "not in another");
    assert_eq!(words(&member.epidemic.start(model(90), Time(9))), [format!("train 2 from {}", "5a5a5a5a")]);
}

/// One synchronous step of averages brings members together by as much as it must.
///
/// A member that hears from d others averages d + 1 of the n models, drawn without replacement, so its squared distance
/// to their mean is (n - d - 1) / ((d + 1) (n - 1)) of what it was, on average; d is binomial with n - 1 draws and
/// chance s / (n - 1), and over it the mean of 1 / (d + 1) is (1 - (1 - s / (n - 1))^n) (n - 1) / (n s). Hence
/// beta = (1 - (1 - s / (n - 1))^n) / s - 1 / (n - 1).
#[test]
fn averaging_contracts_as_it_must() {
    for (n, fanout) in [(8, 2), (8, 7), (12, 3)] {
        let (s, others) = (f64::from(fanout), (n - 1) as f64);
        let beta = (1.0 - (1.0 - s / others).powi(n as i32)) / s - 1.0 / others;
        let measured = contraction(n, fanout, 150);
        assert!((measured - beta).abs() < 0.03, "n = {n}, s = {s}: {measured} where {beta} is expected");
    }
}

/// Mean squared distance to the old mean after one step, against that before it.
fn contraction(n: usize, fanout: u32, steps: u64) -> f64 {
    let federation = Federation::new(scenario(n, &format!("epidemic:{fanout}")).genesis());
    let keys: Vec<Keypair> = (0..n).map(key).collect();
    let mut members: Vec<Epidemic> = keys.iter().map(|key| among_all(&federation, key)).collect();
    let (mut before, mut after) = (0.0, 0.0);
    // Values that sum to zero, each far from most others.
    let value = |place: usize| (place as f32 - (n - 1) as f32 / 2.0) / 4.0;
    let bytes = |place: usize| aggregate::encode(&[value(place); 4]);
    for step in 1..=steps {
        let mut heard: BTreeMap<MemberId, Vec<(MemberId, Vec<u8>)>> = BTreeMap::new();
        for (place, member) in members.iter_mut().enumerate() {
            for to in sent_to(member, step) {
                heard.entry(to).or_default().push((keys[place].id(), bytes(place)));
            }
        }
        for (place, key) in keys.iter().enumerate() {
            let received = heard.get(&key.id()).into_iter().flatten();
            let received: Vec<(MemberId, &[u8])> = received.map(|(id, bytes)| (*id, &bytes[..])).collect();
            let mixture = mix(&federation.genesis, Step(step), (key.id(), &bytes(place)), &received);
            let new = aggregate::parameters(&mixture.model).next().unwrap();
            before += f64::from(value(place)).powi(2);
            after += f64::from(new).powi(2);
        }
    }
    after / before
}

/// A member that has started and is connected to all others.
fn among_all(federation: &Federation, key: &Keypair) -> Epidemic {
    let here = BTreeSet::from([first()]);
    let mut epidemic = Epidemic::recover(federation.clone(), key.clone(), None, &here).unwrap();
    for other in &federation.genesis.members {
        epidemic.handle(Input::PeerUp(other.id), Time(0));
    }
    epidemic.start(first(), Time(0));
    epidemic
}

/// To whom a member sends in `step`, which it goes through without more ado.
fn sent_to(epidemic: &mut Epidemic, step: u64) -> Vec<MemberId> {
    let effects = epidemic.handle(trained(step, model(1), 1), Time(0));
    for input in [settle(step), listen(step), mixed(step, first())] {
        epidemic.handle(input, Time(0));
    }
    let offers = effects.into_iter().filter_map(|effect| match effect {
        Effect::Offer { to, .. } => Some(to),
        _ => None,
    });
    offers.collect()
}

#[test]
fn an_unsound_model_is_told_of_and_a_distant_one_is_not() {
    for (refusal, expected) in [
        (
            Refusal::Unsound(aggregate::UpdateFault::NotFinite { index: 0 }),
            vec!["save", "misbehaved", "stepped 1: 0 of 1"],
        ),
        (Refusal::Distant { distance: 2.0, allowed: 1.0 }, vec!["save", "stepped 1: 0 of 1"]),
    ] {
        let mut member = Member::new(2, "epidemic:1");
        member.meet([1]);
        member.train();
        let offer = member.offer(1, 1, model(30));
        member.at(1_010, offer);
        member.at(1_020, Input::BlobReady(model(30)));
        assert_eq!(words(&member.at(1_100, settle(1))).last().unwrap(), "mix 01010101 and 1");
        let refused = [(key(1).id(), refusal)].into();
        let mut ended = words(&member.at(1_200, Input::Mixed { step: Step(1), model: model(2), refused }));
        ended.retain(|word| !word.starts_with("forget") && !word.starts_with("train"));
        ended.sort_by_key(|word| word != "save");
        assert_eq!(ended, expected);
    }
}
