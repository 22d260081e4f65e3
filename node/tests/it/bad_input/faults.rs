//! What machines do wrong: damaged stores and disks that refuse. Nothing decided is lost by any of it.

use std::{fs, path::Path, process::Command};

use althing_node::store::FILE_NAME;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::write;
use crate::harness::{Ended, Federation, ids, run_command};

/// Damaged places that are tried.
const FLIPS: usize = 40;

/// A disk that the first model does not fit on, in KiB.
const SMALL_DISK: u32 = 500;

/// What the script says when it may not make a disk.
const MAY_NOT_MOUNT: i32 = 77;

/// A member that has settled some rounds and stopped, and its store.
fn with_history() -> (Federation, std::path::PathBuf) {
    let mut alone = Federation::of(1).start();
    alone.seats[0].wait_settled(4);
    alone.stop_all();
    let store = alone.seats[0].dir.join("data").join(FILE_NAME);
    (alone, store)
}

#[test]
fn a_damaged_store_is_told_apart_from_a_good_one() {
    let (alone, store) = with_history();
    let whole = fs::read(&store).unwrap();
    let before = ids(&alone.ledger(0));
    for (what, bytes) in [
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("cut to nothing much", whole[..100].to_vec()),
        ("another file", b"a shopping list".to_vec()),
        ("zeros", vec![0; whole.len()]),
    ] {
        fs::write(&store, bytes).unwrap();
        println!("{what}");
        for words in [&["run"][..], &["ledger", "show"]] {
            alone.run(0, words).refuses(1, &["is damaged", "restore it from a copy"]);
        }
    }
    fs::write(&store, &whole).unwrap();
    assert_eq!(ids(&alone.ledger(0)), before, "the copy is as good as it was");
}

/// Any byte may be wrong: either it is found out, or it was of no matter.
#[test]
fn no_flipped_byte_makes_another_ledger_or_a_panic() {
    let (alone, store) = with_history();
    let whole = fs::read(&store).unwrap();
    let before = alone.answer(0, &["ledger", "show"]);
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut found_out = 0;
    for _ in 0..FLIPS {
        let mut bytes = whole.clone();
        // The first pages hold the file's own accounts; flips there are the worst.
        let end = if random.random_bool(0.5) { 8_192 } else { bytes.len() };
        let place = random.random_range(0..end);
        bytes[place] ^= 1 << random.random_range(0..8);
        fs::write(&store, bytes).unwrap();
        let ended = alone.run(0, &["ledger", "show", "--json"]);
        if ended.code == Some(0) {
            assert_eq!(ended.stdout, format!("{before}\n"), "byte {place}");
        } else {
            println!("byte {place}");
            ended.refuses(ended.code.unwrap_or(-1), &["store"]);
            found_out += 1;
        }
    }
    println!("{found_out} of {FLIPS} flips mattered and were found out");
    assert!(found_out > 0);
}

/// Runs a node whose data folder is a disk of so many KiB, until it ends. The disk is gone with the namespace that it
/// is mounted in; what was on it is copied to where the folder was.
fn run_on_a_small_disk(dir: &Path, kib: u32) -> Option<Ended> {
    let script = format!(
        "mkdir data && mount -t tmpfs -o size={kib}k none data || exit {MAY_NOT_MOUNT}
         \"$0\" run --json; code=$?
         cp -r data saved && umount data && rmdir data && mv saved data
         exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_althing")]);
    let ended = run_command(command, dir);
    // A system without namespaces for the test says so before the script begins.
    (ended.code != Some(MAY_NOT_MOUNT) && !ended.stderr.contains("unshare")).then_some(ended)
}

#[test]
fn a_full_disk_is_named_and_what_it_holds_is_of_use_later() {
    let mut alone = Federation::of(1);
    let Some(ended) = run_on_a_small_disk(&alone.seats[0].dir, SMALL_DISK) else {
        println!("SKIPPED: this system lets the test mount no disk");
        return;
    };
    ended.refuses(1, &["the disk is full", "free some space"]);
    alone.launch(0);
    alone.seats[0].wait_settled(2);
    alone.stop_all();
    assert!(alone.ledger(0).len() >= 4);
}

#[test]
fn a_file_where_the_blobs_should_be_is_named() {
    let alone = Federation::of(1);
    let data = alone.seats[0].dir.join("data");
    fs::create_dir(&data).unwrap();
    write(&data, "blobs", "");
    alone.run(0, &["run"]).refuses(1, &["blobs"]);
}

#[test]
fn an_export_to_a_full_device_is_refused() {
    let (alone, _) = with_history();
    alone.run(0, &["ledger", "export", "--out", "/dev/full"]).refuses(2, &["/dev/full exists already"]);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" ledger show > /dev/full", env!("CARGO_BIN_EXE_althing")]);
    run_command(command, &alone.seats[0].dir).refuses(1, &["cannot write the answer"]);
}
