//! Carries out what the core asks for: signs and verifies at once, and turns the rest into [`Effect`]s.

use std::collections::BTreeSet;

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as types;
use core::{Resumable, Resume};

use super::{
    certificate::CertificateError,
    context::{Agreement, Ballot, Offer},
    convert::{self, round_of},
    effect::{Effect, Refusal},
    error::EngineError,
    message::{Message, Proposal, UNSIGNED},
    pledges::Pledges,
    timer::Timeouts,
    wal::{JudgedBody, WalEntry},
};
use crate::ids::{Hash, Height, MemberId};

/// Marks an answer that the core does not get. The reason is parked in the host, because the core's loop logs a
/// failed answer and goes on as if nothing had happened.
#[derive(Debug)]
pub(super) struct Unanswered;

/// Whether the current height still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Deciding,
    Decided,
}

/// The engine's hands.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) pledges: Pledges,
    pub(super) progress: Progress,
    /// What the log holds already, while it is replayed: nothing of it is appended again.
    pub(super) recorded: BTreeSet<WalEntry>,
    /// What this member proposed in the current round. The core says it only once, so the engine repeats it.
    pub(super) own_proposal: Option<Proposal>,
    /// The verdicts that count at this height. Bodies are streamed again and again, but need to be logged only once.
    pub(super) verdicts: BTreeSet<JudgedBody>,
    timeouts: Timeouts,
    height: Height,
    effects: Vec<Effect>,
    failure: Option<EngineError>,
}

impl Host {
    pub(super) const fn new(pledges: Pledges, timeouts: Timeouts) -> Self {
        Self {
            pledges,
            progress: Progress::Decided,
            recorded: BTreeSet::new(),
            own_proposal: None,
            verdicts: BTreeSet::new(),
            timeouts,
            height: Height(0),
            effects: Vec::new(),
            failure: None,
        }
    }

    /// Turns to `height`.
    pub(super) fn open(&mut self, height: Height) {
        self.height = height;
        self.progress = Progress::Deciding;
        self.own_proposal = None;
        self.verdicts.clear();
        self.pledges.open(height);
    }

    pub(super) fn push(&mut self, effect: Effect) {
        // The core forgets all timers once for the height and once for its first round.
        if effect != Effect::CancelTimers || self.effects.last() != Some(&effect) {
            self.effects.push(effect);
        }
    }

    pub(super) const fn effects_mut(&mut self) -> &mut Vec<Effect> {
        &mut self.effects
    }

    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(super) const fn take_failure(&mut self) -> Option<EngineError> {
        self.failure.take()
    }

    /// Answers the core.
    pub(super) fn answer(&mut self, effect: core::Effect<Agreement>) -> Result<Resume<Agreement>, Unanswered> {
        self.carry_out(effect).map_err(|error| {
            self.failure.get_or_insert(error);
            Unanswered
        })
    }

    fn carry_out(&mut self, effect: core::Effect<Agreement>) -> Result<Resume<Agreement>, EngineError> {
        use core::Effect as Ask;
        let ours = match effect {
            Ask::SignVote(ballot, resume) => return self.sign_vote(ballot).map(|vote| resume.resume_with(vote)),
            Ask::SignProposal(offer, resume) => return self.sign_proposal(offer).map(|own| resume.resume_with(own)),
            Ask::VerifySignature(signed, _, resume) => {
                return self.verify_signature(signed).map(|validity| resume.resume_with(validity));
            }
            Ask::VerifyCommitCertificate(proof, set, _, resume) => {
                let verdict = convert::commit(proof)?.verify(self.pledges.network(), &set);
                return Ok(resume.resume_with(self.refuse_unless(verdict)));
            }
            Ask::VerifyPolkaCertificate(proof, set, _, resume) => {
                let verdict = convert::polka(proof)?.verify(self.pledges.network(), &set);
                return Ok(resume.resume_with(self.refuse_unless(verdict)));
            }
            Ask::VerifyRoundCertificate(proof, set, _, resume) => {
                let verdict = convert::round(proof)?.verify(self.pledges.network(), &set);
                return Ok(resume.resume_with(self.refuse_unless(verdict)));
            }
            Ask::CancelAllTimeouts(_) => Effect::CancelTimers,
            Ask::CancelTimeout(timeout, _) => Effect::CancelTimer(convert::timer(self.height, timeout)?),
            Ask::ScheduleTimeout(timeout, _) => return self.set_timer(timeout),
            Ask::StartRound(height, round, proposer, _, _) => {
                self.own_proposal = None;
                Effect::RoundStarted { height, round: round_of(round)?, proposer }
            }
            Ask::PublishConsensusMsg(core::SignedConsensusMsg::Vote(vote), _)
            | Ask::PublishLivenessMsg(core::LivenessMsg::Vote(vote), _)
            | Ask::RepublishVote(vote, _) => Effect::Publish(Message::Vote(convert::vote(vote)?)),
            Ask::PublishConsensusMsg(core::SignedConsensusMsg::Proposal(proposal), _) => {
                Effect::Publish(Message::Proposal(convert::proposal(proposal)?))
            }
            Ask::PublishLivenessMsg(core::LivenessMsg::PolkaCertificate(proof), _) => {
                Effect::Publish(Message::PolkaCertificate(convert::polka(proof)?))
            }
            Ask::PublishLivenessMsg(core::LivenessMsg::SkipRoundCertificate(proof), _)
            | Ask::RepublishRoundCertificate(proof, _) => {
                Effect::Publish(Message::RoundCertificate(convert::round(proof)?))
            }
            Ask::GetValue(height, round, _, _) => Effect::Build { height, round: round_of(round)? },
            Ask::RestreamProposal(height, round, valid_round, proposer, body, _) => {
                Effect::Restream { height, round: round_of(round)?, valid_round: valid_round.as_u32(), proposer, body }
            }
            Ask::WalAppend(height, input, _) => return self.append(convert::entry(height, input)?),
            Ask::Decide(proof, _, _) => {
                self.progress = Progress::Decided;
                Effect::Decide { certificate: convert::commit(proof)? }
            }
            Ask::Finalize(_, _, evidence, _) => return self.finish(evidence),
            // Votes carry no extensions, and certificates from peers are checked by the engine itself.
            Ask::ExtendVote(..)
            | Ask::VerifyVoteExtension(..)
            | Ask::VerifyExtendedCommitCertificate(..)
            | Ask::CertVerifiedSyncValue(..)
            | Ask::CertRejectedSyncValue(..) => {
                return Err(EngineError::Core(format!("asked for what it was told not to use: {effect:?}")));
            }
        };
        self.push(ours);
        Ok(Resume::Continue)
    }

