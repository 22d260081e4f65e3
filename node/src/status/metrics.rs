//! The same facts for Prometheus, read at each scrape.

use std::fmt::{self, Debug};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
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
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.0.borrow().clone();
        let gauges = [
            ("althing_height", "Last decided height", status.height.0),
            ("althing_round", "Open round", status.round.0),
            ("althing_peers", "Connected members", status.peers.into()),
            ("althing_credits_micro", "Own balance in micro-credits", status.credits),
            ("althing_peak_rss_mib", "Most memory ever resident in MiB", super::peak_rss_mb()),
        ];
        for (name, help, value) in gauges {
            write(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        write(&mut encoder, "althing_reputation", "Own reputation", &ConstGauge::new(status.reputation))?;
        if let Some(account) = status.privacy {
            let gauges = [
                ("althing_epsilon_micro", "Privacy budget in millionths of epsilon", account.epsilon_micro),
                ("althing_epsilon_spent_micro", "What of it is spent", account.spent_micro),
            ];
            for (name, help, value) in gauges {
                write(&mut encoder, name, help, &ConstGauge::new(value))?;
            }
        }
        let counters = [
            ("althing_sent_bytes", "Bytes sent", status.wire.sent_bytes),
            ("althing_received_bytes", "Bytes received", status.wire.received_bytes),
            ("althing_blob_sent_bytes", "Bytes sent as blobs", status.wire.blob_sent_bytes),
            ("althing_blob_received_bytes", "Bytes received as blobs", status.wire.blob_received_bytes),
            ("althing_decisions_model", "Decisions by a language model", status.decisions.model),
            ("althing_decisions_rules", "Decisions by rules", status.decisions.rules),
            ("althing_decisions_fallback", "Decisions by rules after a model failed", status.decisions.fallback),
        ];
        for (name, help, value) in counters {
            write(&mut encoder, name, help, &ConstCounter::new(value))?;
        }
        Ok(())
    }
}

fn write(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
