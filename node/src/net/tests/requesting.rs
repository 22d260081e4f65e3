//! Questions and answers between two nodes.

use futures::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test]
async fn a_request_is_answered() {
    let (left, mut right) = pair().await;
    let asked = left.net.clone();
    let answer = tokio::spawn(async move { asked.request(member(2), b"height?".to_vec()).await });
    let (from, bytes, reply) = right.request().await;
    assert_eq!((from, bytes.as_slice()), (left.me, &b"height?"[..]));
    right.net.respond(reply, vec![9; REPLY_BYTES_MAX]).await;
    assert_eq!(patiently(answer).await.unwrap().unwrap().len(), REPLY_BYTES_MAX);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_at_once() {
    let (left, right) = pair().await;
    let long = vec![0; REQUEST_BYTES_MAX + 1];
    let len = long.len();
    assert_eq!(left.net.request(right.me, long).await, Err(RequestError::TooLong { len }));
    assert_eq!(left.net.request(member(9), vec![]).await, Err(RequestError::NotConnected(member(9))));
    assert_eq!(left.net.request(left.me, vec![]).await, Err(RequestError::NotConnected(left.me)));
}

#[tokio::test]
async fn a_refused_request_and_one_whose_answer_is_too_long_fail_at_the_asker() {
    let (left, mut right) = pair().await;
    for answer in [None, Some(vec![0; REPLY_BYTES_MAX + 1])] {
        let asked = left.net.clone();
        let question = tokio::spawn(async move { asked.request(member(2), vec![]).await });
        let (_, _, reply) = right.request().await;
        match answer {
            None => drop(reply),
            Some(bytes) => right.net.respond(reply, bytes).await,
        }
        assert!(matches!(patiently(question).await.unwrap(), Err(RequestError::Refused(_))));
    }
}

#[tokio::test]
async fn a_request_fails_when_the_peer_goes() {
    let (left, mut right) = pair().await;
    let asked = left.net.clone();
    let question = tokio::spawn(async move { asked.request(member(2), vec![]).await });
    let _reply = right.request().await;
    right.net.shutdown().await;
    assert!(matches!(patiently(question).await.unwrap(), Err(RequestError::Refused(_))));
}

/// A peer that announces four gigabytes is cut off, keeps its connection at first, and is banned when it insists.
#[tokio::test]
async fn an_oversized_request_is_cut_off_and_insisting_bans() {
    let (left, mut right) = pair().await;
    let protocol = left.net.protocol("request/1").unwrap();
    let peer = peer_id(&right.me).unwrap();
    let oversize = async || {
        let mut stream = left.net.streams().open_stream(peer, protocol.clone()).await.unwrap();
        stream.write_all(&[0xff; 100]).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        let _ = patiently(stream.read_to_end(&mut answer)).await;
        assert_eq!(answer, b"");
    };
    oversize().await;
    let asked = left.net.clone();
    let question = tokio::spawn(async move { asked.request(member(2), vec![1]).await });
    let (_, _, reply) = right.request().await;
    right.net.respond(reply, vec![2]).await;
    assert_eq!(patiently(question).await.unwrap(), Ok(vec![2]));

    for _ in 1..REJECTS_BEFORE_BAN {
        oversize().await;
    }
    right.find(|event| matches!(event, Event::Banned { .. }).then_some(())).await;
}

#[tokio::test]
async fn raw_streams_carry_bytes_between_peers() {
    let (left, right) = pair().await;
    let protocol = left.net.protocol("blobs/1").unwrap();
    let mut incoming = right.net.streams().accept(protocol.clone()).unwrap();
    let mut out = left.net.streams().open_stream(peer_id(&right.me).unwrap(), protocol).await.unwrap();
    out.write_all(b"blob").await.unwrap();
    out.close().await.unwrap();
    let (from, mut stream) = patiently(futures::StreamExt::next(&mut incoming)).await.unwrap();
    let mut bytes = Vec::new();
    patiently(stream.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!((member_id(&from), bytes.as_slice()), (Some(left.me), &b"blob"[..]));
}
