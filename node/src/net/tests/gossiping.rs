//! Messages that arrive, and what becomes of those who send too many or wrong ones.

use std::time::Instant;

use super::{super::limits::GOSSIP_BURST, *};

#[tokio::test]
async fn what_is_published_right_after_the_peer_is_up_arrives() {
    let (left, mut right) = pair().await;
    left.net.publish(Topic::Consensus, b"aye".to_vec()).await;
    let (author, token, bytes) = right.message().await;
    assert_eq!((author, bytes.as_slice()), (left.me, &b"aye"[..]));
    right.net.report(token, Verdict::Accept).await;

    right.net.publish(Topic::Bodies, vec![7; 1024 * 1024]).await;
    let mut left = left;
    assert_eq!(left.message().await.2.len(), 1024 * 1024);
}

#[tokio::test]
async fn the_same_bytes_published_again_arrive_again() {
    let (left, mut right) = pair().await;
    for _ in 0..3 {
        left.net.publish(Topic::Consensus, b"aye".to_vec()).await;
        let (_, token, bytes) = right.message().await;
        assert_eq!(bytes, b"aye");
        right.net.report(token, Verdict::Accept).await;
    }
}

/// Two nodes that cannot reach each other hear each other through a third, if that one finds the message good.
#[tokio::test]
async fn accepted_messages_travel_on_and_ignored_ones_do_not() {
    let (mut left, mut middle) = pair().await;
    let mut right = Node::start(3, config(&middle.net.listen_addrs().await));
    left.until_up(right.me).await;
    middle.until_up(right.me).await;
    right.until_up(left.me).await;
    left.net.ban(right.me, "so that it hears through others only").await;
    right.until_down(left.me).await;

    for (bytes, verdict) in [(b"one", Verdict::Ignore), (b"two", Verdict::Accept)] {
        left.net.publish(Topic::Round, bytes.to_vec()).await;
        let (_, token, heard) = middle.message().await;
        assert_eq!(heard, bytes);
        middle.net.report(token, verdict).await;
    }
    let (author, _, bytes) = right.message().await;
    assert_eq!((author, bytes.as_slice()), (left.me, &b"two"[..]));
}

#[tokio::test]
async fn publishing_to_nobody_and_too_much_is_harmless() {
    let lonely = Node::start(1, config(&[]));
    lonely.net.publish(Topic::Round, b"hello?".to_vec()).await;
    assert_eq!(lonely.net.stats().await.gossip_out, 0);

    let (left, mut right) = pair().await;
    left.net.publish(Topic::Round, vec![0; Topic::Round.max_bytes() + 1]).await;
    left.net.publish(Topic::Round, vec![1; Topic::Round.max_bytes()]).await;
    assert_eq!(right.message().await.2[0], 1);
}

#[tokio::test]
async fn who_keeps_sending_wrong_messages_is_banned() {
    let (left, mut right) = pair().await;
    for number in 0..REJECTS_BEFORE_BAN {
        left.net.publish(Topic::Round, number.to_be_bytes().to_vec()).await;
        let (_, token, _) = right.message().await;
        right.net.report(token, Verdict::Reject).await;
    }
    let banned = right
        .find(|event| match event {
            Event::Banned { member, .. } => Some(member),
            _ => None,
        })
        .await;
    assert_eq!(banned, left.me);
    right.until_down(left.me).await;
    assert_eq!(right.net.request(left.me, vec![]).await, Err(RequestError::NotConnected(left.me)));
}

#[tokio::test]
async fn ignored_messages_ban_nobody() {
    let (left, mut right) = pair().await;
    for number in 0..3 * REJECTS_BEFORE_BAN {
        left.net.publish(Topic::Round, number.to_be_bytes().to_vec()).await;
        let (_, token, _) = right.message().await;
        right.net.report(token, Verdict::Ignore).await;
    }
    assert_eq!(right.net.stats().await.peers, 1);
}

/// The receiver takes nothing while the flood lasts: what it finds afterwards is bounded, and it still answers others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_bounded_and_the_receiver_stays_responsive() {
    let (left, mut right) = pair().await;
    let started = Instant::now();
    let flooder = left.net.clone();
    // It ends with the test: how many of its messages its own queue throws away depends on the machine.
    let flood = tokio::spawn(async move {
        for number in 0_u64.. {
            flooder.publish(Topic::Round, number.to_be_bytes().repeat(128)).await;
        }
    });
    // Above the rate messages are dropped; where the machine is too slow for that, the receiver's queue fills up.
    patiently(async {
        while right.net.stats().await.gossip_dropped == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let asked = Instant::now();
    right.net.stats().await;
    assert!(asked.elapsed() < Duration::from_secs(1), "the task answers while it is flooded");
    flood.abort();

    let asked = left.net.clone();
    let question = tokio::spawn(async move { asked.request(member(2), vec![1]).await });
    let mut taken = 0;
    let reply = right
        .find(|event| {
            taken += usize::from(matches!(event, Event::Gossip { .. }));
            if let Event::Request { reply, .. } = event { Some(reply) } else { None }
        })
        .await;
    right.net.respond(reply, vec![2]).await;
    assert_eq!(patiently(question).await.unwrap(), Ok(vec![2]));
    let rate = GOSSIP_PER_SECOND * started.elapsed().as_secs_f64();
    assert!(f64::from(taken as u32) <= GOSSIP_BURST + rate, "{taken} messages passed in {:?}", started.elapsed());
}
