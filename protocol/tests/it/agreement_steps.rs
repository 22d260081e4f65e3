//! One engine, step by step: what goes in and exactly what comes out.

use std::fmt::Write;

use althing_protocol::{
    consensus::{
        Effect, Engine, EngineError, Input, Message, RoundCertificate, Timer, TimerKind, Verdict, VoteKind, WalEntry,
    },
    crypto::Keypair,
    ids::{Hash, Height, MemberId},
};

use super::network::{NETWORK, TIMEOUTS, keypair, number, propose, validators, vote};

const HEIGHT: Height = Height(7);

/// The chair of a round, which also names it: `p0` chairs round 0.
fn chair(round: u32) -> Keypair {
    keypair(number(4, validators(4, HEIGHT).proposer(round)))
}

fn name(member: MemberId) -> String {
    let place = validators(4, HEIGHT).order().iter().position(|&id| id == member).unwrap();
    format!("p{place}")
}

fn body(name: &str) -> Hash {
    Hash::of(name.as_bytes())
}

fn body_name(hash: Hash) -> &'static str {
    ["A", "B"].into_iter().find(|name| body(name) == hash).unwrap()
}

fn show_message(message: &Message) -> String {
    match message {
        Message::Vote(vote) => {
            let kind = if vote.kind == VoteKind::Prevote { "prevote" } else { "precommit" };
            format!("{} {kind} r{} {}", name(vote.signer), vote.round, vote.body.map_or("nil", body_name))
        }
        Message::Proposal(offer) => {
            let mut text = format!("{} propose r{} {}", name(offer.signer), offer.round, body_name(offer.body));
            if let Some(round) = offer.valid_round {
                write!(text, " from r{round}").unwrap();
            }
            text
        }
        Message::PolkaCertificate(proof) => format!("polka r{} {}", proof.round, body_name(proof.body)),
        Message::RoundCertificate(RoundCertificate::Ended { round, .. }) => format!("ended r{round}"),
        Message::RoundCertificate(RoundCertificate::Begun { round, .. }) => format!("begun r{round}"),
    }
}

fn show_timer(timer: &Timer) -> String {
    format!("{:?} r{}", timer.kind, timer.round).to_lowercase()
}

fn show_entry(entry: &WalEntry) -> String {
    match entry {
        WalEntry::Vote(vote) => show_message(&Message::Vote(vote.clone())),
        WalEntry::Proposal(proposal) => show_message(&Message::Proposal(proposal.clone())),
        WalEntry::Timeout(timer) => show_timer(timer),
        WalEntry::Judged(judged) => format!("{} {:?}", body_name(judged.body), judged.verdict).to_lowercase(),
        WalEntry::PolkaCertificate(proof) => show_message(&Message::PolkaCertificate(proof.clone())),
    }
}

fn show(effect: &Effect) -> String {
    match effect {
        Effect::Append(entry) => format!("log {}", show_entry(entry)),
        Effect::Publish(message) => format!("say {}", show_message(message)),
        Effect::SetTimer(timer, duration) => format!("set {} {}", show_timer(timer), duration.as_millis()),
        Effect::CancelTimer(timer) => format!("cancel {}", show_timer(timer)),
        Effect::CancelTimers => "cancel all".into(),
        Effect::RoundStarted { round, proposer, .. } => format!("round r{round} {}", name(*proposer)),
        Effect::Build { round, .. } => format!("build r{round}"),
        Effect::Restream { round, body, .. } => format!("restream r{round} {}", body_name(*body)),
        Effect::Decide { certificate } => {
            let mut signers: Vec<_> = certificate.signatures.iter().map(|&(id, _)| name(id)).collect();
            signers.sort_unstable();
            format!("decide r{} {} by {}", certificate.round, body_name(certificate.body), signers.join(" "))
        }
        Effect::Equivocation(proofs) => format!("{} proofs against {}", proofs.len(), name(proofs[0].member())),
        Effect::Refused(refusal) => format!("refused: {refusal}"),
        Effect::Ahead { member, height } => format!("{} is ahead at {height}", name(*member)),
        Effect::Behind { member, height } => format!("{} is behind at {height}", name(*member)),
    }
}

fn shown(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(show).collect()
}

