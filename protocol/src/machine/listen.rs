//! Messages from others: verified first, then taken, then acted upon.

use super::{
    Machine, Result,
    pool::{OfRound, Pool, Taken},
};
use crate::{
    crypto::Signed,
    event::{Event, Phase},
    ids::{BlobRef, MemberId},
    state::Stage,
    statement::BodyOffer,
    wire::Message,
};

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is new and true: pass it on.
    Accept,
    /// It is of no use here: do not pass it on, but nobody is to blame.
    Ignore,
    /// The neighbour that passed it on should have seen that it is false.
    Reject,
}

impl Machine {
    /// Takes a message. Its author is who the network says it is; what it holds is verified here.
    pub(super) fn hear(&mut self, author: MemberId, via: MemberId, bytes: &[u8]) -> Result<Verdict> {
        let Ok(message) = Message::decode(bytes) else { return Ok(Verdict::Reject) };
        if !self.is_known(&author) {
            return Ok(Verdict::Ignore);
        }
        match message {
            Message::Commit(signed) => self.hear_statement(via, signed),
            Message::Marks(signed) => {
                if self.pool.round == self.state.round && signed.signer != self.chair() {
                    // Those of the round after are another member's to make; they come again once it is open.
                    return Ok(Verdict::Ignore);
                }
                self.hear_statement(via, signed)
            }
            Message::Reveal(signed) => self.hear_statement(via, signed),
            Message::CounterOffers(signed) => {
                if self.pool.round == self.state.round && signed.signer != self.chair() {
                    return Ok(Verdict::Ignore);
                }
                let verdict = self.hear_statement(via, signed)?;
                self.consider_offer();
                Ok(verdict)
            }
            Message::CounterReply(signed) => self.hear_statement(via, signed),
            Message::Update(signed) => {
                let maker = signed.signer;
                let verdict = self.hear_statement(via, signed)?;
                if verdict == Verdict::Accept && matches!(self.state.stage, Stage::Settling(_)) {
                    self.update_offered(&maker)?;
                }
                Ok(verdict)
            }
            Message::Withdrawal(signed) => {
                let maker = signed.signer;
                let verdict = self.hear_statement(via, signed)?;
                if verdict == Verdict::Accept {
                    self.update_withdrawn(maker)?;
                }
                Ok(verdict)
            }
            Message::Appraisal(signed) => self.hear_statement(via, signed),
            Message::Instruction(signed) => Ok(self.hear_instruction(signed)),
            Message::Body(signed) => self.hear_body(via, signed),
            Message::Agreement(message) => self.feed_message(message),
            Message::Have(blob) => Ok(self.hear_have(author, blob)),
            Message::Tip(height) => {
                self.heard_tip(author, height);
                if via == author {
                    self.heard_directly(author, height);
                }
                Ok(Verdict::Accept)
            }
        }
    }

    /// Whether `member` is one, as far as this node knows. Whoever is not may have joined at a height that has not come here
    /// yet, so the neighbour that passes on its words is not to blame.
    fn is_known(&self, member: &MemberId) -> bool {
        self.state.ledger.accounts.contains_key(member)
    }

    /// R22: takes a statement of this round, or of the next: somebody may be there already.
    fn hear_statement<T: OfRound>(&mut self, via: MemberId, signed: Signed<T>) -> Result<Verdict> {
        let member = signed.signer;
        let open = self.state.round;
        // What is known already is not verified again: repetitions are the common case.
        let known = |pool: &mut Pool| T::says(pool).get(&member).is_some_and(|said| said.signed == signed);
        if known(&mut self.pool) || known(&mut self.early) {
            return Ok(Verdict::Ignore);
        }
        if !self.is_known(&member) {
            return Ok(Verdict::Ignore);
        }
        let Ok(what) = signed.open(&self.federation.network) else { return Ok(Verdict::Reject) };
        // A statement beyond its bounds would spoil every body that holds it.
        if !what.is_allowed(&self.federation.genesis) {
            return Ok(Verdict::Reject);
        }
        let round = what.round();
        let pool = if round == open {
            &mut self.pool
        } else if round == open.next() {
            &mut self.early
        } else {
            return Ok(Verdict::Ignore);
        };
        match T::says(pool).take(signed, what) {
            Taken::New if round == open => {
                self.heard_statement()?;
                Ok(Verdict::Accept)
            }
            Taken::New => Ok(Verdict::Accept),
            Taken::Known => Ok(Verdict::Ignore),
            Taken::Contradicts => {
                self.tell(Event::Misbehaved { member, why: "it said two different things in one place".into() });
                Ok(if via == member { Verdict::Reject } else { Verdict::Ignore })
            }
        }
    }

    /// A statement may be the last that the phase waits for.
    fn heard_statement(&mut self) -> Result {
        match self.phase {
            Phase::Bid => self.check_commits(),
            Phase::Reveal => self.check_reveals(),
            Phase::Appraise => self.check_appraisals(),
            Phase::Wait | Phase::Plan | Phase::Train | Phase::Settle => Ok(()),
        }
    }

    fn hear_body(&mut self, via: MemberId, signed: Signed<BodyOffer>) -> Result<Verdict> {
        let member = signed.signer;
        if !self.is_known(&member) {
            return Ok(Verdict::Ignore);
        }
        let Ok(offer) = signed.open(&self.federation.network) else { return Ok(Verdict::Reject) };
        let next = self.state.height.next();
        if offer.height != next {
            return Ok(Verdict::Ignore);
        }
        if self.validators.proposer(offer.agreement_round) != member {
            return Ok(if via == member { Verdict::Reject } else { Verdict::Ignore });
        }
        let new = self.body_offered(signed, offer)?;
        Ok(if new { Verdict::Accept } else { Verdict::Ignore })
    }

    /// R27: a blob that is wanted is fetched from whoever says that it has it.
    fn hear_have(&mut self, author: MemberId, blob: BlobRef) -> Verdict {
        let wanted = blob == self.state.model || self.pool.updates.iter().any(|(_, said)| said.what.update == blob);
        if wanted && !self.blobs.contains(&blob) {
            self.effects.push(super::Effect::Fetch { blob, from: vec![author] });
        }
        if wanted { Verdict::Accept } else { Verdict::Ignore }
    }
}
