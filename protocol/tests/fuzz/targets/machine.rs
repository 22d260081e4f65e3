//! The core's input. The machine under test has more than two thirds of the power, so that it decides alone; all others
//! are hostile, and their keys are here. So everything that peers may do is within what the protocol must bear, and
//! whatever they do, the machine neither fails nor commits what cannot be audited. The same goes for a machine of an
//! epidemic federation, which decides nothing.
//!
//! An input is a script of lines, each of which is a [`Step`].

mod host;

use std::sync::LazyLock;

use althing_protocol::{
    body::Body,
    consensus::{self, Proposal, UNSIGNED, Vote, VoteKind},
    crypto::Signed,
    genesis::Exchange,
    ids::MemberId,
    machine::{Input, Voice},
    sim::Scenario,
    statement::{BodyOffer, Instruction},
    wire::{Message, Request},
};

use self::host::Host;
use super::{
    parts,
    signer::{Signer, village},
};

/// The machine under test, two hostile members, and one who would like to come in.
pub(crate) fn siege() -> Scenario {
    Scenario { seed: 11, powers: vec![5, 1, 1], ..village() }
}

static SIEGE: LazyLock<Signer> = LazyLock::new(|| Signer::without_first(&siege()));

/// A machine that exchanges models with two hostile members.
pub(crate) fn exchange() -> Scenario {
    let topology = "epidemic:2".parse().expect("a topology");
    Scenario { exchange: Exchange { topology, ..Exchange::default() }, ..Scenario::quiet(13, 3) }
}

pub(crate) static EXCHANGE: LazyLock<Signer> = LazyLock::new(|| Signer::without_first(&exchange()));

/// What a line of a script does. The second byte of the line says who does it, or which; the rest is what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    /// Bytes come by gossip as they are.
    Gossip,
    /// A message comes by gossip, signed by whom it names.
    Say,
    /// The evidence of a body is proposed: by gossip comes the body that it makes, and the proposal.
    Propose,
    /// A vote for the body proposed last, or for none.
    Vote,
    /// A peer asks.
    Ask,
    /// A peer answers.
    Answer,
    /// A peer does not answer.
    Fail,
    /// A peer comes.
    Come,
    /// A peer goes.
    Go,
    /// A timer fires, whichever.
    Fire,
    /// An order is done.
    Do,
    /// Orders are done and timers fire as they would by themselves, so many of them.
    Run,
    /// The machine dies, and another recovers from what was made durable, or from a copy of it.
    Crash,
    /// An owner of an account submits an instruction here.
    Submit,
}

impl Step {
    pub(crate) const ALL: [Self; 14] = [
        Self::Gossip,
        Self::Say,
        Self::Propose,
        Self::Vote,
        Self::Ask,
        Self::Answer,
        Self::Fail,
        Self::Come,
        Self::Go,
        Self::Fire,
        Self::Do,
        Self::Run,
        Self::Crash,
        Self::Submit,
    ];
}

/// Lines of a script, and orders and timers that one may run: what a long script finds, short ones find too.
const MOST_LINES: usize = 200;
const MOST_RUN: u8 = 64;

pub(super) fn run(bytes: &[u8]) {
    play(Host::start(&SIEGE), bytes);
}

pub(super) fn run_epidemic(bytes: &[u8]) {
    play(Host::start(&EXCHANGE), bytes);
}

fn play(mut host: Host, script: &[u8]) {
    for line in parts(script).take(MOST_LINES) {
        let [step, which, rest @ ..] = line else { continue };
        take(&mut host, Step::ALL[usize::from(*step) % Step::ALL.len()], *which, rest);
    }
}

fn take(host: &mut Host, step: Step, which: u8, rest: &[u8]) {
    let from = somebody(host, which);
    let bytes = rest.to_vec();
    match step {
        Step::Gossip => host.hear(from, somebody(host, which >> 4), rest),
        Step::Say => say(host, from, rest),
        Step::Propose => propose(host, rest),
        Step::Vote => vote(host, from, which, rest),
        Step::Ask => ask(host, from, which, rest),
        Step::Answer => host.handle(Input::Answered { from, bytes }),
        Step::Fail => host.handle(Input::Unanswered { from }),
        Step::Come => host.handle(Input::PeerUp(from)),
        Step::Go => host.handle(Input::PeerDown(from)),
        Step::Fire => host.fire(which.into()),
        Step::Do => host.carry_out(which.into(), rest.first().copied().unwrap_or_default()),
        Step::Run => (0..which % MOST_RUN).for_each(|_| host.go_on()),
        Step::Crash => host.crash(if which & 1 == 0 { Voice::Speaks } else { Voice::Silent }),
        Step::Submit => submit(host, rest),
    }
}

/// Somebody who is not the machine under test: a member, a newcomer, or a sponsor.
fn somebody(host: &Host, which: u8) -> MemberId {
    let others: Vec<MemberId> = host.signer().accounts().collect();
    others[usize::from(which & 0x0f) % others.len()]
}

/// Offers of models are signed by whom they name.
fn ask(host: &mut Host, from: MemberId, which: u8, rest: &[u8]) {
    let bytes = match Request::decode(rest) {
        Ok(Request::Model(offer)) => Request::Model(host.signer().sign(&offer)).encode(),
        _ => rest.to_vec(),
    };
    host.handle(Input::Asked { from, reply: which.into(), bytes });
}

fn say(host: &mut Host, from: MemberId, rest: &[u8]) {
    let Ok(message) = Message::decode(rest) else { return };
    let message = host.signer().sign_message(message);
    host.hear(from, from, &message.encode());
}

fn propose(host: &mut Host, rest: &[u8]) {
    let signer = host.signer();
    let Ok(body) = Body::decode(rest) else { return };
    let agreement_round = body.header.agreement_round;
    let body = signer.propose(host.state(), &body).unwrap_or(body);
    let proposer = body.header.proposer;
    // What the machine under test would propose is its own to say.
    let Some(keypair) = signer.key_of(&proposer) else { return };
    let (height, bytes) = (body.header.height, body.encode());
    let id = Body::id_of(&bytes);
    let offer = BodyOffer { height, agreement_round, valid_round: None, body: bytes.into() };
    let offer = Message::Body(Signed::new(keypair, signer.network(), &offer));
    let proposal =
        Proposal { height, round: agreement_round, body: id, valid_round: None, signer: proposer, signature: UNSIGNED };
    let proposal = consensus::Message::Proposal(proposal.signed(keypair, signer.network()));
    host.offered(body);
    for message in [offer, Message::Agreement(proposal)] {
        host.hear(proposer, proposer, &message.encode());
    }
}

fn vote(host: &mut Host, from: MemberId, which: u8, rest: &[u8]) {
    let kind = if which & 0x10 == 0 { VoteKind::Prevote } else { VoteKind::Precommit };
    let body = if which & 0x20 == 0 { host.proposed() } else { None };
    let round = rest.first().copied().unwrap_or_default().into();
    let vote = Vote { kind, height: host.state().height.next(), round, body, signer: from, signature: UNSIGNED };
    let message = Message::Agreement(consensus::Message::Vote(host.signer().sign_vote(vote)));
    host.hear(from, from, &message.encode());
}

fn submit(host: &mut Host, rest: &[u8]) {
    let Ok(Message::Instruction(signed)) = Message::decode(rest) else { return };
    let signed: Signed<Instruction> = host.signer().sign_instruction(&signed);
    host.submit(signed);
}
