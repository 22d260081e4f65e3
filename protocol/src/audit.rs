//! A ledger, checked from the genesis up by anybody who has its decisions: no node, no model, no trust.
//!
//! Everything is recomputed but the means themselves, which would need the updates' bytes; for those the certificates
//! stand, since two thirds of the power have compared them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    body::Body,
    consensus::CertificateError,
    event::Credits,
    ids::{Hash, Height, MemberId},
    ledger::LedgerError,
    state::{Federation, Invalid, Outcome, State},
    wire::Decision,
};

/// What a good ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Decided heights.
    pub heights: u64,
    /// Id of the last body.
    pub head: Hash,
    /// Rounds whose updates made a new model.
    pub rounds_settled: u64,
    /// Rounds that ended without an update.
    pub rounds_empty: u64,
    /// Credits at the end.
    pub credits: Credits,
    /// Reputation at the end.
    pub reputation: BTreeMap<MemberId, u32>,
}

/// Why a ledger is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// A certificate is for another height than the one it stands at.
    #[error("decision {at} has the certificate of height {got}: decisions must be in order and without gaps")]
    OutOfOrder {
        /// Where it stands, from 1.
        at: Height,
        /// What it says.
        got: Height,
    },
    /// A certificate is for another body.
    #[error("height {0}: the certificate is for another body")]
    OtherBody(Height),
    /// A certificate proves nothing.
    #[error("height {0}: {1}")]
    Certificate(Height, CertificateError),
    /// A body does not follow from what is before it.
    #[error("height {0}: the body is invalid: {1}")]
    Body(Height, Invalid),
    /// Credits have appeared or vanished.
    #[error("height {0}: {1}")]
    Supply(Height, LedgerError),
}

/// Checks `decisions` from the genesis up.
///
/// # Errors
/// [`AuditError`] names the first height that is not good.
pub fn audit<'a>(
    federation: &Federation,
    decisions: impl IntoIterator<Item = &'a Decision>,
) -> Result<Audit, AuditError> {
    let (mut rounds_settled, mut rounds_empty) = (0, 0);
    let state = follow(federation, decisions, |step| match step.outcome {
        Outcome::Settled(settlement) if settlement.updates.is_empty() => rounds_empty += 1,
        Outcome::Settled(_) => rounds_settled += 1,
        Outcome::Planned { .. } => {}
    })?;
    Ok(Audit {
        heights: state.height.0,
        head: state.head,
        rounds_settled,
        rounds_empty,
        credits: state.ledger.credits(),
        reputation: state.ledger.accounts.iter().map(|(id, account)| (*id, account.reputation)).collect(),
    })
}

/// One decision of a good ledger.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The decision.
    pub decision: &'a Decision,
    /// The state before it.
    pub before: &'a State,
    /// The state after it.
    pub after: &'a State,
    /// What it has led to.
    pub outcome: &'a Outcome,
}

/// Checks `decisions` from the genesis up, shows each to `visit`, and returns the last state.
///
/// # Errors
/// [`AuditError`] names the first height that is not good.
pub fn follow<'a>(
    federation: &Federation,
    decisions: impl IntoIterator<Item = &'a Decision>,
    mut visit: impl FnMut(Step<'_>),
) -> Result<State, AuditError> {
    let mut state = State::genesis(federation);
    for decision in decisions {
        let (after, outcome) = check(federation, &state, decision)?;
        visit(Step { decision, before: &state, after: &after, outcome: &outcome });
        state = after;
    }
    Ok(state)
}

fn check(federation: &Federation, state: &State, decision: &Decision) -> Result<(State, Outcome), AuditError> {
    let at = state.height.next();
    let certificate = &decision.certificate;
    if certificate.height != at {
        return Err(AuditError::OutOfOrder { at, got: certificate.height });
    }
    if certificate.body != Body::id_of(&decision.body) {
        return Err(AuditError::OtherBody(at));
    }
    let validators = state.validators().map_err(|why| AuditError::Body(at, why.into()))?;
    certificate.verify(&federation.network, &validators).map_err(|why| AuditError::Certificate(at, why))?;
    let (next, _, outcome) = state.apply(federation, &decision.body).map_err(|why| AuditError::Body(at, why))?;
    next.ledger.check().map_err(|why| AuditError::Supply(at, why))?;
    Ok((next, outcome))
}
