//! How members stand with each other, apart from what they deliver.

use super::{FALL, Ledger, LedgerError, REPUTATION_AT_START, REPUTATION_MOST, RISE};
use crate::ids::MemberId;

/// Credibility of a newcomer.
pub(super) const CREDIBILITY_AT_START: u32 = 500;

/// Highest credibility.
const CREDIBILITY_MOST: u32 = 1_000;

/// An honest appraisal closes this part of what is missing to the highest reputation: delivery counts four times as much.
const RISE_BY_APPRAISAL: u32 = 64;

/// A round brings every reputation nearer to a newcomer's by this part of what lies between.
const FADE: u32 = 64;

impl Ledger {
    /// `member` has said of updates what others say.
    pub(crate) fn believe(&mut self, member: &MemberId) -> Result<(), LedgerError> {
        let account = self.account_mut(member)?;
        account.credibility += CREDIBILITY_MOST.saturating_sub(account.credibility).div_ceil(RISE);
        account.reputation += REPUTATION_MOST.saturating_sub(account.reputation).div_ceil(RISE_BY_APPRAISAL);
        Ok(())
    }

    /// `member` has strayed too far from what others say of updates.
    pub(crate) fn doubt(&mut self, member: &MemberId) -> Result<(), LedgerError> {
        self.account_mut(member)?.credibility /= FALL;
        Ok(())
    }

    /// A round has passed: nobody stays on the top, or at the bottom, without doing anything for it.
    pub(crate) fn fade(&mut self) {
        for account in self.accounts.values_mut() {
            let apart = account.reputation.abs_diff(REPUTATION_AT_START).div_ceil(FADE);
            if account.reputation > REPUTATION_AT_START {
                account.reputation -= apart;
            } else {
                account.reputation += apart;
            }
        }
    }
}
