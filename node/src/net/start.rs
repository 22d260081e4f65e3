//! From settings to a running network.

use std::{io, net::TcpListener, time::Duration};

use althing_protocol::{crypto::Keypair, ids::NetworkId};
use libp2p::{Multiaddr, Swarm, core::transport::TransportError, metrics::Registry, multiaddr::Protocol, swarm};
use tokio::sync::{mpsc, watch};

use super::{
    NetError, address,
    behaviour::{Behaviour, Shared},
    config::NetConfig,
    event::Event,
    event_loop::{Actor, Ends},
    handle::{COMMANDS, Network},
    identity,
    outbox::Outbox,
    protocols::Protocols,
    transport,
};

/// Connections among members never fall idle.
const IDLE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Starts the network of the node that `keypair` names, in the tokio runtime of the caller.
///
/// When this returns, all listen addresses are bound.
///
/// # Errors
/// [`NetError`] says what to change. Nothing keeps running.
pub fn spawn(
    keypair: &Keypair,
    network: NetworkId,
    mut config: NetConfig,
) -> Result<(Network, mpsc::Receiver<Event>), NetError> {
    if config.max_peers == 0 {
        return Err(NetError::Settings("`max_peers` must be at least 1".to_owned()));
    }
    if config.shared_key.is_some() {
        keep_to_tcp(&mut config)?;
    }
    let libp2p_keypair = identity::libp2p_keypair(keypair)?;
    let protocols = Protocols::new(network);
    let mut registry = Registry::default();
    let links = (config.relay, config.shared_key.as_ref());
    let (transport, through_relays) = transport::build(&libp2p_keypair, &mut registry, links)?;
    let (admitted, roster) = watch::channel(config.admission.clone());
    let behaviour = Behaviour::new(&libp2p_keypair, &protocols, &config, Shared { through_relays, roster })?;
    let streams = behaviour.streams.new_control();
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
    let mut swarm = Swarm::new(transport, behaviour, libp2p_keypair.public().to_peer_id(), settings);
    for address in &config.listen {
        listen(&mut swarm, address).map_err(|source| NetError::Listen { address: address.clone(), source })?;
    }

    for address in &config.external {
        swarm.add_external_address(address.clone());
    }

    let (commands, queue) = mpsc::channel(COMMANDS);
    let (outbox, events) = Outbox::new();
    let ends = Ends { commands: queue, outbox, admitted };
    let actor = Actor::new(swarm, registry, ends, protocols.clone(), config);
    tokio::spawn(actor.run());
    Ok((Network { commands, streams, protocols }, events))
}

/// Leaves out the addresses that a shared key cannot protect, and says so.
fn keep_to_tcp(config: &mut NetConfig) -> Result<(), NetError> {
    let wanted = config.listen.len();
    for (what, addresses) in
        [("listen", &mut config.listen), ("bootstrap", &mut config.bootstrap), ("external", &mut config.external)]
    {
        addresses.retain(|address| {
            let kept = address::is_tcp(address);
            if !kept {
                tracing::info!(%address, "left out of `{what}`: a network with a shared key speaks TCP alone");
            }
            kept
        });
    }
    if config.listen.is_empty() && wanted > 0 {
        return Err(NetError::Settings(
            "`listen` names no TCP address, and a network with a shared key speaks TCP alone; add one such as \
             /ip4/0.0.0.0/tcp/4001"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Binds `address`.
///
/// The transport shares TCP ports, so a second node on the same port would start and then see half of the connections.
/// The port is therefore tried first in a way that does not share.
fn listen(swarm: &mut Swarm<Behaviour>, address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    match (parts.next(), parts.next()) {
        (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) if port != 0 => drop(TcpListener::bind((ip, port))?),
        (Some(Protocol::Ip6(ip)), Some(Protocol::Tcp(port))) if port != 0 => drop(TcpListener::bind((ip, port))?),
        _ => {}
    }
    match swarm.listen_on(address.clone()) {
        Ok(_) => Ok(()),
        Err(TransportError::Other(error)) => Err(error),
        Err(TransportError::MultiaddrNotSupported(_)) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "only /ip4 and /ip6 with /tcp/PORT or /udp/PORT/quic-v1 are spoken",
        )),
    }
}
