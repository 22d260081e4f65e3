//! What proves something, and what only looks like it.

use althing_protocol::{
    codec,
    consensus::{
        Certificate, CertificateError, Effect, Engine, Equivocation, EvidenceError, Input, Message, PolkaCertificate,
        Proposal, Refusal, RoundCertificate, RoundVote, UNSIGNED, Validator, ValidatorSet, ValidatorSetError, Vote,
        VoteKind,
    },
    ids::{Hash, Height, MemberId, NetworkId, Signature},
    limits::{MAX_MEMBERS, MAX_TOTAL_POWER},
};

use super::network::{NETWORK, TIMEOUTS, keypair, propose, validators, vote};

const HEIGHT: Height = Height(1);

fn body() -> Hash {
    Hash::of(b"body")
}

fn signature(number: usize, kind: VoteKind, body: Option<Hash>) -> (MemberId, Signature) {
    let Message::Vote(vote) = vote(&keypair(number), kind, HEIGHT, 0, body) else { unreachable!() };
    (vote.signer, vote.signature)
}

/// The decision of `body` by `signers` in round 0.
fn certificate(signers: impl IntoIterator<Item = usize>) -> Certificate {
    let sign = |number| signature(number, VoteKind::Precommit, Some(body()));
    Certificate { height: HEIGHT, round: 0, body: body(), signatures: signers.into_iter().map(sign).collect() }
}

fn too_little(signed: u64) -> Result<(), CertificateError> {
    Err(CertificateError::TooLittlePower { signed, total: 4 })
}

#[test]
fn only_a_quorum_of_distinct_members_over_this_very_decision_counts() {
    let id = |number| keypair(number).id();
    let changed = |change: fn(&mut Certificate)| {
        let mut changed = certificate([0, 1, 2]);
        change(&mut changed);
        changed
    };
    let forged = |number| Err(CertificateError::BadSignature(id(number)));
    let cases = [
        ("three of four decide", certificate([0, 1, 2]), Ok(())),
        ("so do all four, in any order", certificate([3, 1, 0, 2]), Ok(())),
        ("two do not", certificate([0, 1]), too_little(2)),
        ("nobody does not", certificate([]), too_little(0)),
        ("nobody counts twice", certificate([0, 1, 1]), Err(CertificateError::Duplicate(id(1)))),
        ("strangers do not count", certificate([0, 1, 2, 4]), Err(CertificateError::NotAMember(id(4)))),
        ("not for another height", changed(|c| c.height = Height(2)), forged(0)),
        ("not for another round", changed(|c| c.round = 1), forged(0)),
        ("not for another body", changed(|c| c.body = Hash::of(b"other")), forged(0)),
        ("nor in another's name", changed(|c| c.signatures[2].0 = keypair(3).id()), forged(3)),
        (
            "prevotes decide nothing",
            changed(|c| c.signatures[1] = signature(1, VoteKind::Prevote, Some(body()))),
            forged(1),
        ),
        (
            "nor do precommits for nothing",
            changed(|c| c.signatures[1] = signature(1, VoteKind::Precommit, None)),
            forged(1),
        ),
    ];
    for (desc, certificate, expected) in cases {
        assert_eq!(certificate.verify(&NETWORK, &validators(4, HEIGHT)), expected, "{desc}");
    }
    let elsewhere = certificate([0, 1, 2]).verify(&NetworkId([2; 32]), &validators(4, HEIGHT));
    assert_eq!(elsewhere, forged(0), "a certificate counts in its own network only");
}

#[test]
fn a_certificate_is_checked_from_its_bytes_alone() {
    let bytes = codec::encode(&certificate([0, 1, 2]));
    let read: Certificate = codec::decode(&bytes, Certificate::MAX_BYTES).unwrap();
    assert_eq!(read, certificate([0, 1, 2]));
    read.verify(&NETWORK, &validators(4, HEIGHT)).unwrap();
}

