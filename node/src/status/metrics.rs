//! The status for Prometheus, read at each scrape. Every name is explained in `docs/operation.md`, which a test compares.

use std::fmt::{self, Debug};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use serde::Serialize;
use tokio::sync::watch;

use super::Status;

/// Turns the latest status into metrics.
#[derive(Debug)]
struct Observed(watch::Receiver<Status>);

/// Adds the status to what `registry` serves.
pub(super) fn register(registry: &mut Registry, status: watch::Receiver<Status>) {
    registry.register_collector(Box::new(Observed(status)));
}

impl Collector for Observed {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.0.borrow().clone();
        let mut page = Page(encoder);
        page.gauges(&status)?;
        page.counters(&status)?;
        page.bytes(&status)?;
        page.phases(&status)?;
        page.questions(&status)
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauges(&mut self, status: &Status) -> fmt::Result {
        let gauges = [
            ("althing_height", "Last decided height", status.height.0),
            ("althing_round", "Open round", status.round.0),
            ("althing_ready", "Whether the node can do its part", u64::from(status.hindrances.is_empty())),
            ("althing_peers", "Connected members", status.peers.into()),
            ("althing_relays", "Members through which this node can be reached", status.reach.relays),
            ("althing_relayed_peers", "Peers reached through a relay only", status.reach.relayed_peers),
            ("althing_credits_micro", "Own balance in micro-credits", status.credits),
            ("althing_blobs_held", "Blobs in the store", status.holdings.blobs),
            ("althing_blobs_held_bytes", "Bytes of the blobs in the store", status.holdings.blob_bytes),
            ("althing_store_bytes", "Size of the ledger's file", status.holdings.store_bytes),
            ("althing_resident_bytes", "Memory that is resident", super::resident_bytes()),
            ("althing_peak_rss_mib", "Most memory ever resident in MiB", super::peak_rss_mb()),
        ];
        for (name, help, value) in gauges {
            self.write(name, help, &ConstGauge::new(value))?;
        }
        self.write("althing_reputation", "Own reputation", &ConstGauge::new(status.reputation))?;
        let Some(account) = status.privacy else { return Ok(()) };
        let gauges = [
            ("althing_epsilon_micro", "Privacy budget in millionths of epsilon", account.epsilon_micro),
            ("althing_epsilon_spent_micro", "What of it is spent", account.spent_micro),
        ];
        gauges.into_iter().try_for_each(|(name, help, value)| self.write(name, help, &ConstGauge::new(value)))
    }

    fn counters(&mut self, status: &Status) -> fmt::Result {
        let (wire, decisions, tally) = (&status.wire, &status.decisions, &status.tally);
        let counters = [
            ("althing_sent_bytes", "Bytes sent", wire.sent_bytes),
            ("althing_received_bytes", "Bytes received", wire.received_bytes),
            ("althing_blob_sent_bytes", "Bytes sent as blobs", wire.blob_sent_bytes),
            ("althing_blob_received_bytes", "Bytes received as blobs", wire.blob_received_bytes),
            ("althing_relayed_sent_bytes", "Bytes sent through relays", status.reach.sent_bytes),
            ("althing_relayed_received_bytes", "Bytes received through relays", status.reach.received_bytes),
            ("althing_met_directly", "Peers met through a relay and then directly", status.reach.met_directly),
            ("althing_not_met", "Peers met through a relay that could not be met directly", status.reach.not_met),
            ("althing_circuits", "Circuits opened for others", status.reach.circuits),
            ("althing_gossip_dropped", "Messages above a rate or beyond what the node keeps up with", wire.dropped),
            ("althing_decisions_model", "Decisions by a language model", decisions.model),
            ("althing_decisions_rules", "Decisions by rules", decisions.rules),
            ("althing_decisions_fallback", "Decisions by rules after a model failed", decisions.fallback),
            ("althing_rounds_settled", "Rounds settled with a new model", tally.rounds),
            ("althing_rounds_empty", "Rounds settled without a new model", tally.empty_rounds),
            ("althing_takeovers", "Decisions in another member's proposal than the elected one's", tally.takeovers),
            ("althing_trainings", "Updates trained", tally.trainings),
            ("althing_forfeits", "Contracts that were not delivered", tally.forfeits),
            ("althing_misbehaviours", "Misbehaviour of peers that was noticed", tally.misbehaviours),
            ("althing_refusals", "Nodes that were refused", tally.refusals),
            ("althing_hindrances", "Times that something kept the node from its part", tally.hindrances),
        ];
        counters.into_iter().try_for_each(|(name, help, value)| self.write(name, help, &ConstCounter::new(value)))
    }

    /// What the protocols carry, before gossip sends it on to several peers and without what libp2p adds.
    fn bytes(&mut self, status: &Status) -> fmt::Result {
        let mut family = self.family("althing_payload_bytes", "Bytes of payload, by protocol and direction")?;
        for (protocol, traffic) in &status.payload {
            for (direction, bytes) in [("in", traffic.received_bytes), ("out", traffic.sent_bytes)] {
                let labels = [("protocol", protocol.as_str()), ("direction", direction)];
                ConstCounter::new(bytes).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn phases(&mut self, status: &Status) -> fmt::Result {
        let help = "Time that phases lasted, all together, in milliseconds";
        let mut family = self.family("althing_phase_milliseconds", help)?;
        for (phase, spell) in &status.tally.phases {
            ConstCounter::new(spell.total_ms).encode(family.encode_family(&[("phase", word(phase))])?)?;
        }
        let mut family = self.family("althing_phases", "Phases that have ended")?;
        for (phase, spell) in &status.tally.phases {
            ConstCounter::new(spell.count).encode(family.encode_family(&[("phase", word(phase))])?)?;
        }
        Ok(())
    }

    fn questions(&mut self, status: &Status) -> fmt::Result {
        let mut family = self.family("althing_questions", "Questions to a language model, by role and outcome")?;
        for (role, questions) in &status.tally.questions {
            for (outcome, count) in [("answered", questions.answered), ("failed", questions.failed)] {
                let labels = [("role", word(role)), ("outcome", outcome.to_owned())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn family<'a>(&'a mut self, name: &'a str, help: &str) -> Result<MetricEncoder<'a>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, MetricType::Counter)
    }

    fn write(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }
}

/// What a value is called in JSON.
fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}
