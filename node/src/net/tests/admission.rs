//! Who may stay.

use super::*;

fn foreign(event: Event) -> Option<(MemberId, Option<NetworkId>)> {
    match event {
        Event::ForeignGenesis { peer, theirs } => Some((peer, theirs)),
        Event::PeerUp(peer) => panic!("{peer:?} is up"),
        _ => None,
    }
}

#[tokio::test]
async fn another_genesis_is_refused_and_both_sides_know_why() {
    let other = NetworkId([0xb2; 32]);
    let mut left = Node::start(1, NetConfig { admission: members_only([1]), ..config(&[]) });
    let mut right = Node::start_in(other, 2, config(&[left.address().await]));
    assert_eq!(left.find(foreign).await, (right.me, Some(other)));
    assert_eq!(right.find(foreign).await, (left.me, Some(NETWORK)));
    patiently(async {
        let refused = Err(RequestError::NotConnected(right.me));
        while left.net.request(right.me, vec![]).await != refused {}
    })
    .await;
}

/// Eight bytes of the network id stand in the protocol names; the rest still keeps federations apart.
#[tokio::test]
async fn a_network_that_begins_alike_is_still_another() {
    let mut alike = NETWORK;
    alike.0[31] ^= 1;
    let mut left = Node::start(1, config(&[]));
    let mut right = Node::start_in(alike, 2, config(&[left.address().await]));
    assert_eq!(left.find(foreign).await, (right.me, Some(alike)));
    assert_eq!(right.find(foreign).await, (left.me, Some(NETWORK)));
}

#[tokio::test]
async fn a_stranger_is_refused_and_cannot_speak() {
    let mut left = Node::start(1, NetConfig { admission: members_only([1, 2]), ..config(&[]) });
    let mut stranger = Node::start(3, config(&[left.address().await]));
    let me = stranger.me;
    // It speaks whenever it believes that it is heard.
    tokio::spawn(async move {
        while let Some(event) = stranger.events.recv().await {
            if let Event::PeerUp(peer) = event {
                stranger.net.publish(Topic::Round, b"let me in".to_vec()).await;
                let _ = stranger.net.request(peer, b"let me in".to_vec()).await;
            }
        }
    });
    let heard = |event: &Event| matches!(event, Event::PeerUp(_) | Event::Gossip { .. } | Event::Request { .. });
    let met = left
        .find(|event| {
            assert!(!heard(&event), "{event:?}");
            if let Event::Stranger { peer } = event { Some(peer) } else { None }
        })
        .await;
    assert_eq!(met, me);
    patiently(async { while left.net.request(me, vec![]).await != Err(RequestError::NotConnected(me)) {} }).await;
    while let Ok(event) = left.events.try_recv() {
        assert!(!heard(&event), "{event:?}");
    }
}

#[tokio::test]
async fn admission_can_change() {
    let mut left = Node::start(1, NetConfig { admission: members_only([1, 2]), ..config(&[]) });
    let mut right = Node::start(2, config(&[left.address().await]));
    left.until_up(right.me).await;
    right.until_up(left.me).await;
    left.net.admit(members_only([1])).await;
    left.until_down(right.me).await;
    left.net.admit(members_only([1, 2])).await;
    left.until_up(right.me).await;
}

#[tokio::test]
async fn a_banned_member_is_disconnected() {
    let (mut left, right) = pair().await;
    left.net.ban(right.me, "test").await;
    let why = left.find(|event| if let Event::Banned { why, .. } = event { Some(why) } else { None }).await;
    assert_eq!(why, "test");
    left.until_down(right.me).await;
}
