//! Whether those who break the protocol were noticed by those who do not. A breach that nobody has felt proves nothing
//! about the others, and one that has paid off is worse.

use althing_protocol::{
    body::{Body, Evidence},
    event::Event,
    ids::{MemberId, Round},
    wire::Decision,
};

use super::judge::{Conduct, Testimony, caught};
use crate::hostile::Breach;

/// How `offender` came off too well, if it did.
pub(super) fn overlooked((breach, from): (Breach, Round), offender: &Testimony, all: &[Testimony]) -> Option<String> {
    let (name, id) = (&offender.name, offender.id);
    let said = |of: &dyn Fn(&Event) -> bool| honest(all).flat_map(|node| &node.lines).any(|line| of(&line.event));
    let decided = |of: &dyn Fn(&Decision) -> bool| honest(all).flat_map(|node| node.ledger.iter().flatten()).any(of);
    let is_blamed = || said(&|event| matches!(event, Event::Misbehaved { member, .. } if *member == id));
    let is_hired =
        || said(&|event| matches!(event, Event::Planned { awards, .. } if awards.iter().any(|a| a.member == id)));
    match breach {
        Breach::FalseBlobs | Breach::FalseModel | Breach::Forge if !is_blamed() => {
            Some(format!("nobody has noticed what {name} did ({breach})"))
        }
        Breach::Equivocate if !decided(&|decision| caught(decision).contains(&id)) => {
            Some(format!("no decision proves that {name} has signed two things in one place"))
        }
        Breach::Withhold if !is_hired() => Some(format!("{name} was never hired, so it withheld nothing")),
        Breach::Withhold if decided(&|decision| has_update_of(decision, id, from)) => {
            Some(format!("an update of {name}, which offered none, is in a decision"))
        }
        // Who is besieged hears nothing: that the others go on is what has to hold.
        _ => None,
    }
}

fn honest(all: &[Testimony]) -> impl Iterator<Item = &Testimony> {
    all.iter().filter(|node| node.conduct == Conduct::Honest)
}

/// Whether it settles a round, this one or later, with an update of `member`.
fn has_update_of(decision: &Decision, member: MemberId, from: Round) -> bool {
    let Ok(body) = Body::decode(&decision.body) else { return false };
    match body.evidence {
        Evidence::Settle(settle) if body.header.round >= from => {
            settle.updates.iter().any(|update| update.signer == member)
        }
        Evidence::Settle(_) | Evidence::Plan(_) => false,
    }
}
