//! The agreement's side of the machine: bodies are built, offered, judged; the engine's effects become ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Effect, Machine, Record, Result, Timer, listen,
    settle::{Findings, Found, Made},
};
use crate::{
    body::{Body, Evidence, PlanEvidence, SettleEvidence},
    codec::DecodeError,
    consensus::{self, Certificate, Equivocation, Refusal, Verdict},
    crypto::Signed,
    event::{Event, Phase},
    ids::{Hash, Height, MemberId},
    state::{Invalid, Stage},
    statement::BodyOffer,
    wire::Message,
};

/// How long an update must have been here before a body may not leave it out.
const OMISSION_GRACE: Duration = Duration::from_secs(2);

/// From this round of the agreement on, bodies may leave out what they like: liveness comes first.
const OMISSIONS_PASS_FROM: u32 = 2;

/// A body on offer.
#[derive(Debug, Clone)]
struct Offered {
    signed: Signed<BodyOffer>,
    offer: BodyOffer,
    id: Hash,
    verdict: Option<Verdict>,
}

/// The bodies of the height that is being decided.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    /// One for each round of the agreement: a proposer has one say.
    offers: BTreeMap<u32, Offered>,
    /// What this member has built, which it must not build differently.
    pub(super) built: BTreeMap<u32, Vec<u8>>,
    /// Bodies of others that are durable here.
    held: BTreeSet<Hash>,
    /// The proof of a decision whose body is not here.
    awaited: Option<Certificate>,
    /// The round for which a body is waited for until its mean is known.
    building: Option<u32>,
    pub(super) findings: Findings,
    timers: BTreeSet<consensus::Timer>,
    /// Members known to decide this height already.
    ahead: BTreeSet<MemberId>,
}

impl Machine {
    /// R7, R16: starts deciding the next height.
    pub(super) fn start_height(&mut self) -> Result {
        let next = self.state.height.next();
        if !self.takes_part() || self.engine.height() == Some(next) || self.bodies.awaited.is_some() {
            return Ok(());
        }
        self.enter(match self.state.stage {
            Stage::Planning => Phase::Plan,
            Stage::Settling(_) => Phase::Settle,
        });
        let round = self.state.round;
        for timer in [Timer::Reveal(round), Timer::Counter(round), Timer::Train(round), Timer::Appraise(round)] {
            self.effects.push(Effect::CancelTimer(timer));
        }
        let effects = self.engine.start(next, self.validators.clone())?;
        self.carry(effects)?;
        self.judge_again()
    }

    /// Hands `input` to the engine and carries out what it wants.
    pub(super) fn feed(&mut self, input: consensus::Input) -> Result {
        let effects = self.engine.handle(input)?;
        self.carry(effects)?;
        Ok(())
    }

    /// Hands a peer's message to the engine. Only what was verified may be passed on.
    pub(super) fn feed_message(&mut self, message: consensus::Message) -> Result<listen::Verdict> {
        use consensus::Effect as E;
        let is_current = self.engine.height() == Some(message.height());
        let effects = self.engine.handle(consensus::Input::Message(message.clone()))?;
        let verified = |effect: &E| matches!(effect, E::Append(_) | E::Ahead { .. } | E::Behind { .. });
        let is_verified = effects.iter().any(verified);
        // The engine does not look twice at what it knows or cannot use. Others may need it, so it is passed on, but it
        // may bear a known vote's name and another signature. At another height it may be of somebody who votes there.
        let is_good = is_verified || message.verify(&self.federation.network, &self.validators);
        let is_members = message.signer().is_some_and(|signer| self.validators.contains(&signer));
        let refusal = self.carry(effects)?;
        Ok(match (is_good, refusal) {
            (_, Some(_)) => listen::Verdict::Reject,
            (true, None) => listen::Verdict::Accept,
            (false, None) if is_current || is_members => listen::Verdict::Reject,
            (false, None) => listen::Verdict::Ignore,
        })
    }

