//! The specification and the code name each other's lines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// This crate.
const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// The numbers of the rules that `text` speaks of: `R1`, `R21`.
fn rules(text: &str) -> BTreeSet<u32> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter_map(|word| word.strip_prefix('R')?.parse().ok()).collect()
}

/// The round machine's files.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(CRATE).join("src");
    let phases = fs::read_dir(root.join("machine")).unwrap().map(|entry| entry.unwrap().path());
    phases.chain([root.join("machine.rs")]).collect()
}

/// Every rule that a comment of the machine cites, with one file that does.
fn cited() -> BTreeMap<u32, PathBuf> {
    let mut cited = BTreeMap::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for comment in text.lines().filter_map(|line| line.split_once("//")) {
            cited.extend(rules(comment.1).into_iter().map(|rule| (rule, path.clone())));
        }
    }
    cited
}

/// Every rule of the round that the specification defines: a line that begins with its number.
fn defined() -> BTreeSet<u32> {
    let text = fs::read_to_string(Path::new(CRATE).join("../docs/spec.md")).unwrap();
    let mut defined = BTreeSet::new();
    for line in text.lines() {
        let Some(label) = line.strip_prefix("**R").and_then(|rest| rest.split_once(".**")) else { continue };
        let rule = label.0.parse().unwrap_or_else(|_| panic!("no rule begins so: {line}"));
        assert!(defined.insert(rule), "R{rule} is defined twice");
    }
    defined
}

#[test]
fn every_rule_that_the_code_cites_is_defined_and_every_defined_one_is_cited() {
    let (cited, defined) = (cited(), defined());
    assert!(!cited.is_empty() && !defined.is_empty(), "nothing was found: have the files moved?");
    for (rule, path) in &cited {
        assert!(defined.contains(rule), "{} cites R{rule}, which docs/spec.md does not define", path.display());
    }
    for rule in &defined {
        assert!(cited.contains_key(rule), "docs/spec.md defines R{rule}, which nothing in src/machine cites");
    }
}
