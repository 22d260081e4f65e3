//! The corpus of the fuzz targets, replayed: what was found once stays mended. CONTRIBUTING.md says how to find more.

mod seeds;
mod targets;

use std::{fs, path::PathBuf};

use targets::ALL;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus")).join(target)
}

#[test]
fn the_corpus_finds_nothing() {
    for (name, target) in ALL {
        let mut files: Vec<PathBuf> = fs::read_dir(corpus(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            // Shown when it fails.
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}
