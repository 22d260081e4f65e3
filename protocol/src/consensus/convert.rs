//! Translation between our words and the core's, both ways.

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as types;

use super::{
    certificate::Certificate,
    context::{Agreement, Ballot, Offer},
    error::EngineError,
    evidence::Equivocation,
    input::Verdict,
    message::{PolkaCertificate, Proposal, RoundCertificate, RoundVote, Vote, VoteKind},
    timer::{Timer, TimerKind},
    wal::{JudgedBody, WalEntry},
};
use crate::ids::{Hash, Height, Signature};

/// A round that the core must have set.
pub(super) fn round_of(round: types::Round) -> Result<u32, EngineError> {
    round.as_u32().ok_or_else(|| EngineError::Core("a round without a number".into()))
}

const fn body_of(body: types::NilOrVal<Hash>) -> Option<Hash> {
    match body {
        types::NilOrVal::Nil => None,
        types::NilOrVal::Val(body) => Some(body),
    }
}

fn nil_or(body: Option<Hash>) -> types::NilOrVal<Hash> {
    body.map_or(types::NilOrVal::Nil, types::NilOrVal::Val)
}

const fn kind_of(kind: types::VoteType) -> VoteKind {
    match kind {
        types::VoteType::Prevote => VoteKind::Prevote,
        types::VoteType::Precommit => VoteKind::Precommit,
    }
}

const fn type_of(kind: VoteKind) -> types::VoteType {
    match kind {
        VoteKind::Prevote => types::VoteType::Prevote,
        VoteKind::Precommit => types::VoteType::Precommit,
    }
}

impl Ballot {
    pub(super) fn signed(self, signature: Signature) -> Result<Vote, EngineError> {
        let Self { kind, height, round, body, voter: signer } = self;
        Ok(Vote { kind: kind_of(kind), height, round: round_of(round)?, body: body_of(body), signer, signature })
    }
}

impl Offer {
    pub(super) fn signed(self, signature: Signature) -> Result<Proposal, EngineError> {
        let Self { height, round, body, valid_round, proposer: signer } = self;
        let (round, valid_round) = (round_of(round)?, valid_round.as_u32());
        Ok(Proposal { height, round, body, valid_round, signer, signature })
    }
}

impl From<Vote> for types::SignedVote<Agreement> {
    fn from(vote: Vote) -> Self {
        let Vote { kind, height, round, body, signer: voter, signature } = vote;
        let ballot = Ballot { kind: type_of(kind), height, round: round.into(), body: nil_or(body), voter };
        Self::new(ballot, signature)
    }
}

impl From<Proposal> for types::SignedProposal<Agreement> {
    fn from(proposal: Proposal) -> Self {
        let Proposal { height, round, body, valid_round, signer: proposer, signature } = proposal;
        Self::new(Offer { height, round: round.into(), body, valid_round: valid_round.into(), proposer }, signature)
    }
}

impl From<PolkaCertificate> for types::PolkaCertificate<Agreement> {
    fn from(certificate: PolkaCertificate) -> Self {
        let PolkaCertificate { height, round, body, signatures } = certificate;
        let sign = |(member, signature)| types::PolkaSignature::new(member, signature);
        Self {
            height,
            round: round.into(),
            value_id: body,
            polka_signatures: signatures.into_iter().map(sign).collect(),
        }
    }
}

impl From<RoundCertificate> for types::RoundCertificate<Agreement> {
    fn from(certificate: RoundCertificate) -> Self {
        let (cert_type, height, round, votes) = match certificate {
            RoundCertificate::Ended { height, round, votes } => {
                (types::RoundCertificateType::Precommit, height, round, votes)
            }
            RoundCertificate::Begun { height, round, votes } => {
                (types::RoundCertificateType::Skip, height, round, votes)
            }
        };
        let sign = |vote: RoundVote| {
            types::RoundSignature::new(type_of(vote.kind), nil_or(vote.body), vote.signer, vote.signature)
        };
        Self { height, round: round.into(), cert_type, round_signatures: votes.into_iter().map(sign).collect() }
    }
}

impl From<Timer> for types::Timeout {
    fn from(timer: Timer) -> Self {
        let kind = match timer.kind {
            TimerKind::Propose => types::TimeoutKind::Propose,
            TimerKind::Prevote => types::TimeoutKind::Prevote,
            TimerKind::Precommit => types::TimeoutKind::Precommit,
            TimerKind::Rebroadcast => types::TimeoutKind::Rebroadcast,
        };
        Self::new(timer.round.into(), kind)
    }
}

impl From<JudgedBody> for core::ProposedValue<Agreement> {
    fn from(judged: JudgedBody) -> Self {
        let JudgedBody { height, round, valid_round, proposer, body, verdict } = judged;
        let validity = match verdict {
            Verdict::Valid => types::Validity::Valid,
            Verdict::Invalid => types::Validity::Invalid,
        };
        Self { height, round: round.into(), valid_round: valid_round.into(), proposer, value: body, validity }
    }
}

