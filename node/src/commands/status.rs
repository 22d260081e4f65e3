//! `althing status`.

use althing_protocol::{
    genesis::Genesis,
    ids::{MemberId, NetworkId},
};
use serde_json::{Value, json};

use super::{Answer, people::People, spent};
use crate::{
    cli::StatusArgs,
    config::Config,
    failure::Failure,
    genesis_file,
    keyfile::KeyFile,
    status::{self, AskError, Door, Status, Steps},
    store::{Store, StoreError},
    text::credits,
};

pub(super) fn execute(args: &StatusArgs) -> Result<Answer, Failure> {
    let config = Config::load(&args.config)?;
    let genesis = genesis_file::load(&config.genesis)?;
    let (member, network) = (KeyFile::load(&config.key)?.id(), genesis.network());
    let asked = status::ask(&config.data_dir);
    if let Ok(status) = &asked
        && (status.member, status.network) == (member, network)
    {
        return Ok(running(status, &people(&config, &genesis)));
    }
    match stored_height(&config, &network) {
        Ok(height) => Ok(resting(member, network, height)),
        Err(StoreError::Locked { path }) => Err(Failure::machine(format_args!(
            "a node has {} open, but {}; it is starting, stopping or stuck: ask again",
            path.display(),
            why_silent(asked)
        ))),
        Err(error) => Err(error.into()),
    }
}

/// The last decided height, if there is a store.
fn stored_height(config: &Config, network: &NetworkId) -> Result<Option<u64>, StoreError> {
    // Asking must not create a store.
    Store::exists(&config.data_dir).then(|| Store::open(&config.data_dir, network)?.height()).transpose()
}

fn why_silent(asked: Result<Status, AskError>) -> String {
    asked
        .map_or_else(|error| error.to_string(), |other| format!("member {} answers in its place", other.member.short()))
}

fn resting(member: MemberId, network: NetworkId, height: Option<u64>) -> Answer {
    let stored = height.map_or_else(|| "none yet".into(), |height| format!("height {height}"));
    let text = format!(
        "running  no (start it with `althing run`)\nmember   {member}\nnetwork  {network}\nstore    {stored}\n"
    );
    let json = json!({ "running": false, "member": member, "network": network, "height": height.unwrap_or(0) });
    Answer { text, json }
}

fn steps(steps: Steps) -> String {
    let Steps { step, ended, received, accepted, .. } = steps;
    format!("exchange    step {step}, {ended} ended; {accepted} of {received} models accepted\n")
}

/// As the running node calls them.
fn people(config: &Config, genesis: &Genesis) -> People {
    let books = Door::of(&config.data_dir).and_then(|door| door.books());
    books.map_or_else(|_| People::founders(genesis), |books| People::enrolled(genesis, &books.ledger.roll.names))
}

fn running(status: &Status, people: &People) -> Answer {
    let phase = status.phase.and_then(|phase| serde_json::to_value(phase).ok());
    let phase = phase.as_ref().and_then(Value::as_str).unwrap_or("between rounds").to_owned();
    let chair = status.chair.as_ref().map_or_else(|| "nobody yet".into(), |chair| people.name(chair));
    let text = format!(
        "running     yes\n\
         member      {} {}\n\
         network     {}\n\
         height      {} (head {})\n\
         round       {} ({phase}, chaired by {chair})\n\
         peers       {}\n\
         sent        {} bytes ({} as blobs)\n\
         received    {} bytes ({} as blobs)\n\
         decisions   {} by model, {} by rules, {} by rules after the model failed\n\
         credits     {}\n\
         reputation  {}\n\
         privacy     {}\n\
         {}memory      {} MiB at the most\n",
        status.member,
        people.name(&status.member),
        status.network,
        status.height,
        status.head.short(),
        status.round,
        status.peers,
        status.wire.sent_bytes,
        status.wire.blob_sent_bytes,
        status.wire.received_bytes,
        status.wire.blob_received_bytes,
        status.decisions.model,
        status.decisions.rules,
        status.decisions.fallback,
        credits(status.credits),
        status.reputation,
        status.privacy.as_ref().map_or_else(|| "none: training is without noise".into(), spent),
        status.exchange.map(steps).unwrap_or_default(),
        status.peak_rss_mb,
    );
    let mut json = json!(status);
    json["running"] = true.into();
    Answer { text, json }
}
