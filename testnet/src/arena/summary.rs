//! What a contest amounted to. The names in `summary.json` are stable; `docs/agents.md` explains them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    archive::{Play, PolicyRun, Run},
    federation::FederationEnd,
    field::BuiltIn,
    guild::GuildPoint,
    options::Setting,
    seat::Seat,
    stats::{self, Estimate},
    tally::Tally,
    usage::Usage,
};

/// What a contest amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What was asked.
    pub setting: Setting,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Seat by seat.
    pub seats: Vec<SeatSummary>,
    /// How long it took, in seconds; with `--resume`, this time.
    pub wall_s: f64,
}

/// What came of a seat.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeatSummary {
    /// Which.
    pub seat: Seat,
    /// Bytes at which federations are compared: what the thriftiest of them had sent in the end, by seed.
    pub equal_bytes: Option<Vec<u64>>,
    /// Micro-credits at which federations of bidders are compared: what the thriftiest of them had paid in the end, by seed.
    pub equal_pay: Option<Vec<u64>>,
    /// Everybody who answered.
    pub policies: Vec<PolicySummary>,
    /// Who missed least.
    pub best: Option<String>,
    /// In whose federation a model was best for the same pay, where all members bid by one policy.
    pub best_in_all_hands: Option<String>,
}

/// What a policy amounted to at a seat. Shares are of the contexts, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicySummary {
    /// Its name.
    pub policy: String,
    /// Contexts, over all seeds.
    pub asked: u64,
    /// Answers that code let pass.
    pub valid: f64,
    /// Valid answers that were worth less than the best entry.
    pub wrong_valid: f64,
    /// Decisions that code made in its place.
    pub fallback: f64,
    /// Why, and how often.
    pub failures: BTreeMap<String, u64>,
    /// What it missed, from 0 for always the best entry to 1 for always the worst.
    pub regret: Option<Estimate>,
    /// What a decision was worth on average, in the unit of the seat.
    pub value: Option<Estimate>,
    /// Median and 95th percentile of what an answer took, in milliseconds.
    pub latency_ms: Option<[f64; 2]>,
    /// Answers that changed with the order of the menu, of those that were asked again.
    pub order_changed: Option<f64>,
    /// Times that there was no answer any more when the menu was in another order.
    pub order_lost: u64,
    /// Between what these shares lie, as far as so many contexts can tell.
    pub intervals: Intervals,
    /// What it missed beyond the rules under the same seeds: below 0 it missed less.
    pub beyond_rules: Option<Estimate>,
    /// Questions to a language model and their tokens, of all answers together; those in another order do not count.
    pub usage: Option<Usage>,
    /// Accuracy when as many bytes were sent as everybody sent, from 0 to 1.
    pub accuracy_at_equal_bytes: Option<Estimate>,
    /// Accuracy when as much was paid as everybody paid, from 0 to 1.
    pub accuracy_at_equal_pay: Option<Estimate>,
    /// Members hired in a round where all bid by the policy.
    pub hired_per_round: Option<Estimate>,
    /// Units of value delivered in a round there.
    pub value_per_round: Option<Estimate>,
    /// Micro-credits paid in a round there.
    pub paid_per_round: Option<Estimate>,
    /// Accuracy of the last model, from 0 to 1.
    pub final_accuracy: Option<Estimate>,
    /// Megabytes of all updates.
    pub megabytes: Option<Estimate>,
    /// Jain's index of how often members delivered.
    pub participation: Option<Estimate>,
    /// Mean accuracy of the worst tenth of the members, from 0 to 1.
    pub worst_decile: Option<Estimate>,
    /// Work done in time, for each shift, in contracts of one full pass without noise.
    pub work: Option<Estimate>,
    /// Part of the budget that was spent, from 0 to 1.
    pub spent: Option<Estimate>,
    /// Contracts that came too late, for each shift.
    pub late: Option<Estimate>,
}

/// 95 % intervals of shares (Wilson), as if contexts had nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// Of valid answers.
    pub valid: Option<[f64; 2]>,
    /// Of valid answers that were worth less than the best entry.
    pub wrong_valid: Option<[f64; 2]>,
    /// Of decisions that code made.
    pub fallback: Option<[f64; 2]>,
    /// Of answers that changed with the order of the menu.
    pub order_changed: Option<[f64; 2]>,
}

