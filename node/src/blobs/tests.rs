//! Blobs between real swarms on loopback.

mod peers;
mod swarm;

use std::{
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, Stream, Swarm, SwarmBuilder, noise, swarm::SwarmEvent, tcp, yamux};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{
    pieces::Pieces,
    store::{Opening, Partial},
    tree::{Span, pieces, slice_len},
    wire::{Question, REQUEST_BYTES, Request, Status, Survey},
    *,
};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/althing/test/blob/1");
const MIB: usize = 1 << 20;
/// Far beyond what any test takes; only a broken one gets here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A swarm that listens but does not run yet.
struct Idle {
    swarm: Swarm<libp2p_stream::Behaviour>,
    control: libp2p_stream::Control,
    address: Multiaddr,
    member: MemberId,
}

impl Idle {
    async fn new() -> Self {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let control = swarm.behaviour().new_control();
        let member = member_of(swarm.local_peer_id());
        Self { swarm, control, address, member }
    }

    fn run(mut self) -> JoinHandle<()> {
        tokio::spawn(async move { while self.swarm.next().await.is_some() {} })
    }

    /// Dials `others`, waits until all are connected, and runs.
    async fn join(mut self, others: &[Multiaddr]) -> JoinHandle<()> {
        for address in others {
            self.swarm.dial(address.clone()).unwrap();
        }
        let mut connected = 0;
        while connected < others.len() {
            if let SwarmEvent::ConnectionEstablished { .. } = self.swarm.select_next_some().await {
                connected += 1;
            }
        }
        self.run()
    }
}

fn member_of(peer: &PeerId) -> MemberId {
    let digest = peer.as_ref().digest();
    let key = libp2p::identity::PublicKey::try_decode_protobuf(digest).unwrap();
    MemberId(key.try_into_ed25519().unwrap().to_bytes())
}

fn config() -> BlobConfig {
    // A loaded machine must not make a hedge of a request: the tests count bytes.
    BlobConfig { hedge_after: PATIENCE, ..BlobConfig::default() }
}

/// A provider or a puller.
struct Node {
    blobs: Blobs,
    events: mpsc::Receiver<BlobEvent>,
    member: MemberId,
    address: Multiaddr,
    swarm: JoinHandle<()>,
    dir: TempDir,
}

impl Node {
    /// A node that holds `content`.
    async fn holding(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap().put(content, Durability::Refetchable).unwrap();
        Self::start(dir, config(), &[]).await
    }

    /// A node that holds nothing and is connected to `others`.
    async fn beside(others: &[Multiaddr]) -> Self {
        Self::start(tempfile::tempdir().unwrap(), config(), others).await
    }

    async fn start(dir: TempDir, config: BlobConfig, others: &[Multiaddr]) -> Self {
        let idle = Idle::new().await;
        let (member, address) = (idle.member, idle.address.clone());
        let store = Store::open(dir.path()).unwrap();
        let (blobs, events) = Blobs::spawn(idle.control.clone(), PROTOCOL, store, config).unwrap();
        let swarm = idle.join(others).await;
        Self { blobs, events, member, address, swarm, dir }
    }

    async fn event(&mut self) -> BlobEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time").unwrap()
    }

    fn assert_has(&self, content: &[u8]) {
        let got = self.blobs.store().get(&BlobRef::of(content)).unwrap();
        assert!(got.as_deref() == Some(content), "the blob arrived as it was");
    }
}

/// A provider that does with each request what a test says.
struct Double {
    member: MemberId,
    address: Multiaddr,
}

impl Double {
    /// One that has all blobs, as far as it says.
    async fn start(answer: impl Fn(usize, Request) -> (Vec<u8>, ControlFlow<()>) + Send + Sync + 'static) -> Self {
        Self::asked(move |number, question| match question {
            Question::Slice(request) => answer(number, request),
            Question::Survey(blob) => (whole(&blob), ControlFlow::Continue(())),
        })
        .await
    }

    async fn asked(answer: impl Fn(usize, Question) -> (Vec<u8>, ControlFlow<()>) + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        let mut idle = Idle::new().await;
        let (member, address) = (idle.member, idle.address.clone());
        let mut incoming = idle.control.accept(PROTOCOL).unwrap();
        idle.run();
        tokio::spawn(async move {
            while let Some((_, stream)) = incoming.next().await {
                tokio::spawn(Self::serve(stream, Arc::clone(&answer)));
            }
        });
        Self { member, address }
    }

    async fn serve(mut stream: Stream, answer: Arc<impl Fn(usize, Question) -> (Vec<u8>, ControlFlow<()>)>) {
        for number in 0.. {
            let mut bytes = [0; REQUEST_BYTES];
            if stream.read_exact(&mut bytes).await.is_err() {
                return;
            }
            let (answer, flow) = answer(number, Question::decode(&bytes).unwrap());
            let sent = stream.write_all(&answer).await.is_ok() && stream.flush().await.is_ok();
            if !sent || flow.is_break() {
                return;
            }
        }
    }
}

