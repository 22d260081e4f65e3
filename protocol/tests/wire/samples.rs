//! One value of each kind, the same for ever.

use std::collections::BTreeMap;

use althing_protocol::{
    body::{Body, Evidence, Header, PlanEvidence, SettleEvidence},
    consensus::{
        self, Certificate, Equivocation, PolkaCertificate, Proposal, RoundCertificate, RoundVote, UNSIGNED, Vote,
        VoteKind,
    },
    crypto::{Keypair, Signed, Statement},
    detection::Pretence,
    ids::{BlobRef, Hash, Height, MemberId, NetworkId, Round, Signature, Step},
    sim::Scenario,
    state::{Federation, State},
    statement::{
        Action, Application, Appraisal, Bid, BidCommit, BidReveal, BodyOffer, CounterOffer, CounterOffers,
        CounterReply, HeldOut, Instruction, Invitation, JobTerms, Marks, ModelOffer, Motion, Newcomer, Reply,
        UpdateOffer, Withdrawal,
    },
    wire::{Decision, Message, Request, Response},
};

pub(crate) const NETWORK: NetworkId = NetworkId([7; 32]);

pub(crate) fn keypair() -> Keypair {
    Keypair::from_secret([1; 32])
}

fn sign<T: Statement>(statement: &T) -> Signed<T> {
    Signed::new(&keypair(), &NETWORK, statement)
}

fn other() -> MemberId {
    MemberId([9; 32])
}

fn blob() -> BlobRef {
    BlobRef { hash: Hash([3; 32]), size: 1_000 }
}

pub(crate) fn commit() -> Signed<BidCommit> {
    sign(&BidCommit { round: Round(3), seal: Some(Hash([4; 32])) })
}

fn reveal() -> Signed<BidReveal> {
    let bid = Bid { contract: 1, price: 300_000, samples: 600 };
    sign(&BidReveal { round: Round(3), bid, salt: Hash([5; 32]), marks: Some(Hash([6; 32])) })
}

fn marks() -> Signed<Marks> {
    sign(&Marks { round: Round(3), hire: 4, weights: BTreeMap::from([(other(), 120)]) })
}

fn counter_offers() -> Signed<CounterOffers> {
    let offers = vec![CounterOffer { member: other(), contract: 2, price: 175_000 }];
    sign(&CounterOffers { round: Round(3), offers })
}

fn counter_reply() -> Signed<CounterReply> {
    sign(&CounterReply { round: Round(3), offers: Hash([7; 32]), reply: Reply::Accept })
}

fn update() -> Signed<UpdateOffer> {
    sign(&UpdateOffer {
        round: Round(3),
        contract: 1,
        update: blob(),
        samples: 600,
        training_ms: 1_234,
        epsilon_micro: 81_000,
    })
}

fn appraisal() -> Signed<Appraisal> {
    sign(&Appraisal {
        round: Round(3),
        gains: BTreeMap::from([(other(), -12_345)]),
        held_out: HeldOut { samples: 100, accuracy_ppm: 912_345 },
        arrivals: vec![1, 0].into(),
    })
}

fn transfer() -> Signed<Instruction> {
    sign(&Instruction { nonce: 7, action: Action::Transfer { to: other(), amount: 1_500_000 } })
}

fn funds() -> Signed<Instruction> {
    let terms = JobTerms {
        budget_per_round: 800_000,
        rounds: 20,
        deadline: Round(90),
        target_accuracy_ppm: Some(970_000),
        min_epsilon_micro: 50_000,
    };
    sign(&Instruction { nonce: 8, action: Action::Fund(terms) })
}

fn invitation() -> Invitation {
    Invitation { ticket: keypair().id(), uses: 3, last_round: Round(900) }
}

fn join() -> Signed<Instruction> {
    let newcomer = Newcomer { name: "berta".into(), anchor: Hash([6; 32]) };
    let application = Application::new(newcomer, keypair().id(), sign(&invitation()), &keypair(), &NETWORK);
    sign(&Instruction { nonce: 0, action: Action::Join(Box::new(application)) })
}

fn revoke() -> Signed<Instruction> {
    sign(&Instruction { nonce: 10, action: Action::Revoke(invitation()) })
}

fn vote_for_removal() -> Signed<Instruction> {
    sign(&Instruction { nonce: 11, action: Action::Vote(Motion::Remove(other())) })
}

fn vote(body: Option<Hash>) -> Vote {
    let vote =
        Vote { kind: VoteKind::Prevote, height: Height(5), round: 2, body, signer: other(), signature: UNSIGNED };
    vote.signed(&keypair(), &NETWORK)
}