#[test]
fn power_counts_and_heads_do_not() {
    let seat = |number, power| Validator { id: keypair(number).id(), power, weight: 1 };
    let set = ValidatorSet::new(body(), vec![seat(0, 7), seat(1, 1), seat(2, 1), seat(3, 1)]).unwrap();
    certificate([0]).verify(&NETWORK, &set).unwrap();
    let all_others = certificate([1, 2, 3]).verify(&NETWORK, &set);
    assert_eq!(all_others, Err(CertificateError::TooLittlePower { signed: 3, total: 10 }));
    // Exactly two thirds are not more than two thirds.
    for (n, two_thirds) in [(3, 2), (6, 4), (9, 6)] {
        let set = validators(n, HEIGHT);
        assert!(!set.is_quorum(two_thirds) && set.is_quorum(two_thirds + 1), "{n}");
        assert!(!set.has_honest(two_thirds / 2) && set.has_honest(two_thirds / 2 + 1), "{n}");
    }
}

#[test]
fn rounds_begin_on_a_third_and_end_on_two_thirds() {
    let votes = |kind, numbers: &[usize]| {
        let sign = |&number: &usize| {
            let (signer, signature) = signature(number, kind, None);
            RoundVote { kind, body: None, signer, signature }
        };
        numbers.iter().map(sign).collect::<Vec<_>>()
    };
    let begun =
        |votes| RoundCertificate::Begun { height: HEIGHT, round: 0, votes }.verify(&NETWORK, &validators(4, HEIGHT));
    let ended =
        |votes| RoundCertificate::Ended { height: HEIGHT, round: 0, votes }.verify(&NETWORK, &validators(4, HEIGHT));
    assert_eq!(begun(votes(VoteKind::Prevote, &[1])), too_little(1));
    assert_eq!(begun(votes(VoteKind::Prevote, &[1, 3])), Ok(()));
    assert_eq!(ended(votes(VoteKind::Precommit, &[1, 3])), too_little(2));
    assert_eq!(ended(votes(VoteKind::Precommit, &[1, 3, 0])), Ok(()));
    let prevotes = ended(votes(VoteKind::Prevote, &[1, 3, 0]));
    assert_eq!(prevotes, Err(CertificateError::WrongKind(keypair(1).id())));
}

#[test]
fn an_engine_adopts_a_decision_only_with_its_proof() {
    let mut engine = Engine::new(keypair(3), NETWORK, TIMEOUTS);
    engine.start(HEIGHT, validators(4, HEIGHT)).unwrap();
    let effects = engine.handle(Input::Synced { certificate: certificate([0, 1]) }).unwrap();
    let refusal = CertificateError::TooLittlePower { signed: 2, total: 4 };
    assert_eq!(effects, [Effect::Refused(Refusal::BadCertificate(refusal))]);
    assert_eq!(engine.height(), Some(HEIGHT));

    let effects = engine.handle(Input::Synced { certificate: certificate([0, 1, 2]) }).unwrap();
    assert_eq!(effects, [Effect::Decide { certificate: certificate([0, 1, 2]) }, Effect::CancelTimers]);
    assert!(!engine.is_deciding());
    assert_eq!(engine.handle(Input::Synced { certificate: certificate([0, 1, 2]) }).unwrap(), []);
}

#[test]
fn evidence_is_two_statements_that_exclude_each_other() {
    let vote = |number: usize, kind, round, name: &[u8]| {
        let body = Some(Hash::of(name));
        Vote { kind, height: HEIGHT, round, body, signer: keypair(number).id(), signature: UNSIGNED }
            .signed(&keypair(number), &NETWORK)
    };
    let proposal = |number: usize, valid_round| {
        Proposal {
            height: HEIGHT,
            round: 1,
            body: body(),
            valid_round,
            signer: keypair(number).id(),
            signature: UNSIGNED,
        }
        .signed(&keypair(number), &NETWORK)
    };
    let (prevote, precommit) = (VoteKind::Prevote, VoteKind::Precommit);
    let good = vote(0, prevote, 0, b"a");
    let mut forged = vote(0, prevote, 0, b"b");
    forged.signature = good.signature;
    let id = |number| keypair(number).id();
    let cases = [
        ("two votes", Equivocation::Votes(good.clone(), vote(0, prevote, 0, b"b")), Ok(())),
        ("two proposals", Equivocation::Proposals(proposal(1, None), proposal(1, Some(0))), Ok(())),
        ("once is no crime", Equivocation::Votes(good.clone(), good.clone()), Err(EvidenceError::SameStatement)),
        (
            "two kinds",
            Equivocation::Votes(good.clone(), vote(0, precommit, 0, b"b")),
            Err(EvidenceError::DifferentSlots),
        ),
        (
            "two rounds",
            Equivocation::Votes(good.clone(), vote(0, prevote, 1, b"b")),
            Err(EvidenceError::DifferentSlots),
        ),
        (
            "two members",
            Equivocation::Votes(good.clone(), vote(1, prevote, 0, b"b")),
            Err(EvidenceError::DifferentSlots),
        ),
        ("a forgery", Equivocation::Votes(good, forged), Err(EvidenceError::BadSignature(id(0)))),
        (
            "a stranger",
            Equivocation::Proposals(proposal(9, None), proposal(9, Some(0))),
            Err(EvidenceError::NotAMember(id(9))),
        ),
    ];
    for (desc, evidence, expected) in cases {
        assert_eq!(evidence.verify(&NETWORK, &validators(4, HEIGHT)), expected, "{desc}");
    }
}

