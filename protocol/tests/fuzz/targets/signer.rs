//! The keys of a federation, to sign again what made-up bytes say in a member's name.

use std::sync::LazyLock;

use althing_protocol::{
    body::{Body, Evidence, PlanEvidence, SettleEvidence},
    consensus::{self, Certificate, Equivocation, Proposal, RoundCertificate, RoundVote, UNSIGNED, Vote, VoteKind},
    crypto::{Keypair, Signed, Statement},
    ids::{Hash, MemberId, NetworkId},
    machine::Identity,
    market::Mechanism,
    sim::Scenario,
    state::{Federation, State},
    statement::{Action, BidCommit, BidReveal, CounterReply, Instruction},
    wire::Message,
};

/// A federation of four that newcomers may join, that haggles, and takes funds and deposits.
pub(crate) fn village() -> Scenario {
    Scenario {
        newcomers: 1,
        rounds: 4,
        max_losses: 2,
        max_counter_offers: 2,
        deposit_permille: 250,
        instructs_every_ms: 300,
        ..Scenario::quiet(7, 4)
    }
}

/// The village, where everybody may lie.
pub(crate) static VILLAGE: LazyLock<Signer> = LazyLock::new(|| Signer::with_all(&village()));

/// Villages with other mechanisms for their market. Where all are paid the same, nobody haggles.
pub(crate) fn markets() -> Vec<Scenario> {
    let others = Mechanism::all(3_000).into_iter().filter(|mechanism| *mechanism != village().mechanism);
    let offers = |mechanism| if mechanism == Mechanism::Fixed { 0 } else { 2 };
    others.map(|mechanism| Scenario { mechanism, max_counter_offers: offers(mechanism), ..village() }).collect()
}

/// The same, where everybody may lie.
pub(crate) static MARKETS: LazyLock<Vec<Signer>> = LazyLock::new(|| markets().iter().map(Signer::with_all).collect());

/// A federation, and the keys of those who may lie in it.
pub(crate) struct Signer {
    pub(crate) federation: Federation,
    /// The first member.
    pub(crate) first: Identity,
    keypairs: Vec<Keypair>,
}

impl Signer {
    /// With everybody's keys.
    fn with_all(scenario: &Scenario) -> Self {
        let mut signer = Self::without_first(scenario);
        signer.keypairs.push(signer.first.keypair.clone());
        signer
    }

    /// With the keys of all but the first member, who is honest.
    pub(crate) fn without_first(scenario: &Scenario) -> Self {
        let mut identities = scenario.identities();
        let first = identities.remove(0);
        let others = identities.into_iter().map(|identity| identity.keypair);
        let keypairs = others.chain([Scenario::sponsor()]).chain(tickets(scenario)).collect();
        Self { federation: Federation::new(scenario.genesis()), first, keypairs }
    }

    pub(crate) fn network(&self) -> &NetworkId {
        &self.federation.network
    }

    pub(crate) fn key_of(&self, signer: &MemberId) -> Option<&Keypair> {
        self.keypairs.iter().find(|keypair| keypair.id() == *signer)
    }

    /// What `signed` says, signed by who is named there; as it is if it says nothing or names a stranger.
    pub(crate) fn sign<T: Statement>(&self, signed: &Signed<T>) -> Signed<T> {
        self.sign_changed(signed, |_| {})
    }

    fn sign_changed<T: Statement>(&self, signed: &Signed<T>, change: impl Fn(&mut T)) -> Signed<T> {
        let (Some(keypair), Ok(mut statement)) = (self.key_of(&signed.signer), signed.peek()) else {
            return signed.clone();
        };
        change(&mut statement);
        Signed::new(keypair, self.network(), &statement)
    }

    pub(crate) fn sign_instruction(&self, signed: &Signed<Instruction>) -> Signed<Instruction> {
        self.sign_changed(signed, |instruction| {
            if let Action::Join(application) = &mut instruction.action {
                application.invitation = self.sign(&application.invitation);
                application.claim = self.sign(&application.claim);
            }
        })
    }

    /// What a message says, signed by whom it names.
    pub(crate) fn sign_message(&self, message: Message) -> Message {
        match message {
            Message::Commit(signed) => Message::Commit(self.sign(&signed)),
            Message::Marks(signed) => Message::Marks(self.sign(&signed)),
            Message::Reveal(signed) => Message::Reveal(self.sign(&signed)),
            Message::CounterOffers(signed) => Message::CounterOffers(self.sign(&signed)),
            Message::CounterReply(signed) => Message::CounterReply(self.sign(&signed)),
            Message::Update(signed) => Message::Update(self.sign(&signed)),
            Message::Withdrawal(signed) => Message::Withdrawal(self.sign(&signed)),
            Message::Appraisal(signed) => Message::Appraisal(self.sign(&signed)),
            Message::Instruction(signed) => Message::Instruction(self.sign_instruction(&signed)),
            Message::Body(signed) => Message::Body(self.sign(&signed)),
            Message::Agreement(message) => Message::Agreement(self.sign_agreement(message)),
            Message::Have(_) | Message::Tip(_) => message,
        }
    }

