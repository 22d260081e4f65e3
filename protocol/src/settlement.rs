//! Settling accounts: what a round's escrow pays, once it is known who delivered and what each update brought.
//!
//! A Settle comes here when its evidence is opened; so does an experiment, which has no signatures to open.

use std::collections::BTreeMap;

use crate::{
    event::Award,
    ids::MemberId,
    ledger::{Ledger, LedgerError},
    statement::Appraisal,
};

/// The median gain of each maker's update over the appraisals of others, in millionths of loss.
///
/// Nobody appraises itself; no appraisal, no gain.
pub fn gains<'a>(
    makers: impl IntoIterator<Item = &'a MemberId>,
    appraisals: &BTreeMap<MemberId, Appraisal>,
) -> BTreeMap<MemberId, i64> {
    let gain = |maker: &MemberId| {
        let others = appraisals.iter().filter(|(appraiser, _)| *appraiser != maker);
        let gains = others.filter_map(|(_, appraisal)| appraisal.gains.get(maker));
        let mut gains: Vec<i64> = gains.map(|&gain| gain.clamp(-Appraisal::MOST, Appraisal::MOST)).collect();
        gains.sort_unstable();
        // The lower median: of an even number, the more cautious of the two in the middle.
        gains.get(gains.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    };
    makers.into_iter().map(|maker| (*maker, gain(maker))).collect()
}

/// Pays for delivery and for contribution, moves reputation and returns what is left in escrow to whoever pays for the
/// round.
///
/// `gains` holds the gain of every update that was delivered, in millionths of loss; an award whose member has none is
/// not paid. Returned is what each member received, in micro-credits.
///
/// # Errors
/// [`LedgerError`] when an award names a stranger, or an account would hold more than a counter does.
pub fn settle(
    ledger: &mut Ledger,
    awards: &[Award],
    gains: &BTreeMap<MemberId, i64>,
) -> Result<BTreeMap<MemberId, u64>, LedgerError> {
    let bonus = u128::from(ledger.escrow.bonus);
    let positive = |member: &MemberId| gains.get(member).map_or(0, |&gain| gain.max(0).unsigned_abs());
    let total: u128 = gains.keys().map(|member| u128::from(positive(member))).sum();
    let mut payments = BTreeMap::new();
    for award in awards {
        let member = &award.member;
        let Some(&gain) = gains.get(member) else {
            ledger.reprove(member)?;
            continue;
        };
        // At most the bonus, since a part is at most the total.
        let share = (bonus * u128::from(positive(member))).checked_div(total).unwrap_or(0) as u64;
        let delivery = ledger.pay_award(member)?;
        ledger.pay_bonus(member, share)?;
        payments.insert(*member, delivery.saturating_add(share));
        ledger.deliver(member)?;
        if gain > 0 {
            ledger.commend(member)?;
        }
    }
    ledger.release()?;
    Ok(payments)
}
