//! Members that lie. Their machines are honest; what they say is changed on its way out, and signed again with their
//! own keys, which is all that a liar can do.

use std::collections::{BTreeMap, BTreeSet};

use super::{archive::Archive, overreach::Pen, rng::Rng};
use crate::{
    body::{Body, Evidence},
    consensus::{self, Proposal, Vote},
    crypto::{Keypair, Signed},
    detection::Pretence,
    ids::{BlobRef, Hash, Height, NetworkId},
    state::{Federation, State},
    statement::{BodyOffer, CounterOffer, CounterOffers, CounterReply, Reply},
    wire::Message,
};

/// A way to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Votes twice in a slot and proposes two bodies, one to each half of the others.
    Equivocate,
    /// Proposes a Settle whose model has one bit flipped.
    FlipBit,
    /// Proposes a Settle that leaves an update out, but names the mean of all.
    OmitUpdate,
    /// Proposes a Settle that says of somebody who has worked that it has changed nothing.
    Slander,
    /// Proposes a Plan with a counter-offer that breaks the rules, in one way or another.
    WrongOffer,
    /// Proposes a Plan without the replies to counter-offers.
    HideReplies,
    /// Proposes, but shows the body to nobody.
    WithholdBody,
    /// Stays connected, but takes no part in the agreement.
    Silence,
    /// Trains updates that cannot enter a mean.
    PoisonUpdate,
    /// Names blobs, but gives none away.
    HoardBlobs,
    /// Claims to have decided what nobody has, and answers with nonsense.
    FalseTips,
    /// Signs statements that are out of bounds: bids, marks, updates, appraisals.
    Overreach,
    /// Says one thing in a round to some and another to others.
    TwoFaces,
    /// Sends forgeries of every kind.
    Spam,
}

impl Lie {
    /// Every way to lie.
    pub const ALL: [Self; 14] = [
        Self::Equivocate,
        Self::FlipBit,
        Self::OmitUpdate,
        Self::Slander,
        Self::WrongOffer,
        Self::HideReplies,
        Self::WithholdBody,
        Self::Silence,
        Self::PoisonUpdate,
        Self::HoardBlobs,
        Self::FalseTips,
        Self::Overreach,
        Self::TwoFaces,
        Self::Spam,
    ];
}

/// Who hears something: a liar tells different things to different members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    All,
    Even,
    Odd,
}

impl Audience {
    pub(super) const fn has(self, place: usize) -> bool {
        match self {
            Self::All => true,
            Self::Even => place.is_multiple_of(2),
            Self::Odd => !place.is_multiple_of(2),
        }
    }
}

/// Something said to some.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) audience: Audience,
    pub(super) message: Message,
}

impl Copy {
    const fn to_all(message: Message) -> Self {
        Self { audience: Audience::All, message }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.message.encode()
    }
}

/// A member's lying tongue.
#[derive(Debug)]
pub(super) struct Liar {
    lies: BTreeSet<Lie>,
    keypair: Keypair,
    network: NetworkId,
    rng: Rng,
    /// What it says in place of a body that its machine has built.
    instead: BTreeMap<Hash, Hash>,
    /// What it says besides.
    twins: BTreeMap<Hash, Hash>,
    /// Blobs that it has made up.
    pub(super) made: BTreeSet<BlobRef>,
}

impl Liar {
    pub(super) const fn new(lies: BTreeSet<Lie>, keypair: Keypair, network: NetworkId, rng: Rng) -> Self {
        Self { lies, keypair, network, rng, instead: BTreeMap::new(), twins: BTreeMap::new(), made: BTreeSet::new() }
    }

    /// What it says in place of `message`.
    pub(super) fn twist(
        &mut self,
        federation: &Federation,
        state: &State,
        message: Message,
        archive: &mut Archive,
    ) -> Vec<Copy> {
        let is_agreement = matches!(message, Message::Body(_) | Message::Agreement(_));
        if is_agreement && self.tells(Lie::Silence) {
            return Vec::new();
        }
        match message {
            Message::Body(signed) => self.twist_body(federation, state, signed, archive),
            Message::Agreement(consensus::Message::Proposal(own)) if own.signer == self.keypair.id() => {
                self.twist_proposal(own)
            }
            Message::Agreement(consensus::Message::Vote(own)) if own.signer == self.keypair.id() => {
                self.twist_vote(own)
            }
            Message::Tip(height) if self.tells(Lie::FalseTips) => {
                vec![Copy::to_all(Message::Tip(Height(height.0 + self.rng.below(1_000))))]
            }
            other => self.twist_statement(other),
        }
    }

    fn twist_statement(&self, message: Message) -> Vec<Copy> {
        let pen = Pen { keypair: &self.keypair, network: &self.network };
        if self.tells(Lie::Overreach)
            && let Some(beyond) = pen.overreach(&message)
        {
            return vec![Copy::to_all(beyond)];
        }
        let faces = self.tells(Lie::TwoFaces).then(|| pen.two_faces(&message)).flatten();
        faces.unwrap_or_else(|| vec![Copy::to_all(message)])
    }

    fn tells(&self, lie: Lie) -> bool {
        self.lies.contains(&lie)
    }

