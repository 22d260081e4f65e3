//! How nodes find each other, lose each other, and find each other again.

use std::{io, time::Instant};

use super::*;

/// Eight nodes that know one address are all up to each other. On an idle machine this takes well under three seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_that_know_one_address_are_all_up_to_each_other() {
    let started = Instant::now();
    let mut first = Node::start(1, config(&[]));
    let known = first.address().await;
    let others = (2..=8).map(|number| Node::start(number, config(std::slice::from_ref(&known))));
    let mut nodes: Vec<_> = std::iter::once(first).chain(others.collect::<Vec<_>>()).collect();
    for node in &mut nodes {
        let mut up = BTreeSet::new();
        while up.len() < 7 {
            up.insert(node.find(|event| if let Event::PeerUp(peer) = event { Some(peer) } else { None }).await);
        }
    }
    let took = started.elapsed();
    println!("eight nodes formed in {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Each knows the one that came before it and nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_member_will_do_as_bootstrap() {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 1..=5 {
        let known = match nodes.last() {
            Some(before) => before.net.listen_addrs().await,
            None => Vec::new(),
        };
        let mut node = Node::start(number, config(&known));
        node.address().await;
        nodes.push(node);
    }
    for node in &mut nodes {
        let mut up = BTreeSet::new();
        while up.len() < 4 {
            up.insert(node.find(|event| if let Event::PeerUp(peer) = event { Some(peer) } else { None }).await);
        }
    }
}

/// One that nobody can dial knew only the old place of a member that has moved: whoever that has found tells of the new.
#[tokio::test]
async fn a_member_that_comes_back_at_another_port_is_found_by_those_who_knew_the_old_one() {
    let everybody = || members_only([1, 2, 3]);
    let mut middle = Node::start(1, NetConfig { admission: everybody(), ..config(&[]) });
    let known = [middle.address().await];
    let mut hidden = Node::start(2, NetConfig { listen: Vec::new(), admission: everybody(), ..config(&known) });
    let mut mover = Node::start(3, NetConfig { admission: everybody(), ..config(&known) });
    let old = mover.address().await;
    hidden.until_up(mover.me).await;
    mover.until_up(hidden.me).await;

    mover.net.shutdown().await;
    hidden.until_down(mover.me).await;
    let mut again = Node::start(3, NetConfig { admission: everybody(), ..config(&known) });
    assert_ne!(again.address().await, old);
    hidden.until_up(again.me).await;
    again.until_up(hidden.me).await;
}

#[tokio::test]
async fn a_node_that_starts_before_its_bootstrap_finds_it_later() {
    let closed_door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed_door.local_addr().unwrap().port();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let mut early = Node::start(2, config(std::slice::from_ref(&address)));
    drop(patiently(closed_door.accept()).await.unwrap());
    drop(closed_door);
    let mut late = Node::start(1, NetConfig { listen: vec![address], ..config(&[]) });
    early.until_up(late.me).await;
    late.until_up(early.me).await;
}

#[tokio::test]
async fn a_node_that_names_itself_as_bootstrap_is_fine() {
    let mut left = Node::start(1, config(&[]));
    let address = left.address().await;
    left.net.dial(address.clone()).await;
    let mut right = Node::start(2, config(&[address]));
    right.until_up(left.me).await;
    assert_eq!(left.net.listen_addrs().await.len(), 1);
}

#[tokio::test]
async fn quic_alone_is_enough() {
    let quic = || NetConfig { listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()], ..config(&[]) };
    let mut left = Node::start(1, quic());
    let mut right = Node::start(2, NetConfig { bootstrap: vec![left.address().await], ..quic() });
    right.until_up(left.me).await;
    right.net.publish(Topic::Tip, b"7".to_vec()).await;
    assert_eq!(left.message().await.2, b"7");
}

/// A peer whose process is gone, sockets and all, is down at once; and when it comes back with its key, it is up again.
#[test]
fn a_killed_peer_is_down_at_once_and_up_again_after_its_restart() {
    let ours = tokio::runtime::Runtime::new().unwrap();
    let theirs = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut left = ours.block_on(async { Node::start(1, config(&[])) });
    let address = ours.block_on(left.address());
    let right = theirs.block_on(async { Node::start(2, config(std::slice::from_ref(&address))) });
    ours.block_on(left.until_up(right.me));

    let killed = Instant::now();
    theirs.shutdown_background();
    ours.block_on(left.until_down(right.me));
    println!("a killed peer was down after {:?}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(3), "{:?}", killed.elapsed());

    ours.block_on(async {
        let mut again = Node::start(2, config(&[address]));
        left.until_up(again.me).await;
        again.until_up(left.me).await;
        again.net.publish(Topic::Tip, b"back".to_vec()).await;
        assert_eq!(left.message().await.2, b"back");
    });
}

/// A lost bootstrap node that comes back at its old address is found again by those who knew it.
#[tokio::test]
async fn a_bootstrap_node_that_restarts_is_found_again() {
    let (left, mut right) = {
        let mut left = Node::start(1, config(&[]));
        let address = left.address().await;
        let mut right = Node::start(2, config(std::slice::from_ref(&address)));
        right.until_up(left.me).await;
        ((left, address), right)
    };
    let (left, address) = left;
    left.net.shutdown().await;
    right.until_down(left.me).await;
    let again = Node::start(1, NetConfig { listen: vec![address], ..config(&[]) });
    right.until_up(again.me).await;
}

#[tokio::test]
async fn a_busy_port_is_refused_by_name() {
    let mut holder = Node::start(1, config(&[]));
    let tcp = holder.address().await;
    let error = spawn(&keypair(2), NETWORK, NetConfig { listen: vec![tcp.clone()], ..config(&[]) }).err().unwrap();
    assert!(matches!(&error, NetError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse), "{error}");
    assert!(error.to_string().contains(&tcp.to_string()), "{error}");

    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let quic: Multiaddr = format!("/ip4/127.0.0.1/udp/{port}/quic-v1").parse().unwrap();
    let error = spawn(&keypair(2), NETWORK, NetConfig { listen: vec![quic], ..config(&[]) }).err().unwrap();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let nobody = NetConfig { max_peers: 0, ..config(&[]) };
    assert!(matches!(spawn(&keypair(1), NETWORK, nobody), Err(NetError::Settings(_))));
    let strange = NetConfig { listen: vec!["/memory/7".parse().unwrap()], ..config(&[]) };
    assert!(matches!(spawn(&keypair(1), NETWORK, strange), Err(NetError::Listen { .. })));
}

#[tokio::test]
async fn traffic_is_counted_and_after_the_end_nothing_happens() {
    let (left, mut right) = pair().await;
    left.net.publish(Topic::Bodies, vec![0; 500_000]).await;
    assert_eq!(right.message().await.0, left.me);
    let (sent, received) = (left.net.stats().await, right.net.stats().await);
    assert!(sent.bytes_out >= 500_000 && received.bytes_in >= 500_000, "{sent:?} {received:?}");
    assert!(sent.bytes_out < 600_000, "{sent:?}");
    assert!(left.net.metrics().await.contains("libp2p_bandwidth"));

    patiently(left.net.shutdown()).await;
    right.until_down(left.me).await;
    assert_eq!(left.net.request(right.me, vec![]).await, Err(RequestError::Stopped));
    left.net.publish(Topic::Tip, vec![1]).await;
    patiently(left.net.shutdown()).await;
}