    /// Carries out the engine's effects. What follows from a decision waits until all of them are done.
    pub(super) fn carry(&mut self, effects: Vec<consensus::Effect>) -> Result<Option<Refusal>> {
        use consensus::Effect as E;
        let mut refusal = None;
        let mut decided = None;
        let mut rounds = Vec::new();
        for effect in effects {
            match effect {
                E::Append(entry) => self.remember(&Record::Agreement(entry)),
                E::Publish(message) => self.publish(&Message::Agreement(message)),
                E::SetTimer(timer, span) => self.set_agreement_timer(timer, span),
                E::CancelTimer(timer) => self.cancel_agreement_timer(timer),
                E::CancelTimers => self.cancel_agreement_timers(),
                E::RoundStarted { round, .. } => rounds.push((round, false)),
                E::Build { round, .. } => rounds.push((round, true)),
                E::Restream { round, valid_round, body, .. } => self.offer_again(round, valid_round, body),
                E::Decide { certificate } => decided = Some(certificate),
                E::Equivocation(offences) => self.take_offences(offences),
                E::Refused(why) => refusal = Some(why),
                E::Ahead { member, height } => self.heard_ahead(member, height)?,
                E::Behind { .. } => self.repeat_soon(),
            }
        }
        for (round, build) in rounds {
            if build { self.build(round)? } else { self.round_started(round)? }
        }
        if let Some(certificate) = decided {
            self.decided(certificate)?;
        }
        Ok(refusal)
    }

    fn set_agreement_timer(&mut self, timer: consensus::Timer, span: Duration) {
        self.bodies.timers.insert(timer);
        self.effects.push(Effect::SetTimer(Timer::Agreement(timer), span));
    }

    fn cancel_agreement_timer(&mut self, timer: consensus::Timer) {
        self.bodies.timers.remove(&timer);
        self.effects.push(Effect::CancelTimer(Timer::Agreement(timer)));
    }

    fn cancel_agreement_timers(&mut self) {
        for timer in std::mem::take(&mut self.bodies.timers) {
            self.effects.push(Effect::CancelTimer(Timer::Agreement(timer)));
        }
    }

    fn take_offences(&mut self, offences: Vec<Equivocation>) {
        for offence in offences {
            let why = "it signed two things for one slot".into();
            self.tell(Event::Misbehaved { member: offence.member(), why });
            self.offences.insert(offence);
        }
    }

    fn round_started(&mut self, round: u32) -> Result {
        if let Some(offered) = self.bodies.offers.get_mut(&round) {
            offered.verdict = None;
            self.judge(round)?;
        }
        self.check_proposer()
    }

    /// R18: a proposer that is gone is not waited for.
    pub(super) fn check_proposer(&mut self) -> Result {
        let (Some(height), Some(round)) = (self.engine.height(), self.engine.round()) else { return Ok(()) };
        let Some(proposer) = self.engine.proposer() else { return Ok(()) };
        let Some(absence) = self.absence(&proposer) else { return Ok(()) };
        match self.absence_grace().checked_sub(absence) {
            Some(left) if !left.is_zero() => {
                self.effects.push(Effect::SetTimer(Timer::ProposerAbsence(height, round), left));
            }
            _ => {
                let effects = self.engine.proposer_gone(proposer)?;
                self.carry(effects)?;
            }
        }
        Ok(())
    }

    /// Builds this member's body for a round that it chairs, or takes the one that it has built before.
    fn build(&mut self, round: u32) -> Result {
        let bytes = match self.bodies.built.get(&round) {
            Some(bytes) => bytes.clone(),
            None => {
                let Some(evidence) = self.gather()? else {
                    self.bodies.building = Some(round);
                    return Ok(());
                };
                match self.state.propose(&self.federation, self.me, round, evidence) {
                    Ok(body) => body.encode(),
                    Err(why) => {
                        self.tell(Event::Hindered { why: format!("its own proposal is invalid: {why}") });
                        return Ok(());
                    }
                }
            }
        };
        self.bodies.building = None;
        let height = self.state.height.next();
        if !self.bodies.built.contains_key(&round) {
            let body = bytes.clone().into();
            self.remember(&Record::Built { height, agreement_round: round, body });
            self.bodies.built.insert(round, bytes.clone());
        }
        let body = Body::id_of(&bytes);
        self.offer(BodyOffer { height, agreement_round: round, valid_round: None, body: bytes.into() });
        self.feed(consensus::Input::Built { height, round, body })
    }

    /// Builds what waited for a mean.
    pub(super) fn build_again(&mut self) -> Result {
        match self.bodies.building.take() {
            Some(round) if self.engine.round() == Some(round) => self.build(round),
            _ => Ok(()),
        }
    }

    /// What this member would decide on; `None` while a mean is being computed.
    fn gather(&mut self) -> Result<Option<Evidence>> {
        match self.state.stage {
            Stage::Planning => Ok(Some(Evidence::Plan(self.gather_bids()))),
            Stage::Settling(_) => Ok(self.gather_updates().map(Evidence::Settle)),
        }
    }

