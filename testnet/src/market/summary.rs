//! What an experiment amounts to: a few figures for each point, as means over seeds.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    advice::Advice,
    record::{MemberRow, PartRow, RoundRow, Run},
    sweep::Point,
};
use crate::arena::Estimate;

/// Micro-credits in a credit.
pub(super) const CREDIT: f64 = 1e6;

/// What an experiment amounts to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its name.
    pub title: String,
    /// What it asks.
    pub question: String,
    /// The language model that members followed, if any did, as its endpoint calls it.
    pub model: Option<String>,
    /// One for each combination of what is swept.
    pub points: Vec<PointSummary>,
}

/// A point. Amounts are in credits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PointSummary {
    /// What is swept, and the value here.
    pub fields: Vec<(String, String)>,
    /// A line that tells it from the others.
    pub name: String,
    /// Seeds.
    pub seeds: u64,
    /// Whether every credit was found after every round: an experiment of which that is not true ends with an error.
    pub supply_conserved: bool,
    /// The worth of what was delivered, at the reserve price and by quality, less what it cost, for a round.
    pub welfare: Option<Estimate>,
    /// Paid for a round, bonus among it.
    pub payments: Option<Estimate>,
    /// Part of the rounds' budgets that was paid, 0 to 1.
    pub budget_use: Option<Estimate>,
    /// After the last round, 0 to 1.
    pub accuracy: Option<Estimate>,
    /// Accuracy gained for each credit paid, in percentage points.
    pub accuracy_per_credit: Option<Estimate>,
    /// Gini's coefficient of members' income.
    pub gini: Option<Estimate>,
    /// Jain's index of deliveries.
    pub participation: Option<Estimate>,
    /// Income of the third of the members with the best data over that of the third with the worst.
    pub quality_premium: Option<Estimate>,
    /// Part of those who joined later who were ever hired, 0 to 1; nothing without any.
    pub newcomers_hired: Option<Estimate>,
    /// Rounds until those of them who were hired were first hired.
    pub newcomers_wait: Option<Estimate>,
    /// Paid for a unit of epsilon; nothing without noise.
    pub epsilon_price: Option<Estimate>,
    /// By part of the population.
    pub parts: Vec<PartSummary>,
}

/// A part of the population. Amounts are in micro-credits, for one member and one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartSummary {
    /// Its strategy.
    pub strategy: String,
    /// Members at any time.
    pub members: u64,
    /// Hired, for each member and round.
    pub hired: Option<Estimate>,
    /// Paid, bonus among it.
    pub income: Option<Estimate>,
    /// Income less the cost of the work.
    pub surplus: Option<Estimate>,
    /// Its part of all that was paid, 0 to 1.
    pub share: Option<Estimate>,
    /// In the last round, 0 to 1,000.
    pub reputation: Option<Estimate>,
    /// Part of sampled bidders that could have gained by another price, 0 to 1.
    pub liars_gain: Option<Estimate>,
    /// What a sampled bidder could have gained on average, for a bid.
    pub regret: Option<Estimate>,
    /// What came of asking a language model, if its members follow one.
    pub advice: Option<Advice>,
}

impl Summary {
    pub(super) fn of(points: &[Point], runs: &[Run], model: Option<String>) -> Self {
        let of_point = |(number, point): (usize, &Point)| {
            let runs: Vec<&Run> = runs.iter().filter(|run| run.point == number).collect();
            PointSummary::of(point, &runs)
        };
        let first = points.first().map(|point| &point.config);
        Self {
            title: first.map_or_else(String::new, |config| config.title.clone()),
            question: first.map_or_else(String::new, |config| config.question.clone()),
            model,
            points: points.iter().enumerate().map(of_point).collect(),
        }
    }

