//! Whatever peers send, the engine neither fails nor changes its mind.

use althing_protocol::{
    consensus::{
        Certificate, CertificateError, Effect, Engine, Input, Message, PolkaCertificate, Proposal, Refusal,
        RoundCertificate, RoundVote, Timer, TimerKind, UNSIGNED, Verdict, Vote, VoteKind,
    },
    crypto::Keypair,
    ids::{Hash, Height, MemberId, NetworkId, Signature},
};
use proptest::prelude::*;

use super::network::{Dice, NETWORK, TIMEOUTS, keypair, number, propose, validators, vote};

const HEIGHT: Height = Height(5);

fn body() -> Hash {
    Hash::of(b"body")
}

/// The chair of a round of four.
fn chair(round: u32) -> Keypair {
    keypair(number(4, validators(4, HEIGHT).proposer(round)))
}

/// An engine of four that does not chair round 0, at `HEIGHT`.
fn engine() -> Engine {
    let mut engine = Engine::new(chair(1), NETWORK, TIMEOUTS);
    engine.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    engine
}

/// What leads that engine to a decision in round 0.
fn script() -> Vec<Input> {
    let votes = |kind| [0, 2, 3].map(|round| Input::Message(vote(&chair(round), kind, HEIGHT, 0, Some(body()))));
    let judged = Input::Judged {
        height: HEIGHT,
        round: 0,
        valid_round: None,
        proposer: chair(0).id(),
        body: body(),
        verdict: Verdict::Valid,
    };
    let mut script = vec![Input::Message(propose(&chair(0), HEIGHT, 0, body())), judged];
    script.extend(votes(VoteKind::Prevote));
    script.extend(votes(VoteKind::Precommit));
    script
}

/// Messages that must not count, each with what is said about it.
fn noise() -> Vec<(&'static str, Message, Option<Effect>)> {
    let (stranger, member) = (keypair(9), chair(2));
    let other = Some(Hash::of(b"other"));
    let (kind, id) = (VoteKind::Precommit, member.id());
    let refused = |refusal| Some(Effect::Refused(refusal));
    let mut forged = vote(&member, kind, HEIGHT, 0, other);
    if let Message::Vote(vote) = &mut forged {
        vote.signature = Signature([7; 64]);
    }
    let abroad = |signer: &Keypair| Vote {
        kind,
        height: HEIGHT,
        round: 0,
        body: other,
        signer: signer.id(),
        signature: UNSIGNED,
    };
    let future = Proposal {
        height: HEIGHT,
        round: 0,
        body: body(),
        valid_round: Some(0),
        signer: chair(0).id(),
        signature: UNSIGNED,
    };
    let unsigned = |id: MemberId| (id, UNSIGNED);
    vec![
        ("a stranger's vote", vote(&stranger, kind, HEIGHT, 0, other), refused(Refusal::NotAMember(stranger.id()))),
        ("a stranger's proposal", propose(&stranger, HEIGHT, 0, body()), refused(Refusal::NotAMember(stranger.id()))),
        ("a forged vote", forged, refused(Refusal::BadSignature(id))),
        (
            "a vote for another network",
            Message::Vote(abroad(&member).signed(&member, &NetworkId([2; 32]))),
            refused(Refusal::BadSignature(id)),
        ),
        ("a proposal out of turn", propose(&member, HEIGHT, 0, body()), refused(Refusal::NotTheProposer(id))),
        (
            "a proposal that refers to its own round",
            Message::Proposal(future.signed(&chair(0), &NETWORK)),
            refused(Refusal::FromTheFuture(chair(0).id())),
        ),
        ("a vote far ahead of its time", vote(&member, kind, HEIGHT, 1_000_000, other), None),
        (
            "a vote for a decided height",
            vote(&member, kind, Height(4), 0, other),
            Some(Effect::Behind { member: id, height: Height(4) }),
        ),
        (
            "a vote for a later height",
            vote(&member, kind, Height(9), 0, other),
            Some(Effect::Ahead { member: id, height: Height(9) }),
        ),
        ("a stranger's vote for a later height", vote(&stranger, kind, Height(9), 0, other), None),
        (
            "a certificate without signatures",
            polka(vec![]),
            bad(CertificateError::TooLittlePower { signed: 0, total: 4 }),
        ),
        (
            "a certificate of strangers",
            polka(vec![unsigned(stranger.id())]),
            refused(Refusal::NotAMember(stranger.id())),
        ),
        ("a forged certificate", polka(vec![unsigned(id)]), bad(CertificateError::BadSignature(id))),
        ("a forged end of a round", ended(id), bad(CertificateError::BadSignature(id))),
    ]
}

