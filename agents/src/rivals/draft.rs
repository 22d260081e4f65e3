//! Members picked one after the other, by policies that rank them themselves.
//!
//! The selector's menu names kinds of members, and code weighs them. Policies of the literature name the members. They
//! are asked once for each place: the menu holds whom they have not picked yet, so that an answer is checked as any other,
//! and code turns the picks into marks within the same bounds as a focus has. They never hire anybody: the auction does.
//!
//! What they go by ([`Sight`]) is more than a ledger knows. Members of a real federation would have to be asked for it,
//! and to be believed.

use std::{collections::BTreeMap, time::Duration};

use althing_protocol::{
    event::DecidedBy,
    ids::{MemberId, Round},
    statement::Marks,
};

use crate::policy::{Pick, Policy, Question, ask};

/// What is told of a member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Who.
    pub member: MemberId,
    /// Examples that it trains on.
    pub samples: u64,
    /// Mean loss of the present model on them, as it says when it is asked.
    pub loss: f64,
    /// Its last training, if it ever trained.
    pub last: Option<LastTraining>,
}

/// What a member's last training was like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastTraining {
    /// In which round.
    pub round: Round,
    /// Mean loss of the round's first model on its examples.
    pub loss: f64,
    /// From the call to the update.
    pub duration: Duration,
}

/// The question who is to be picked next.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftQuestion {
    /// For this round.
    pub round: Round,
    /// How many are picked in all.
    pub places: usize,
    /// All members that are there, those included who are picked already.
    pub sights: Vec<Sight>,
    menu: Vec<MemberId>,
}

impl Question for DraftQuestion {
    type Option = MemberId;

    fn menu(&self) -> &[MemberId] {
        &self.menu
    }
}

/// Members in the order in which they were picked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranking(pub Vec<MemberId>);

impl Ranking {
    /// Has `policy` pick so many of the members.
    pub fn draft(policy: &mut dyn Policy<DraftQuestion>, round: Round, places: usize, sights: Vec<Sight>) -> Self {
        let menu = sights.iter().map(|sight| sight.member).collect();
        let mut question = DraftQuestion { round, places: places.min(sights.len()), sights, menu };
        let mut picked = Vec::new();
        while picked.len() < question.places {
            let Some(pick) = ask(policy, &question) else { break };
            question.menu.retain(|member| *member != pick.option);
            picked.push(pick.option);
        }
        Self(picked)
    }

    /// Weights, in hundredths, for these members: the most for who was picked, the least for all others.
    pub fn weights(&self, members: impl Iterator<Item = MemberId>) -> BTreeMap<MemberId, u16> {
        let weight = |member| if self.0.contains(&member) { Marks::MOST } else { Marks::LEAST };
        members.map(|member| (member, weight(member))).collect()
    }
}

/// The first of `wanted` who is on the menu. Nobody is, if there is none: that answer is overruled.
pub(super) fn next(question: &DraftQuestion, wanted: &[MemberId]) -> Pick<MemberId> {
    let next = wanted.iter().copied().find(|member| question.menu.contains(member));
    Pick { option: next.unwrap_or(MemberId([0; 32])), by: DecidedBy::Rules }
}
