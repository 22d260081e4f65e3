//! Nodes that nobody can dial, and a member that relays.

use super::*;

/// A node that listens nowhere, as behind a router that lets nobody in.
fn hidden(number: u8, hub: &Multiaddr, bulk: Bulk) -> Node {
    let direct_within = Duration::from_millis(500);
    Node::start(
        number,
        NetConfig { listen: vec![], relay: Relay::Use, bulk, direct_within, ..config(std::slice::from_ref(hub)) },
    )
}

async fn hub(admission: Admission) -> (Node, Multiaddr) {
    let mut hub = Node::start(1, NetConfig { relay: Relay::Serve, admission, door: Door::Open, ..config(&[]) });
    let address = hub.address().await;
    (hub, address)
}

/// Two nodes that reach each other through a third, and that one.
async fn relayed(bulk: Bulk) -> (Node, Node, Node) {
    let (mut hub, address) = hub(Admission::Anyone).await;
    let mut left = hidden(2, &address, bulk);
    hub.until_up(left.me).await;
    let mut right = hidden(3, &address, bulk);
    left.until_up(right.me).await;
    right.until_up(left.me).await;
    (left, right, hub)
}

fn is_circuit(address: &Multiaddr) -> bool {
    address.to_string().contains("/p2p-circuit")
}

#[tokio::test]
async fn two_that_nobody_can_dial_talk_through_a_relay_and_send_no_models_over_it() {
    let (mut left, mut right, hub) = relayed(Bulk::Direct).await;
    let protocol = left.net.protocol("test/1").unwrap();
    let mut accepted = right.net.streams().accept(protocol.clone()).unwrap();
    let only = |event: Event| if let Event::OnlyRelayed(peer) = event { Some(peer) } else { None };
    assert_eq!(left.find(only).await, right.me);
    let refused = patiently(left.net.streams().open_stream(peer_id(&right.me).unwrap(), protocol)).await;
    assert!(refused.is_err(), "a stream goes over the relay");

    left.net.publish(Topic::Tip, b"7".to_vec()).await;
    let heard =
        right.find(|event| if let Event::Gossip { author, bytes, .. } = event { Some((author, bytes)) } else { None });
    assert_eq!(heard.await, (left.me, b"7".to_vec()));
    let (from, to) = (left.net.clone(), right.me);
    let asked = tokio::spawn(async move { from.request(to, b"who".to_vec()).await });
    let (_, _, reply) = right.request().await;
    right.net.respond(reply, b"me".to_vec()).await;
    assert_eq!(patiently(asked).await.unwrap(), Ok(b"me".to_vec()));
    assert!(futures::FutureExt::now_or_never(futures::StreamExt::next(&mut accepted)).is_none());

    let reach = left.net.stats().await.relayed;
    assert_eq!((reach.relays, reach.relayed_peers, reach.not_met), (1, 1, 1), "{reach:?}");
    assert!(reach.sent_bytes > 0 && reach.received_bytes > 0, "{reach:?}");
    assert!(hub.net.stats().await.relayed.circuits >= 1);
}

#[tokio::test]
async fn models_go_over_a_relay_where_both_ends_allow_it() {
    let (left, right, _hub) = relayed(Bulk::Anywhere).await;
    let protocol = left.net.protocol("test/1").unwrap();
    let mut accepted = right.net.streams().accept(protocol.clone()).unwrap();
    let mut control = left.net.streams();
    let opened = control.open_stream(peer_id(&right.me).unwrap(), protocol);
    let (opened, accepted) = patiently(async { tokio::join!(opened, futures::StreamExt::next(&mut accepted)) }).await;
    assert!(opened.is_ok());
    assert_eq!(accepted.map(|(peer, _)| peer), peer_id(&left.me));
}

/// It may stay for a moment to ask to be let in, and meanwhile asks the relay too.
#[tokio::test]
async fn nothing_is_relayed_for_strangers_until_they_are_members() {
    let (mut hub, address) = hub(members_only([1])).await;
    let mut newcomer = hidden(2, &address, Bulk::Direct);
    newcomer
        .find(|event| match event {
            Event::Listening(address) => panic!("a stranger is reachable at {address}"),
            Event::PeerDown(_) => Some(()),
            _ => None,
        })
        .await;
    hub.net.admit(members_only([1, 2])).await;
    newcomer.net.dial(address).await;
    hub.until_up(newcomer.me).await;
    let reachable =
        |event| if let Event::Listening(address) = event { is_circuit(&address).then_some(()) } else { None };
    newcomer.find(reachable).await;
}
