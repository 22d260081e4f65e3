//! The report folder of a contest.

use std::{fmt::Write as _, fs, path::Path};

use super::{
    archive::{Play, PolicyRun, Run},
    picture, stats,
    summary::Summary,
    usage::Usage,
};
use crate::{error::Error, report::plots::picture::Drawing};

/// Header of `agents.csv`.
const AGENTS: &str = "seat,policy,seed,asked,valid,wrong_valid,fallback,regret,value,latency_median_ms,reasked,order_changed,order_lost,\
    questions,prompt_tokens,cached_tokens,completion_tokens,final_accuracy,update_bytes,participation,worst_decile,work,spent,late,paid_micro,hired,delivered_value\n";

/// Writes `agents.csv` (a line for every policy at every seat under every seed) and `rounds.csv` (a line for every round
/// of every federation).
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub(super) fn write_runs(folder: &Path, runs: &[&Run]) -> Result<(), Error> {
    let mut agents = AGENTS.to_owned();
    let mut rounds = "policy,seed,round,update_bytes,accuracy\n".to_owned();
    for (run, result) in runs.iter().flat_map(|run| run.results.iter().map(move |result| (run, result))) {
        // Writing to a string cannot fail.
        let _ = writeln!(agents, "{},{},{},{}", run.seat, result.policy, run.seed, fields(result).join(","));
        if let Some(Play::Federation(end)) = &result.play {
            for point in &end.points {
                let (policy, seed) = (&result.policy, run.seed);
                let _ = writeln!(rounds, "{policy},{seed},{},{},{:.4}", point.round, point.bytes, point.accuracy);
            }
        }
    }
    write(&folder.join("agents.csv"), &agents)?;
    write(&folder.join("rounds.csv"), &rounds)
}

/// What a figure is that there is none of: an empty field.
fn fields(result: &PolicyRun) -> Vec<String> {
    let tally = &result.tally;
    let decimal = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let mut fields = vec![
        tally.asked.to_string(),
        tally.valid.to_string(),
        tally.wrong.to_string(),
        tally.fallbacks().to_string(),
        decimal(tally.regret_share()),
        decimal((tally.asked > 0).then(|| tally.value / tally.asked as f64)),
        decimal(stats::quantile(&tally.latencies, 0.5).map(|seconds| 1e3 * seconds)),
        tally.reasked.to_string(),
        tally.changed.to_string(),
        tally.lost.to_string(),
    ];
    let Usage { questions, prompt_tokens, cached_tokens, completion_tokens } = tally.usage;
    fields.extend([questions, prompt_tokens, cached_tokens, completion_tokens].map(|count| count.to_string()));
    let (end, guild, shifts) = match &result.play {
        Some(Play::Federation(end)) => (Some(end), None, None),
        Some(Play::Guild(points)) => (None, Some(points), None),
        Some(Play::Shifts { work, spent, late }) => (None, None, Some([*work, *spent, *late])),
        None => (None, None, None),
    };
    let last = end.and_then(|end| end.points.last());
    let richest = guild.and_then(|points| points.last());
    fields.push(decimal(last.map(|point| point.accuracy).or_else(|| richest.map(|point| point.accuracy))));
    fields.push(last.map_or_else(String::new, |point| point.bytes.to_string()));
    fields.push(decimal(end.map(|end| end.participation)));
    fields.push(decimal(end.map(|end| end.worst_decile)));
    fields.extend((0..3).map(|place| decimal(shifts.map(|shifts| shifts[place]))));
    let whole = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    fields.push(whole(richest.map(|point| point.paid)));
    fields.push(whole(guild.map(|points| points.iter().map(|point| point.hired).sum())));
    fields.push(whole(guild.map(|points| points.iter().map(|point| point.value).sum())));
    fields
}

/// Writes `summary.json` and draws the pictures.
///
/// # Errors
/// [`Error::Io`] or [`Error::Plot`] if a file cannot be written.
pub(super) fn write_summary(folder: &Path, summary: &Summary, runs: &[&Run]) -> Result<(), Error> {
    write(&folder.join("summary.json"), &summary.to_json())?;
    picture::regret(summary).draw(folder, "regret")?;
    picture::accuracy(runs).map_or(Ok(()), |picture| picture.draw(folder, "accuracy"))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}
