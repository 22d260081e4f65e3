//! What durability costs: the time until a journal entry, and until a decision, is on the disk.

use althing_node::store::{Commit, Store};
use althing_protocol::ids::NetworkId;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

/// A vote or proposal of the agreement, in bytes, as the journal keeps it.
const ENTRY: usize = 300;

/// A body of a small federation, in bytes.
const BODY: usize = 8_000;

fn durability(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(dir.path(), &NetworkId([1; 32])).expect("a new store");
    let mut group = criterion.benchmark_group("store");
    group.sample_size(50);
    let mut height = 0;
    for count in [1, 8] {
        group.bench_function(format!("append {count}"), |bencher| {
            bencher.iter_batched(
                || vec![(height + 1, vec![7; ENTRY]); count],
                |entries| store.append(&entries).expect("room on the disk"),
                BatchSize::PerIteration,
            );
        });
    }
    group.bench_function("commit", |bencher| {
        bencher.iter(|| {
            height += 1;
            let (body, state) = (vec![height as u8; BODY], vec![1; BODY]);
            let commit =
                Commit { height, body: &body, certificate: &[1; 600], state: &state, drop_journal_up_to: height };
            store.commit(commit).expect("room on the disk");
        });
    });
    group.finish();
}

criterion_group!(benches, durability);
criterion_main!(benches);