impl Intervals {
    fn of(all: &Tally) -> Self {
        let of_asked = |part| stats::wilson(part, all.asked);
        Self {
            valid: of_asked(all.valid),
            wrong_valid: of_asked(all.wrong),
            fallback: of_asked(all.fallbacks()),
            order_changed: stats::wilson(all.changed, all.reasked),
        }
    }
}

impl SeatSummary {
    /// Of these runs of one seat.
    pub(super) fn of(seat: Seat, runs: &[&Run]) -> Self {
        let equal_bytes = least(runs, |result| Some(result.federation()?.points.last()?.bytes));
        let equal_pay = least(runs, |result| Some(result.guild()?.last()?.paid));
        let equal = [equal_bytes.as_deref(), equal_pay.as_deref()].map(Option::unwrap_or_default);
        let names: Vec<&str> =
            runs.first().map_or_else(Vec::new, |run| run.results.iter().map(|result| &*result.policy).collect());
        let policies: Vec<PolicySummary> = names.into_iter().map(|name| PolicySummary::of(name, runs, equal)).collect();
        let missed = |policy: &&PolicySummary| policy.regret.map_or(f64::MAX, |regret| regret.mean);
        let best = policies.iter().min_by(|a, b| missed(a).total_cmp(&missed(b))).map(|policy| policy.policy.clone());
        let worth = |policy: &PolicySummary| policy.accuracy_at_equal_pay.map_or(f64::MIN, |accuracy| accuracy.mean);
        let guilds = policies.iter().filter(|policy| policy.accuracy_at_equal_pay.is_some());
        let most = guilds.max_by(|a, b| worth(a).total_cmp(&worth(b)));
        let best_in_all_hands = most.map(|policy| policy.policy.clone());
        Self { seat, equal_bytes, equal_pay, policies, best, best_in_all_hands }
    }
}

impl PolicySummary {
    fn of(name: &str, runs: &[&Run], [equal_bytes, equal_pay]: [&[u64]; 2]) -> Self {
        let results: Vec<_> =
            runs.iter().filter_map(|run| run.results.iter().find(|result| result.policy == name)).collect();
        let all = total(results.iter().map(|result| &result.tally));
        let tallies = |part: fn(&Tally) -> Option<f64>| {
            Estimate::of(&results.iter().filter_map(|result| part(&result.tally)).collect::<Vec<_>>())
        };
        let federations: Vec<&FederationEnd> = results.iter().filter_map(|result| result.federation()).collect();
        let each = |part: &dyn Fn(&FederationEnd) -> Option<f64>| {
            Estimate::of(&federations.iter().filter_map(|end| part(end)).collect::<Vec<_>>())
        };
        let shifts: Vec<[f64; 3]> = results.iter().filter_map(|result| result.shifts()).collect();
        let shift = |place: usize| Estimate::of(&shifts.iter().map(|shift| shift[place]).collect::<Vec<_>>());
        let guilds: Vec<&[GuildPoint]> = results.iter().filter_map(|result| result.guild()).collect();
        let round = |part: fn(&GuildPoint) -> u64| {
            let mean = |points: &&[GuildPoint]| stats::share(points.iter().map(part).sum(), points.len() as u64);
            Estimate::of(&guilds.iter().map(mean).collect::<Vec<_>>())
        };
        let worth = guilds.iter().zip(equal_pay).filter_map(|(points, paid)| accuracy_at(paid_curve(points), *paid));
        let last = guilds.iter().filter_map(|points| Some(points.last()?.accuracy));
        let paid = |points: &&[GuildPoint]| Some(points.last()?.paid as f64 / points.len() as f64);
        let fair = federations.iter().zip(equal_bytes);
        let fair: Vec<f64> = fair.filter_map(|(end, bytes)| accuracy_at(sent_curve(end), *bytes)).collect();
        Self {
            policy: name.to_owned(),
            asked: all.asked,
            valid: all.share(all.valid),
            wrong_valid: all.share(all.wrong),
            fallback: all.share(all.fallbacks()),
            regret: tallies(Tally::regret_share),
            value: tallies(|tally| (tally.asked > 0).then(|| tally.value / tally.asked as f64)),
            latency_ms: latencies(&all.latencies),
            order_changed: (all.reasked > 0).then(|| stats::share(all.changed, all.reasked)),
            order_lost: all.lost,
            intervals: Intervals::of(&all),
            beyond_rules: beyond_rules(name, runs),
            usage: (all.usage.questions > 0).then_some(all.usage),
            failures: all.failures,
            accuracy_at_equal_bytes: Estimate::of(&fair),
            accuracy_at_equal_pay: Estimate::of(&worth.collect::<Vec<_>>()),
            hired_per_round: round(|point| point.hired),
            value_per_round: round(|point| point.value),
            paid_per_round: Estimate::of(&guilds.iter().filter_map(paid).collect::<Vec<_>>()),
            final_accuracy: each(&|end| end.points.last().map(|point| point.accuracy))
                .or_else(|| Estimate::of(&last.collect::<Vec<_>>())),
            megabytes: each(&|end| end.points.last().map(|point| point.bytes as f64 / 1e6)),
            participation: each(&|end| Some(end.participation)),
            worst_decile: each(&|end| Some(end.worst_decile)),
            work: shift(0),
            spent: shift(1),
            late: shift(2),
        }
    }
}