    /// R8, R36: what owners of accounts want done, every bid whose opening fits its seal, and the chair's marks.
    fn gather_bids(&self) -> PlanEvidence {
        let mut bids = Vec::new();
        for (member, reveal) in self.pool.reveals.iter() {
            if let Some(commit) = self.pool.commits.get(member)
                && self.pool.opens(member, &reveal.what)
            {
                bids.push((commit.signed.clone(), reveal.signed.clone()));
            }
        }
        let marks = self.pool.marks.get(&self.chair()).map(|marks| marks.signed.clone());
        let instructions = self.instructions.choose(&self.state);
        self.with_counter_offers(PlanEvidence { instructions, marks, bids, counter_offers: None, replies: Vec::new() })
    }

    /// R16: every sound update, who of their makers is refused, the mean of the others, every appraisal, and the turn of this member's chain.
    fn gather_updates(&mut self) -> Option<SettleEvidence> {
        let offers = self.sound_updates();
        let appraisals = self.appraisals();
        let Found::Known(Made { model, refused }) = self.make_of(&offers, &appraisals) else { return None };
        let signed = |member: &MemberId| self.pool.updates.get(member).map(|said| said.signed.clone());
        let account = self.state.ledger.accounts.get(&self.me)?;
        let turn = self.identity.chain.reveal(&account.tip).filter(|_| account.turns_left > 0);
        Some(SettleEvidence {
            updates: offers.keys().filter_map(signed).collect(),
            refused,
            appraisals,
            model,
            turn,
            equivocations: self.new_offences(),
        })
    }

    /// One proof against each voter that was not convicted of it yet. Against one that has no vote for now it waits.
    fn new_offences(&self) -> Vec<Equivocation> {
        let mut proofs = BTreeMap::new();
        for offence in &self.offences {
            let account = self.state.ledger.accounts.get(&offence.member());
            let new = account.is_some_and(|account| account.power > 0 && offence.height() > account.convicted_at);
            if new && offence.height() <= self.state.height {
                proofs.entry(offence.member()).or_insert_with(|| offence.clone());
            }
        }
        proofs.into_values().collect()
    }