fn proposal() -> Proposal {
    let body = Hash([8; 32]);
    let own =
        Proposal { height: Height(5), round: 2, body, valid_round: Some(1), signer: other(), signature: UNSIGNED };
    own.signed(&keypair(), &NETWORK)
}

fn certificate() -> Certificate {
    let signatures = vec![(other(), Signature([2; 64]))];
    Certificate { height: Height(5), round: 2, body: Hash([8; 32]), signatures }
}

fn agreement() -> Vec<(&'static str, consensus::Message)> {
    let entry = RoundVote { kind: VoteKind::Precommit, body: None, signer: other(), signature: Signature([2; 64]) };
    let polka = PolkaCertificate {
        height: Height(5),
        round: 2,
        body: Hash([8; 32]),
        signatures: vec![(other(), Signature([2; 64]))],
    };
    let ended = RoundCertificate::Ended { height: Height(5), round: 2, votes: vec![entry.clone()] };
    let begun = RoundCertificate::Begun { height: Height(5), round: 2, votes: vec![entry] };
    vec![
        ("vote", consensus::Message::Vote(vote(Some(Hash([8; 32]))))),
        ("vote for none", consensus::Message::Vote(vote(None))),
        ("proposal", consensus::Message::Proposal(proposal())),
        ("polka certificate", consensus::Message::PolkaCertificate(polka)),
        ("ended round", consensus::Message::RoundCertificate(ended)),
        ("begun round", consensus::Message::RoundCertificate(begun)),
    ]
}

pub(crate) fn bodies() -> Vec<(&'static str, Body)> {
    let header = Header {
        height: Height(5),
        round: Round(3),
        parent: Hash([1; 32]),
        proposer: other(),
        agreement_round: 2,
        state_root: Hash([2; 32]),
    };
    let plan = PlanEvidence {
        instructions: vec![transfer(), funds()],
        marks: Some(marks()),
        bids: vec![(commit(), reveal())],
        counter_offers: Some(counter_offers()),
        replies: vec![counter_reply()],
    };
    let settle = SettleEvidence {
        updates: vec![update()],
        refused: BTreeMap::from([(other(), Pretence::Copied(other()))]),
        appraisals: vec![appraisal()],
        model: blob(),
        turn: Some(Hash([4; 32])),
        equivocations: vec![Equivocation::Votes(vote(None), vote(Some(Hash([8; 32]))))],
    };
    vec![
        ("plan", Body { header: header.clone(), evidence: Evidence::Plan(plan) }),
        ("settle", Body { header, evidence: Evidence::Settle(settle) }),
    ]
}

pub(crate) fn messages() -> Vec<(&'static str, Message)> {
    let offer = |body: &Body| BodyOffer {
        height: Height(5),
        agreement_round: 2,
        valid_round: Some(1),
        body: body.encode().into(),
    };
    let mut all = vec![
        ("sealed bid", Message::Commit(commit())),
        ("marks", Message::Marks(marks())),
        ("opened bid", Message::Reveal(reveal())),
        ("counter-offers", Message::CounterOffers(counter_offers())),
        ("reply", Message::CounterReply(counter_reply())),
        ("update", Message::Update(update())),
        ("withdrawal", Message::Withdrawal(sign(&Withdrawal { round: Round(3) }))),
        ("appraisal", Message::Appraisal(appraisal())),
        ("instruction: transfer", Message::Instruction(transfer())),
        ("instruction: funds", Message::Instruction(funds())),
        ("instruction: join", Message::Instruction(join())),
        ("instruction: leave", Message::Instruction(sign(&Instruction { nonce: 9, action: Action::Leave }))),
        ("instruction: revoke", Message::Instruction(revoke())),
        ("instruction: vote", Message::Instruction(vote_for_removal())),
        ("have", Message::Have(blob())),
        ("tip", Message::Tip(Height(u64::MAX))),
    ];
    all.extend(agreement().into_iter().map(|(name, message)| (name, Message::Agreement(message))));
    all.extend(bodies().iter().map(|(name, body)| (*name, Message::Body(sign(&offer(body))))));
    all
}

pub(crate) fn request() -> Request {
    Request::Decisions(Height(300))
}

pub(crate) fn offered_model() -> Request {
    Request::Model(sign(&ModelOffer { step: Step(u64::MAX), model: blob() }))
}

pub(crate) fn response() -> Response {
    Response::Decisions(vec![Decision { body: vec![1, 2, 3].into(), certificate: certificate() }])
}

/// A federation, as every run of the simulator has one.
pub(crate) fn federation() -> Federation {
    Federation::new(Scenario::quiet(1, 4).genesis())
}

pub(crate) fn state() -> State {
    State::genesis(&federation())
}
