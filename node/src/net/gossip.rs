//! How gossip is configured and scored.

use std::{collections::HashSet, time::Duration};

use libp2p::{
    gossipsub::{
        Behaviour, Config, ConfigBuilder, IdentTopic, IdentityTransform, MessageAuthenticity, PeerScoreParams,
        PeerScoreThresholds, TopicScoreParams, ValidationMode, WhitelistSubscriptionFilter, score_parameter_decay,
    },
    identity,
};

use super::{NetError, protocols::Protocols, topic::Topic};

/// Gossip that knows only our topics.
pub(super) type Gossip = Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// Time between two looks of gossip at its mesh.
const HEARTBEAT: Duration = Duration::from_millis(700);

/// Heartbeats that a message is kept for, waiting for its verdict.
const HISTORY: u32 = 10;

/// Time within which a message must get its verdict; later ones find it forgotten.
pub const VERDICT_WITHIN: Duration = Duration::from_millis(7_000);

/// Time for which a message is recognised as seen.
const SEEN_FOR: Duration = Duration::from_secs(120);

/// Bytes that gossip adds to a message: key, signature, number, topic.
const ENVELOPE_BYTES: usize = 1024;

/// Messages that wait for one slow peer; more are dropped. Votes are small, and bodies rare.
const QUEUE_PER_PEER: usize = 512;

/// Time for which a message may wait for a slow peer: a body over a thin line takes some seconds.
const QUEUE_FOR: Duration = Duration::from_secs(10);

/// Weight of the square of the messages that were rejected: nine of them cost less than the ban that ends it.
const INVALID_WEIGHT: f64 = -0.5;

/// Time in which a rejected message is forgiven.
const INVALID_FORGIVEN: Duration = Duration::from_secs(600);

/// Broken promises that cost nothing. A machine that trains on all its cores breaks some without meaning to.
const BROKEN_PROMISES_FREE: f64 = 20.0;

/// Time in which a peer must send what it offered.
const PROMISE_WITHIN: Duration = Duration::from_secs(10);

/// The gossip of this node, following all topics.
pub(super) fn build(keypair: &identity::Keypair, protocols: &Protocols) -> Result<Gossip, NetError> {
    let refused = |why: String| NetError::Settings(format!("gossip: {why}"));
    let topics = Topic::ALL.map(|topic| protocols.topic(topic));
    let filter = WhitelistSubscriptionFilter(topics.iter().map(IdentTopic::hash).collect::<HashSet<_>>());
    let config = config(protocols)?;
    let signed = MessageAuthenticity::Signed(keypair.clone());
    let mut gossip =
        Gossip::new_with_subscription_filter(signed, config, filter).map_err(|error| refused(error.to_string()))?;
    gossip.with_peer_score(score(&topics), PeerScoreThresholds::default()).map_err(refused)?;
    for topic in &topics {
        gossip.subscribe(topic).map_err(|error| refused(error.to_string()))?;
    }
    Ok(gossip)
}

/// A federation is small and fully connected: own messages go to all peers at once, so the mesh that passes on what
/// others published is only a safety net and is kept thin.
fn config(protocols: &Protocols) -> Result<Config, NetError> {
    let mut builder = ConfigBuilder::default();
    builder
        .protocol_id_prefix(protocols.gossip_prefix())
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .flood_publish(true)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(HEARTBEAT)
        .mesh_outbound_min(1)
        .mesh_n_low(2)
        .mesh_n(3)
        .mesh_n_high(6)
        .history_length(HISTORY as usize)
        .history_gossip(3)
        .duplicate_cache_time(SEEN_FOR)
        .iwant_followup_time(PROMISE_WITHIN)
        .connection_handler_queue_len(QUEUE_PER_PEER)
        .publish_queue_duration(QUEUE_FOR)
        .forward_queue_duration(QUEUE_FOR)
        .max_transmit_size(Topic::Bodies.max_bytes() + ENVELOPE_BYTES);
    for topic in Topic::ALL {
        builder.max_transmit_size_for_topic(topic.max_bytes() + ENVELOPE_BYTES, protocols.topic(topic).hash());
    }
    builder.build().map_err(|error| NetError::Settings(format!("gossip: {error}")))
}

/// Scores that fit a federation: nobody is asked for a minimum of messages, since a quiet round is not a fault;
/// nobody pays for sharing an address, since a whole testnet shares one; wrong messages cost.
fn score(topics: &[IdentTopic]) -> PeerScoreParams {
    let per_topic = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 100.0,
        first_message_deliveries_weight: 0.1,
        first_message_deliveries_cap: 20.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_WEIGHT,
        invalid_message_deliveries_decay: score_parameter_decay(INVALID_FORGIVEN),
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: topics.iter().map(|topic| (topic.hash(), per_topic.clone())).collect(),
        topic_score_cap: 10.0,
        app_specific_weight: 1.0,
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: -1.0,
        behaviour_penalty_threshold: BROKEN_PROMISES_FREE,
        behaviour_penalty_decay: 0.9,
        retain_score: INVALID_FORGIVEN,
        ..PeerScoreParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promised_time_is_the_configured_one() {
        assert_eq!(VERDICT_WITHIN, HEARTBEAT * HISTORY);
    }
}
