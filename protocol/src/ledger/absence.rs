//! Absence: who has not been seen for long loses its vote until it is seen again, so that nothing waits for it.

use std::collections::BTreeMap;

use super::{
    Ledger,
    turn::{Room, Turn},
};
use crate::ids::{MemberId, Round};

impl Ledger {
    /// L56: a body shows that `member` was there in this round.
    pub fn see(&mut self, member: &MemberId, round: Round) {
        if let Some(account) = self.accounts.get_mut(member) {
            account.seen_in = round;
        }
    }

    /// Counts the rounds in which voters were away. One in which nobody has delivered says nothing: there was nothing to
    /// appraise, and nobody has to bid.
    pub(super) fn count_absences(&mut self, turn: &Turn<'_>) {
        if turn.membership.suspend_after == 0 {
            return;
        }
        for account in self.accounts.values_mut() {
            if account.seen_in == turn.round {
                account.absent = 0;
            } else if account.power > 0 && !turn.delivered.is_empty() {
                account.absent = account.absent.saturating_add(1);
            }
        }
    }

    /// L56: takes the votes of those who were away too long, as far as there is room. Two thirds of all power, and more,
    /// always stay with those who can be reached.
    pub(super) fn suspend(&mut self, room: &mut Room, turn: &Turn<'_>) -> BTreeMap<MemberId, u64> {
        let mut suspended = BTreeMap::new();
        if turn.membership.suspend_after == 0 {
            return suspended;
        }
        let powers = self.accounts.values().map(|account| (u128::from(account.power), u128::from(account.suspended)));
        let (votes, mut away) = powers.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        let all = votes + away;
        for (member, account) in &mut self.accounts {
            let power = account.power;
            let is_due = power > 0 && account.absent >= turn.membership.suspend_after;
            if is_due && 3 * (away + u128::from(power)) < all && room.lets_go(power) {
                away += u128::from(power);
                (account.power, account.suspended) = (0, power);
                suspended.insert(*member, power);
            }
        }
        suspended
    }

    /// L56: who is seen again has its vote again, as far as there is room.
    pub(super) fn restore(&mut self, room: &mut Room, seen_in: Round) -> BTreeMap<MemberId, u64> {
        let mut restored = BTreeMap::new();
        for (member, account) in &mut self.accounts {
            let power = account.suspended;
            if power > 0 && account.seen_in == seen_in && room.lets_in(power) {
                (account.power, account.suspended) = (power, 0);
                restored.insert(*member, power);
            }
        }
        restored
    }
}
