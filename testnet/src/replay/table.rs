//! The figures for people: what was published beside what we measured.

use std::fmt::Write as _;

use super::{
    plan::{Figure, counted},
    summary::{BarSummary, CaseSummary, RunSummary, Summary},
};

/// Runs whose figures are all shown; of more, the worst and the best.
const RUNS_SHOWN: usize = 5;

impl Summary {
    /// The figures for people, published beside ours.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |what: &str, words: &str| _ = writeln!(text, "  {what:<12} {words}");
        line("replay", &format!("{}, {} on MNIST", self.replay, self.model));
        line("setting", &self.setting.to_string());
        line("measure", &self.measure_words());
        for case in self.cases.iter().filter(|case| !case.facts.is_empty()) {
            line(&case.case, &case.facts.to_string());
        }
        line("time", &format!("{:.1} s", self.wall_s));
        text + "\n" + &aligned(&self.rows())
    }

    fn measure_words(&self) -> String {
        match self.target {
            Some(target) => format!("rounds until {:.1} % of the test set are right", 100.0 * target),
            None => "accuracy on the test set after the last round".to_owned(),
        }
    }

    /// A heading, then a row for each case, and for each bar behind its first a row without the rest.
    fn rows(&self) -> Vec<Vec<String>> {
        let mut heading = vec!["case", "runs", "median"];
        heading.extend(self.cost);
        heading.push("compared with");
        let mut rows = vec![heading.into_iter().map(str::to_owned).collect()];
        for case in &self.cases {
            let mut row = vec![case.case.clone(), runs_words(case), figure_words(case.median)];
            row.extend(self.cost.map(|_| cost_words(&case.runs)));
            let blank = vec![String::new(); row.len()];
            let mut bars = case.bars.iter().map(bar_words);
            row.push(bars.next().unwrap_or_else(|| "nothing published for this".to_owned()));
            rows.push(row);
            rows.extend(bars.map(|bar| [&blank[..], &[bar]].concat()));
        }
        rows
    }
}

fn figure_words(figure: Option<Figure>) -> String {
    figure.map_or_else(|| "not reached".to_owned(), |figure| figure.to_string())
}

fn runs_words(case: &CaseSummary) -> String {
    let figures: Vec<_> = case.runs.iter().map(|run| run.figure).collect();
    if figures.len() <= RUNS_SHOWN {
        return figures.into_iter().map(figure_words).collect::<Vec<_>>().join(", ");
    }
    let there = || figures.iter().flatten().copied();
    let ends = there().min_by(by_value).zip(there().max_by(by_value));
    let range = ends.map_or_else(|| "none got there".to_owned(), |(least, most)| format!("{least} to {most}"));
    let lost = figures.len() - there().count();
    let lost = if lost > 0 && ends.is_some() { format!(", {lost} not there") } else { String::new() };
    format!("{}: {range}{lost}", counted(figures.len() as u64, "run"))
}

fn by_value(left: &Figure, right: &Figure) -> std::cmp::Ordering {
    left.value().total_cmp(&right.value())
}

/// What the dearest run cost.
fn cost_words(runs: &[RunSummary]) -> String {
    let most = runs.iter().filter_map(|run| run.cost).max_by(f64::total_cmp);
    most.map_or_else(|| "?".to_owned(), |cost| if cost < 1_000.0 { format!("{cost:.3}") } else { format!("{cost:.0}") })
}

fn bar_words(bar: &BarSummary) -> String {
    let slack = match bar.figure {
        _ if bar.slack == 0.0 => String::new(),
        Some(Figure::Rounds(_)) => format!(" plus {}", bar.slack),
        _ => format!(" less {:.2}", 100.0 * bar.slack),
    };
    let verdict = if bar.holds { "reached" } else { "MISSED" };
    format!("{} {}{slack}: {verdict}", bar.against, figure_words(bar.figure))
}

/// Rows whose columns begin below each other.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("   ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{
        plan::{Against, Bar, Facts, Goal, Plan, tests::plan},
        summary::tests::curve,
    };

    #[test]
    fn published_stands_beside_ours() {
        let mut plan = Plan { goal: Goal::RoundsTo(0.97), cost: None, ..plan(&["iid", "mine"]) };
        plan.cases[0].bars.push(Bar::published(Figure::Rounds(87)));
        let curves = [curve(0, 1, &[0.9, 0.97]), curve(0, 2, &[0.97]), curve(0, 3, &[0.9]), curve(1, 1, &[0.2])];
        let table = Summary::of(&plan, &curves).table();
        let expected = "  replay       test, 2nn on MNIST
  setting      members 100
  measure      rounds until 97.0 % of the test set are right
  time         2.5 s

  case   runs                             median        compared with
  iid    2 rounds, 1 round, not reached   2 rounds      published 87 rounds: reached
  mine   not reached                      not reached   nothing published for this
";
        assert_eq!(table, expected);
    }

    #[test]
    fn facts_costs_and_every_bar_are_shown() {
        let mut plan = plan(&["mix", "full"]);
        plan.cases[0].facts = Facts::default().with("parameters", 0.27);
        plan.cases[0].bars = vec![
            Bar { against: Against::Case(1), slack: 0.005 },
            Bar { slack: 0.02, ..Bar::published(Figure::Accuracy(0.99)) },
        ];
        let table = Summary::of(&plan, &[curve(0, 1, &[0.5, 0.96]), curve(1, 1, &[0.95])]).table();
        for words in ["mix          parameters 0.27", "96.00 %   0.500     full 95.00 % less 0.50: reached\n"] {
            assert!(table.contains(words), "{words:?} in\n{table}");
        }
        let column = |words| table.lines().find_map(|line| line.find(words));
        assert!(column("full 95").is_some() && column("full 95") == column("published 99.00 % less 2.00: MISSED"));
    }

    #[test]
    fn of_many_runs_the_ends_are_shown() {
        let plan = Plan { goal: Goal::RoundsTo(0.97), ..plan(&["iid"]) };
        let curves: Vec<_> =
            (0..7).map(|seed| curve(0, seed, &[&vec![0.5; seed as usize][..], &[0.97]].concat())).collect();
        let mut summary = Summary::of(&plan, &curves);
        assert_eq!(runs_words(&summary.cases[0]), "7 runs: 1 round to 7 rounds");
        summary.cases[0].runs[3].figure = None;
        assert_eq!(runs_words(&summary.cases[0]), "7 runs: 1 round to 7 rounds, 1 not there");
        summary.cases[0].runs.iter_mut().for_each(|run| run.figure = None);
        assert_eq!(runs_words(&summary.cases[0]), "7 runs: none got there");
    }
}
