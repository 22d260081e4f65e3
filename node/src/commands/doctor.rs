//! `althing doctor`: what would keep a node from running or from doing its part, and what to do about it.
//!
//! It looks with the node's own code: the files are read, the data loaded and the store opened as `althing run` does, so
//! that the two cannot differ. It asks no public service and nobody who is not in the configuration, and says so where
//! something cannot be known without.

mod files;
mod finding;
mod machine;
mod network;
mod routers;

use std::{io::Write, path::Path};

use serde_json::json;

use self::{
    files::{Claims, Holder},
    finding::{Finding, Severity},
};
use super::{Answer, print};
use crate::{
    cli::{Format, StatusArgs},
    config::Config,
    failure::Failure,
    learn::catalogue::Catalogue,
};

/// Examines the node, prints all that was found, and fails if any of it would stop the node.
pub(super) fn execute(
    args: &StatusArgs,
    catalogue: &Catalogue,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let findings = examine(&args.config, catalogue);
    print(&answer(&findings), format, out)?;
    let stops = findings.iter().filter(|finding| finding.severity == Severity::Stops).count();
    if stops == 0 {
        return Ok(());
    }
    let what = if stops == 1 { "1 finding" } else { &format!("{stops} findings") };
    Err(Failure::machine(format_args!("{what} would stop this node; do what stands beside \"STOPS\", and ask again")))
}

fn answer(findings: &[Finding]) -> Answer {
    let text = findings.iter().map(ToString::to_string).collect();
    let fit = findings.iter().all(|finding| finding.severity != Severity::Stops);
    Answer { text, json: json!({ "fit": fit, "findings": findings }) }
}

/// Everything that can be found. What rests on a file that cannot be read is left out.
fn examine(path: &Path, catalogue: &Catalogue) -> Vec<Finding> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return vec![Finding::stops("configuration", error)],
    };
    let mut findings = vec![Finding::fine("configuration", format_args!("{} is good", path.display()))];
    let claims = Claims::examine(&config, catalogue, &mut findings);
    let holder = files::store(&config, &claims, &mut findings);
    files::data(&config, &claims, &mut findings);
    findings.extend(files::space(&config, &claims));
    if holder == Holder::Nobody {
        findings.extend(network::listen(&config));
    } else {
        findings.push(Finding::fine("ports", "they are the running node's, and were not tried"));
    }
    findings.extend(network::reach(&config));
    findings.push(routers::examine(&config, holder));
    findings.extend(network::endpoint(&config));
    findings.push(machine::clock(&config));
    findings.push(machine::open_files(&config));
    findings.push(machine::memory(&config, &claims));
    findings.push(machine::cores(&config));
    findings
}