    /// As `summary.json`.
    pub fn to_json(&self) -> String {
        // Numbers and strings only; a number that is none becomes null.
        serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |text| text + "\n")
    }

    /// For people at a terminal.
    pub fn table(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for point in &self.points {
            let _ = writeln!(text, "\n{} ({} seeds)", point.name, point.seeds);
            for (name, figure) in point.figures() {
                let _ = writeln!(text, "  {name:<34}{figure:>20}");
            }
            let _ = writeln!(text, "  {}", PartSummary::header());
            for part in &point.parts {
                let _ = writeln!(text, "  {}", part.line());
            }
            for advice in point.parts.iter().filter_map(|part| part.advice.as_ref()) {
                let _ = writeln!(text, "  {advice}");
            }
        }
        text
    }
}

/// The mean over runs of what a run has, if each has it.
fn mean(runs: &[&Run], get: impl Fn(&Run) -> f64) -> Option<Estimate> {
    let values: Vec<f64> = runs.iter().map(|run| get(run)).collect();
    values.iter().all(|value| value.is_finite()).then(|| Estimate::of(&values)).flatten()
}

fn sum(run: &Run, get: fn(&RoundRow) -> f64) -> f64 {
    run.rounds.iter().map(get).sum()
}

fn last(run: &Run, get: fn(&RoundRow) -> f64) -> f64 {
    run.rounds.last().map_or(f64::NAN, get)
}

impl PointSummary {
    fn of(point: &Point, runs: &[&Run]) -> Self {
        let config = &point.config;
        let rounds = config.rounds as f64;
        let paid = |run: &Run| sum(run, |row| (row.paid + row.bonus) as f64) / CREDIT;
        let first = config.learning.first_accuracy;
        Self {
            fields: point.labels.clone(),
            name: point.name(),
            seeds: runs.len() as u64,
            supply_conserved: true,
            welfare: mean(runs, |run| sum(run, |row| row.welfare) / CREDIT / rounds),
            payments: mean(runs, |run| paid(run) / rounds),
            budget_use: mean(runs, |run| paid(run) * CREDIT / sum(run, |row| row.budget as f64)),
            accuracy: mean(runs, |run| last(run, |row| row.accuracy)),
            accuracy_per_credit: mean(runs, |run| 100.0 * (last(run, |row| row.accuracy) - first) / paid(run)),
            gini: mean(runs, |run| last(run, |row| row.gini)),
            participation: mean(runs, |run| last(run, |row| row.participation)),
            quality_premium: mean(runs, |run| quality_premium(&run.members)),
            newcomers_hired: mean(runs, |run| newcomers(&run.members).0),
            newcomers_wait: mean(runs, |run| newcomers(&run.members).1),
            epsilon_price: mean(runs, |run| paid(run) / sum(run, |row| row.epsilon)),
            parts: (0..config.population.len()).map(|part| PartSummary::of(config, runs, part)).collect(),
        }
    }

    /// Its figures in words, with their names.
    pub(super) fn figures(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("welfare of a round (credits)", self.welfare, 2),
            ("paid for a round (credits)", self.payments, 3),
            ("part of the budget used", self.budget_use, 3),
            ("accuracy at the end", self.accuracy, 4),
            ("points of accuracy for a credit", self.accuracy_per_credit, 2),
            ("Gini of income", self.gini, 3),
            ("Jain of deliveries", self.participation, 3),
            ("income, best third of data / worst", self.quality_premium, 2),
            ("part of newcomers ever hired", self.newcomers_hired, 3),
            ("rounds until they are", self.newcomers_wait, 1),
            ("credits for a unit of epsilon", self.epsilon_price, 4),
        ];
        all.into_iter().filter_map(|(name, figure, digits)| Some((name, words(Some(figure?), digits)))).collect()
    }
}

/// An estimate in words: the mean, and half of its 95 % interval.
pub(super) fn words(estimate: Option<Estimate>, digits: usize) -> String {
    match estimate {
        Some(Estimate { mean, half: Some(half) }) => format!("{mean:.digits$} ± {half:.digits$}"),
        Some(Estimate { mean, half: None }) => format!("{mean:.digits$}"),
        None => "-".to_owned(),
    }
}

