//! `althing fund` and `althing jobs`.

use std::fmt::Write;

use althing_protocol::{
    ids::{JobId, Round},
    ledger::{Job, Ledger},
    statement::{Action, JobTerms},
};
use serde_json::{Value, json};

use super::{
    Answer, ledger,
    payer::{Fate, Payer},
    people::People,
};
use crate::{
    cli::credits::{FundArgs, JobsArgs},
    failure::Failure,
    text::credits,
};

/// Rounds of the federation that a job gets for each that it pays for, if its sponsor does not say.
const ROUNDS_FOR_EACH: u64 = 10;

pub(super) fn fund(args: &FundArgs) -> Result<Answer, Failure> {
    let payer = Payer::of(&args.payer)?;
    let books = payer.books()?;
    let within = args.within.unwrap_or_else(|| u64::from(args.rounds).saturating_mul(ROUNDS_FOR_EACH));
    let terms = JobTerms {
        budget_per_round: args.credits_per_round,
        rounds: args.rounds,
        deadline: Round(books.round.0.saturating_add(within)),
        target_accuracy_ppm: args.accuracy,
        min_epsilon_micro: args.min_epsilon,
    };
    let fate = payer.instruct(&books, Action::Fund(terms))?;
    let mut json = json!({ "sponsor": payer.id(), "terms": terms, "job": null });
    let text = match fate {
        Fate::HandedIn => "handed in\n".to_owned(),
        Fate::Decided(books) => {
            let mut own = books.ledger.jobs.iter().rev().filter(|(_, job)| job.sponsor == payer.id());
            match own.find(|(_, job)| job.terms == terms) {
                Some((id, job)) => {
                    json["job"] = id.0.into();
                    format!("funded as {}", line(*id, job, &People::enrolled(&payer.genesis, &books.ledger.roll.names)))
                }
                None => "funded, and over already: see `althing jobs`\n".to_owned(),
            }
        }
    };
    Ok(Answer { text, json })
}

/// The jobs that are open, and those that have ended, by the node's own ledger.
pub(super) fn show(args: &JobsArgs) -> Result<Answer, Failure> {
    let (federation, decisions) = ledger::decided(&args.config)?;
    let mut ended = Vec::new();
    let state = althing_protocol::audit::follow(&federation, &decisions, |step| {
        if step.after.round != step.before.round {
            ended.extend(step.after.ledger.ended.iter().cloned());
        }
    })
    .map_err(ledger::damaged)?;
    let people = People::of(&federation.genesis, &decisions);
    let mut text = open(&people, &state.ledger, state.round);
    for job in &ended {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "job {} of {}: {} in round {}, {} rounds, {} credits paid, {} returned",
            job.id,
            people.name(&job.job.sponsor),
            job.end.name(),
            job.round,
            job.job.rounds,
            credits(job.paid()),
            credits(job.job.left)
        );
    }
    if text.is_empty() {
        text.push_str("there are no jobs; `althing fund` pays for one\n");
    }
    let open: Vec<Value> = state.ledger.jobs.iter().map(|(id, job)| json!({ "id": id, "job": job })).collect();
    Ok(Answer { text, json: json!({ "open": open, "turn": state.ledger.open_job, "ended": ended }) })
}

fn open(people: &People, ledger: &Ledger, round: Round) -> String {
    let turn =
        |id: &JobId| if ledger.open_job == Some(*id) { format!(", pays for round {round}") } else { String::new() };
    let lines = ledger.jobs.iter().map(|(id, job)| {
        let line = line(*id, job, people);
        format!("{}{}\n", line.trim_end(), turn(id))
    });
    lines.collect()
}

fn line(id: JobId, job: &Job, people: &People) -> String {
    let terms = &job.terms;
    let target = terms.target_accuracy_ppm.map(|ppm| format!(", until accuracy {}", f64::from(ppm) / 1e6));
    format!(
        "job {id} of {}: {} of {} rounds worked, at most {} credits each, {} left, until round {}{}\n",
        people.name(&job.sponsor),
        job.rounds,
        terms.rounds,
        credits(terms.budget_per_round),
        credits(job.left),
        terms.deadline,
        target.unwrap_or_default(),
    )
}
