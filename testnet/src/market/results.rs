//! The tables of an experiment: `rounds`, `strategies` and `members`.

use super::{
    record::{MemberRow, OrderRow, PartRow, RoundRow, Run},
    sweep::Point,
    table::Table,
};

/// A row with the run it is from.
type Of<'a, T> = (&'a Run, &'a T);

/// A table whose first columns say of which point and seed a row is.
fn begin<'a, T>(points: &'a [Point], rows: &[Of<'a, T>]) -> Table<'a> {
    let table = Table::default().whole("point", rows.iter().map(|(run, _)| run.point as u64));
    let fields = points.first().map_or(&[][..], |point| &point.labels);
    let table = fields.iter().enumerate().fold(table, |table, (place, (field, _))| {
        table.text(field, rows.iter().map(|(run, _)| points[run.point].labels[place].1.as_str()))
    });
    table.whole("seed", rows.iter().map(|(run, _)| run.seed))
}

/// A line for every round of every run.
pub(super) fn rounds<'a>(points: &'a [Point], runs: &'a [Run]) -> Table<'a> {
    let rows: Vec<Of<'a, RoundRow>> =
        runs.iter().flat_map(|run| run.rounds.iter().map(move |row| (run, row))).collect();
    let whole = |get: fn(&RoundRow) -> u64| rows.iter().map(move |(_, row)| get(row));
    let real = |get: fn(&RoundRow) -> f64| rows.iter().map(move |(_, row)| get(row));
    begin(points, &rows)
        .whole("round", whole(|row| row.round))
        .whole("bids", whole(|row| row.bids))
        .whole("hired", whole(|row| row.hired))
        .whole("hired_by_floor", whole(|row| row.floor))
        .whole("delivered", whole(|row| row.delivered))
        .whole("budget_micro", whole(|row| row.budget))
        .whole("paid_micro", whole(|row| row.paid))
        .whole("bonus_micro", whole(|row| row.bonus))
        .whole("cost_micro", whole(|row| row.cost))
        .real("welfare_micro", real(|row| row.welfare))
        .real("accuracy", real(|row| row.accuracy))
        .real("gini", real(|row| row.gini))
        .real("participation", real(|row| row.participation))
        .whole("pool_micro", whole(|row| row.pool))
        .real("epsilon", real(|row| row.epsilon))
}

/// A line for every part of the population in every round of every run.
pub(super) fn strategies<'a>(points: &'a [Point], runs: &'a [Run]) -> Table<'a> {
    let rows: Vec<Of<'a, PartRow>> = runs.iter().flat_map(|run| run.parts.iter().map(move |row| (run, row))).collect();
    let whole = |get: fn(&PartRow) -> u64| rows.iter().map(move |(_, row)| get(row));
    let regret = |get: fn(&super::record::Regrets) -> f64| {
        rows.iter().map(move |(_, row)| row.regret.as_ref().map_or(f64::NAN, get))
    };
    begin(points, &rows)
        .whole("round", whole(|row| row.round))
        .whole("part", whole(|row| row.part as u64))
        .text("strategy", rows.iter().map(|(run, row)| strategy(points, run, row.part)))
        .whole("members", whole(|row| row.members))
        .whole("bids", whole(|row| row.bids))
        .whole("hired", whole(|row| row.hired))
        .whole("delivered", whole(|row| row.delivered))
        .whole("paid_micro", whole(|row| row.paid))
        .whole("bonus_micro", whole(|row| row.bonus))
        .whole("cost_micro", whole(|row| row.cost))
        .signed("surplus_micro", rows.iter().map(|(_, row)| row.surplus()))
        .real("reputation", rows.iter().map(|(_, row)| row.reputation))
        .real("regret_bidders", regret(|regret| regret.bidders as f64))
        .real("regret_losers", regret(|regret| regret.losers as f64))
        .real("regret_micro", regret(|regret| regret.sum as f64))
        .real("regret_most_micro", regret(|regret| regret.most as f64))
        .whole("questions", whole(|row| row.questions))
        .whole("orders", whole(|row| row.orders))
        .whole("bids_by_model", whole(|row| row.sway.followed))
        .whole("bids_by_fallback", whole(|row| row.sway.fell_back))
}

/// A line for every question for an order, of every run.
pub(super) fn orders<'a>(points: &'a [Point], runs: &'a [Run]) -> Table<'a> {
    let rows: Vec<Of<'a, OrderRow>> =
        runs.iter().flat_map(|run| run.orders.iter().map(move |row| (run, row))).collect();
    let whole = |get: fn(&OrderRow) -> u64| rows.iter().map(move |(_, row)| get(row));
    begin(points, &rows)
        .whole("round", whole(|row| row.round))
        .whole("part", whole(|row| row.part as u64))
        .whole("members", whole(|row| row.members))
        .text("situation", rows.iter().map(|(_, row)| row.situation.as_str()))
        .text("choice", rows.iter().map(|(_, row)| row.choice.as_str()))
        .text("why", rows.iter().map(|(_, row)| row.why))
        .whole("answers", whole(|row| row.answers))
        .whole("prompt_tokens", whole(|row| row.prompt_tokens))
        .whole("completion_tokens", whole(|row| row.completion_tokens))
}

/// A line for every member of every run.
pub(super) fn members<'a>(points: &'a [Point], runs: &'a [Run]) -> Table<'a> {
    let rows: Vec<Of<'a, MemberRow>> =
        runs.iter().flat_map(|run| run.members.iter().map(move |row| (run, row))).collect();
    let whole = |get: fn(&MemberRow) -> u64| rows.iter().map(move |(_, row)| get(row));
    begin(points, &rows)
        .whole("member", whole(|row| row.place as u64))
        .text("strategy", rows.iter().map(|(run, row)| strategy(points, run, row.part)))
        .whole("joined", whole(|row| row.joined))
        .whole("left", whole(|row| row.left))
        .whole("names", whole(|row| row.names))
        .whole("samples", whole(|row| row.samples))
        .real("quality", rows.iter().map(|(_, row)| row.quality))
        .whole("cost_of_delivery_micro", whole(|row| row.cost_of_delivery))
        .whole("bids", whole(|row| row.tally.bids))
        .whole("hired", whole(|row| row.tally.hired))
        .whole("delivered", whole(|row| row.tally.delivered))
        .whole("first_hired", whole(|row| row.tally.first_hired))
        .whole("paid_micro", whole(|row| row.tally.paid))
        .whole("bonus_micro", whole(|row| row.tally.bonus))
        .whole("cost_micro", whole(|row| row.tally.cost))
        .signed("surplus_micro", rows.iter().map(|(_, row)| row.tally.surplus()))
}

fn strategy(points: &[Point], run: &Run, part: usize) -> &'static str {
    points[run.point].config.population[part].strategy.name()
}