    fn sign_vote(&mut self, ballot: Ballot) -> Result<types::SignedVote<Agreement>, EngineError> {
        Ok(self.pledges.sign_vote(ballot.signed(UNSIGNED)?)?.into())
    }

    fn sign_proposal(&mut self, offer: Offer) -> Result<types::SignedProposal<Agreement>, EngineError> {
        Ok(self.pledges.sign_proposal(offer.signed(UNSIGNED)?)?.into())
    }

    fn verify_signature(
        &mut self,
        signed: types::SignedMessage<Agreement, core::ConsensusMsg<Agreement>>,
    ) -> Result<bool, EngineError> {
        let network = self.pledges.network();
        let (signer, good) = match signed.message {
            core::ConsensusMsg::Vote(ballot) => {
                let vote = ballot.signed(signed.signature)?;
                (vote.signer, vote.verify(network))
            }
            core::ConsensusMsg::Proposal(offer) => {
                let proposal = offer.signed(signed.signature)?;
                (proposal.signer, proposal.verify(network))
            }
        };
        if !good {
            self.push(Effect::Refused(Refusal::BadSignature(signer)));
        }
        Ok(good)
    }

    /// Tells the caller why a certificate is refused; the core only has to know that it is.
    #[expect(clippy::result_large_err, reason = "this is how the core takes its answer")]
    fn refuse_unless(
        &mut self,
        verdict: Result<(), CertificateError>,
    ) -> Result<(), types::CertificateError<Agreement>> {
        verdict.map_err(|error| {
            self.push(Effect::Refused(Refusal::BadCertificate(error)));
            types::CertificateError::VerificationError(None)
        })
    }

    fn set_timer(&mut self, timeout: types::Timeout) -> Result<Resume<Agreement>, EngineError> {
        // The vote that decides a height is followed by one more timer; nothing is left to wait for then.
        if self.progress == Progress::Deciding {
            let timer = convert::timer(self.height, timeout)?;
            self.push(Effect::SetTimer(timer, self.timeouts.duration(timer.kind, timer.round)));
        }
        Ok(Resume::Continue)
    }

    fn append(&mut self, entry: WalEntry) -> Result<Resume<Agreement>, EngineError> {
        match &entry {
            WalEntry::Proposal(own) if own.signer == self.id() => self.own_proposal = Some(own.clone()),
            WalEntry::Judged(judged) => drop(self.verdicts.insert(*judged)),
            _ => {}
        }
        // A replay derives what the log holds; only what a crash kept from being written is new. And the rest of a round
        // certificate, after the vote that decided, needs no log: its height is over.
        if self.progress == Progress::Deciding && !self.recorded.contains(&entry) {
            self.push(Effect::Append(entry));
        }
        Ok(Resume::Continue)
    }

    /// Ends the height, after its decision.
    pub(super) fn finish(
        &mut self,
        evidence: core::MisbehaviorEvidence<Agreement>,
    ) -> Result<Resume<Agreement>, EngineError> {
        self.push(Effect::CancelTimers);
        let evidence = convert::evidence(evidence)?;
        if !evidence.is_empty() {
            self.push(Effect::Equivocation(evidence));
        }
        Ok(Resume::Continue)
    }

    /// Says again what this member proposed in the current round, body and all.
    pub(super) fn repeat_proposal(&mut self) {
        if let Some(own) = self.own_proposal.clone() {
            self.push(Effect::Publish(Message::Proposal(own)));
            self.restream();
        }
    }

    /// Has the body published again that this member proposed in the current round.
    pub(super) fn restream(&mut self) {
        if let Some(&Proposal { height, round, body, valid_round, signer: proposer, .. }) = self.own_proposal.as_ref() {
            self.push(Effect::Restream { height, round, valid_round, proposer, body });
        }
    }

    /// The round and the body, if `entry` says that this member built one.
    pub(super) fn built(&self, entry: &WalEntry) -> Option<(u32, Hash)> {
        match entry {
            WalEntry::Judged(judged) if judged.proposer == self.id() => Some((judged.round, judged.body)),
            _ => None,
        }
    }

    pub(super) fn id(&self) -> MemberId {
        self.pledges.id()
    }
}
