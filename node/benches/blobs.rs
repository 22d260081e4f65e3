//! How fast one blob arrives from one, two and four providers on loopback, everything in one process.

use std::time::{Duration, Instant};

use althing_node::blobs::{BlobConfig, BlobEvent, Blobs, Durability, Store};
use althing_protocol::ids::{BlobRef, MemberId};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use libp2p::{Multiaddr, StreamProtocol, SwarmBuilder, noise, swarm::SwarmEvent, tcp, yamux};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::mpsc};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/althing/bench/blob/1");
const BLOB_BYTES: usize = 32 << 20;

struct Node {
    blobs: Blobs,
    events: mpsc::Receiver<BlobEvent>,
    member: MemberId,
    address: Multiaddr,
    _dir: TempDir,
}

impl Node {
    async fn start(others: &[Multiaddr]) -> Self {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .expect("noise has a key")
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .expect("the behaviour needs nothing")
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("a free port");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let digest = swarm.local_peer_id().as_ref().digest().to_vec();
        let key = libp2p::identity::PublicKey::try_decode_protobuf(&digest).expect("a key inside the peer id");
        let member = MemberId(key.try_into_ed25519().expect("an ed25519 key").to_bytes());
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("a store");
        let control = swarm.behaviour().new_control();
        let (blobs, events) = Blobs::spawn(control, PROTOCOL, store, BlobConfig::default()).expect("a first server");
        for other in others {
            swarm.dial(other.clone()).expect("a dial");
        }
        let mut connected = 0;
        while connected < others.len() {
            if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await {
                connected += 1;
            }
        }
        tokio::spawn(async move { while swarm.next().await.is_some() {} });
        Self { blobs, events, member, address, _dir: dir }
    }

    /// Fetches `blob` and throws it away again; returns how long the fetch took.
    async fn pull(&mut self, blob: BlobRef, providers: &[MemberId]) -> Duration {
        let started = Instant::now();
        self.blobs.fetch(blob, providers).expect("a sound reference");
        assert_eq!(self.events.recv().await, Some(BlobEvent::Ready(blob)));
        let took = started.elapsed();
        self.blobs.store().remove(&blob).expect("a working disk");
        took
    }
}

fn throughput(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let content: Vec<u8> = (0..BLOB_BYTES as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut group = criterion.benchmark_group("blob_from_providers");
    group.throughput(Throughput::Bytes(BLOB_BYTES as u64)).sample_size(10);
    for count in [1_usize, 2, 4] {
        let (mut puller, providers, blob) = runtime.block_on(async {
            let mut providers = Vec::new();
            for _ in 0..count {
                providers.push(Node::start(&[]).await);
            }
            let puts = providers.iter().map(|node| node.blobs.store().put(&content, Durability::Refetchable));
            let blob = puts.map(|put| put.expect("a working disk")).last().expect("a provider");
            let addresses: Vec<Multiaddr> = providers.iter().map(|node| node.address.clone()).collect();
            (Node::start(&addresses).await, providers, blob)
        });
        let members: Vec<MemberId> = providers.iter().map(|node| node.member).collect();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_custom(|rounds| {
                runtime.block_on(async {
                    let mut total = Duration::ZERO;
                    for _ in 0..rounds {
                        total += puller.pull(blob, &members).await;
                    }
                    total
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