/// One step: why, what goes in, what comes out.
type Step = (&'static str, Input, &'static [&'static str]);

/// Starts the chair of round `own` at [`HEIGHT`] and takes it through `steps`.
fn walk(own: u32, first: &[&str], steps: Vec<Step>) -> Engine {
    let mut engine = Engine::new(chair(own), NETWORK, TIMEOUTS);
    assert_eq!(shown(&engine.start(HEIGHT, validators(4, HEIGHT)).unwrap()), first, "start");
    for (desc, input, expected) in steps {
        assert_eq!(shown(&engine.handle(input).unwrap()), expected, "{desc}");
    }
    engine
}

fn prevote(by: u32, round: u32, name: &str) -> Input {
    let body = (name != "nil").then(|| body(name));
    Input::Message(vote(&chair(by), VoteKind::Prevote, HEIGHT, round, body))
}

fn precommit(by: u32, round: u32, name: &str) -> Input {
    let body = (name != "nil").then(|| body(name));
    Input::Message(vote(&chair(by), VoteKind::Precommit, HEIGHT, round, body))
}

fn proposal(round: u32, name: &str) -> Input {
    Input::Message(propose(&chair(round), HEIGHT, round, body(name)))
}

fn judged(round: u32, name: &str, verdict: Verdict) -> Input {
    let proposer = chair(round).id();
    Input::Judged { height: HEIGHT, round, valid_round: None, proposer, body: body(name), verdict }
}

fn built(round: u32, name: &str) -> Input {
    Input::Built { height: HEIGHT, round, body: body(name) }
}

fn timer(kind: TimerKind, round: u32) -> Input {
    Input::TimerFired(Timer { height: HEIGHT, round, kind })
}

#[test]
fn the_chair_proposes_and_decides() {
    let first = ["cancel all", "round r0 p0", "set rebroadcast r0 500", "set propose r0 1000", "build r0"];
    let engine = walk(
        0,
        &first,
        vec![
            (
                "its body is logged before it is proposed, its vote before it is cast",
                built(0, "A"),
                &[
                    "log a valid",
                    "cancel propose r0",
                    "log p0 propose r0 A",
                    "cancel propose r0",
                    "log p0 prevote r0 A",
                    "say p0 prevote r0 A",
                    "set rebroadcast r0 500",
                    "say p0 propose r0 A",
                ],
            ),
            ("a second body for the round is ignored", built(0, "B"), &[]),
            (
                "time to repeat everything, proposal and body too",
                timer(TimerKind::Rebroadcast, 0),
                &["say p0 prevote r0 A", "set rebroadcast r0 500", "say p0 propose r0 A", "restream r0 A"],
            ),
            ("one prevote is no quorum", prevote(1, 0, "A"), &["log p1 prevote r0 A"]),
            (
                "two and its own are",
                prevote(2, 0, "A"),
                &["log p2 prevote r0 A", "log p0 precommit r0 A", "say p0 precommit r0 A", "set rebroadcast r0 500"],
            ),
            ("a slow prevote changes nothing", prevote(3, 0, "A"), &["log p3 prevote r0 A"]),
            ("one precommit is no quorum", precommit(1, 0, "A"), &["log p1 precommit r0 A"]),
            (
                "two and its own decide",
                precommit(3, 0, "A"),
                &["log p3 precommit r0 A", "decide r0 A by p0 p1 p3", "cancel all"],
            ),
            ("what comes after is of a decided height", precommit(2, 0, "A"), &["p2 is behind at 7"]),
            ("a timer that comes too late means nothing", timer(TimerKind::Rebroadcast, 0), &[]),
        ],
    );
    assert!(!engine.is_deciding());
}

#[test]
fn a_member_votes_only_on_a_body_that_is_here_and_judged() {
    walk(
        1,
        &["cancel all", "round r0 p0", "set rebroadcast r0 500", "set propose r0 1000"],
        vec![
            ("a proposal without its body waits", proposal(0, "A"), &["log p0 propose r0 A"]),
            ("a body of someone else in the chair's name", judged_by(2, 0, "B"), &[]),
            (
                "the body",
                judged(0, "A", Verdict::Valid),
                &[
                    "log a valid",
                    "cancel propose r0",
                    "log p1 prevote r0 A",
                    "say p1 prevote r0 A",
                    "set rebroadcast r0 500",
                ],
            ),
            ("the second proposal of one chair is evidence", proposal(0, "B"), &["log p0 propose r0 B"]),
        ],
    );
    walk(
        1,
        &["cancel all", "round r0 p0", "set rebroadcast r0 500", "set propose r0 1000"],
        vec![
            ("a body may come before its proposal", judged(0, "A", Verdict::Invalid), &["log a invalid"]),
            (
                "a bad body gets no vote",
                proposal(0, "A"),
                &[
                    "log p0 propose r0 A",
                    "cancel propose r0",
                    "log p1 prevote r0 nil",
                    "say p1 prevote r0 nil",
                    "set rebroadcast r0 500",
                ],
            ),
        ],
    );
}

fn judged_by(by: u32, round: u32, name: &str) -> Input {
    let proposer = chair(by).id();
    Input::Judged { height: HEIGHT, round, valid_round: None, proposer, body: body(name), verdict: Verdict::Valid }
}

#[test]
fn a_round_without_a_decision_leads_to_the_next_and_its_body_comes_along() {
    let engine = walk(
        1,
        &["cancel all", "round r0 p0", "set rebroadcast r0 500", "set propose r0 1000"],
        vec![
            ("the proposal", proposal(0, "A"), &["log p0 propose r0 A"]),
            (
                "the body",
                judged(0, "A", Verdict::Valid),
                &[
                    "log a valid",
                    "cancel propose r0",
                    "log p1 prevote r0 A",
                    "say p1 prevote r0 A",
                    "set rebroadcast r0 500",
                ],
            ),
            ("a prevote", prevote(0, 0, "A"), &["log p0 prevote r0 A"]),
            (
                "a quorum of prevotes locks it",
                prevote(2, 0, "A"),
                &["log p2 prevote r0 A", "log p1 precommit r0 A", "say p1 precommit r0 A", "set rebroadcast r0 500"],
            ),
            ("others missed the quorum", precommit(2, 0, "nil"), &["log p2 precommit r0 nil"]),
            (
                "a quorum of precommits without a decision sets a timer",
                precommit(3, 0, "nil"),
                &["log p3 precommit r0 nil", "set precommit r0 200"],
            ),
            (
                "the new chair proposes the same body, with the proof of its quorum",
                timer(TimerKind::Precommit, 0),
                &[
                    "log precommit r0",
                    "say ended r0",
                    "cancel all",
                    "round r1 p1",
                    "set rebroadcast r1 500",
                    "say polka r0 A",
                    "restream r1 A",
                    "log p1 propose r1 A from r0",
                    "cancel propose r1",
                    "log p1 prevote r1 A",
                    "say p1 prevote r1 A",
                    "set rebroadcast r1 500",
                    "say p1 propose r1 A from r0",
                ],
            ),
        ],
    );
    assert_eq!((engine.round(), engine.proposer()), (Some(1), Some(chair(1).id())));
}

#[test]
fn a_chair_that_is_known_to_be_gone_is_not_waited_for() {
    let first = ["cancel all", "round r0 p0", "set rebroadcast r0 500", "set propose r0 1000"];
    let mut engine = walk(2, &first, vec![]);
    assert_eq!(engine.proposer_gone(chair(1).id()).unwrap(), [], "it does not chair this round");
    let gone = shown(&engine.proposer_gone(chair(0).id()).unwrap());
    let expected = [
        "log propose r0",
        "cancel propose r0",
        "log p2 prevote r0 nil",
        "say p2 prevote r0 nil",
        "set rebroadcast r0 500",
    ];
    assert_eq!(gone, expected);
    assert_eq!(engine.proposer_gone(chair(0).id()).unwrap(), [], "once is enough");

    let mut chairs = Engine::new(chair(0), NETWORK, TIMEOUTS);
    chairs.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    assert_eq!(chairs.proposer_gone(chair(0).id()).unwrap(), [], "nobody believes that of itself");
}

#[test]
fn what_comes_early_counts_when_the_height_starts() {
    let mut engine = Engine::new(chair(1), NETWORK, TIMEOUTS);
    engine.rest_at(Height(6), validators(4, HEIGHT)).unwrap();
    assert_eq!(shown(&engine.handle(proposal(0, "A")).unwrap()), ["p0 is ahead at 7"]);
    assert_eq!(shown(&engine.handle(prevote(0, 0, "A")).unwrap()), ["p0 is ahead at 7"]);
    let effects = shown(&engine.start(HEIGHT, validators(4, HEIGHT)).unwrap());
    assert!(effects.ends_with(&["log p0 propose r0 A".into(), "log p0 prevote r0 A".into()]), "{effects:?}");
}

#[test]
fn a_restart_says_the_same_again_and_asks_only_for_what_is_missing() {
    let resumed = |entries: Vec<WalEntry>| {
        let mut engine = Engine::new(chair(0), NETWORK, TIMEOUTS);
        shown(&engine.resume(HEIGHT, validators(4, HEIGHT), entries).unwrap())
    };
    let mut engine = Engine::new(chair(0), NETWORK, TIMEOUTS);
    engine.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    let log: Vec<_> = engine
        .handle(built(0, "A"))
        .unwrap()
        .into_iter()
        .filter_map(|effect| if let Effect::Append(entry) = effect { Some(entry) } else { None })
        .collect();
    assert_eq!(log.iter().map(show_entry).collect::<Vec<_>>(), ["a valid", "p0 propose r0 A", "p0 prevote r0 A"]);

    let opening = ["cancel all", "round r0 p0", "set rebroadcast r0 500", "set propose r0 1000"];
    let check = |kept: usize, desc: &str, rest: &[&str]| {
        assert_eq!(resumed(log[..kept].to_vec()), [&opening, rest].concat(), "{desc}");
    };
    check(0, "nothing was logged: build", &["build r0"]);
    let voted = [
        "log p0 prevote r0 A",
        "say p0 prevote r0 A",
        "set rebroadcast r0 500",
        "say p0 propose r0 A",
        "restream r0 A",
    ];
    let proposed = [&["cancel propose r0", "log p0 propose r0 A", "cancel propose r0"], &voted[..]].concat();
    check(1, "a body was logged: propose that one", &proposed);
    check(2, "it was proposed: say it again, and vote", &[&["cancel propose r0"], &voted[..]].concat());
    check(3, "it was voted for: say all of it again", &[&["cancel propose r0"], &voted[1..]].concat());
}

#[test]
fn a_body_is_logged_once_and_only_if_it_may_be_the_chairs() {
    let mut engine = Engine::new(chair(1), NETWORK, TIMEOUTS);
    engine.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    let mut judge = |input| shown(&engine.handle(input).unwrap());
    assert_eq!(judge(judged(0, "A", Verdict::Invalid)), ["log a invalid"]);
    assert_eq!(judge(judged(0, "A", Verdict::Invalid)), [""; 0], "it was streamed again");
    assert_eq!(judge(judged(0, "A", Verdict::Valid)), ["log a valid"], "a later verdict may be kinder");
    assert_eq!(judge(judged_by(3, 0, "B")), [""; 0], "not of the chair");
    assert_eq!(judge(judged(1, "B", Verdict::Valid)), [""; 0], "in this member's own name");
    assert_eq!(judge(judged(8, "B", Verdict::Valid)), ["log b valid"]);
    assert_eq!(judge(judged(12, "B", Verdict::Valid)), [""; 0], "of a distant round");
}

#[test]
fn heights_that_were_caught_up_are_left_behind() {
    let mut engine = Engine::new(chair(1), NETWORK, TIMEOUTS);
    engine.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    assert_eq!(engine.rest_at(Height(9), validators(4, Height(10))).unwrap(), [Effect::CancelTimers]);
    assert!(!engine.is_deciding());
    assert_eq!(shown(&engine.handle(prevote(0, 0, "A")).unwrap()), ["p0 is behind at 7"]);
    let error = EngineError::HeightOver { asked: Height(9), last: Height(9) };
    assert_eq!(engine.start(Height(9), validators(4, Height(9))), Err(error));
}

#[test]
fn an_engine_may_live_on_any_thread() {
    fn check<T: Send + 'static>() {}
    check::<Engine>();
}

#[test]
fn misuse_ends_the_engine() {
    let set = || validators(4, HEIGHT);
    let mut engine = Engine::new(chair(1), NETWORK, TIMEOUTS);
    engine.start(HEIGHT, set()).unwrap();
    let over = EngineError::HeightOver { asked: HEIGHT, last: HEIGHT };
    assert_eq!(engine.start(HEIGHT, set()), Err(over));
    assert_eq!(engine.handle(proposal(0, "A")), Err(EngineError::Stopped), "nothing runs after a failure");

    let mut engine = Engine::new(chair(1), NETWORK, TIMEOUTS);
    let foreign = WalEntry::Timeout(Timer { height: Height(6), round: 0, kind: TimerKind::Propose });
    let error = EngineError::ForeignEntry { asked: HEIGHT, found: Height(6) };
    assert_eq!(engine.resume(HEIGHT, set(), vec![foreign]), Err(error));
}

#[test]
fn an_observer_follows_but_says_nothing() {
    let mut engine = Engine::new(keypair(9), NETWORK, TIMEOUTS);
    let mut effects = engine.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    let votes = |kind: fn(u32, u32, &str) -> Input| [0, 1, 2].map(|by| kind(by, 0, "A"));
    for input in
        [proposal(0, "A"), judged(0, "A", Verdict::Valid)].into_iter().chain(votes(prevote)).chain(votes(precommit))
    {
        effects.extend(engine.handle(input).unwrap());
    }
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Publish(_))));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Decide { .. })));
}

#[test]
fn timers_grow_with_the_round_up_to_their_bound() {
    let ms = |kind, round| TIMEOUTS.duration(kind, round).as_millis();
    assert_eq!([0, 1, 10].map(|round| ms(TimerKind::Propose, round)), [1_000, 1_200, 3_000]);
    assert_eq!([0, 1, 10].map(|round| ms(TimerKind::Precommit, round)), [200, 400, 2_200]);
    assert_eq!(ms(TimerKind::Prevote, u32::MAX), 10_000);
    assert_eq!(ms(TimerKind::Rebroadcast, 10), 500);
}
