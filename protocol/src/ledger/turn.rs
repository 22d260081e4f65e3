//! What a Settle does with the roll: who comes is a member, who goes is none, and votes are given, as many as may change
//! hands at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, Exit, Guest, Ledger};
use crate::{
    genesis::Membership,
    ids::{MemberId, Round},
    limits::BARRED_ROUNDS,
    statement::Newcomer,
};

/// Voting power of a member that has joined and delivered.
const VOTE: u64 = 1;

/// A settled round, as far as the roll is concerned.
#[derive(Debug, Clone)]
pub struct Turn<'a> {
    /// Which.
    pub round: Round,
    /// Who has delivered in it.
    pub delivered: BTreeSet<MemberId>,
    /// What the genesis says of members.
    pub membership: &'a Membership,
}

/// Who has come and gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turnover {
    /// New members, with their names.
    pub joined: BTreeMap<MemberId, String>,
    /// Members no more, and why.
    pub left: BTreeMap<MemberId, Exit>,
    /// Members that were away too long, with the voting power that they have no more.
    pub suspended: BTreeMap<MemberId, u64>,
    /// Members that were seen again, with the voting power that they have again.
    pub restored: BTreeMap<MemberId, u64>,
}

/// L55: the voting power that may still change at this Settle. Whoever has decided one height and sees the next has most
/// of its voters in common with it.
#[derive(Debug)]
pub(super) struct Room {
    /// All power before.
    before: u128,
    /// What has changed of it.
    moved: u128,
    /// What there is now.
    now: u128,
}

impl Room {
    /// Takes `power` away, if that may be: never the last.
    pub(super) fn lets_go(&mut self, power: u64) -> bool {
        let lets = power == 0 || self.now > u128::from(power) && self.has(power);
        if lets {
            self.moved += u128::from(power);
            self.now -= u128::from(power);
        }
        lets
    }

    /// Adds `power`, if that may be.
    pub(super) fn lets_in(&mut self, power: u64) -> bool {
        let lets = self.has(power);
        if lets {
            self.moved += u128::from(power);
            self.now += u128::from(power);
        }
        lets
    }

    /// Less than a third in all; the first always may, or a member with much power could never go.
    fn has(&self, power: u64) -> bool {
        self.moved == 0 || 3 * (self.moved + u128::from(power)) < self.before
    }
}

impl Ledger {
    /// The round is settled: who was let in is a member, and who leaves is none. Both keep what they own.
    pub fn turn_roll(&mut self, turn: &Turn<'_>) -> Turnover {
        self.count_votes(turn.round);
        self.count_absences(turn);
        let before = self.accounts.values().map(|account| u128::from(account.power)).sum();
        let mut room = Room { before, moved: 0, now: before };
        let left = self.let_go(&mut room, turn.round);
        let suspended = self.suspend(&mut room, turn);
        let restored = self.restore(&mut room, turn.round);
        self.give_votes(&mut room, turn);
        let mut joined = BTreeMap::new();
        for (who, newcomer) in std::mem::take(&mut self.roll.joining) {
            self.enrol(who, &newcomer);
            joined.insert(who, newcomer.name);
        }
        self.roll.barred.retain(|_, until| *until > turn.round);
        self.roll.tickets.retain(|_, tickets| {
            tickets.retain(|_, ticket| ticket.last_round > turn.round);
            !tickets.is_empty()
        });
        Turnover { joined, left, suspended, restored }
    }

    /// L52: those who leave, in the order of ids, as far as there is room. The others wait.
    fn let_go(&mut self, room: &mut Room, settled: Round) -> BTreeMap<MemberId, Exit> {
        let accounts = &self.accounts;
        let power = |who: &MemberId| accounts.get(who).map_or(0, |account| account.power);
        let leaving = std::mem::take(&mut self.roll.leaving);
        let (left, wait) = leaving.into_iter().partition(|(who, _)| room.lets_go(power(who)));
        self.roll.leaving = wait;
        for (who, exit) in &left {
            self.strike(who);
            if *exit == Exit::Removed {
                self.roll.barred.insert(*who, Round(settled.0.saturating_add(BARRED_ROUNDS)));
            }
        }
        left
    }

    fn strike(&mut self, who: &MemberId) {
        if let Some(Account { balance, nonce, .. }) = self.accounts.remove(who) {
            self.guests.insert(*who, Guest { balance, nonce });
        }
        self.roll.names.remove(who);
        self.roll.inviters.remove(who);
        self.roll.forget_votes(who);
    }

    /// L53: those who have delivered get a vote, as long as there are fewer than the genesis allows, and as far as there
    /// is room. They are there, have caught up, and their machines do the work, so that decisions do not wait for somebody
    /// who was only invited.
    fn give_votes(&mut self, room: &mut Room, turn: &Turn<'_>) {
        let voters = self.accounts.values().filter(|account| account.has_seat()).count();
        let mut left = (turn.membership.max_voters as usize).saturating_sub(voters);
        for member in turn.delivered.iter().filter(|member| !self.roll.leaving.contains_key(*member)) {
            let Some(account) = self.accounts.get_mut(member).filter(|account| !account.has_seat()) else { continue };
            if left > 0 && room.lets_in(VOTE) {
                account.power = VOTE;
                left -= 1;
            }
        }
    }

    fn enrol(&mut self, who: MemberId, newcomer: &Newcomer) {
        // The instruction to join is the first of a key that had no account.
        let Guest { balance, nonce } = self.guests.remove(&who).unwrap_or(Guest { balance: 0, nonce: 1 });
        let account = Account { balance, nonce, ..Account::new(0, newcomer.anchor) };
        self.accounts.insert(who, account);
        self.roll.names.insert(who, newcomer.name.clone());
    }
}
