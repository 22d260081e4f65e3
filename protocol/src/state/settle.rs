//! Settle: from updates and appraisals to payments, reputation and the next round.

use std::collections::BTreeMap;

use super::{Federation, Invalid, Outcome, Stage, State, sorted};
use crate::{
    body::SettleEvidence,
    detection::Pretence,
    election,
    event::{Award, Credits},
    ids::{BlobRef, Hash, MemberId},
    ledger::{EndedJob, Settled, Turn, Turnover},
    settlement::{self, Findings},
    statement::{Appraisal, UpdateOffer},
};

/// Who was paid for a round, and what it brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The model that everybody adopts.
    pub model: BlobRef,
    /// The updates that entered it, by maker.
    pub updates: BTreeMap<MemberId, UpdateOffer>,
    /// The makers of the others, and why theirs did not.
    pub refused: BTreeMap<MemberId, Pretence>,
    /// Median gain of each update, in millionths of loss.
    pub gains: BTreeMap<MemberId, i64>,
    /// Accuracy that members have measured of the model that the round started from, in millionths.
    pub accuracy_ppm: Option<u32>,
    /// What each member received, in micro-credits.
    pub payments: BTreeMap<MemberId, u64>,
    /// Jobs that have ended with it.
    pub ended: Vec<EndedJob>,
    /// Who is a member from now on, and who is no more.
    pub turnover: Turnover,
    /// Credits after it.
    pub credits: Credits,
}

impl State {
    /// Pays, moves reputation, adopts the model and opens the next round.
    pub(super) fn settle(
        &mut self,
        federation: &Federation,
        proposer: MemberId,
        awards: &[Award],
        evidence: &SettleEvidence,
    ) -> Result<Outcome, Invalid> {
        let mut updates = self.open_updates(federation, awards, evidence)?;
        let appraisals = self.open_appraisals(federation, evidence)?;
        updates.keys().chain(appraisals.keys()).for_each(|member| self.ledger.see(member, self.round));
        let refused = evidence.refused.clone();
        for member in refused.keys() {
            updates.remove(member).ok_or(Invalid::NoSay { member: *member, what: "updates" })?;
        }
        if updates.is_empty() && evidence.model != self.model {
            return Err(Invalid::WrongModel);
        }
        let Findings { gains, accuracy_ppm } = settlement::appraise(&mut self.ledger, updates.keys(), &appraisals)?;
        let payments = settlement::settle(&mut self.ledger, awards, &gains)?;
        self.convict(federation, evidence)?;
        self.take_turn(proposer, evidence.turn)?;
        let worked = !updates.is_empty();
        let (round, model) = (self.round, evidence.model);
        self.ledger.turn_jobs(Settled { round, worked, accuracy_ppm, model })?;
        let (delivered, membership) = (payments.keys().copied().collect(), &federation.genesis.membership);
        let turnover = self.ledger.turn_roll(&Turn { round, delivered, membership });
        if model != self.model {
            self.previous = std::mem::replace(&mut self.model, model);
        }
        self.round = round.next();
        self.stage = Stage::Planning;
        let (ended, credits) = (self.ledger.ended.clone(), self.ledger.credits());
        let settlement =
            Settlement { model, updates, refused, gains, accuracy_ppm, payments, ended, turnover, credits };
        Ok(Outcome::Settled(Box::new(settlement)))
    }

    fn open_updates(
        &self,
        federation: &Federation,
        awards: &[Award],
        evidence: &SettleEvidence,
    ) -> Result<BTreeMap<MemberId, UpdateOffer>, Invalid> {
        sorted(evidence.updates.iter().map(|update| &update.signer), "updates")?;
        let mut updates = BTreeMap::new();
        for signed in &evidence.updates {
            let member = signed.signer;
            let award = awards.iter().find(|award| award.member == member);
            let award = award.ok_or(Invalid::NoSay { member, what: "updates" })?;
            let offer = signed.open(&federation.network)?;
            if offer.round != self.round
                || !award.is_fulfilled_by(&offer)
                || !offer.is_allowed(&federation.genesis)
                || !self.is_clear_enough(&offer)
            {
                return Err(Invalid::OutOfBounds { member, what: "update" });
            }
            updates.insert(member, offer);
        }
        Ok(updates)
    }

    /// Gains of updates that are not part of the settlement may stand in an appraisal; they count for nothing.
    fn open_appraisals(
        &self,
        federation: &Federation,
        evidence: &SettleEvidence,
    ) -> Result<BTreeMap<MemberId, Appraisal>, Invalid> {
        sorted(evidence.appraisals.iter().map(|appraisal| &appraisal.signer), "appraisals")?;
        let mut appraisals = BTreeMap::new();
        for signed in &evidence.appraisals {
            let member = signed.signer;
            if !self.ledger.accounts.contains_key(&member) {
                return Err(Invalid::NoSay { member, what: "appraisals" });
            }
            let appraisal = signed.open(&federation.network)?;
            if appraisal.round != self.round || !appraisal.is_allowed() {
                return Err(Invalid::OutOfBounds { member, what: "appraisal" });
            }
            appraisals.insert(member, appraisal);
        }
        Ok(appraisals)
    }

    /// Slashes members that signed two things for one slot, once for each proof that is newer than the last.
    fn convict(&mut self, federation: &Federation, evidence: &SettleEvidence) -> Result<(), Invalid> {
        let validators = self.validators()?;
        for offence in &evidence.equivocations {
            let member = offence.member();
            let account = self.ledger.accounts.get(&member).ok_or(Invalid::NoOffence(member))?;
            let new = offence.height() > account.convicted_at && offence.height() <= self.height;
            if !new || offence.verify(&federation.network, &validators).is_err() {
                return Err(Invalid::NoOffence(member));
            }
            self.ledger.slash(&member, federation.genesis.market.slash_permille, offence.height())?;
        }
        Ok(())
    }

    /// Advances the seed by the proposer's next preimage. A chain that has run out leaves the seed to the head.
    fn take_turn(&mut self, proposer: MemberId, turn: Option<Hash>) -> Result<(), Invalid> {
        let account = self.ledger.accounts.get(&proposer).ok_or(Invalid::NotElected(proposer))?;
        match (turn, account.turns_left) {
            (Some(preimage), 1..) if election::extends(&account.tip, &preimage) => {
                self.seed = election::next_seed(&self.seed, &preimage);
                Ok(self.ledger.turn(&proposer, preimage)?)
            }
            (None, 0) => {
                self.seed = election::next_seed(&self.seed, &self.head);
                Ok(())
            }
            _ => Err(Invalid::WrongTurn),
        }
    }
}
