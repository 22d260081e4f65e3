//! What members say: one thing in each place, for ever, never before it is durable; and what they make of forgeries.

use std::collections::{BTreeMap, BTreeSet};

use super::{Property, Sight};
use crate::{
    codec,
    consensus::{self, Vote},
    crypto::{Signed, Statement},
    ids::{Hash, MemberId, Round, Signature},
    machine::Verdict,
    wire::Message,
};

/// A place where a member may say one thing: its kind, the height or round, and the agreement's round.
type Place = (MemberId, &'static str, u64, u32);

/// No honest member says two things in one place: votes, proposals, bodies and the statements of a round alike.
#[derive(Debug, Default)]
pub(super) struct OneSay {
    said: BTreeMap<Place, Hash>,
}

impl Property for OneSay {
    fn name(&self) -> &'static str {
        "nobody honest says two things in one place"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Said { id, message, .. } = sight else { return Ok(()) };
        let Some((kind, height, round, what)) = place_of(id, message) else { return Ok(()) };
        let first = *self.said.entry((*id, kind, height, round)).or_insert(what);
        if first == what {
            return Ok(());
        }
        Err(format!("{} says two different things as its {kind} at {height}/{round}", id.short()))
    }
}

/// Whatever goes wrong, nobody honest says of somebody honest that it has misbehaved.
#[derive(Debug)]
pub(super) struct NoSlander {
    honest: BTreeSet<MemberId>,
}

impl NoSlander {
    pub(super) const fn new(honest: BTreeSet<MemberId>) -> Self {
        Self { honest }
    }
}

impl Property for NoSlander {
    fn name(&self) -> &'static str {
        "nobody honest is called a liar"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        match sight {
            Sight::Accused { who, member, why } if self.honest.contains(member) => {
                Err(format!("{who} says that {} misbehaved: {why}", member.short()))
            }
            _ => Ok(()),
        }
    }
}

/// Where `message` of member `id` stands and a hash of what it says; nothing for what may be said freely.
fn place_of(id: &MemberId, message: &Message) -> Option<(&'static str, u64, u32, Hash)> {
    match message {
        Message::Commit(signed) => statement("sealed bid", signed, |s| s.round),
        Message::Marks(signed) => statement("marks", signed, |s| s.round),
        Message::Reveal(signed) => statement("opened bid", signed, |s| s.round),
        Message::CounterOffers(signed) => statement("counter-offers", signed, |s| s.round),
        Message::CounterReply(signed) => statement("reply", signed, |s| s.round),
        Message::Update(signed) => statement("update", signed, |s| s.round),
        Message::Withdrawal(signed) => statement("withdrawal", signed, |s| s.round),
        Message::Appraisal(signed) => statement("appraisal", signed, |s| s.round),
        Message::Body(signed) if signed.signer == *id => {
            let offer = signed.peek().ok()?;
            Some(("body", offer.height.0, offer.agreement_round, signed.digest()))
        }
        Message::Agreement(consensus::Message::Vote(vote)) if vote.signer == *id => {
            let kind = match vote.kind {
                consensus::VoteKind::Prevote => "prevote",
                consensus::VoteKind::Precommit => "precommit",
            };
            Some((kind, vote.height.0, vote.round, vote.body.unwrap_or(Hash::ZERO)))
        }
        Message::Agreement(consensus::Message::Proposal(own)) if own.signer == *id => {
            let what = Hash::of(&codec::encode(&(own.body, own.valid_round)));
            Some(("proposal", own.height.0, own.round, what))
        }
        // An owner may sign what it likes; a body says one instruction of each number at the most.
        Message::Instruction(_) | Message::Body(_) | Message::Agreement(_) | Message::Have(_) | Message::Tip(_) => None,
    }
}

fn statement<T: Statement>(
    kind: &'static str,
    signed: &Signed<T>,
    round_of: fn(&T) -> Round,
) -> Option<(&'static str, u64, u32, Hash)> {
    Some((kind, round_of(&signed.peek().ok()?).0, 0, signed.digest()))
}

/// No signature that binds its member leaves before it stands in the log.
#[derive(Debug)]
pub(super) struct LogFirst;

impl Property for LogFirst {
    fn name(&self) -> &'static str {
        "what binds a member is durable before it is said"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Said { who, id, message, store, .. } = sight else { return Ok(()) };
        let needle = match message {
            Message::Agreement(message) => match own_signature(id, message) {
                Some(signature) => signature.0.to_vec(),
                None => return Ok(()),
            },
            // The last bytes of a signed statement are its signature.
            Message::Commit(_)
            | Message::Marks(_)
            | Message::Reveal(_)
            | Message::CounterOffers(_)
            | Message::CounterReply(_)
            | Message::Update(_)
            | Message::Withdrawal(_)
            | Message::Appraisal(_) => {
                let bytes = message.encode();
                bytes.get(bytes.len() - 64..).unwrap_or_default().to_vec()
            }
            Message::Instruction(_) | Message::Body(_) | Message::Have(_) | Message::Tip(_) => return Ok(()),
        };
        if store.holds(&needle) { Ok(()) } else { Err(format!("{who} says what is not in its log: {message:?}")) }
    }
}

fn own_signature(id: &MemberId, message: &consensus::Message) -> Option<Signature> {
    match message {
        consensus::Message::Vote(Vote { signer, signature, .. }) if signer == id => Some(*signature),
        consensus::Message::Proposal(own) if own.signer == *id => Some(own.signature),
        _ => None,
    }
}

/// Forgeries are not passed on and change nothing.
#[derive(Debug)]
pub(super) struct NoForgery;

impl Property for NoForgery {
    fn name(&self) -> &'static str {
        "no forgery is accepted"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Forgery { who, verdict, effects } = sight else { return Ok(()) };
        if *verdict != Verdict::Accept && effects.is_empty() {
            return Ok(());
        }
        Err(format!("{who} answers a forgery with {verdict:?} and {effects:?}"))
    }
}
