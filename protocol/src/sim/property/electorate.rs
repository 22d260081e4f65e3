//! Who is a member and with which voting power, reckoned from the instructions and updates that stand in bodies.

use std::collections::{BTreeMap, BTreeSet};

use super::{Property, Sight};
use crate::{
    body::{Body, Evidence, SettleEvidence},
    genesis::Genesis,
    ids::{Height, MemberId},
    statement::{Action, Motion},
};

/// Members, each with its power.
type Powers = BTreeMap<MemberId, u128>;

/// What a voter's presence is reckoned from.
#[derive(Debug, Clone, Copy, Default)]
struct Presence {
    /// It was seen in the open round.
    seen: bool,
    /// Rounds that it has missed in a row.
    missed: u32,
    /// Its power while it is away.
    suspended: u128,
}

/// Everybody who votes is somebody whom bodies have let in, and nobody whom they have put out.
#[derive(Debug)]
pub(super) struct Electorate {
    seen: Height,
    /// Voters at the most.
    most: usize,
    powers: Powers,
    /// Rounds that a voter may miss; 0 for any number.
    patience: u32,
    presence: BTreeMap<MemberId, Presence>,
    coming: BTreeSet<MemberId>,
    going: BTreeSet<MemberId>,
    /// Who has voted for whose removal.
    votes: BTreeSet<(MemberId, MemberId)>,
    /// The members after every height.
    members: BTreeMap<Height, Powers>,
}

impl Electorate {
    pub(super) fn new(genesis: &Genesis) -> Self {
        Self {
            seen: Height(0),
            most: genesis.membership.max_voters as usize,
            powers: genesis.members.iter().map(|member| (member.id, member.power.into())).collect(),
            patience: genesis.membership.suspend_after,
            presence: BTreeMap::new(),
            coming: BTreeSet::new(),
            going: BTreeSet::new(),
            votes: BTreeSet::new(),
            members: BTreeMap::new(),
        }
    }

    /// Takes note of what a body says, unless another member's body of that height was seen before.
    fn see(&mut self, body: &Body) -> Result<(), String> {
        if body.header.height != self.seen.next() {
            return Ok(());
        }
        self.seen = body.header.height;
        self.notice(body.header.proposer);
        match &body.evidence {
            Evidence::Plan(plan) => {
                for signed in &plan.instructions {
                    let instruction = signed.peek().map_err(|error| error.to_string())?;
                    self.hear(signed.signer, &instruction.action);
                }
                plan.bids.iter().for_each(|(commit, _)| self.notice(commit.signer));
            }
            Evidence::Settle(settle) => self.settle(settle),
        }
        self.members.insert(self.seen, self.powers.clone());
        Ok(())
    }

    fn notice(&mut self, who: MemberId) {
        self.presence.entry(who).or_default().seen = true;
    }

    fn hear(&mut self, who: MemberId, action: &Action) {
        match action {
            Action::Join(_) => _ = self.coming.insert(who),
            Action::Leave => _ = self.going.insert(who),
            Action::Vote(Motion::Remove(member)) => _ = self.votes.insert((*member, who)),
            Action::Transfer { .. } | Action::Fund(_) | Action::Revoke(_) => {}
        }
    }

    fn settle(&mut self, settle: &SettleEvidence) {
        settle.updates.iter().for_each(|update| self.notice(update.signer));
        settle.appraisals.iter().for_each(|appraisal| self.notice(appraisal.signer));
        let before: u128 = self.powers.values().sum();
        for member in self.powers.keys() {
            let for_it = self.votes.iter().filter(|(about, _)| about == member);
            let power: u128 = for_it.filter_map(|(_, voter)| self.powers.get(voter)).sum();
            if power * 3 > before * 2 {
                self.going.insert(*member);
            }
        }
        // The first change of power may always be, the others up to a third.
        let mut moved = 0;
        for who in self.going.clone() {
            let power = self.powers.get(&who).copied().unwrap_or(0);
            let stays: u128 = self.powers.values().sum::<u128>() - power;
            if power == 0 || stays > 0 && (moved == 0 || (moved + power) * 3 < before) {
                moved += power;
                self.powers.remove(&who);
                self.presence.remove(&who);
                self.going.remove(&who);
                self.votes.retain(|(about, voter)| *about != who && *voter != who);
            }
        }
        let delivered = settle.updates.iter().filter(|update| !settle.refused.contains_key(&update.signer));
        if self.patience > 0 {
            moved = self.look_for_the_absent(delivered.clone().count() > 0, before, moved);
        }
        self.presence.values_mut().for_each(|presence| presence.seen = false);
        for update in delivered {
            let is_away = |who: &MemberId| self.presence.get(who).is_some_and(|presence| presence.suspended > 0);
            let voters = self.powers.iter().filter(|(who, power)| **power > 0 || is_away(who)).count();
            let votes_already =
                is_away(&update.signer) || self.powers.get(&update.signer).is_none_or(|power| *power > 0);
            if votes_already || self.going.contains(&update.signer) || voters >= self.most {
                continue;
            }
            if moved == 0 || (moved + 1) * 3 < before {
                moved += 1;
                self.powers.insert(update.signer, 1);
            }
        }
        self.powers.extend(std::mem::take(&mut self.coming).into_iter().map(|who| (who, 0)));
    }
}

impl Electorate {
    /// Takes votes from those who were away, up to a third in all, and gives them back to those who are there again; what
    /// of the power before has moved then.
    fn look_for_the_absent(&mut self, worked: bool, before: u128, mut moved: u128) -> u128 {
        let away: u128 = self.presence.values().map(|presence| presence.suspended).sum();
        let all = self.powers.values().sum::<u128>() + away;
        let mut away = away;
        for (who, power) in &mut self.powers {
            let presence = self.presence.entry(*who).or_default();
            presence.missed = match presence.seen {
                true => 0,
                false => presence.missed + u32::from(worked && *power > 0),
            };
            let fits = moved == 0 || (moved + *power) * 3 < before;
            if *power > 0 && presence.missed >= self.patience && fits && (away + *power) * 3 < all {
                (moved, away) = (moved + *power, away + *power);
                (presence.suspended, *power) = (*power, 0);
            }
        }
        for (who, power) in &mut self.powers {
            let presence = self.presence.entry(*who).or_default();
            let fits = moved == 0 || (moved + presence.suspended) * 3 < before;
            if presence.suspended > 0 && presence.seen && fits {
                moved += presence.suspended;
                (*power, presence.suspended) = (presence.suspended, 0);
            }
        }
        moved
    }
}

impl Property for Electorate {
    fn name(&self) -> &'static str {
        "members are those whom bodies let in"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Commit { commit, .. } = sight else { return Ok(()) };
        let body = Body::decode(&commit.decision.body).map_err(|error| error.to_string())?;
        self.see(&body)?;
        let Some(wanted) = self.members.get(&commit.height) else {
            return Err(format!("height {} is decided before the one below it", commit.height));
        };
        let accounts = commit.state.ledger.accounts.iter();
        let found: Powers = accounts.map(|(id, account)| (*id, account.power.into())).collect();
        if found == *wanted { Ok(()) } else { Err(format!("{found:?} at height {}, not {wanted:?}", commit.height)) }
    }
}
