//! A sponsor's receipt: proof of what a job has paid to whom, without the chain.
//!
//! The Settle in which a job ends is decided by two thirds of the power, and names the root of the state after it. That
//! state still holds the job. So body, certificate and state are enough for whoever has the genesis.

use crate::{
    body::Body,
    consensus::{CertificateError, ValidatorSetError},
    ids::{Hash, JobId},
    ledger::EndedJob,
    machine::MachineError,
    state::{Federation, State},
    wire::Decision,
};

/// What proves the end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The decided Settle.
    pub decision: Decision,
    /// The encoded state after it.
    pub state: Vec<u8>,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The decision is not a body.
    #[error("its body is {0}")]
    Body(#[from] crate::codec::DecodeError),
    /// The certificate is for another body.
    #[error("its certificate is for another body")]
    OtherBody,
    /// The certificate proves nothing.
    #[error("its certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The genesis names no members that could vote.
    #[error(transparent)]
    Members(#[from] ValidatorSetError),
    /// The state cannot be read.
    #[error("its state: {0}")]
    State(#[from] MachineError),
    /// The members have decided another state.
    #[error("its state is not the one that the members have decided")]
    OtherState,
    /// The job did not end there.
    #[error("job {0} did not end with its decision")]
    NotEnded(JobId),
}

impl Receipt {
    /// What the members have decided of `job`, and the id of the body that says so.
    ///
    /// # Errors
    /// [`ReceiptError`] when the receipt is not that of the job, or not of this federation.
    pub fn verify(&self, federation: &Federation, job: JobId) -> Result<(EndedJob, Hash), ReceiptError> {
        let Decision { body: bytes, certificate } = &self.decision;
        let (body, id) = (Body::decode(bytes)?, Body::id_of(bytes));
        if certificate.body != id || certificate.height != body.header.height {
            return Err(ReceiptError::OtherBody);
        }
        certificate.verify(&federation.network, &State::genesis(federation).validators()?)?;
        let state = State::decode(&self.state)?;
        if state.root() != body.header.state_root {
            return Err(ReceiptError::OtherState);
        }
        let ended = state.ledger.ended.into_iter().find(|ended| ended.id == job);
        Ok((ended.ok_or(ReceiptError::NotEnded(job))?, id))
    }
}