#[test]
fn a_set_is_refused_with_the_reason() {
    let seat = |number: usize, power| Validator { id: keypair(number).id(), power, weight: 1 };
    let set = |seats| ValidatorSet::new(body(), seats);
    assert_eq!(set(vec![]), Err(ValidatorSetError::Powerless));
    assert_eq!(set(vec![seat(0, 0)]), Err(ValidatorSetError::Powerless));
    assert_eq!(set(vec![seat(0, 1), seat(1, 1), seat(0, 2)]), Err(ValidatorSetError::Duplicate(keypair(0).id())));
    assert_eq!(set(vec![seat(0, MAX_TOTAL_POWER), seat(1, 1)]), Err(ValidatorSetError::TooMuchPower));
    assert_eq!(set(vec![seat(0, u64::MAX), seat(1, u64::MAX)]), Err(ValidatorSetError::TooMuchPower));
    assert_eq!(set(vec![seat(0, 1); MAX_MEMBERS + 1]), Err(ValidatorSetError::TooMany(MAX_MEMBERS + 1)));
    // Members without power watch, but do not chair.
    let watching = set(vec![seat(0, 1), seat(1, 0)]).unwrap();
    assert_eq!(watching.order(), [keypair(0).id()]);
    assert!(watching.contains(&keypair(1).id()) && watching.power(&keypair(1).id()) == 0);
}

#[test]
fn the_largest_messages_fit_their_bounds() {
    let kind = VoteKind::Precommit;
    let vote = RoundVote { kind, body: Some(body()), signer: MemberId([255; 32]), signature: Signature([255; 64]) };
    let (height, round) = (Height(u64::MAX), u32::MAX);
    let rounds = RoundCertificate::Ended { height, round, votes: vec![vote; MAX_MEMBERS] };
    assert!(Message::RoundCertificate(rounds).encode().len() <= Message::MAX_BYTES);
    let signatures = vec![(MemberId([255; 32]), Signature([255; 64])); MAX_MEMBERS];
    assert!(codec::encode(&Certificate { height, round, body: body(), signatures }).len() <= Certificate::MAX_BYTES);
}

#[test]
fn the_wire_format_is_frozen() {
    let signatures = vec![signature(0, VoteKind::Prevote, Some(body()))];
    let (signer, signature) = signatures[0];
    let votes = vec![RoundVote { kind: VoteKind::Prevote, body: Some(body()), signer, signature }];
    let messages = [
        (vote(&keypair(0), VoteKind::Precommit, HEIGHT, 3, None), (117, "502ec23e")),
        (propose(&keypair(0), HEIGHT, 3, body()), (154, "f3b28647")),
        (
            Message::PolkaCertificate(PolkaCertificate { height: HEIGHT, round: 0, body: body(), signatures }),
            (161, "6fdb483a"),
        ),
        (Message::RoundCertificate(RoundCertificate::Begun { height: HEIGHT, round: 0, votes }), (167, "11ef94da")),
    ];
    for (message, (len, hash)) in messages {
        let bytes = message.encode();
        // A change here is a change of the protocol: members of two versions no longer understand each other.
        assert_eq!((bytes.len(), Hash::of(&bytes).short().as_str()), (len, hash), "{message:?}");
        assert_eq!(Message::decode(&bytes), Ok(message));
    }
}
