//! How fast one blob arrives from one, two and four providers on loopback, everything in one process.

mod village;

use std::time::{Duration, Instant};

use althing_node::blobs::Durability;
use althing_protocol::ids::{BlobRef, MemberId};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use libp2p::Multiaddr;
use tokio::runtime::Runtime;
use village::Node;

const BLOB_BYTES: usize = 32 << 20;

/// Fetches `blob` and throws it away again; returns how long the fetch took.
async fn pull(node: &mut Node, blob: BlobRef, providers: &[MemberId]) -> Duration {
    let started = Instant::now();
    node.blobs.fetch(blob, providers).expect("a sound reference");
    node.ready(blob).await;
    let took = started.elapsed();
    node.blobs.store().remove(&blob).expect("a working disk");
    took
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
                        total += pull(&mut puller, blob, &members).await;
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
