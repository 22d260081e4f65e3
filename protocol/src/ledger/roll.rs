//! Who comes and goes. What a Plan says of it holds once the round is settled (`turn`): until then everybody who was
//! hired is a member, and the Settle is voted on by those who have seen the Plan.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Ballot, Carried, Ledger, instruct::InstructionError};
use crate::{
    genesis::{Admission, Genesis},
    ids::{MemberId, Round},
    limits::{MAX_MEMBERS, MAX_TICKETS, MAX_VOTES},
    statement::{Application, Invitation, Newcomer, is_name},
};

/// Who comes and goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    /// Members that may invite.
    pub inviters: BTreeSet<MemberId>,
    /// What members are called.
    pub names: BTreeMap<MemberId, String>,
    /// Who will be members when the open round is settled.
    pub joining: BTreeMap<MemberId, Newcomer>,
    /// Who will be none, as soon as the votes that go with it may.
    pub leaving: BTreeMap<MemberId, Exit>,
    /// Who is to be removed, with the votes for it.
    pub removals: BTreeMap<MemberId, Ballot>,
    /// Who was removed, with the last round in which no invitation leads back.
    pub barred: BTreeMap<MemberId, Round>,
    /// Invitations that were used or revoked, by the inviter and then by the ticket, until they lapse.
    pub tickets: BTreeMap<MemberId, BTreeMap<MemberId, Ticket>>,
}

/// What has become of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// How many may still join by it.
    pub left: u32,
    /// The last round in which anybody may.
    pub last_round: Round,
}

/// Why a member goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It wants to.
    Left,
    /// The others have voted for it.
    Removed,
}

/// Why nobody comes or goes. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollError {
    /// It is a member, or is about to be one.
    #[error("{0} is a member already, or will be when this round is settled")]
    Member(MemberId),
    /// Only a member can leave.
    #[error("{0} is no member, or is leaving already")]
    NoMember(MemberId),
    /// The federation is full.
    #[error("a federation has at most {MAX_MEMBERS} members; wait until one leaves")]
    Full,
    /// The inviter may not invite.
    #[error("{0} may not invite members into this federation; ask a member that its genesis allows to")]
    NoInviter(MemberId),
    /// The ticket gives the invitation to somebody else, or is another's.
    #[error("the claim to the invitation is not {0}'s; ask for an invitation of your own")]
    NotYours(MemberId),
    /// Its time is over.
    #[error("the invitation held until round {}, and this is round {}; ask for another", last_round.0, now.0)]
    Lapsed {
        /// When it could be used last.
        last_round: Round,
        /// The open round.
        now: Round,
    },
    /// As many have joined by it as may, or it was taken back.
    #[error("the invitation is used up or was taken back; ask for another")]
    UsedUp,
    /// Too many invitations are remembered.
    #[error("the ledger remembers {MAX_TICKETS} invitations, and takes no more until one of them lapses")]
    TooManyTickets,
    /// The name is none.
    #[error("the newcomer's name cannot be printed; use letters, digits, '-', '_' and '.'")]
    Name,
    /// Another is called so.
    #[error("a member is called {0} already; take another name")]
    NameTaken(String),
    /// It was removed, and not long ago.
    #[error("the members have removed {who}: no invitation leads back before round {}", until.next().0)]
    Barred {
        /// Who.
        who: MemberId,
        /// The last round in which it holds.
        until: Round,
    },
    /// Only members with voting power vote on motions.
    #[error("{0} has no vote; it gets one with an update that it delivers, where the genesis allows so many votes")]
    NoVote(MemberId),
    /// Its vote stands.
    #[error("{0} has voted for this already; the motion is carried once more than two thirds of all votes are for it")]
    VotedAlready(MemberId),
    /// It has voted for many.
    #[error(
        "{0} has voted for {MAX_VOTES} open motions, which is as many as one may; wait until one is carried or lapses"
    )]
    TooManyVotes(MemberId),
    /// Nobody would be left to vote.
    #[error("{0} has the last vote: nothing could be decided any more; let another member deliver an update first")]
    LastVote(MemberId),
}

