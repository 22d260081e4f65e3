//! Real bytes for the fuzz targets to start from: one value of every kind, and the decisions of simulated federations.

use std::fs;

use althing_protocol::{
    aggregate,
    body::{Body, Evidence},
    codec,
    crypto::{Signed, Statement},
    ids::{self, Height, MemberId},
    sim::{self, Scenario},
    state::State,
    statement::ModelOffer,
    update::Codec,
    wire::{Decision, Message, Request},
};

use super::{
    corpus,
    targets::{
        BREAK,
        machine::{EXCHANGE, Step, exchange, siege},
        signer::{VILLAGE, markets, village},
        update::{CODECS, IS_LONG, LONG_PARAMETERS},
    },
};

#[path = "../wire/samples.rs"]
#[allow(dead_code, reason = "the tests of the wire use the rest")]
mod samples;

/// Heights that the seeds are made of: two rounds.
const HEIGHTS: usize = 4;

#[test]
#[ignore = "it writes the seeds of the corpus anew"]
fn write() {
    for (target, seeds) in [
        ("audit", audit()),
        ("body", body()),
        ("epidemic", epidemic()),
        ("genesis", genesis()),
        ("machine", machine()),
        ("statement", statement()),
        ("update", update()),
        ("wire", wire()),
    ] {
        let folder = corpus(target);
        fs::create_dir_all(&folder).unwrap();
        for (place, seed) in seeds.into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{place:02}")), seed).unwrap();
        }
    }
}

/// The bodies that a federation decides when it is left alone.
fn chain(scenario: &Scenario) -> Vec<Body> {
    let report = sim::run(scenario);
    assert_eq!(report.complaint(), None);
    report.chain.into_values().collect()
}

fn body() -> Vec<Vec<u8>> {
    let bodies = |scenario: &Scenario| chain(scenario).iter().map(Body::encode).collect::<Vec<_>>();
    let all = bodies(&village());
    let mut seeds: Vec<Vec<u8>> = (1..=all.len()).map(|heights| all[..heights].join(BREAK)).collect();
    for (choice, market) in markets().iter().enumerate() {
        seeds.push([&[vec![choice as u8]], &bodies(market)[..HEIGHTS]].concat().join(BREAK));
    }
    seeds
}

fn audit() -> Vec<Vec<u8>> {
    let mut state = State::genesis(&VILLAGE.federation);
    let mut decisions = Vec::new();
    for body in chain(&village()) {
        let (round, body) = (body.header.agreement_round, body.encode());
        let certificate = VILLAGE.certify(&state, round, Body::id_of(&body));
        (state, ..) = state.apply(&VILLAGE.federation, &body).unwrap();
        decisions.push(codec::encode(&Decision { body: body.into(), certificate }));
    }
    let mut seeds: Vec<Vec<u8>> = (1..=decisions.len()).map(|heights| decisions[..heights].join(BREAK)).collect();
    decisions.push(codec::encode(&state));
    seeds.push(decisions.join(BREAK));
    seeds
}

fn genesis() -> Vec<Vec<u8>> {
    let drawn = (0..8).map(Scenario::from_seed);
    let all = drawn.chain([exchange(), village(), siege()]);
    all.map(|scenario| codec::encode(&scenario.genesis())).collect()
}

fn wire() -> Vec<Vec<u8>> {
    let messages = samples::messages().into_iter().map(|(_, message)| message.encode());
    let bodies = samples::bodies().into_iter().map(|(_, body)| body.encode());
    let others = [samples::request().encode(), samples::offered_model().encode(), samples::response().encode()];
    messages.chain(bodies).chain(others).collect()
}

fn statement() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = samples::messages().iter().flat_map(|(_, message)| within(message)).collect();
    for (_, body) in samples::bodies() {
        if let Evidence::Settle(settle) = body.evidence {
            all.extend(settle.equivocations.iter().map(codec::encode));
        }
    }
    let state = State::genesis(&VILLAGE.federation);
    all.push(codec::encode(&VILLAGE.certify(&state, 0, state.head)));
    all
}

/// What a message holds, by itself.
fn within(message: &Message) -> Vec<Vec<u8>> {
    fn both<T: Statement>(signed: &Signed<T>) -> Vec<Vec<u8>> {
        vec![codec::encode(signed), codec::encode(&signed.peek().unwrap())]
    }
    match message {
        Message::Commit(signed) => both(signed),
        Message::Marks(signed) => both(signed),
        Message::Reveal(signed) => both(signed),
        Message::CounterOffers(signed) => both(signed),
        Message::CounterReply(signed) => both(signed),
        Message::Update(signed) => both(signed),
        Message::Withdrawal(signed) => both(signed),
        Message::Appraisal(signed) => both(signed),
        Message::Instruction(signed) => both(signed),
        Message::Body(signed) => both(signed),
        Message::Agreement(message) => vec![message.encode()],
        Message::Have(_) | Message::Tip(_) => Vec::new(),
    }
}

/// One update of each codec, three of different widths, and one of the long slice.
fn update() -> Vec<Vec<u8>> {
    let base: Vec<f32> = aggregate::parameters(&Scenario::first_model()).collect();
    let seeds = CODECS.into_iter().enumerate().flat_map(|(choice, codec)| {
        let choice = choice as u8;
        let part = |(width, parameters)| [vec![width], coded(codec, &base[..parameters])].concat();
        let parts = [(0, 12), (1, 6), (2, 2)].map(part);
        let long = coded(codec, &[0.0; LONG_PARAMETERS]);
        [
            [vec![choice], parts[0].clone()].concat(),
            [vec![choice], parts.join(BREAK)].concat(),
            [vec![choice | IS_LONG], long].concat(),
        ]
    });
    seeds.collect()
}