impl From<WalEntry> for core::Input<Agreement> {
    fn from(entry: WalEntry) -> Self {
        match entry {
            WalEntry::Vote(vote) => Self::Vote(vote.into()),
            WalEntry::Proposal(proposal) => Self::Proposal(proposal.into()),
            WalEntry::Timeout(timer) => Self::TimeoutElapsed(timer.into()),
            WalEntry::Judged(judged) => Self::ProposedValue(judged.into(), types::ValueOrigin::Consensus),
            WalEntry::PolkaCertificate(certificate) => Self::PolkaCertificate(certificate.into()),
        }
    }
}

pub(super) fn vote(vote: types::SignedVote<Agreement>) -> Result<Vote, EngineError> {
    vote.message.signed(vote.signature)
}

pub(super) fn proposal(proposal: types::SignedProposal<Agreement>) -> Result<Proposal, EngineError> {
    proposal.message.signed(proposal.signature)
}

pub(super) fn timer(height: Height, timeout: types::Timeout) -> Result<Timer, EngineError> {
    let kind = match timeout.kind {
        types::TimeoutKind::Propose => TimerKind::Propose,
        types::TimeoutKind::Prevote => TimerKind::Prevote,
        types::TimeoutKind::Precommit => TimerKind::Precommit,
        types::TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
        types::TimeoutKind::FinalizeHeight(_) => {
            return Err(EngineError::Core("a timer for a period that no height has".into()));
        }
    };
    Ok(Timer { height, round: round_of(timeout.round)?, kind })
}

pub(super) fn polka(certificate: types::PolkaCertificate<Agreement>) -> Result<PolkaCertificate, EngineError> {
    let signatures = certificate.polka_signatures.into_iter().map(|s| (s.address, s.signature)).collect();
    let (height, round) = (certificate.height, round_of(certificate.round)?);
    Ok(PolkaCertificate { height, round, body: certificate.value_id, signatures })
}

pub(super) fn round(certificate: types::RoundCertificate<Agreement>) -> Result<RoundCertificate, EngineError> {
    let (height, round) = (certificate.height, round_of(certificate.round)?);
    let vote = |s: types::RoundSignature<Agreement>| RoundVote {
        kind: kind_of(s.vote_type),
        body: body_of(s.value_id),
        signer: s.address,
        signature: s.signature,
    };
    let votes = certificate.round_signatures.into_iter().map(vote).collect();
    Ok(match certificate.cert_type {
        types::RoundCertificateType::Precommit => RoundCertificate::Ended { height, round, votes },
        types::RoundCertificateType::Skip => RoundCertificate::Begun { height, round, votes },
    })
}

pub(super) fn commit(certificate: types::CommitCertificate<Agreement>) -> Result<Certificate, EngineError> {
    let (height, round) = (certificate.height, round_of(certificate.round)?);
    let mut signatures: Vec<_> = certificate.commit_signatures.into_iter().map(|s| (s.address, s.signature)).collect();
    // Votes arrive in any order; by id, equal sets of signers have equal certificates.
    signatures.sort_unstable();
    Ok(Certificate { height, round, body: certificate.value_id, signatures })
}

/// What the core found, in the order of members, proposals first.
pub(super) fn evidence(found: core::MisbehaviorEvidence<Agreement>) -> Result<Vec<Equivocation>, EngineError> {
    let mut pairs = Vec::new();
    for (first, second) in found.proposals.into_iter().flat_map(|(_, pairs)| pairs) {
        pairs.push(Equivocation::Proposals(proposal(first)?, proposal(second)?));
    }
    for (first, second) in found.votes.into_iter().flat_map(|(_, pairs)| pairs) {
        pairs.push(Equivocation::Votes(vote(first)?, vote(second)?));
    }
    Ok(pairs)
}

/// What the core wants logged.
pub(super) fn entry(height: Height, input: core::Input<Agreement>) -> Result<WalEntry, EngineError> {
    Ok(match input {
        core::Input::Vote(signed) => WalEntry::Vote(vote(signed)?),
        core::Input::Proposal(signed) => WalEntry::Proposal(proposal(signed)?),
        core::Input::TimeoutElapsed(timeout) => WalEntry::Timeout(timer(height, timeout)?),
        core::Input::PolkaCertificate(certificate) => WalEntry::PolkaCertificate(polka(certificate)?),
        core::Input::ProposedValue(judged, _) => WalEntry::Judged(JudgedBody {
            height: judged.height,
            round: round_of(judged.round)?,
            valid_round: judged.valid_round.as_u32(),
            proposer: judged.proposer,
            body: judged.value,
            verdict: if judged.validity.is_valid() { Verdict::Valid } else { Verdict::Invalid },
        }),
        other => return Err(EngineError::Core(format!("an entry that no log holds: {other:?}"))),
    })
}
