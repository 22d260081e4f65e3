//! Train, exchange, appraise: everything between the Plan and the Settle.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{AttributeOrder, Attributed, Effect, Machine, Made, Result, Score, Timer, TrainOrder};
use crate::{
    contribution::Contribution,
    crypto::Signed,
    event::{Award, Event, Phase},
    ids::{Hash, MemberId, Round},
    state::Stage,
    statement::{Appraisal, HeldOut, UpdateOffer, Withdrawal},
    time::Time,
    wire::Message,
};

/// How far the round's updates have come at this member.
#[derive(Debug, Default)]
pub(super) struct Training {
    awards: BTreeMap<MemberId, Award>,
    ordered: bool,
    /// Updates that are being scored.
    scoring: BTreeSet<MemberId>,
    /// Updates that are here and sound, and since when.
    sound: BTreeMap<MemberId, Time>,
    /// Updates that are here and unsound.
    faulty: BTreeSet<MemberId>,
    /// Who has said that none will come.
    withdrawn: BTreeSet<MemberId>,
    gains: BTreeMap<MemberId, i64>,
    held_out: HeldOut,
}

impl Training {
    pub(super) fn sound_since(&self) -> impl Iterator<Item = (&MemberId, Time)> {
        self.sound.iter().map(|(member, since)| (member, *since))
    }

    pub(super) fn is_sound(&self, member: &MemberId) -> bool {
        self.sound.contains_key(member)
    }

    /// What the phase has taken if it began at `since` and ends now: the time until the last update came.
    ///
    /// Where updates of fewer than two thirds of the winners have come, the deadline may have been too short for
    /// everybody, so all of it counts. Where more have, whoever keeps its update back makes nobody wait twice.
    fn took(&self, since: Time, now: Time) -> Duration {
        let is_most = 3 * self.sound.len() >= 2 * self.awards.len();
        let last = self.sound.values().max().copied().filter(|_| is_most);
        last.unwrap_or(now).since(since)
    }

    /// The model is lost: whatever was ordered on it has come to nothing.
    pub(super) fn start_over(&mut self) {
        self.ordered = false;
        self.scoring.clear();
    }

    /// The update of `maker` is lost.
    pub(super) fn lose(&mut self, maker: &MemberId) {
        self.scoring.remove(maker);
        self.sound.remove(maker);
    }

    /// This member's own update, which is sound, is here.
    pub(super) fn own_is_here(&mut self, me: MemberId, now: Time) {
        self.sound.entry(me).or_insert(now);
    }

    /// Whether this member was hired.
    pub(super) fn is_hired(&self, member: &MemberId) -> bool {
        self.awards.contains_key(member)
    }

    /// Who was hired, in the order of their ids.
    pub(super) fn awards(&self) -> impl Iterator<Item = &MemberId> {
        self.awards.keys()
    }

    fn missing(&self) -> impl Iterator<Item = &MemberId> {
        let awaited = |member: &&MemberId| {
            !self.sound.contains_key(*member) && !self.faulty.contains(*member) && !self.withdrawn.contains(*member)
        };
        self.awards.keys().filter(awaited)
    }
}

impl Machine {
    /// R9: winners train; everybody waits for their updates.
    pub(super) fn begin_training(&mut self) -> Result {
        self.enter(Phase::Train);
        self.effects.push(Effect::SetTimer(Timer::Train(self.state.round), self.deadlines.train.next()));
        self.take_awards()?;
        self.order_training();
        self.check_updates()
    }

    /// Takes note of who was hired, and takes up the updates that are on offer already.
    pub(super) fn take_awards(&mut self) -> Result {
        let Stage::Settling(awards) = &self.state.stage else { return Ok(()) };
        let awards = awards.iter().map(|award| (award.member, award.clone())).collect();
        let withdrawn = self.pool.withdrawals.iter().map(|(member, _)| *member).collect();
        self.training = Training { awards, withdrawn, ..Training::default() };
        let offered: Vec<MemberId> = self.pool.updates.iter().map(|(member, _)| *member).collect();
        offered.iter().try_for_each(|member| self.update_offered(member))
    }

    /// The base may still be on its way when a round begins.
    pub(super) fn order_training(&mut self) {
        let Some(award) = self.training.awards.get(&self.me) else { return };
        let is_over = self.pool.updates.contains(&self.me) || self.pool.withdrawals.contains(&self.me);
        let in_time = matches!(self.phase, Phase::Train) && !is_over;
        if !in_time || self.training.ordered || !self.blobs.contains(&self.state.model) {
            return;
        }
        let Some(contract) = self.federation.genesis.contract(award.contract).cloned() else { return };
        self.training.ordered = true;
        let (round, samples) = (self.state.round, award.samples);
        let seed = Hash::derive("althing 1 training", &[self.state.seed.as_bytes(), self.me.as_bytes()]);
        let progress = self.progress();
        self.effects.push(Effect::Train(TrainOrder {
            round,
            base: self.state.model,
            progress,
            contract,
            samples,
            seed,
        }));
    }

