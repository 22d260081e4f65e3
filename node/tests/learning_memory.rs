//! What learning costs in memory. This is a test binary of its own, because the peak is that of a whole process.

#![cfg(target_os = "linux")]

use std::{fs, path::Path, sync::mpsc::sync_channel};

use althing_node::learn::{
    data::{self, Subset},
    job::{EvaluateJob, Method, TrainJob},
    model::Architecture,
    params,
    partition::{Partition, assign, hold_out},
    train::{EvaluateOn, Hyper, Learner},
    worker::WorkerHandle,
};
use althing_protocol::model::Width;

/// Highest resident memory of this process so far, in kilobytes.
fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn one_of_eight_members_learns_lenet_within_sixty_megabytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/data/mnist");
    let labels = data::labels(&folder, Subset::Train).unwrap();
    let part = assign(&labels, 8, &Partition::Iid, 1).unwrap().swap_remove(0);
    assert_eq!(part.len(), 7_500);
    let split = hold_out(&part, 0.1, 1);
    let load = |indices: &[u32]| data::load(&folder, Subset::Train, indices).unwrap();
    let test = data::load_all(&folder, Subset::Test).unwrap();
    let learner = Learner::new(Architecture::LeNet, load(&split.train), load(&split.held_out), test);
    let worker = WorkerHandle::spawn(Box::new(learner)).unwrap();

    let hyper = Hyper { epochs: 1, batch: 32, learning_rate: 0.01, momentum: 0.9 };
    let weights = params::init(Architecture::LeNet, [1; 32]).into();
    let job = TrainJob { weights, width: Width::Full, method: Method::Plain(hyper), seed: [2; 32] };
    let (sender, trained) = sync_channel(1);
    worker.train(job, move |result| sender.send(result).unwrap()).unwrap();
    let trained = trained.recv().unwrap().unwrap();
    println!("{} samples in {} ms", trained.samples, trained.training_ms);

    let (sender, evaluated) = sync_channel(1);
    let job = EvaluateJob { weights: trained.weights.into(), width: Width::Full, on: EvaluateOn::Test };
    worker.evaluate(job, move |result| sender.send(result).unwrap()).unwrap();
    let accuracy = evaluated.recv().unwrap().unwrap().accuracy();
    println!("accuracy {accuracy}, peak {} kB", peak_kb());
    assert!(accuracy > 0.8, "accuracy {accuracy}");
    assert!(peak_kb() < 60_000, "peak {} kB", peak_kb());
}
