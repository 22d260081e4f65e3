//! `althing receipt`, and what `althing ledger verify` says to one.

use std::{fmt::Write, path::PathBuf};

use althing_protocol::{
    ids::{Hash, JobId, NetworkId},
    ledger::EndedJob,
    receipt::Receipt,
    state::Federation,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answer, ledger, people::People};
use crate::{
    cli::credits::ReceiptArgs,
    failure::Failure,
    files::{self, Readers},
    ledger_file::Exported,
    text::credits,
};

/// The version of a receipt.
pub(super) const RECEIPT_FORMAT: &str = "althing-receipt-1";

/// A receipt, as it stands in its file.
#[derive(Serialize, Deserialize)]
struct ReceiptFile {
    format: String,
    network: NetworkId,
    job: JobId,
    /// What it proves, for whoever reads the file; nobody has to believe it.
    summary: EndedJob,
    decision: Exported,
    /// The encoded state after the decision, in hexadecimal.
    state: String,
}

pub(super) fn execute(args: &ReceiptArgs) -> Result<Answer, Failure> {
    let (federation, decisions) = ledger::decided(&args.config)?;
    let mut found = None;
    althing_protocol::audit::follow(&federation, &decisions, |step| {
        let ended = step.after.ledger.ended.iter().find(|ended| ended.id == args.job);
        if let (Some(ended), true) = (ended, step.after.round != step.before.round) {
            found = Some((ended.clone(), step.decision.clone(), step.after.encode()));
        }
    })
    .map_err(ledger::damaged)?;
    let Some((ended, decision, state)) = found else {
        return Err(Failure::user(format_args!("job {} has not ended; see `althing jobs`", args.job)));
    };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("job-{}.receipt", args.job)));
    let file = ReceiptFile {
        format: RECEIPT_FORMAT.into(),
        network: federation.network,
        job: args.job,
        summary: ended.clone(),
        decision: decision.into(),
        state: hex::encode(state),
    };
    let text = serde_json::to_string_pretty(&file).map_err(Failure::machine)?;
    files::create(&out, &text, Readers::Everybody)?;
    let mut text = describe(&People::of(&federation.genesis, &decisions), &ended);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "receipt     {}", out.display());
    Ok(Answer { text, json: json!({ "file": out, "ended": ended }) })
}

/// What the receipt in `text` proves to whoever has the genesis.
pub(super) fn verify(text: &str, federation: &Federation) -> Result<Answer, Failure> {
    let bad = |why: String| Failure::machine(format_args!("the receipt is not good: {why}"));
    let file: ReceiptFile = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    let decision = file.decision.decision().map_err(|error| bad(error.to_string()))?;
    let state = hex::decode(&file.state).map_err(|error| bad(error.to_string()))?;
    let proof = Receipt { decision, state }.verify(federation, file.job);
    let (ended, body): (EndedJob, Hash) = proof.map_err(|error| bad(error.to_string()))?;
    if ended != file.summary {
        return Err(bad("its summary is not what the members have decided".into()));
    }
    let text = format!(
        "the receipt is good: members with two thirds of the votes have decided it\n{}body        {body}\n",
        describe(&People::founders(&federation.genesis), &ended)
    );
    Ok(Answer { text, json: json!({ "good": true, "body": body, "ended": ended }) })
}

fn describe(people: &People, ended: &EndedJob) -> String {
    let EndedJob { id, job, end, round, model } = ended;
    let mut text = format!(
        "job         {id} of {}: {} in round {round}\nrounds      {} with a new model\nmodel       {model}\npaid        {} credits\nreturned    {} credits\n",
        people.name(&job.sponsor),
        end.name(),
        job.rounds,
        credits(ended.paid()),
        credits(job.left),
    );
    for (member, work) in &job.work {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "worker      {} {} updates, {} credits",
            people.name(member),
            work.updates,
            credits(work.paid)
        );
    }
    text
}
