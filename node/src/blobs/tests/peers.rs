//! Peers that lie, die, are slow, or are no members.

use super::*;

#[tokio::test]
async fn a_liar_is_reported_and_the_blob_arrives_all_the_same() {
    let content = content(3 * MIB);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let (_dir, store) = store_with(&content);
    let liar = Double::start(move |_, request| {
        let mut answer = honest(&store, request);
        let last = answer.len() - 1;
        answer[last] ^= 1;
        (answer, ControlFlow::Continue(()))
    })
    .await;
    let mut puller = Node::beside(&[provider.address.clone(), liar.address]).await;

    puller.blobs.fetch(blob, &[liar.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::BadProvider { member: liar.member, blob });
    assert_eq!(puller.event().await, BlobEvent::Stalled(blob));
    puller.blobs.provide(blob, liar.member);
    puller.blobs.provide(blob, provider.member);
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
    puller.assert_has(&content);
}

#[tokio::test]
async fn a_byte_that_is_no_status_is_a_lie() {
    let blob = BlobRef::of(b"content");
    let liar = Double::start(|_, _| (vec![77], ControlFlow::Continue(()))).await;
    let mut puller = Node::beside(&[liar.address]).await;
    puller.blobs.fetch(blob, &[liar.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::BadProvider { member: liar.member, blob });
}

#[tokio::test]
async fn when_a_provider_dies_midway_another_takes_over() {
    let content = content(8 * MIB);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let (_dir, store) = store_with(&content);
    let (died_tx, mut died) = mpsc::channel(64);
    let dying = Double::start(move |number, request| {
        let answer = honest(&store, request);
        if number < 2 {
            return (answer, ControlFlow::Continue(()));
        }
        // Half an answer, then silence for ever after.
        let _ = died_tx.try_send(());
        (answer[..answer.len() / 2].to_vec(), ControlFlow::Break(()))
    })
    .await;
    let mut puller = Node::beside(&[provider.address.clone(), dying.address]).await;

    puller.blobs.fetch(blob, &[dying.member]).unwrap();
    died.recv().await.unwrap();
    puller.blobs.provide(blob, provider.member);
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
    puller.assert_has(&content);
}

#[tokio::test]
async fn a_silent_provider_does_not_hold_up_the_others() {
    let content = content(100_000);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    // It accepts requests and never answers.
    let silent = Double::start(|_, _| (vec![], ControlFlow::Continue(()))).await;
    let quick = BlobConfig { hedge_after: Duration::from_millis(100), ..config() };
    let addresses = [provider.address.clone(), silent.address];
    let mut puller = Node::start(tempfile::tempdir().unwrap(), quick, &addresses).await;
    puller.blobs.fetch(blob, &[silent.member]).unwrap();
    puller.blobs.provide(blob, provider.member);
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
}

#[tokio::test]
async fn a_slow_provider_is_given_up() {
    let blob = BlobRef::of(b"content");
    let silent = Double::start(|_, _| (vec![], ControlFlow::Continue(()))).await;
    let impatient = BlobConfig { answer_timeout: Duration::from_millis(50), ..config() };
    let mut puller = Node::start(tempfile::tempdir().unwrap(), impatient, &[silent.address]).await;
    puller.blobs.fetch(blob, &[silent.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Stalled(blob));
}

#[tokio::test]
async fn a_wrong_size_is_nobodys_blob_and_nobodys_fault() {
    let content = content(50_000);
    let lie = BlobRef { size: 49_999, ..BlobRef::of(&content) };
    let provider = Node::holding(&content).await;
    let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
    puller.blobs.fetch(lie, &[provider.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Stalled(lie));
}

#[tokio::test]
async fn a_provider_with_a_damaged_file_is_no_liar() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let damaged = Node::holding(&content).await;
    overwrite_first_byte(&damaged.dir.path().join(blob.hash.to_string()), !content[0]);
    let mut puller = Node::beside(std::slice::from_ref(&damaged.address)).await;
    puller.blobs.fetch(blob, &[damaged.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Stalled(blob));
    assert!(!damaged.blobs.store().contains(&blob), "it has noticed");
}

fn overwrite_first_byte(path: &Path, byte: u8) {
    use std::io::Write;
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(&[byte]).unwrap();
}

#[tokio::test]
async fn whoever_is_not_admitted_gets_nothing() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let (dir, _) = store_with(&content);
    let closed = BlobConfig { admit: Arc::new(|_| Admission::Refused), ..config() };
    let provider = Node::start(dir, closed, &[]).await;
    let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
    puller.blobs.fetch(blob, &[provider.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Stalled(blob));
    assert_eq!(provider.blobs.stats().bytes_up(), 0);
}

#[tokio::test]
async fn garbage_closes_its_stream_and_nothing_else() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let vandal = Idle::new().await;
    let mut control = vandal.control.clone();
    let peer = crate::net::peer_id(&provider.member).unwrap();
    let _swarm = vandal.join(std::slice::from_ref(&provider.address)).await;
    let good = Request { blob, span: Span::of_piece(0, blob.size) }.encode();
    let mut outside = good;
    outside[40] = 200;
    for garbage in [&[0xff; REQUEST_BYTES][..], &[1; REQUEST_BYTES], &outside, &good[..51], &[]] {
        let mut stream = control.open_stream(peer, PROTOCOL).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.close().await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good an end as a close.
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, Vec::<u8>::new());
    }
    let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
    puller.blobs.fetch(blob, &[provider.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
}

#[tokio::test]
async fn a_peer_has_only_so_many_streams() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let greedy = Idle::new().await;
    let mut control = greedy.control.clone();
    let peer = crate::net::peer_id(&provider.member).unwrap();
    let _swarm = greedy.join(std::slice::from_ref(&provider.address)).await;
    let request = Request { blob, span: Span::of_piece(0, blob.size) }.encode();
    let mut held = Vec::new();
    for number in 0..MAX_STREAMS_PER_PEER + 1 {
        let mut stream = control.open_stream(peer, PROTOCOL).await.unwrap();
        let mut status = [9];
        let asked = stream.write_all(&request).await.is_ok() && stream.flush().await.is_ok();
        let answered = asked && stream.read_exact(&mut status).await.is_ok();
        assert_eq!(answered, number < MAX_STREAMS_PER_PEER, "stream {number}");
        held.push(stream);
    }
}
