//! Many who want the same large blob.

use super::*;

/// One that holds `content`, and so many that do not; all are connected.
async fn village(content: &[u8], pullers: usize) -> (Node, Vec<Node>) {
    let holder = Node::holding(content).await;
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..pullers {
        let others: Vec<Multiaddr> = std::iter::once(&holder).chain(&nodes).map(|node| node.address.clone()).collect();
        nodes.push(Node::beside(&others).await);
    }
    (holder, nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_want_at_once_its_holder_gives_twice_at_the_most() {
    let content = content(48 * MIB);
    let blob = BlobRef::of(&content);
    let (holder, mut pullers) = village(&content, 6).await;
    let started = Instant::now();
    for puller in &pullers {
        puller.blobs.fetch(blob, &[holder.member]).unwrap();
    }
    for puller in &mut pullers {
        assert_eq!(puller.event().await, BlobEvent::Ready(blob));
        puller.assert_has(&content);
    }
    let copies = |node: &Node| node.blobs.stats().bytes_up() as f64 / content.len() as f64;
    let given: Vec<f64> = pullers.iter().map(copies).collect();
    let took = started.elapsed();
    println!("copies that the holder gave in {took:.2?}: {:.2}; that the others gave: {given:.2?}", copies(&holder));
    assert!(copies(&holder) <= 2.0, "the holder gave {} copies", copies(&holder));
}

#[tokio::test]
async fn parts_come_from_whom_a_provider_names() {
    let content = content(24 * MIB);
    let blob = BlobRef::of(&content);
    let left = Half::start(&content, 0..12, None).await;
    let right = Half::start(&content, 12..24, Some(left.member)).await;
    let mut puller = Node::beside(&[left.address.clone(), right.address.clone()]).await;
    puller.blobs.fetch(blob, &[right.member]).unwrap();
    assert_eq!(
        puller.event().await,
        BlobEvent::Ready(blob),
        "the other half came from a member that nobody else named"
    );
    puller.assert_has(&content);
}

/// Has some pieces of a blob, and names a fellow.
struct Half;

impl Half {
    async fn start(content: &[u8], range: std::ops::Range<u32>, fellow: Option<MemberId>) -> Double {
        let (dir, store) = store_with(content);
        Double::asked(move |_, question| {
            let _kept = &dir;
            let answer = match question {
                Question::Slice(request) if range.contains(&((request.span.first / 64) as u32)) => {
                    honest(&store, request)
                }
                Question::Slice(_) => vec![Status::Lacking.byte()],
                Question::Survey(blob) => {
                    let mut held = Pieces::none(pieces(blob.size).unwrap());
                    range.clone().for_each(|piece| held.insert(piece));
                    Survey { pieces: held, fellows: fellow.into_iter().collect() }.encode()
                }
            };
            (answer, ControlFlow::Continue(()))
        })
        .await
    }
}