    /// Offers a body in a round that this member chairs.
    fn offer(&mut self, offer: BodyOffer) {
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &offer);
        let id = Body::id_of(&offer.body);
        let round = offer.agreement_round;
        self.publish(&Message::Body(signed.clone()));
        self.bodies.offers.insert(round, Offered { signed, offer, id, verdict: Some(Verdict::Valid) });
    }

    /// Publishes a body again, for those who missed it; this member's own in a new round, if that is asked for.
    fn offer_again(&mut self, round: u32, valid_round: Option<u32>, body: Hash) {
        if let Some(offered) = self.bodies.offers.get(&round).filter(|offered| offered.id == body) {
            let message = Message::Body(offered.signed.clone());
            return self.publish(&message);
        }
        let bytes = self.body_bytes(&body);
        if let Some(bytes) = bytes
            && self.validators.proposer(round) == self.me
        {
            let height = self.state.height.next();
            self.offer(BodyOffer { height, agreement_round: round, valid_round, body: bytes.into() });
        }
    }

    fn body_bytes(&self, id: &Hash) -> Option<Vec<u8>> {
        let offered = self.bodies.offers.values().find(|offered| offered.id == *id);
        let built = || self.bodies.built.values().find(|bytes| Body::id_of(bytes) == *id).cloned();
        offered.map(|offered| offered.offer.body.to_vec()).or_else(built)
    }

    /// R17: takes a body that the proposer of its round has offered; whether it was new.
    pub(super) fn body_offered(&mut self, signed: Signed<BodyOffer>, offer: BodyOffer) -> Result<bool> {
        let round = offer.agreement_round;
        let current = self.engine.round().unwrap_or(0);
        let far = u32::try_from(self.validators.order().len()).unwrap_or(u32::MAX);
        if self.bodies.offers.contains_key(&round) || round > current.saturating_add(far) {
            return Ok(false);
        }
        let id = Body::id_of(&offer.body);
        self.bodies.offers.insert(round, Offered { signed, offer, id, verdict: None });
        if let Some(certificate) = self.bodies.awaited.take_if(|awaited| awaited.body == id) {
            self.decided(certificate)?;
            return Ok(true);
        }
        // The proposer sees that it is time; whoever waits longer would only hold everybody up.
        self.start_height()?;
        self.judge(round)?;
        Ok(true)
    }

    /// Judges every body that could not be judged before.
    pub(super) fn judge_again(&mut self) -> Result {
        let open: Vec<u32> = self.bodies.offers.iter().filter(|(_, o)| o.verdict.is_none()).map(|(r, _)| *r).collect();
        open.into_iter().try_for_each(|round| self.judge(round))
    }

    /// R17: a body is valid if this member computes the same from its evidence.
    fn judge(&mut self, round: u32) -> Result {
        let height = self.state.height.next();
        if self.engine.height() != Some(height) {
            return Ok(());
        }
        let Some(Offered { signed, offer, id, verdict: None }) = self.bodies.offers.get(&round).cloned() else {
            return Ok(());
        };
        let proposer = self.validators.proposer(round);
        let Some(verdict) = self.verdict_on(&offer, proposer) else { return Ok(()) };
        if let Some(offered) = self.bodies.offers.get_mut(&round) {
            offered.verdict = Some(verdict);
        }
        if verdict == Verdict::Valid && !self.bodies.held.contains(&id) && proposer != self.me {
            self.bodies.held.insert(id);
            self.remember(&Record::Held(signed));
        }
        let valid_round = offer.valid_round;
        self.feed(consensus::Input::Judged { height, round, valid_round, proposer, body: id, verdict })
    }

    /// The verdict, or `None` while the mean of the body's updates is being found out.
    fn verdict_on(&mut self, offer: &BodyOffer, proposer: MemberId) -> Option<Verdict> {
        let body = match self.state.apply(&self.federation, &offer.body) {
            Ok((_, body, _)) => body,
            Err(why) => return Some(self.refuse_body(proposer, &why)),
        };
        let built_in = body.header.agreement_round;
        let in_place = match offer.valid_round {
            None => built_in == offer.agreement_round,
            Some(valid_round) => built_in <= valid_round && valid_round < offer.agreement_round,
        };
        if !in_place {
            return Some(self.refuse_body(proposer, &Invalid::Misplaced("agreement round")));
        }
        let Evidence::Settle(evidence) = &body.evidence else { return Some(Verdict::Valid) };
        if let Some(member) = self.omitted(offer, evidence) {
            // Others may have had it while the proposer had not.
            self.tell(Event::Doubted { member: proposer, why: Invalid::Omission(member).to_string() });
            return Some(Verdict::Invalid);
        }
        let verdict = self.judge_making(evidence)?;
        if verdict == Verdict::Invalid {
            self.refuse_body(proposer, &Invalid::WrongModel);
        }
        Some(verdict)
    }

    fn refuse_body(&mut self, proposer: MemberId, why: &Invalid) -> Verdict {
        self.tell(Event::Misbehaved { member: proposer, why: format!("it proposed a body that is invalid: {why}") });
        Verdict::Invalid
    }

    /// R28: a member whose update has long been here, but is left out of a body in one of the first rounds.
    fn omitted(&self, offer: &BodyOffer, evidence: &SettleEvidence) -> Option<MemberId> {
        if offer.agreement_round >= OMISSIONS_PASS_FROM || offer.valid_round.is_some() {
            return None;
        }
        let long_here = self.training.sound_since().filter(|(_, since)| self.now.since(*since) >= OMISSION_GRACE);
        let mut left_out = long_here.filter(|(member, _)| evidence.updates.iter().all(|u| u.signer != **member));
        left_out.next().map(|(member, _)| *member)
    }

    /// The engine has decided: if the body is here, so has this member.
    fn decided(&mut self, certificate: Certificate) -> Result {
        match self.body_bytes(&certificate.body) {
            Some(bytes) => {
                self.apply(bytes, certificate)?;
                self.advance()
            }
            None => {
                self.sync_from_anyone(certificate.height);
                self.bodies.awaited = Some(certificate);
                Ok(())
            }
        }
    }

    /// Takes back a body that was durable before a crash.
    pub(super) fn recall_body(&mut self, signed: Signed<BodyOffer>) -> std::result::Result<(), DecodeError> {
        let offer = signed.peek()?;
        if offer.height == self.state.height.next() {
            let id = Body::id_of(&offer.body);
            self.bodies.held.insert(id);
            self.bodies.offers.insert(offer.agreement_round, Offered { signed, offer, id, verdict: None });
        }
        Ok(())
    }

    /// R26: somebody speaks at a later height. A third of the power at the next one means that it has begun.
    fn heard_ahead(&mut self, member: MemberId, height: Height) -> Result {
        if height > self.state.height.next() {
            self.heard_tip(member, Height(height.0 - 1));
            return Ok(());
        }
        self.bodies.ahead.insert(member);
        let power: u64 = self.bodies.ahead.iter().map(|member| self.validators.power(member)).sum();
        if self.validators.has_honest(power) && self.engine.height().is_none() {
            self.start_height()?;
        }
        Ok(())
    }
}