fn polka(signatures: Vec<(MemberId, Signature)>) -> Message {
    Message::PolkaCertificate(PolkaCertificate { height: HEIGHT, round: 0, body: Hash::of(b"other"), signatures })
}

fn ended(signer: MemberId) -> Message {
    let votes = vec![RoundVote { kind: VoteKind::Precommit, body: None, signer, signature: UNSIGNED }];
    Message::RoundCertificate(RoundCertificate::Ended { height: HEIGHT, round: 0, votes })
}

fn bad(error: CertificateError) -> Option<Effect> {
    Some(Effect::Refused(Refusal::BadCertificate(error)))
}

#[test]
fn noise_is_named_and_changes_nothing() {
    for (desc, message, said) in noise() {
        let (mut calm, mut disturbed) = (engine(), engine());
        for (step, input) in script().into_iter().enumerate() {
            let heard = disturbed.handle(Input::Message(message.clone())).unwrap();
            assert_eq!(heard, said.iter().cloned().collect::<Vec<_>>(), "{desc}, before step {step}");
            assert_eq!(calm.handle(input.clone()), disturbed.handle(input), "{desc}, step {step}");
            if !calm.is_deciding() {
                break;
            }
        }
        assert!(!calm.is_deciding() && !disturbed.is_deciding());
    }
}

#[test]
fn one_members_early_messages_take_bounded_room() {
    let mut engine = Engine::new(chair(1), NETWORK, TIMEOUTS);
    engine.rest_at(Height(4), validators(4, HEIGHT)).unwrap();
    let early = |round| vote(&chair(0), VoteKind::Prevote, HEIGHT, round, Some(body()));
    let kept = (0..50).filter(|&round| !engine.handle(Input::Message(early(round))).unwrap().is_empty()).count();
    assert_eq!(kept, 4);
    assert_eq!(engine.handle(Input::Message(early(0))).unwrap(), [], "the same again");
    let effects = engine.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    let counted = effects.iter().filter(|effect| matches!(effect, Effect::Append(_))).count();
    assert_eq!(counted, 4);
}

#[test]
fn an_engine_that_knows_no_height_yet_ignores_everything() {
    let mut engine = Engine::new(keypair(0), NETWORK, TIMEOUTS);
    for (desc, message, _) in noise() {
        assert_eq!(engine.handle(Input::Message(message)).unwrap(), [], "{desc}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::decode(&bytes);
    }

    #[test]
    fn bytes_beyond_the_bound_are_not_even_looked_at(extra in 1_usize..1_000) {
        prop_assert!(Message::decode(&vec![0; Message::MAX_BYTES + extra]).is_err());
    }

    #[test]
    fn damaged_messages_are_never_logged(choice in 0_usize..8, place in any::<prop::sample::Index>(), flip in 1_u8..) {
        let original: Vec<_> = script()
            .into_iter()
            .filter_map(|input| if let Input::Message(message) = input { Some(message) } else { None })
            .collect();
        let original = &original[choice % original.len()];
        let mut bytes = original.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        if let Ok(damaged) = Message::decode(&bytes) && damaged != *original {
            let effects = engine().handle(Input::Message(damaged)).unwrap();
            let counts = |effect: &Effect| matches!(effect, Effect::Append(_) | Effect::Publish(_));
            prop_assert!(!effects.iter().any(counts), "{effects:?}");
        }
    }
}

#[test]
fn a_storm_of_shuffled_valid_and_absurd_inputs_never_fails_an_engine() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut engine = engine();
        for _ in 0..200 {
            let signer = keypair(dice.below(5) as usize);
            let (height, round) = (Height(4 + dice.below(3)), dice.below(4) as u32);
            let body = Hash::of(&[dice.below(3) as u8]);
            let kind = if dice.below(2) == 0 { VoteKind::Prevote } else { VoteKind::Precommit };
            let input = match dice.below(8) {
                0 => Input::Built { height, round, body },
                1 | 2 => {
                    let verdict = if dice.below(4) == 0 { Verdict::Invalid } else { Verdict::Valid };
                    let proposer = chair(round).id();
                    Input::Judged { height, round, valid_round: None, proposer, body, verdict }
                }
                3 => {
                    let timer = Timer { height, round, kind: timer_kind(dice.below(4)) };
                    Input::TimerFired(timer)
                }
                4 => Input::Message(propose(&chair(round), height, round, body)),
                5 => Input::Synced { certificate: Certificate { height, round, body, signatures: vec![] } },
                _ => Input::Message(vote(&signer, kind, height, round, (dice.below(4) > 0).then_some(body))),
            };
            engine.handle(input).unwrap();
        }
    }
}

fn timer_kind(number: u64) -> TimerKind {
    use TimerKind::{Precommit, Prevote, Propose, Rebroadcast};
    [Propose, Prevote, Precommit, Rebroadcast][number as usize]
}