impl Roll {
    /// The roll of a federation before anybody has come or gone.
    pub fn new(genesis: &Genesis) -> Self {
        let inviters = match genesis.membership.admission {
            Admission::Closed => BTreeSet::new(),
            Admission::Founders => genesis.voters().map(|member| member.id).collect(),
        };
        let names = genesis.members.iter().map(|member| (member.id, member.name.clone())).collect();
        Self { inviters, names, ..Self::default() }
    }
}

impl Ledger {
    /// Lets `who` in with the next round. The signatures were verified before.
    pub(super) fn join(
        &mut self,
        who: &MemberId,
        application: &Application,
        round: Round,
    ) -> Result<Carried, InstructionError> {
        if self.accounts.contains_key(who) || self.roll.joining.contains_key(who) {
            return Err(RollError::Member(*who).into());
        }
        if let Some(&until) = self.roll.barred.get(who) {
            return Err(RollError::Barred { who: *who, until }.into());
        }
        if self.accounts.len() + self.roll.joining.len() >= MAX_MEMBERS {
            return Err(RollError::Full.into());
        }
        if !is_name(&application.name) {
            return Err(RollError::Name.into());
        }
        let joining = self.roll.joining.values().map(|newcomer| &newcomer.name);
        if self.roll.names.values().chain(joining).any(|name| *name == application.name) {
            return Err(RollError::NameTaken(application.name.clone()).into());
        }
        let not_yours = || RollError::NotYours(*who);
        let invitation = application.invitation.peek().map_err(|_| not_yours())?;
        let claim = application.claim.peek().map_err(|_| not_yours())?;
        if application.claim.signer != invitation.ticket || claim.newcomer != *who {
            return Err(not_yours().into());
        }
        let inviter = application.invitation.signer;
        let ticket = self.ticket(&inviter, &invitation, round)?;
        self.note_ticket(inviter, invitation.ticket, Ticket { left: ticket.left - 1, ..ticket });
        let newcomer = Newcomer { name: application.name.clone(), anchor: application.anchor };
        self.roll.joining.insert(*who, newcomer);
        Ok(Carried::Enrolled)
    }

    /// Lets `who` go with the next round.
    pub(super) fn leave(&mut self, who: &MemberId) -> Result<Carried, InstructionError> {
        if !self.accounts.contains_key(who) || self.roll.leaving.contains_key(who) {
            return Err(RollError::NoMember(*who).into());
        }
        let stays = |member: &&MemberId| *member != who && !self.roll.leaving.contains_key(*member);
        if !self.accounts.keys().filter(stays).any(|member| self.accounts[member].power > 0) {
            return Err(RollError::LastVote(*who).into());
        }
        self.roll.leaving.insert(*who, Exit::Left);
        Ok(Carried::Enrolled)
    }

    /// Nobody joins by `invitation` any more.
    pub(super) fn revoke(
        &mut self,
        inviter: &MemberId,
        invitation: &Invitation,
        round: Round,
    ) -> Result<Carried, InstructionError> {
        let ticket = self.ticket(inviter, invitation, round)?;
        self.note_ticket(*inviter, invitation.ticket, Ticket { left: 0, ..ticket });
        Ok(Carried::Enrolled)
    }

    /// What is left of `invitation`: at least one use.
    fn ticket(&self, inviter: &MemberId, invitation: &Invitation, now: Round) -> Result<Ticket, RollError> {
        let Invitation { ticket, uses, last_round } = *invitation;
        if !self.roll.inviters.contains(inviter) {
            return Err(RollError::NoInviter(*inviter));
        }
        if last_round < now {
            return Err(RollError::Lapsed { last_round, now });
        }
        let known = self.roll.tickets.get(inviter).and_then(|tickets| tickets.get(&ticket)).copied();
        if known.is_none() && self.roll.tickets.values().map(BTreeMap::len).sum::<usize>() >= MAX_TICKETS {
            return Err(RollError::TooManyTickets);
        }
        let ticket = known.unwrap_or(Ticket { left: uses, last_round });
        if ticket.left == 0 { Err(RollError::UsedUp) } else { Ok(ticket) }
    }

    fn note_ticket(&mut self, inviter: MemberId, id: MemberId, ticket: Ticket) {
        self.roll.tickets.entry(inviter).or_default().insert(id, ticket);
    }
}
