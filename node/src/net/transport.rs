//! How bytes reach a peer: TCP with noise and yamux, or QUIC, or through a relay; names are looked up on the way.
//!
//! In a private network each TCP connection is wrapped in the shared key before the first word of it, and there is no QUIC:
//! its handshake cannot be wrapped. What goes through a relay travels on such a connection of its own at either end.

use std::{io, time::Duration};

use libp2p::{
    PeerId, Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, upgrade::Version},
    },
    dns,
    futures::{TryFutureExt, future::Either},
    identity, metrics, noise, quic,
    relay::client,
    tcp, yamux,
};

use super::{NetError, SharedKey, config::Relay};

/// Longest handshake, from the first byte to a secured connection.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Silence after which a QUIC peer is gone. TCP peers that die are noticed at once; QUIC has no such sign.
const QUIC_IDLE: Duration = Duration::from_secs(5);

/// Gap between the signs of life that keep a QUIC connection from falling idle.
const QUIC_KEEP_ALIVE: Duration = Duration::from_millis(1_500);

/// Streams that a connection may hold open at once.
const STREAMS_PER_CONNECTION: usize = 256;

/// What the swarm dials and listens with.
type Link = Boxed<(PeerId, StreamMuxerBox)>;

/// The transport of a node with `keypair`, which counts its traffic in `registry`, and the end of it that is a behaviour
/// where connections may go through relays.
pub(super) fn build(
    keypair: &identity::Keypair,
    registry: &mut metrics::Registry,
    (mode, shared_key): (Relay, Option<&SharedKey>),
) -> Result<(Link, Option<client::Behaviour>), NetError> {
    // A machine without name servers can still dial numbers, so the lack of a resolver is no reason to stop.
    let named = match dns::tokio::Transport::system(direct(keypair, shared_key)?) {
        Ok(transport) => transport,
        Err(error) => {
            tracing::warn!(%error, "no name servers are configured; only numeric addresses can be dialled");
            let (config, options) = (dns::ResolverConfig::default(), dns::ResolverOpts::default());
            dns::tokio::Transport::custom(direct(keypair, shared_key)?, config, options)
        }
    };
    let (all, through_relays) = match mode {
        Relay::Off | Relay::Serve => (named.boxed(), None),
        Relay::Use => {
            let (relayed, behaviour) = client::new(keypair.public().to_peer_id());
            // What the relay passes on is secured from end to end, as if it came over a wire.
            let secured = relayed
                .upgrade(Version::V1Lazy)
                .authenticate(noise_config(keypair)?)
                .multiplex(yamux_config())
                .timeout(HANDSHAKE_WITHIN);
            let either = secured.or_transport(named).map(|connection, _| match connection {
                Either::Left((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
                Either::Right(connection) => connection,
            });
            (either.boxed(), Some(behaviour))
        }
    };
    let counted = metrics::BandwidthTransport::new(all, registry);
    let counted = counted.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed();
    Ok((counted, through_relays))
}

/// TCP and QUIC side by side; in a private network TCP alone.
fn direct(keypair: &identity::Keypair, shared_key: Option<&SharedKey>) -> Result<Link, NetError> {
    match shared_key {
        None => open(keypair),
        Some(key) => private(keypair, key),
    }
}

fn private(keypair: &identity::Keypair, key: &SharedKey) -> Result<Link, NetError> {
    let wrapping = key.wrapping();
    let tcp = tcp::tokio::Transport::new(tcp_config())
        .and_then(move |socket, _| wrapping.handshake(socket).map_err(io::Error::other))
        .upgrade(Version::V1Lazy)
        .authenticate(noise_config(keypair)?)
        .multiplex(yamux_config())
        .timeout(HANDSHAKE_WITHIN);
    Ok(tcp.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed())
}

fn open(keypair: &identity::Keypair) -> Result<Link, NetError> {
    let tcp = tcp::tokio::Transport::new(tcp_config())
        .upgrade(Version::V1Lazy)
        .authenticate(noise_config(keypair)?)
        .multiplex(yamux_config())
        .timeout(HANDSHAKE_WITHIN);
    let quic = quic::tokio::Transport::new(quic_config(keypair));
    let either = quic.or_transport(tcp).map(|connection, _| match connection {
        Either::Left((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
    });
    Ok(either.boxed())
}

fn tcp_config() -> tcp::Config {
    tcp::Config::default().nodelay(true)
}

fn noise_config(keypair: &identity::Keypair) -> Result<noise::Config, NetError> {
    noise::Config::new(keypair).map_err(|error| NetError::Key(error.to_string()))
}

fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_PER_CONNECTION);
    config
}

fn quic_config(keypair: &identity::Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.max_idle_timeout = u32::try_from(QUIC_IDLE.as_millis()).unwrap_or(u32::MAX);
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    config.max_concurrent_stream_limit = STREAMS_PER_CONNECTION as u32;
    config
}
