//! What an engine wants done.

use std::time::Duration;

use super::{certificate::Certificate, certificate::CertificateError, evidence::Equivocation, message::Message};
use super::{timer::Timer, wal::WalEntry};
use crate::ids::{Hash, Height, MemberId};

/// Something to be done. Effects are carried out in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make this durable, before any later effect is carried out. Entries that follow each other may share one write.
    Append(WalEntry),
    /// Send this to all validators. Messages may repeat: let no cache of seen messages swallow them.
    Publish(Message),
    /// Let this timer run so long. Setting one that runs starts it anew.
    SetTimer(Timer, Duration),
    /// Forget this timer, if it runs.
    CancelTimer(Timer),
    /// Forget all timers.
    CancelTimers,
    /// A round began. Judge its body again, if it came before the height started or long before the round did.
    RoundStarted {
        /// Its height.
        height: Height,
        /// Its number, from 0.
        round: u32,
        /// Who chairs it.
        proposer: MemberId,
    },
    /// This member chairs the round: build a body, store it, publish it, then answer
    /// [`Input::Built`](super::Input::Built). If a body for this height and round is stored already, take that one.
    Build {
        /// Height to build for.
        height: Height,
        /// Round to build for.
        round: u32,
    },
    /// Publish this stored body again, for those who missed it.
    Restream {
        /// Its height.
        height: Height,
        /// The round that it is proposed in.
        round: u32,
        /// The earlier round in which a quorum prevoted for it, if any.
        valid_round: Option<u32>,
        /// Who proposes it in that round: not always this member.
        proposer: MemberId,
        /// Its hash.
        body: Hash,
    },
    /// The height is decided. Make the certificate and all that follows from its body durable before anything else,
    /// and carry out the rest of the list after that. The engine is idle now.
    ///
    /// Its body was judged valid here, or came together with [`Input::Synced`](super::Input::Synced).
    Decide {
        /// The proof.
        certificate: Certificate,
    },
    /// Members who signed two things for one slot, with the proof: all that came to light before the decision, a few
    /// proofs for a member at most.
    Equivocation(Vec<Equivocation>),
    /// The message given with this very input is bad: a peer that checks what it relays would not have sent it.
    Refused(Refusal),
    /// `member` speaks, well signed, at a later height: start that height or fetch the decisions in between.
    /// A message of the very next height is kept until it starts.
    Ahead {
        /// Who is ahead.
        member: MemberId,
        /// At which height.
        height: Height,
    },
    /// `member` speaks, well signed, at a height that is decided: offer it the decision. Votes that were merely slow
    /// look the same, so answer a member once in a while at most.
    Behind {
        /// Who is behind.
        member: MemberId,
        /// At which height.
        height: Height,
    },
}

/// Why a message was not let in. Blame belongs to the peer that delivered it, which need not be the member it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The named signer has no seat at this height.
    #[error("{0} has no vote at this height")]
    NotAMember(MemberId),
    /// The signature is not the named signer's, or is for another network.
    #[error("a signature in the name of {0} does not verify")]
    BadSignature(MemberId),
    /// The proposal names someone who does not chair its round.
    #[error("{0} does not chair the round it proposes for")]
    NotTheProposer(MemberId),
    /// The proposal refers to prevotes of its own or of a later round.
    #[error("a proposal of {0} refers to a round that was not before its own")]
    FromTheFuture(MemberId),
    /// The certificate proves nothing.
    #[error("a certificate is refused: {0}")]
    BadCertificate(#[from] CertificateError),
}
