//! What the node tells: each event as a line of JSON for programs, or in words for people.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use althing_protocol::{
    event::{Event, Phase},
    genesis::Genesis,
    ids::MemberId,
};
use serde::{Deserialize, Serialize};

use crate::cli::Format;

/// An event with the time at which it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds since 1970, by the node's clock.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Where events go.
pub struct Sink {
    format: Format,
    out: Box<dyn Write + Send>,
}

impl Sink {
    /// Standard output.
    pub fn stdout(format: Format) -> Self {
        Self::new(format, io::stdout())
    }

    /// Any writer.
    pub fn new(format: Format, out: impl Write + Send + 'static) -> Self {
        Self { format, out: Box::new(out) }
    }

    /// Tells `event`. Nobody listening any more is no reason to stop.
    pub(super) fn tell(&mut self, names: &Names, event: &Event) {
        let told = match self.format {
            Format::Json => serde_json::to_string(&Line { at_ms: unix_ms(), event: event.clone() }).ok(),
            Format::Text => names.words(event),
        };
        if let Some(line) = told
            && let Err(error) = writeln!(self.out, "{line}").and_then(|()| self.out.flush())
        {
            tracing::debug!(%error, "nobody reads the events any more");
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Members' names, for people.
pub(super) struct Names(BTreeMap<MemberId, String>);

impl Names {
    pub(super) fn of(genesis: &Genesis) -> Self {
        Self(genesis.members.iter().map(|member| (member.id, member.name.clone())).collect())
    }

    fn name(&self, member: &MemberId) -> String {
        self.0.get(member).cloned().unwrap_or_else(|| member.short())
    }

    /// The event in words; `None` for what would only tire.
    fn words(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Started { member, network, height } => {
                format!("{} of network {}, at height {height}", self.name(member), network.short())
            }
            Event::Listening { address } => format!("listening on {address}"),
            Event::Serving { address } => format!("status at http://{address}/api/status"),
            Event::PeerUp { member } => format!("{} is here", self.name(member)),
            Event::PeerDown { member } => format!("{} is gone", self.name(member)),
            Event::RoundOpened { round, aggregator } => {
                format!("round {round}: {} is elected aggregator", self.name(aggregator))
            }
            Event::PhaseEntered { round, phase: Phase::Wait } => {
                format!("round {round}: waiting for members with two thirds of the votes")
            }
            Event::Planned { round, proposer, bids, awards, agreement_round, .. } => {
                let hired: Vec<String> = awards.iter().map(|award| self.name(&award.member)).collect();
                let hired = if hired.is_empty() { "nobody".to_owned() } else { hired.join(", ") };
                let takeover = takeover(*agreement_round);
                format!("round {round}: {} planned{takeover}: {bids} bids, hired {hired}", self.name(proposer))
            }
            Event::Trained { round, samples, training_ms, .. } => {
                format!("round {round}: trained on {samples} examples in {:.1} s", *training_ms as f64 / 1e3)
            }
            Event::Settled { round, proposer, updates, payments, agreement_round, .. } => {
                let paid: u64 = payments.values().sum();
                format!(
                    "round {round}: {} settled{}: {updates} updates, {:.3} credits paid",
                    self.name(proposer),
                    takeover(*agreement_round),
                    paid as f64 / 1e6
                )
            }
            Event::Synced { height } => format!("caught up to height {height}"),
            Event::Misbehaved { member, why } => format!("{} misbehaved: {why}", self.name(member)),
            Event::Refused { member, why } => format!("refused {}: {why}", member.short()),
            Event::Hindered { why } => format!("hindered: {why}"),
            Event::Stopped => "stopped".to_owned(),
            Event::PhaseEntered { .. } | Event::Decided { .. } | Event::Adopted { .. } => return None,
        })
    }
}

const fn takeover(agreement_round: u32) -> &'static str {
    if agreement_round == 0 { "" } else { " in the elected member's place" }
}