impl PartSummary {
    /// Names of the columns of [`Self::cells`].
    pub(super) const COLUMNS: [&'static str; 9] = [
        "strategy",
        "members",
        "hired a round",
        "income a round",
        "surplus a round",
        "share of pay",
        "reputation",
        "could gain",
        "regret of a bid",
    ];

    fn of(config: &super::config::Config, runs: &[&Run], part: usize) -> Self {
        let rounds = config.rounds as f64;
        let rows = |run: &Run| run.parts.iter().filter(|row| row.part == part).copied().collect::<Vec<PartRow>>();
        let members = config.sizes().get(part).map_or(0, |size| *size as u64);
        let total = |run: &Run, get: fn(&PartRow) -> f64| rows(run).iter().map(get).sum::<f64>();
        let each = |get: fn(&PartRow) -> f64| mean(runs, |run| total(run, get) / rounds / members as f64);
        let income = |row: &PartRow| (row.paid + row.bonus) as f64;
        let regrets = |run: &Run, get: fn(&super::record::Regrets) -> u64| {
            let found = rows(run)
                .iter()
                .filter_map(|row| row.regret)
                .fold((0, 0), |(sum, count), regret| (sum + get(&regret), count + regret.bidders));
            found.0 as f64 / found.1 as f64
        };
        Self {
            strategy: config.population[part].strategy.name().to_owned(),
            members,
            hired: each(|row| row.hired as f64),
            income: each(|row| (row.paid + row.bonus) as f64),
            surplus: each(|row| row.surplus() as f64),
            share: mean(runs, |run| total(run, income) / sum(run, |row| (row.paid + row.bonus) as f64)),
            reputation: mean(runs, |run| rows(run).last().map_or(f64::NAN, |row| row.reputation)),
            liars_gain: mean(runs, |run| regrets(run, |regret| regret.losers)),
            regret: mean(runs, |run| regrets(run, |regret| regret.sum)),
            advice: config.advised().any(|(number, _)| number == part).then(|| Advice::of(runs, part)),
        }
    }

    /// Its figures in words.
    pub(super) fn cells(&self) -> [String; 9] {
        [
            self.strategy.clone(),
            self.members.to_string(),
            words(self.hired, 4),
            words(self.income, 1),
            words(self.surplus, 1),
            words(self.share, 3),
            words(self.reputation, 0),
            words(self.liars_gain, 3),
            words(self.regret, 1),
        ]
    }

    fn header() -> String {
        aligned(&Self::COLUMNS.map(str::to_owned))
    }

    fn line(&self) -> String {
        aligned(&self.cells())
    }
}

fn aligned(cells: &[String; 9]) -> String {
    let widths = [11, 9, 18, 18, 18, 16, 13, 16, 18];
    let (name, rest) = (&cells[0], cells.iter().zip(widths).skip(1));
    rest.fold(format!("{name:<11}"), |line, (cell, width)| line + &format!("{cell:>width$}"))
}

/// Income for a round there, of the third with the best data over the third with the worst.
fn quality_premium(members: &[MemberRow]) -> f64 {
    let mut sorted: Vec<&MemberRow> = members.iter().collect();
    sorted.sort_by(|a, b| a.quality.total_cmp(&b.quality));
    let third = sorted.len() / 3;
    let income = |members: &[&MemberRow]| {
        let rounds: u64 = members.iter().map(|member| member.left + 1 - member.joined).sum();
        members.iter().map(|member| member.tally.income()).sum::<u64>() as f64 / rounds as f64
    };
    income(&sorted[sorted.len() - third..]) / income(&sorted[..third])
}

/// Of those who joined later: the part that was ever hired, and how many rounds that took on average.
fn newcomers(members: &[MemberRow]) -> (f64, f64) {
    let late: Vec<&MemberRow> = members.iter().filter(|member| member.joined > 1).collect();
    let hired: Vec<&&MemberRow> = late.iter().filter(|member| member.tally.first_hired > 0).collect();
    let waited: u64 = hired.iter().map(|member| member.tally.first_hired + 1 - member.joined).sum();
    (hired.len() as f64 / late.len() as f64, waited as f64 / hired.len() as f64)
}
