//! What flatterers would have changed: the appraisals of some members of a live run, replaced by lies.
//!
//! Flatterers praise each other's updates to the skies and run down everybody else's. The rounds are played again with the
//! same bids and updates, by the code that weighs appraisals and pays nodes; what changes is what is said of the updates.

use std::collections::BTreeMap;

use althing_protocol::{
    ids::MemberId,
    settlement::{self, Findings},
    statement::Appraisal,
};
use serde::Serialize;

use super::{
    Trace, TraceError, TracedRound,
    replay::{Stage, add},
};

/// Groups of flatterers that are tried at the most; of more, every so-manieth is.
const GROUPS_MOST: usize = 250;

/// What groups of flatterers would have changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flattered {
    /// Members who flatter at a time.
    pub flatterers: usize,
    /// Groups of so many that were tried.
    pub groups: usize,
    /// What the honest members of a group's federation are paid, beside what they were.
    pub lied: Change,
    /// The same if the members of the group say nothing in place of lies: what is lost with their appraisals.
    pub silent: Change,
    /// What a flatterer is paid beside what it was: the mean over all groups.
    pub earned: f64,
}

/// By how much pay differs, as a part of what it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Change {
    /// All honest members together, in the group in which it is most.
    pub together: f64,
    /// One honest member, in the group in which it is most.
    pub one: f64,
    /// One honest member: the mean over all groups and members.
    pub mean: f64,
    /// The part of all groups and members in which it is more than a twentieth.
    pub above_a_twentieth: f64,
}

/// What members of a group do in place of appraising honestly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    Lie,
    SayNothing,
}

type Pay = BTreeMap<MemberId, u64>;

impl Trace {
    /// Lets every group of so many members flatter each other, one group after the other.
    ///
    /// # Errors
    /// [`TraceError::Malformed`] when there are not as many members, or the trace holds no appraisals;
    /// [`TraceError::Refused`] when the ledger refuses what the live one has taken.
    pub fn flatter(&self, flatterers: usize) -> Result<Flattered, TraceError> {
        let members: Vec<MemberId> = self.genesis.members.iter().map(|member| member.id).collect();
        if flatterers == 0 || flatterers >= members.len() {
            let wants = format!("{flatterers} of {} members cannot flatter", members.len());
            return Err(TraceError::Malformed(wants));
        }
        if self.rounds.iter().all(|round| round.appraisals.is_empty()) {
            return Err(TraceError::Malformed("the trace holds no appraisals".to_owned()));
        }
        let groups = groups(&members, flatterers);
        let honest = self.paid(&[], Conduct::Lie)?;
        let (mut lied, mut silent, mut earned) = (Tally::default(), Tally::default(), Vec::new());
        for group in &groups {
            let pay = self.paid(group, Conduct::Lie)?;
            earned.extend(group.iter().filter_map(|member| change(&honest, &pay, member)));
            lied.take(&honest, &pay, group);
            silent.take(&honest, &self.paid(group, Conduct::SayNothing)?, group);
        }
        let earned = earned.iter().sum::<f64>() / earned.len().max(1) as f64;
        Ok(Flattered { flatterers, groups: groups.len(), lied: lied.change(), silent: silent.change(), earned })
    }

    /// What everybody is paid in all rounds if `group` behaves so, in micro-credits.
    fn paid(&self, group: &[MemberId], conduct: Conduct) -> Result<Pay, TraceError> {
        let mut stage = Stage::new(&self.genesis, self.genesis.market.clone());
        let mut sums = Pay::new();
        for round in &self.rounds {
            let said = said(round, group, conduct);
            let payments = stage.play(round, |ledger, _| {
                let Findings { gains, .. } = settlement::appraise(ledger, round.gains.keys(), &said)?;
                Ok(gains)
            })?;
            add(&mut sums, &payments);
        }
        Ok(sums)
    }
}

/// The appraisals of a round in which `group` behaves so.
fn said(round: &TracedRound, group: &[MemberId], conduct: Conduct) -> BTreeMap<MemberId, Appraisal> {
    let mut said = round.appraisals.clone();
    match conduct {
        Conduct::SayNothing => said.retain(|member, _| !group.contains(member)),
        Conduct::Lie => {
            for (_, appraisal) in said.iter_mut().filter(|(member, _)| group.contains(member)) {
                for (maker, gain) in &mut appraisal.gains {
                    *gain = if group.contains(maker) { Appraisal::MOST } else { -Appraisal::MOST };
                }
            }
        }
    }
    said
}

/// By how much the pay of `member` differs, as a part of what it was; nothing if it was never paid.
fn change(before: &Pay, after: &Pay, member: &MemberId) -> Option<f64> {
    let was = *before.get(member).filter(|paid| **paid > 0)? as f64;
    Some(after.get(member).copied().unwrap_or(0) as f64 / was - 1.0)
}

/// Changes of honest pay, group after group.
#[derive(Debug, Default)]
struct Tally {
    together: f64,
    each: Vec<f64>,
}

impl Tally {
    fn take(&mut self, before: &Pay, after: &Pay, group: &[MemberId]) {
        let honest = || before.keys().filter(|member| !group.contains(member));
        let sum = |pay: &Pay| honest().filter_map(|member| pay.get(member)).sum::<u64>() as f64;
        self.together = self.together.max((sum(after) / sum(before).max(1.0) - 1.0).abs());
        self.each.extend(honest().filter_map(|member| change(before, after, member)).map(f64::abs));
    }

    fn change(&self) -> Change {
        let count = self.each.len().max(1) as f64;
        Change {
            together: self.together,
            one: self.each.iter().copied().fold(0.0, f64::max),
            mean: self.each.iter().sum::<f64>() / count,
            above_a_twentieth: self.each.iter().filter(|change| **change > 0.05).count() as f64 / count,
        }
    }
}

/// All ways to choose so many of `members`, or every so-manieth of them.
fn groups(members: &[MemberId], size: usize) -> Vec<Vec<MemberId>> {
    let mut all = vec![Vec::new()];
    for _ in 0..size {
        let later = |chosen: &Vec<MemberId>| {
            let from = chosen.last().and_then(|last| members.iter().position(|member| member == last));
            members[from.map_or(0, |place| place + 1)..].to_vec()
        };
        let extended = |chosen: Vec<MemberId>| {
            let next = later(&chosen);
            next.into_iter().map(move |member| [&chosen[..], &[member]].concat())
        };
        all = all.into_iter().flat_map(extended).collect();
    }
    let every = all.len().div_ceil(GROUPS_MOST).max(1);
    all.into_iter().step_by(every).collect()
}