/// What a holder of all of `blob` answers to a survey.
fn whole(blob: &BlobRef) -> Vec<u8> {
    Survey { pieces: Pieces::all(pieces(blob.size).unwrap()), fellows: vec![] }.encode()
}

/// What an honest provider with `store` answers.
fn honest(store: &Store, request: Request) -> Vec<u8> {
    let slice = store.reader(&request.blob).unwrap().unwrap().slice(request.span).unwrap();
    [vec![Status::Here.byte()], slice].concat()
}

fn content(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new_keyed(&[7; 32]).finalize_xof().fill(&mut bytes);
    bytes
}

fn store_with(content: &[u8]) -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.put(content, Durability::Refetchable).unwrap();
    (dir, store)
}

#[tokio::test]
async fn small_and_odd_sizes_arrive() {
    for len in [1, 16_384, 16_385, 250_000, MIB, MIB + 1] {
        let content = content(len);
        let blob = BlobRef::of(&content);
        let provider = Node::holding(&content).await;
        let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
        puller.blobs.fetch(blob, &[provider.member]).unwrap();
        assert_eq!(puller.event().await, BlobEvent::Ready(blob), "{len} bytes");
        puller.assert_has(&content);
        // It is there now: no second transfer.
        let down = puller.blobs.stats().bytes_down();
        puller.blobs.fetch(blob, &[]).unwrap();
        assert_eq!(puller.event().await, BlobEvent::Ready(blob));
        assert_eq!(puller.blobs.stats().bytes_down(), down);
    }
}