impl PolicyRun {
    fn federation(&self) -> Option<&FederationEnd> {
        match &self.play {
            Some(Play::Federation(end)) => Some(end),
            _ => None,
        }
    }

    fn guild(&self) -> Option<&[GuildPoint]> {
        match &self.play {
            Some(Play::Guild(points)) => Some(points),
            _ => None,
        }
    }

    fn shifts(&self) -> Option<[f64; 3]> {
        match self.play {
            Some(Play::Shifts { work, spent, late }) => Some([work, spent, late]),
            _ => None,
        }
    }
}

fn total<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Tally {
    tallies.fold(Tally::default(), |mut all, tally| {
        all.asked += tally.asked;
        all.valid += tally.valid;
        all.wrong += tally.wrong;
        all.reasked += tally.reasked;
        all.changed += tally.changed;
        all.lost += tally.lost;
        all.usage = all.usage.and(tally.usage);
        all.latencies.extend(&tally.latencies);
        for (failure, count) in &tally.failures {
            *all.failures.entry(failure.clone()).or_default() += count;
        }
        all
    })
}

/// By how much more a policy missed than the rules, seed by seed: what the questions of a seed have in common drops out.
fn beyond_rules(name: &str, runs: &[&Run]) -> Option<Estimate> {
    let of = |run: &Run, name: &str| {
        run.results.iter().find(|result| result.policy == name).and_then(|result| result.tally.regret_share())
    };
    let rules = BuiltIn::Rules.to_string();
    let beyond = |run: &&Run| Some(of(run, name)? - of(run, &rules)?);
    Estimate::of(&runs.iter().filter_map(beyond).collect::<Vec<_>>()).filter(|_| name != rules)
}

fn latencies(seconds: &[f64]) -> Option<[f64; 2]> {
    let at = |share| stats::quantile(seconds, share).map(|seconds| 1e3 * seconds);
    Some([at(0.5)?, at(0.95)?])
}

/// For each run, what the thriftiest of its federations had spent in the end.
fn least(runs: &[&Run], spent: fn(&PolicyRun) -> Option<u64>) -> Option<Vec<u64>> {
    let least = |run: &&Run| run.results.iter().filter_map(spent).min();
    runs.iter().map(least).collect::<Option<Vec<u64>>>().filter(|spent| !spent.is_empty())
}

/// Bytes that were sent so far, and the accuracy after each round.
fn sent_curve(end: &FederationEnd) -> Vec<(u64, f64)> {
    end.points.iter().map(|point| (point.bytes, point.accuracy)).collect()
}

/// Micro-credits that were paid so far, and the accuracy after each round.
fn paid_curve(points: &[GuildPoint]) -> Vec<(u64, f64)> {
    points.iter().map(|point| (point.paid, point.accuracy)).collect()
}

/// The accuracy when so much was spent, on the straight line between the rounds before and after.
fn accuracy_at(curve: Vec<(u64, f64)>, spent: u64) -> Option<f64> {
    let after = curve.iter().position(|point| point.0 >= spent)?;
    let there = curve[after];
    let Some(before) = after.checked_sub(1).map(|before| curve[before]) else { return Some(there.1) };
    let way = (spent - before.0) as f64 / (there.0 - before.0) as f64;
    Some(before.1 + way * (there.1 - before.1))
}

impl Summary {
    /// As JSON, with a line break at its end.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to become JSON: its keys are words.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests;
