//! The gate: what peers say, and what the application makes of their bodies, before the core sees any of it.
//!
//! The core verifies signatures itself, each once and only of what it does not know yet. But it keeps messages of
//! later heights unverified and without regard to who sent them, so those never get there.

use std::cmp::Ordering;

use arc_malachitebft_core_consensus as core;

use super::Engine;
use crate::{
    consensus::{
        effect::{Effect, Refusal},
        error::EngineError,
        message::Message,
        validators::ValidatorSet,
        wal::{JudgedBody, WalEntry},
    },
    ids::{Height, MemberId},
};

/// How many rounds ahead of its own this member takes verdicts on bodies; the core takes votes as far.
const NEAR_ROUNDS: u32 = 10;

impl Engine {
    pub(super) fn receive_early(&mut self, height: Height) -> Result<(), EngineError> {
        self.early.take(height).into_iter().try_for_each(|message| self.receive(message))
    }

    /// Takes what a peer says: now, later, or as a sign that somebody is ahead or behind.
    pub(super) fn receive(&mut self, message: Message) -> Result<(), EngineError> {
        let Some(frontier) = &self.frontier else { return Ok(()) };
        match message.height().cmp(&frontier.height) {
            Ordering::Equal if self.is_deciding() => self.admit(message),
            Ordering::Greater => {
                self.receive_ahead(message);
                Ok(())
            }
            Ordering::Less | Ordering::Equal => {
                self.receive_behind(&message);
                Ok(())
            }
        }
    }

    fn admit(&mut self, message: Message) -> Result<(), EngineError> {
        let Some(core) = &self.core else { return Ok(()) };
        if let Err(refusal) = admit(&message, core.validator_set()) {
            self.host.push(Effect::Refused(refusal));
            return Ok(());
        }
        self.feed(match message {
            Message::Vote(vote) => core::Input::Vote(vote.into()),
            Message::Proposal(proposal) => core::Input::Proposal(proposal.into()),
            Message::PolkaCertificate(proof) => core::Input::PolkaCertificate(proof.into()),
            Message::RoundCertificate(proof) => core::Input::RoundCertificate(proof.into()),
        })
    }

    /// Keeps what can be used soon, and tells who is ahead. Certificates come again, so they are not kept.
    fn receive_ahead(&mut self, message: Message) {
        let (Some(frontier), Some(member)) = (&self.frontier, message.signer()) else { return };
        let height = message.height();
        let is_next = height == frontier.height.next();
        let is_wanted = !is_next || self.early.wants(member, &message);
        if !is_wanted || !frontier.validators.contains(&member) {
            return;
        }
        if !message.is_authentic(self.host.pledges.network(), &frontier.validators) {
            return self.host.push(Effect::Refused(Refusal::BadSignature(member)));
        }
        self.host.push(Effect::Ahead { member, height });
        if is_next {
            self.early.keep(member, message);
        }
    }

    fn receive_behind(&mut self, message: &Message) {
        let (Some(frontier), Some(member)) = (&self.frontier, message.signer()) else { return };
        if !frontier.validators.contains(&member) {
            return;
        }
        self.host.push(if message.is_authentic(self.host.pledges.network(), &frontier.validators) {
            Effect::Behind { member, height: message.height() }
        } else {
            Effect::Refused(Refusal::BadSignature(member))
        });
    }

    /// Takes a verdict, if the body is of the member who chairs its round, and of a round that is near.
    ///
    /// The core keeps few bodies for a round, so those of others must not take the room of the chair's own, and it
    /// keeps them for any number of rounds, so a chair must not fill its log with those of distant ones. What this
    /// member built itself it need not be told.
    pub(super) fn judge(&mut self, judged: JudgedBody) -> Result<(), EngineError> {
        let Some(core) = &self.core else { return Ok(()) };
        let is_near = judged.round <= core.round().as_u32().unwrap_or(0).saturating_add(NEAR_ROUNDS);
        let is_chairs = judged.proposer == core.validator_set().proposer(judged.round);
        let is_news = judged.proposer != self.host.id() && !self.host.verdicts.contains(&judged);
        if is_near && is_chairs && is_news { self.feed(WalEntry::Judged(judged).into()) } else { Ok(()) }
    }
}

/// Whether `message` could be of use to the core: of members only, and proposals only of the chair.
fn admit(message: &Message, set: &ValidatorSet) -> Result<(), Refusal> {
    let seated = |signer: MemberId| if set.contains(&signer) { Ok(()) } else { Err(Refusal::NotAMember(signer)) };
    match message {
        Message::Vote(vote) => seated(vote.signer),
        Message::Proposal(proposal) => {
            seated(proposal.signer)?;
            if set.proposer(proposal.round) != proposal.signer {
                return Err(Refusal::NotTheProposer(proposal.signer));
            }
            match proposal.valid_round {
                Some(earlier) if earlier >= proposal.round => Err(Refusal::FromTheFuture(proposal.signer)),
                _ => Ok(()),
            }
        }
        Message::PolkaCertificate(proof) => proof.signatures.iter().try_for_each(|&(signer, _)| seated(signer)),
        Message::RoundCertificate(proof) => proof.entries().iter().try_for_each(|vote| seated(vote.signer)),
    }
}