fn coded(codec: Codec, base: &[f32]) -> Vec<u8> {
    let trained: Vec<f32> = base.iter().zip(0_u16..).map(|(value, place)| value + f32::from(place) / 8.0).collect();
    codec.encode(base, &trained, &mut vec![0.0; base.len()], &mut || 1 << 31).unwrap()
}

/// Sieges in which the hostile members keep to the protocol, propose and forge, and the machine dies now and then.
fn machine() -> Vec<Vec<u8>> {
    let chain: Vec<Body> = chain(&siege()).into_iter().take(2 * HEIGHTS).collect();
    let good: Vec<Line> = chain.iter().flat_map(follow).collect();
    let crashing = good.iter().flat_map(|line| [line.clone(), self::line(Step::Crash, 0, &[])]);
    let mut scripts = vec![script(good.clone()), script(crashing), script(chain.iter().flat_map(propose))];
    scripts.extend((1..=HEIGHTS).map(|heights| script(chain[..heights].iter().flat_map(follow))));
    for (place, (_, message)) in samples::messages().iter().enumerate() {
        let bytes = message.encode();
        let said = [line(Step::Gossip, place as u8, &bytes), line(Step::Say, 0, &bytes), line(Step::Run, 9, &[])];
        scripts.push(script(said));
    }
    scripts.push(script([
        line(Step::Ask, 0, &samples::request().encode()),
        line(Step::Ask, 0, &samples::offered_model().encode()),
        line(Step::Say, 0, &Message::Tip(Height(9)).encode()),
        line(Step::Answer, 0, &samples::response().encode()),
        line(Step::Fail, 1, &[]),
        line(Step::Go, 1, &[]),
        line(Step::Fire, 0, &[]),
        line(Step::Do, 0, &[30]),
    ]));
    scripts
}

/// Steps of an exchange in which the hostile members offer models for a few steps, and for one step two.
fn epidemic() -> Vec<Vec<u8>> {
    let model = EXCHANGE.federation.genesis.task.initial_model;
    let offer = |place: u8, member: &MemberId| {
        let offer = ModelOffer { step: ids::Step(u64::from(place / 2)), model };
        let keypair = EXCHANGE.key_of(member).unwrap();
        line(Step::Ask, place % 2, &Request::Model(Signed::new(keypair, EXCHANGE.network(), &offer)).encode())
    };
    let members: Vec<MemberId> = EXCHANGE.accounts().take(2).collect();
    let offers = (0..8).map(|place| offer(place, &members[usize::from(place % 2)]));
    let steps = offers.flat_map(|offer| [offer, line(Step::Run, 3, &[])]);
    let quiet: Vec<Line> = steps.collect();
    let crashing = quiet.iter().flat_map(|line| [line.clone(), self::line(Step::Crash, 0, &[])]);
    let parting =
        quiet.iter().flat_map(|line| [line.clone(), self::line(Step::Go, 0, &[]), self::line(Step::Come, 0, &[])]);
    vec![script(crashing), script(parting), script([]), script(quiet.clone())]
}

/// A line of a script.
type Line = Vec<u8>;

/// A script in which the peers come first.
fn script(lines: impl IntoIterator<Item = Line>) -> Vec<u8> {
    let opening = [line(Step::Come, 0, &[]), line(Step::Come, 1, &[]), line(Step::Run, 2, &[])];
    opening.into_iter().chain(lines).collect::<Vec<Line>>().join(BREAK)
}

fn line(step: Step, which: u8, rest: &[u8]) -> Line {
    [&[step as u8, which][..], rest].concat()
}

fn say(message: &Message) -> Line {
    line(Step::Say, 0, &message.encode())
}

/// What others have said for a body, in the order of the phases.
fn follow(body: &Body) -> Vec<Line> {
    let mut lines = Vec::new();
    match &body.evidence {
        Evidence::Plan(plan) => {
            for signed in &plan.instructions {
                let message = Message::Instruction(signed.clone());
                lines.extend([say(&message), line(Step::Submit, 0, &message.encode())]);
            }
            lines.extend(plan.bids.iter().map(|(commit, _)| say(&Message::Commit(commit.clone()))));
            lines.push(line(Step::Run, 4, &[]));
            lines.extend(plan.marks.iter().map(|marks| say(&Message::Marks(marks.clone()))));
            lines.extend(plan.bids.iter().map(|(_, reveal)| say(&Message::Reveal(reveal.clone()))));
            lines.push(line(Step::Run, 4, &[]));
            lines.extend(plan.counter_offers.iter().map(|offers| say(&Message::CounterOffers(offers.clone()))));
            lines.extend(plan.replies.iter().map(|reply| say(&Message::CounterReply(reply.clone()))));
        }
        Evidence::Settle(settle) => {
            lines.extend(settle.updates.iter().map(|update| say(&Message::Update(update.clone()))));
            lines.push(line(Step::Run, 8, &[]));
            lines.extend(settle.appraisals.iter().map(|appraisal| say(&Message::Appraisal(appraisal.clone()))));
        }
    }
    lines.push(line(Step::Run, 8, &[]));
    lines
}

/// The same, with a body proposed by whoever may, and votes for it and for none.
fn propose(body: &Body) -> Vec<Line> {
    let mut lines = follow(body);
    let propose = line(Step::Propose, 0, &body.encode());
    lines.extend([propose, line(Step::Vote, 0, &[0]), line(Step::Vote, 0x11, &[0]), line(Step::Vote, 0x31, &[0])]);
    lines.push(line(Step::Run, 16, &[]));
    lines
}