    fn sign_agreement(&self, message: consensus::Message) -> consensus::Message {
        match message {
            consensus::Message::Vote(vote) => consensus::Message::Vote(self.sign_vote(vote)),
            consensus::Message::Proposal(proposal) => consensus::Message::Proposal(self.sign_proposal(proposal)),
            consensus::Message::PolkaCertificate(mut proof) => {
                let votes: Vec<Vote> = proof.votes().map(|vote| self.sign_vote(vote)).collect();
                proof.signatures = votes.into_iter().map(|vote| (vote.signer, vote.signature)).collect();
                consensus::Message::PolkaCertificate(proof)
            }
            consensus::Message::RoundCertificate(proof) => {
                let votes: Vec<RoundVote> = proof.votes().map(|vote| entry(self.sign_vote(vote))).collect();
                consensus::Message::RoundCertificate(match proof {
                    RoundCertificate::Ended { height, round, .. } => RoundCertificate::Ended { height, round, votes },
                    RoundCertificate::Begun { height, round, .. } => RoundCertificate::Begun { height, round, votes },
                })
            }
        }
    }

    pub(crate) fn sign_vote(&self, vote: Vote) -> Vote {
        match self.key_of(&vote.signer) {
            Some(keypair) => vote.signed(keypair, self.network()),
            None => vote,
        }
    }

    pub(crate) fn sign_proposal(&self, proposal: Proposal) -> Proposal {
        match self.key_of(&proposal.signer) {
            Some(keypair) => proposal.signed(keypair, self.network()),
            None => proposal,
        }
    }

    pub(crate) fn sign_evidence(&self, evidence: &Evidence) -> Evidence {
        match evidence {
            Evidence::Plan(plan) => Evidence::Plan(self.sign_plan(plan)),
            Evidence::Settle(settle) => Evidence::Settle(SettleEvidence {
                updates: settle.updates.iter().map(|signed| self.sign(signed)).collect(),
                appraisals: settle.appraisals.iter().map(|signed| self.sign(signed)).collect(),
                equivocations: settle.equivocations.iter().map(|both| self.sign_equivocation(both)).collect(),
                ..settle.clone()
            }),
        }
    }

    /// What refers to other statements refers to them as they are signed now.
    fn sign_plan(&self, plan: &PlanEvidence) -> PlanEvidence {
        let marks = plan.marks.as_ref().map(|signed| self.sign(signed));
        let seen = marks.as_ref().map(Signed::digest);
        let counter_offers = plan.counter_offers.as_ref().map(|signed| self.sign(signed));
        let heard = counter_offers.as_ref().map(Signed::digest);
        let answer = |reply: &mut CounterReply| reply.offers = heard.unwrap_or(reply.offers);
        PlanEvidence {
            instructions: plan.instructions.iter().map(|signed| self.sign_instruction(signed)).collect(),
            bids: plan.bids.iter().map(|(commit, reveal)| self.sign_bid(commit, reveal, seen)).collect(),
            replies: plan.replies.iter().map(|reply| self.sign_changed(reply, answer)).collect(),
            marks,
            counter_offers,
        }
    }

    /// A bid that was opened is the one that was sealed.
    fn sign_bid(
        &self,
        commit: &Signed<BidCommit>,
        reveal: &Signed<BidReveal>,
        seen: Option<Hash>,
    ) -> (Signed<BidCommit>, Signed<BidReveal>) {
        let reveal = self.sign_changed(reveal, |reveal| reveal.marks = reveal.marks.and(seen));
        let seal = |commit: &mut BidCommit| {
            let opened = reveal.peek();
            commit.seal = opened.map(|said| said.bid.seal(&reveal.signer, said.round, &said.salt)).ok();
        };
        (self.sign_changed(commit, seal), reveal)
    }

    fn sign_equivocation(&self, both: &Equivocation) -> Equivocation {
        match both.clone() {
            Equivocation::Votes(first, second) => Equivocation::Votes(self.sign_vote(first), self.sign_vote(second)),
            Equivocation::Proposals(first, second) => {
                Equivocation::Proposals(self.sign_proposal(first), self.sign_proposal(second))
            }
        }
    }

    /// The body that the evidence of `body` makes after `state`, if it holds once it is signed.
    pub(crate) fn propose(&self, state: &State, body: &Body) -> Option<Body> {
        let agreement_round = body.header.agreement_round;
        let proposer = state.validators().expect("somebody votes").proposer(agreement_round);
        state.propose(&self.federation, proposer, agreement_round, self.sign_evidence(&body.evidence)).ok()
    }

    /// A certificate by everybody who votes after `state`.
    pub(crate) fn certify(&self, state: &State, round: u32, body: Hash) -> Certificate {
        let (kind, height) = (VoteKind::Precommit, state.height.next());
        let sign = |signer: MemberId| {
            let vote = Vote { kind, height, round, body: Some(body), signer, signature: UNSIGNED };
            (signer, self.sign_vote(vote).signature)
        };
        let validators = state.validators().expect("somebody votes");
        Certificate { height, round, body, signatures: validators.validators().iter().map(|v| sign(v.id)).collect() }
    }

    /// Everybody whose key is here.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.keypairs.iter().map(Keypair::id)
    }
}

fn entry(vote: Vote) -> RoundVote {
    RoundVote { kind: vote.kind, body: vote.body, signer: vote.signer, signature: vote.signature }
}

/// The tickets by which the simulator's newcomers come in.
fn tickets(scenario: &Scenario) -> impl Iterator<Item = Keypair> {
    let founders = scenario.powers.len() as u8;
    let newcomers = founders..scenario.everybody() as u8;
    let doors = newcomers.flat_map(move |newcomer| (0..founders).map(move |door| [newcomer, door]));
    doors.map(|ticket| Keypair::from_secret(Hash::derive("althing 1 simulated ticket", &[&ticket]).0))
}
