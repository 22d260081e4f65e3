//! What lets a newcomer in: an invitation, signed by a member that may give it, and the newcomer's claim to it.

use serde::{Deserialize, Serialize};

use crate::{
    crypto::{Domain, Keypair, Signed, Statement},
    ids::{Hash, MemberId, NetworkId, Round},
    limits::{MAX_NAME_CHARS, MAX_STATEMENT_BYTES},
};

/// An offer of membership to whoever holds the ticket's secret key.
///
/// The secret travels from hand to hand. The ledger shows only its public half, so nobody can use an invitation that he
/// has seen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The public key of the ticket.
    pub ticket: MemberId,
    /// How many may join by it.
    pub uses: u32,
    /// The last round in which anybody may.
    pub last_round: Round,
}

impl Statement for Invitation {
    const DOMAIN: Domain = Domain::Invitation;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// That the holder of a ticket gives it to this newcomer, and to nobody else. The ticket signs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who joins by it.
    pub newcomer: MemberId,
}

impl Statement for Claim {
    const DOMAIN: Domain = Domain::Claim;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// What a newcomer says to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// A name for people.
    pub name: String,
    /// The end of its hash chain (see [`crate::election`]).
    pub anchor: Hash,
    /// By which it comes.
    pub invitation: Signed<Invitation>,
    /// That the invitation is its own to use.
    pub claim: Signed<Claim>,
}

impl Application {
    /// The application of `newcomer`, who holds the `ticket` of `invitation`.
    pub fn new(
        newcomer: Newcomer,
        id: MemberId,
        invitation: Signed<Invitation>,
        ticket: &Keypair,
        network: &NetworkId,
    ) -> Self {
        let claim = Signed::new(ticket, network, &Claim { newcomer: id });
        Self { name: newcomer.name, anchor: newcomer.anchor, invitation, claim }
    }
}

/// What others have to know of a member that has joined after the genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newcomer {
    /// A name for people.
    pub name: String,
    /// The end of its hash chain.
    pub anchor: Hash,
}

/// Whether `name` can be the name of a member or a federation: letters, digits, `-`, `_` and `.`, so that it can be
/// printed anywhere.
pub fn is_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && name.chars().all(fits)
}
