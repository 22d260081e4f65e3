//! A newcomer that asks a member what the federation is.

use std::time::Duration;

use althing_protocol::genesis::Genesis;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    door::{Knock, Welcome},
    failure::Failure,
    invitation::Pass,
    keyfile::KeyFile,
    net::{self, Event, NetConfig, Network},
};

/// How long a member is looked for.
const WITHIN: Duration = Duration::from_secs(30);

/// After how long people are told what is waited for.
const QUIET: Duration = Duration::from_secs(2);

/// The genesis that `pass` names, from whichever member is found first.
pub(super) fn genesis(pass: &Pass, key: &KeyFile) -> Result<Genesis, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::machine(format_args!("the operating system gives no threads ({error})")))?;
    runtime.block_on(async {
        let shared_key = pass.shared_key().cloned();
        let config = NetConfig { bootstrap: pass.addresses(), shared_key, ..NetConfig::default() };
        let (network, mut events) = net::spawn(&key.keypair(), pass.network, config)?;
        let asked = timeout(WITHIN, ask(&network, &mut events, pass));
        let hint = async {
            tokio::time::sleep(QUIET).await;
            eprintln!("looking for a member of {} at {} ...", pass.federation, places(pass));
            std::future::pending::<()>().await;
        };
        let found = tokio::select! {
            found = asked => found,
            () = hint => unreachable!("a hint never ends"),
        };
        network.shutdown().await;
        found.unwrap_or_else(|_| Err(nobody(pass)))
    })
}

async fn ask(network: &Network, events: &mut mpsc::Receiver<Event>, pass: &Pass) -> Result<Genesis, Failure> {
    while let Some(event) = events.recv().await {
        let Event::PeerUp(member) = event else { continue };
        let answer = network.knock(member, Knock::Genesis.encode()).await;
        let Ok(Ok(Welcome::Genesis(genesis))) = answer.map(|bytes| Welcome::decode(&bytes)) else { continue };
        if genesis.network() == pass.network {
            genesis.validate().map_err(Failure::user)?;
            return Ok(*genesis);
        }
        // Whoever answers with another genesis is not to be believed; others may be.
        tracing::warn!(%member, "it answers with the genesis of another federation");
    }
    Err(nobody(pass))
}

fn places(pass: &Pass) -> String {
    let places: Vec<String> = pass.addresses().iter().map(ToString::to_string).collect();
    if places.is_empty() { "any address on this LAN".into() } else { format!("{} and on this LAN", places.join(", ")) }
}

fn nobody(pass: &Pass) -> Failure {
    Failure::user(format_args!(
        "no member of {} has answered within {} s at {}; is the inviter's node running, and can this machine reach it? \
         `althing invite --address` names another place",
        pass.federation,
        WITHIN.as_secs(),
        places(pass)
    ))
}