    fn twist_body(
        &mut self,
        federation: &Federation,
        state: &State,
        signed: Signed<BodyOffer>,
        archive: &mut Archive,
    ) -> Vec<Copy> {
        if self.tells(Lie::WithholdBody) {
            return Vec::new();
        }
        let honest = |signed| vec![Copy::to_all(Message::Body(signed))];
        let Ok(offer) = signed.peek() else { return honest(signed) };
        let Ok(body) = Body::decode(&offer.body) else { return honest(signed) };
        if offer.valid_round.is_some() {
            return honest(signed);
        }
        let id = Body::id_of(&offer.body);
        let sign = |liar: &Self, body: &[u8]| {
            let offer = BodyOffer { body: body.to_vec().into(), ..offer.clone() };
            Message::Body(Signed::new(&liar.keypair, &liar.network, &offer))
        };
        let again = |evidence| {
            let header = &body.header;
            state.propose(federation, header.proposer, header.agreement_round, evidence).ok().map(|body| body.encode())
        };
        let breach = self.break_terms(state, &body.evidence);
        let breach = breach.map(|evidence| Body { header: body.header.clone(), evidence }.encode());
        if let Some(forged) = breach.or_else(|| self.falsify(&body.evidence, archive).and_then(again)) {
            self.instead.insert(id, Body::id_of(&forged));
            return vec![Copy::to_all(sign(self, &forged))];
        }
        match self.tells(Lie::Equivocate).then(|| twin(&body.evidence)).flatten().and_then(again) {
            Some(twin) => {
                self.twins.insert(id, Body::id_of(&twin));
                let (first, second) = (sign(self, &offer.body), sign(self, &twin));
                vec![
                    Copy { audience: Audience::Even, message: first },
                    Copy { audience: Audience::Odd, message: second },
                ]
            }
            None => honest(signed),
        }
    }

    /// A Plan with a counter-offer that no rule allows. It claims the state after the honest one.
    fn break_terms(&mut self, state: &State, evidence: &Evidence) -> Option<Evidence> {
        let Evidence::Plan(mut plan) = evidence.clone() else { return None };
        if !self.tells(Lie::WrongOffer) {
            return None;
        }
        let pen = |liar: &Self, made: &CounterOffers| Signed::new(&liar.keypair, &liar.network, made);
        let victim = plan.bids.first().map_or_else(|| self.keypair.id(), |(commit, _)| commit.signer);
        let offer = |contract, price| CounterOffer { member: victim, contract, price };
        let offers = match self.rng.below(4) {
            0 => vec![offer(0, 1), offer(1, 1)],
            1 => vec![offer(0, u64::MAX)],
            2 => vec![CounterOffer { member: self.keypair.id(), ..offer(1, 1) }],
            _ => vec![offer(0, 1); 3],
        };
        let made = CounterOffers { round: state.round, offers };
        let signed = pen(self, &made);
        let reply = CounterReply { round: state.round, offers: signed.digest(), reply: Reply::Accept };
        plan.replies = vec![Signed::new(&self.keypair, &self.network, &reply)];
        plan.counter_offers = Some(signed);
        Some(Evidence::Plan(plan))
    }

    /// A Settle with a lie in it, or a Plan that hides something.
    fn falsify(&mut self, evidence: &Evidence, archive: &mut Archive) -> Option<Evidence> {
        let mut settle = match evidence.clone() {
            Evidence::Settle(settle) => settle,
            Evidence::Plan(mut plan) => {
                let hides = self.tells(Lie::HideReplies) && !plan.replies.is_empty();
                plan.replies.clear();
                return hides.then_some(Evidence::Plan(plan));
            }
        };
        if self.tells(Lie::FlipBit) {
            let mut model = archive.get(&settle.model)?.to_vec();
            *model.first_mut()? ^= 1;
            settle.model = archive.put(model);
            self.made.insert(settle.model);
        } else if self.tells(Lie::OmitUpdate) {
            settle.updates.pop()?;
        } else if self.tells(Lie::Slander) {
            settle.refused.insert(settle.updates.first()?.signer, Pretence::Idle);
        } else {
            return None;
        }
        Some(Evidence::Settle(settle))
    }

    fn twist_proposal(&mut self, own: Proposal) -> Vec<Copy> {
        let said = |liar: &Self, body: Hash| {
            let proposal = Proposal { body, ..own.clone() }.signed(&liar.keypair, &liar.network);
            Message::Agreement(consensus::Message::Proposal(proposal))
        };
        let first = said(self, self.instead.get(&own.body).copied().unwrap_or(own.body));
        match self.twins.get(&own.body).copied() {
            Some(twin) => self.say_both(first, said(self, twin)),
            None => vec![Copy::to_all(first)],
        }
    }

    fn twist_vote(&mut self, own: Vote) -> Vec<Copy> {
        let said = |liar: &Self, body: Option<Hash>| {
            let vote = Vote { body, ..own.clone() }.signed(&liar.keypair, &liar.network);
            Message::Agreement(consensus::Message::Vote(vote))
        };
        let first = own.body.map(|body| self.instead.get(&body).copied().unwrap_or(body));
        if !self.tells(Lie::Equivocate) {
            return vec![Copy::to_all(said(self, first))];
        }
        let second = match own.body {
            Some(body) => self.twins.get(&body).copied(),
            None => Some(Hash::of(b"a body that nobody has")),
        };
        self.say_both(said(self, first), said(self, second))
    }

    /// Says one thing to one half and another to the other, or both to everybody, which convicts it.
    fn say_both(&mut self, first: Message, second: Message) -> Vec<Copy> {
        if self.rng.chance(500) {
            return vec![Copy::to_all(first), Copy::to_all(second)];
        }
        vec![Copy { audience: Audience::Even, message: first }, Copy { audience: Audience::Odd, message: second }]
    }
}

/// Other evidence that is as valid: something that a proposer may leave out.
fn twin(evidence: &Evidence) -> Option<Evidence> {
    let mut evidence = evidence.clone();
    match &mut evidence {
        Evidence::Plan(plan) => match plan.bids.pop() {
            Some(_) => {}
            None => drop(plan.marks.take()?),
        },
        Evidence::Settle(settle) => drop(settle.appraisals.pop()?),
    }
    Some(evidence)
}