#[tokio::test]
async fn many_small_blobs_arrive_over_one_stream() {
    let provider = Node::beside(&[]).await;
    let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
    let contents: Vec<Vec<u8>> = (0..40).map(|n| content(20_000 + n)).collect();
    for content in &contents {
        let blob = provider.blobs.store().put(content, Durability::Refetchable).unwrap();
        puller.blobs.fetch(blob, &[provider.member]).unwrap();
    }
    for _ in &contents {
        assert!(matches!(puller.event().await, BlobEvent::Ready(_)));
    }
    contents.iter().for_each(|content| puller.assert_has(content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_64_mib_blob_comes_from_three_providers_at_once() {
    let content = content(64 * MIB);
    let blob = BlobRef::of(&content);
    let mut providers = Vec::new();
    for _ in 0..3 {
        providers.push(Node::holding(&content).await);
    }
    let addresses: Vec<Multiaddr> = providers.iter().map(|node| node.address.clone()).collect();
    let mut puller = Node::beside(&addresses).await;

    let started = Instant::now();
    puller.blobs.fetch(blob, &[providers[0].member]).unwrap();
    providers[1..].iter().for_each(|node| puller.blobs.provide(blob, node.member));
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
    let seconds = started.elapsed().as_secs_f64();
    puller.assert_has(&content);

    let size = content.len() as f64;
    let stats = puller.blobs.stats();
    let overhead = (stats.bytes_down() + stats.bytes_up()) as f64 / size;
    println!("64 MiB from 3 providers: {seconds:.2} s, {:.0} MB/s, wire {overhead:.4}", size / 1e6 / seconds);
    assert!((1.0..=1.02).contains(&overhead), "wire bytes are {overhead} of the blob");
    for node in &providers {
        let share = node.blobs.stats().bytes_up() as f64 / size;
        assert!(share > 0.05, "a provider gave only {share} of the blob");
    }
}

#[tokio::test]
async fn after_a_restart_only_what_is_missing_is_fetched() {
    let content = content(8 * MIB);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let dir = tempfile::tempdir().unwrap();
    {
        // An earlier life of the puller got five of eight pieces.
        let Opening::Begun(partial, _) = Store::open(dir.path()).unwrap().begin(&blob).unwrap() else {
            panic!("nothing is here yet");
        };
        write_pieces(provider.blobs.store(), &partial, [0, 2, 3, 6, 7]);
    }
    let mut puller = Node::start(dir, config(), std::slice::from_ref(&provider.address)).await;
    puller.blobs.fetch(blob, &[provider.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
    puller.assert_has(&content);

    let missing: usize = [1, 4, 5].map(|piece| 1 + slice_len(Span::of_piece(piece, blob.size), blob.size)).iter().sum();
    assert_eq!(puller.blobs.stats().bytes_down(), missing as u64);
}

fn write_pieces(from: &Store, partial: &Partial, wanted: impl IntoIterator<Item = u32>) {
    let reader = from.reader(partial.blob()).unwrap().unwrap();
    for piece in wanted {
        assert!(piece < pieces(partial.blob().size).unwrap());
        let span = Span::of_piece(piece, partial.blob().size);
        partial.write(span, &reader.slice(span).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn references_that_cannot_be_are_refused_before_anything_moves() {
    let small = BlobConfig { max_blob_bytes: 1000, ..config() };
    let mut node = Node::start(tempfile::tempdir().unwrap(), small, &[]).await;
    let blob = BlobRef { size: 1001, ..BlobRef::of(b"content") };
    assert_eq!(node.blobs.fetch(blob, &[]), Err(FetchError::TooLarge { size: 1001, max: 1000 }));
    let huge = BlobRef { size: u64::MAX, ..blob };
    assert!(matches!(node.blobs.fetch(huge, &[]), Err(FetchError::TooLarge { .. })));
    let nothing = BlobRef { size: 0, ..blob };
    assert_eq!(node.blobs.fetch(nothing, &[]), Err(FetchError::Impossible(nothing)));

    let empty = BlobRef::of(&[]);
    node.blobs.fetch(empty, &[]).unwrap();
    assert_eq!(node.event().await, BlobEvent::Ready(empty));
    node.assert_has(&[]);
}

#[tokio::test]
async fn nothing_is_fetched_for_which_there_is_no_room() {
    let [first, second, third] = [400, 500, 200].map(content);
    let [one, two, three] = [&first, &second, &third].map(|content| BlobRef::of(content));
    let provider = Node::holding(&third).await;
    let small = BlobConfig { max_disk_bytes: 1000, ..config() };
    let mut node = Node::start(tempfile::tempdir().unwrap(), small, std::slice::from_ref(&provider.address)).await;
    node.blobs.store().put(&first, Durability::Refetchable).unwrap();
    node.blobs.fetch(two, &[]).unwrap();
    node.blobs.fetch(two, &[]).expect("it has its room already");
    let full = FetchError::NoRoom { size: 200, used: 900, max: 1000 };
    assert_eq!(node.blobs.fetch(three, &[provider.member]), Err(full), "what is on its way counts");
    node.blobs.cancel(two);
    node.blobs.fetch(three, &[provider.member]).unwrap();
    assert_eq!(node.event().await, BlobEvent::Ready(three));
    let huge = FetchError::NoRoom { size: 1001, used: 600, max: 1000 };
    assert_eq!(node.blobs.fetch(BlobRef { size: 1001, ..one }, &[]), Err(huge));
}

#[tokio::test]
async fn an_unknown_hash_stalls_until_somebody_has_it() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let without = Node::holding(b"something else").await;
    let with = Node::holding(&content).await;
    let mut puller = Node::beside(&[without.address.clone(), with.address.clone()]).await;
    puller.blobs.fetch(blob, &[without.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Stalled(blob));
    puller.blobs.provide(blob, with.member);
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
}

#[tokio::test]
async fn a_cancelled_fetch_is_silent_and_can_start_again() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
    puller.blobs.fetch(blob, &[]).unwrap();
    puller.blobs.cancel(blob);
    puller.blobs.provide(blob, provider.member);
    let other = BlobRef::of(&[]);
    puller.blobs.fetch(other, &[]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Ready(other), "and nothing before it");
    puller.blobs.fetch(blob, &[provider.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Ready(blob));
}

#[tokio::test]
async fn a_broken_disk_ends_the_fetch_with_a_reason() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
    // A folder where the file should be.
    std::fs::create_dir(puller.dir.path().join(format!("{}-{}.part", blob.hash, blob.size))).unwrap();
    puller.blobs.fetch(blob, &[provider.member]).unwrap();
    let BlobEvent::Failed { blob: failed, reason } = puller.event().await else { panic!("it cannot succeed") };
    assert_eq!(failed, blob);
    assert!(reason.contains("check the folder"), "{reason}");
}

#[tokio::test]
async fn everything_stops_with_the_last_handle() {
    let idle = Idle::new().await;
    let (_dir, store) = store_with(b"content");
    let mut control = idle.control.clone();
    let (blobs, mut events) = Blobs::spawn(control.clone(), PROTOCOL, store.clone(), config()).unwrap();
    let again = Blobs::spawn(control.clone(), PROTOCOL, store, config());
    assert!(matches!(again, Err(SpawnError::AlreadyServed(_))));
    drop(blobs);
    tokio::time::timeout(PATIENCE, async {
        assert_eq!(events.recv().await, None, "the fetcher is gone");
        // The server's task is gone when the protocol is free.
        while control.accept(PROTOCOL).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_provider_that_leaves_the_network_is_given_up() {
    let content = content(50_000);
    let blob = BlobRef::of(&content);
    let provider = Node::holding(&content).await;
    let mut puller = Node::beside(std::slice::from_ref(&provider.address)).await;
    provider.swarm.abort();
    puller.blobs.fetch(blob, &[provider.member]).unwrap();
    assert_eq!(puller.event().await, BlobEvent::Stalled(blob));
}
