//! Networks with a shared key: who lacks it learns that something listens, and nothing else.

use libp2p::{
    Swarm,
    futures::StreamExt,
    identify,
    metrics::Registry,
    swarm::{self, SwarmEvent},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    super::{identity::libp2p_keypair, protocols::Protocols},
    *,
};

/// What a node with a shared key says before it knows anything of the other end: bytes drawn by chance.
const NONCE_BYTES: usize = 24;

/// How any program of libp2p begins, and what makes up for lengths that were read wrong.
const HELLO: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";
const LONGEST_WORD: usize = 20_000;

fn private(bootstrap: &[Multiaddr], key: &SharedKey) -> NetConfig {
    NetConfig { shared_key: Some(key.clone()), ..config(bootstrap) }
}

/// A program that only wants to know who is there.
fn curious(key: Option<&SharedKey>) -> Swarm<identify::Behaviour> {
    let keypair = libp2p_keypair(&keypair(9)).unwrap();
    let transport = transport::build(&keypair, &mut Registry::default(), (Relay::Off, key)).unwrap().0;
    let identify = identify::Config::new(Protocols::new(NETWORK).greeting(), keypair.public());
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(PATIENCE);
    Swarm::new(transport, identify::Behaviour::new(identify), keypair.public().to_peer_id(), settings)
}

/// Whether whoever dials `address` with `key` hears who is there.
async fn is_introduced(address: &Multiaddr, key: Option<&SharedKey>) -> bool {
    let mut curious = curious(key);
    curious.dial(address.clone()).unwrap();
    patiently(async {
        loop {
            match curious.select_next_some().await {
                SwarmEvent::Behaviour(identify::Event::Received { .. }) => return true,
                SwarmEvent::OutgoingConnectionError { .. } => return false,
                _ => {}
            }
        }
    })
    .await
}

/// All that whoever is at `address` says to somebody who speaks libp2p, until it hangs up or has said what it had to.
async fn said(address: &Multiaddr) -> Vec<u8> {
    let port = address.iter().find_map(|part| match part {
        libp2p::multiaddr::Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    let mut socket = TcpStream::connect(("127.0.0.1", port.unwrap())).await.unwrap();
    let words = [HELLO, &[0; LONGEST_WORD]].concat();
    // Whoever hangs up meanwhile has said all that it had to say.
    let _ = socket.write_all(&words).await;
    let mut heard = Vec::new();
    patiently(async { while matches!(socket.read_buf(&mut heard).await, Ok(1..)) {} }).await;
    heard
}

#[tokio::test]
async fn those_who_hold_the_key_meet_and_nobody_else_hears_who_is_there() {
    let (key, other) = (SharedKey::generate().unwrap(), SharedKey::generate().unwrap());
    let mut left = Node::start(1, private(&[], &key));
    let address = left.address().await;
    let mut right = Node::start(2, private(std::slice::from_ref(&address), &key));
    left.until_up(right.me).await;
    right.until_up(left.me).await;
    right.net.publish(Topic::Tip, b"7".to_vec()).await;
    assert_eq!(left.message().await.2, b"7");

    assert!(is_introduced(&address, Some(&key)).await);
    let (without, with_another) = tokio::join!(is_introduced(&address, None), is_introduced(&address, Some(&other)));
    assert!(!without && !with_another);
}

#[tokio::test]
async fn a_stranger_gets_random_bytes_out_of_a_private_node_and_no_word() {
    let mut private = Node::start(1, private(&[], &SharedKey::generate().unwrap()));
    let mut open = Node::start(2, config(&[]));
    let (private, open) = (private.address().await, open.address().await);
    let (of_private, of_open) = tokio::join!(said(&private), said(&open));
    let names = |bytes: &[u8]| bytes.windows(12).any(|window| window == b"/multistream");
    assert!(names(&of_open), "an open node answers the same words: {of_open:?}");
    assert_eq!((of_private.len(), names(&of_private)), (NONCE_BYTES, false));
    assert_ne!(of_private, said(&private).await, "they are drawn anew");
}

#[tokio::test]
async fn a_private_node_listens_and_dials_by_tcp_alone() {
    let key = SharedKey::generate().unwrap();
    let quic: Multiaddr = "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap();
    let both = NetConfig { listen: vec![quic.clone(), loopback()], ..private(&[], &key) };
    let mut left = Node::start(1, both);
    assert!(is_tcp(&left.address().await));
    let known = [quic.clone(), left.net.listen_addrs().await.remove(0)];
    let mut right = Node::start(2, private(&known, &key));
    right.until_up(left.me).await;
    assert!(left.net.listen_addrs().await.iter().all(is_tcp));

    let quic_alone = NetConfig { listen: vec![quic], ..private(&[], &key) };
    let error = spawn(&keypair(3), NETWORK, quic_alone).err().unwrap();
    assert!(matches!(&error, NetError::Settings(why) if why.contains("TCP alone")), "{error}");
}