    /// R10: a winner signs its update. One of fewer examples than it has promised is none.
    pub(super) fn trained(&mut self, round: Round, made: Made) -> Result {
        let Made { update, samples, training_ms, epsilon_micro } = made;
        self.blobs.insert(update);
        let Some(award) = self.training.awards.get(&self.me) else { return Ok(()) };
        if round != self.state.round || self.pool.updates.contains(&self.me) {
            return Ok(());
        }
        let samples = samples.min(self.federation.genesis.limits.max_samples);
        if samples < award.samples {
            return self.untrained(round);
        }
        let offer = UpdateOffer { round, contract: award.contract, update, samples, training_ms, epsilon_micro };
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &offer);
        self.pool.updates.take(signed.clone(), offer);
        self.tell(Event::Trained { round, samples, training_ms, epsilon_micro, update });
        self.say(Message::Update(signed));
        self.update_offered(&self.me.clone())
    }

    /// R42: a winner that has nothing to deliver says so, and nobody waits for it.
    pub(super) fn untrained(&mut self, round: Round) -> Result {
        let is_over = self.pool.updates.contains(&self.me) || self.pool.withdrawals.contains(&self.me);
        if round != self.state.round || is_over || !self.training.is_hired(&self.me) {
            return Ok(());
        }
        let withdrawal = Withdrawal { round };
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &withdrawal);
        self.pool.withdrawals.take(signed.clone(), withdrawal);
        self.say(Message::Withdrawal(signed));
        self.update_withdrawn(self.me)
    }

    /// R42: no update of `maker` will come. One that does all the same counts.
    pub(super) fn update_withdrawn(&mut self, maker: MemberId) -> Result {
        if !self.training.is_hired(&maker) || !self.pool.withdrawals.contains(&maker) {
            return Ok(());
        }
        self.training.withdrawn.insert(maker);
        self.tell(Event::Withdrawn { round: self.state.round, member: maker });
        self.check_updates()
    }

    /// R11: an offered update is fetched and then scored.
    pub(super) fn update_offered(&mut self, maker: &MemberId) -> Result {
        let Some(offer) = self.pool.updates.get(maker).map(|said| said.what) else { return Ok(()) };
        let Some(award) = self.training.awards.get(maker) else { return Ok(()) };
        if !award.is_fulfilled_by(&offer) || !self.state.is_clear_enough(&offer) {
            // It is not what was promised, or too noisy: nobody waits for more from its maker.
            self.training.faulty.insert(*maker);
            return self.check_updates();
        }
        if *maker == self.me {
            self.training.sound.insert(self.me, self.now);
            return self.check_updates();
        }
        if self.blobs.contains(&offer.update) {
            self.order_appraisal(maker, offer);
        } else {
            self.effects.push(Effect::Fetch { blob: offer.update, from: vec![*maker] });
        }
        Ok(())
    }

    pub(super) fn order_appraisal(&mut self, maker: &MemberId, offer: UpdateOffer) {
        let Some(width) = self.federation.genesis.contract(offer.contract).map(|contract| contract.width) else {
            return;
        };
        let done = self.training.sound.contains_key(maker) || self.training.faulty.contains(maker);
        if done || !self.blobs.contains(&self.state.model) || !self.training.scoring.insert(*maker) {
            return;
        }
        let (round, base) = (self.state.round, self.state.model);
        self.effects.push(Effect::Appraise { round, maker: *maker, base, update: offer.update, width });
    }

    /// R12: the score enters this member's appraisal.
    pub(super) fn appraised(&mut self, round: Round, maker: MemberId, score: Score) -> Result {
        if round != self.state.round || !self.training.scoring.remove(&maker) {
            return Ok(());
        }
        match score {
            Score::Gain { gain, held_out } if held_out.samples > 0 => {
                self.training.gains.insert(maker, gain);
                self.training.held_out = held_out;
                self.received(maker);
            }
            Score::Gain { .. } | Score::Unscored => self.received(maker),
            Score::Faulty => {
                self.training.faulty.insert(maker);
                self.tell(Event::Misbehaved { member: maker, why: "its update cannot enter a mean".into() });
            }
        }
        self.check_updates()
    }

    /// An update is here and sound.
    fn received(&mut self, maker: MemberId) {
        self.training.sound.insert(maker, self.now);
        if let Some(update) = self.pool.updates.get(&maker).map(|said| said.what.update) {
            self.tell(Event::Received { round: self.state.round, member: maker, update });
        }
    }

    /// R13: the exchange ends early once every update is here, or only those of members that are gone are not.
    pub(super) fn check_updates(&mut self) -> Result {
        if self.phase != Phase::Train {
            return Ok(());
        }
        let present = self.training.missing().any(|member| self.absence(member).is_none());
        if present {
            return Ok(());
        }
        let Some(shortest) = self.training.missing().filter_map(|member| self.absence(member)).min() else {
            return self.close_updates();
        };
        match self.absence_grace().checked_sub(shortest) {
            Some(left) if !left.is_zero() => {
                self.effects.push(Effect::SetTimer(Timer::Absence(self.state.round), left));
                Ok(())
            }
            _ => self.close_updates(),
        }
    }

    /// R13: or once the time is up.
    pub(super) fn updates_closed(&mut self) -> Result {
        if self.phase == Phase::Train { self.close_updates() } else { Ok(()) }
    }

    /// R14: the member says what it thinks of the updates, and in which order they have come.
    fn close_updates(&mut self) -> Result {
        let round = self.state.round;
        self.deadlines.train.learn(self.training.took(self.phase_since, self.now));
        self.enter(Phase::Appraise);
        self.effects.push(Effect::CancelTimer(Timer::Train(round)));
        if self.training.sound.is_empty() {
            return self.start_height();
        }
        self.effects.push(Effect::SetTimer(Timer::Appraise(round), self.deadlines.appraise.next()));
        if !self.pool.appraisals.contains(&self.me) {
            self.begin_appraisal();
        }
        self.prepare_model();
        self.check_appraisals()
    }

    /// R14: what each update has brought is known already where it is scored alone, and found out now where it depends on
    /// the others.
    fn begin_appraisal(&mut self) {
        let alone = self.federation.genesis.market.contribution == Contribution::Alone;
        // Without the model that they started from, nothing can be said of updates.
        if alone || !self.blobs.contains(&self.state.model) {
            let gains = std::mem::take(&mut self.training.gains);
            return self.sign_appraisal(Attributed { gains, held_out: self.training.held_out });
        }
        let updates = self.ordered(&self.sound_updates());
        let (round, base, seed) = (self.state.round, self.state.model, self.state.seed);
        self.effects.push(Effect::Attribute(AttributeOrder { round, base, updates, seed }));
    }

    /// R14: what each update has brought enters this member's appraisal.
    pub(super) fn attributed(&mut self, round: Round, mut found: Attributed) -> Result {
        if round != self.state.round || self.pool.appraisals.contains(&self.me) {
            return Ok(());
        }
        if self.phase != Phase::Appraise {
            let why = "its appraisal came too late for the round; a genesis with a cheaper `contribution` or fewer winners \
                       asks less of its machine";
            self.tell(Event::Hindered { why: why.into() });
            return Ok(());
        }
        found.gains.retain(|maker, _| *maker != self.me && self.training.is_sound(maker));
        self.sign_appraisal(found);
        self.check_appraisals()
    }

    fn sign_appraisal(&mut self, found: Attributed) {
        let Attributed { gains, held_out } = found;
        let winners: Vec<MemberId> = self.training.awards().copied().collect();
        let arrivals = Appraisal::note(self.pool.updates.order(), &winners);
        let appraisal = Appraisal { round: self.state.round, gains, held_out, arrivals };
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &appraisal);
        self.pool.appraisals.take(signed.clone(), appraisal);
        self.say(Message::Appraisal(signed));
    }

    /// R15: the Settle is next once everybody here has appraised.
    pub(super) fn check_appraisals(&mut self) -> Result {
        let complete = self.here().all(|member| self.pool.appraisals.contains(member));
        if self.phase == Phase::Appraise && complete { self.appraisals_closed() } else { Ok(()) }
    }

    /// R15: or once the time is up.
    pub(super) fn appraisals_closed(&mut self) -> Result {
        if self.phase != Phase::Appraise {
            return Ok(());
        }
        self.deadlines.appraise.learn(self.now.since(self.phase_since));
        self.effects.push(Effect::CancelTimer(Timer::Appraise(self.state.round)));
        self.start_height()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::HiredBy;

    fn award(number: u8) -> (MemberId, Award) {
        let member = MemberId([number; 32]);
        (member, Award { member, contract: 0, samples: 1, price: 1, payment: 1, hired_by: HiredBy::Auction })
    }

    #[test]
    fn an_update_that_is_kept_back_is_waited_for_in_full_only_once() {
        let mut training = Training { awards: (1..=10).map(award).collect(), ..Training::default() };
        let (begun, deadline) = (Time(5_000), Time(125_000));
        assert_eq!(training.took(begun, deadline).as_millis(), 120_000, "nothing has come");
        for number in 1..=6 {
            training.sound.insert(MemberId([number; 32]), Time(6_000 + u64::from(number) * 100));
        }
        assert_eq!(training.took(begun, deadline).as_millis(), 120_000, "six of ten: the deadline may be at fault");
        training.sound.insert(MemberId([7; 32]), Time(8_000));
        assert_eq!(training.took(begun, deadline).as_millis(), 3_000, "seven of ten: the last of them counts");
    }
}
