//! Settling accounts: what a round's escrow pays, once it is known who delivered and what each update brought.
//!
//! A Settle comes here when its evidence is opened; so does an experiment, which has no signatures to open.

use std::collections::BTreeMap;

use crate::{
    credibility::{self, Standing},
    event::Award,
    ids::MemberId,
    ledger::{Ledger, LedgerError},
    statement::Appraisal,
};

/// What a round's appraisals say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// What each maker's update has brought, in millionths of loss.
    pub gains: BTreeMap<MemberId, i64>,
    /// Accuracy of the model that the round started from, in millionths; nothing if nobody has measured it.
    pub accuracy_ppm: Option<u32>,
}

/// What each maker's update has brought, and how good the model was that it started from: the median of what others say, weighted by their
/// credibility, which moves with it. What strays too far from the others does not count. Whoever says what others say
/// rises in reputation.
///
/// Nobody appraises itself; no appraisal, no gain.
///
/// # Errors
/// [`LedgerError`] when somebody has appraised who has no account.
pub fn appraise<'a>(
    ledger: &mut Ledger,
    makers: impl IntoIterator<Item = &'a MemberId>,
    appraisals: &BTreeMap<MemberId, Appraisal>,
) -> Result<Findings, LedgerError> {
    let makers: Vec<MemberId> = makers.into_iter().copied().collect();
    let mut weights = credibility::weights(appraisals, ledger);
    for (member, standing) in credibility::standings(&makers, appraisals, &weights) {
        match standing {
            Standing::Believed => ledger.believe(&member)?,
            Standing::Open => {}
            Standing::Doubted => {
                weights.remove(&member);
                ledger.doubt(&member)?;
            }
        }
    }
    let gain = |maker: MemberId| (maker, credibility::gain(&maker, None, appraisals, &weights).unwrap_or(0));
    let gains = makers.into_iter().map(gain).collect();
    Ok(Findings { gains, accuracy_ppm: credibility::accuracy_ppm(appraisals, &weights) })
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
    ledger.fade();
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
