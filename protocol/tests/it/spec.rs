//! The specification and the code name each other's lines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// This crate.
const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Sections whose every rule the code cites: the round and epidemic exchange.
const SECTIONS: [char; 2] = ['R', 'E'];

/// A rule: its section and its number.
type Rule = (char, u32);

/// The rules that `text` speaks of: `R1`, `E21`.
fn rules(text: &str) -> BTreeSet<Rule> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let rule =
        |word: &str| SECTIONS.iter().find_map(|letter| Some((*letter, word.strip_prefix(*letter)?.parse().ok()?)));
    words.filter_map(rule).collect()
}

/// The files of the round machine and of the exchange.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(CRATE).join("src");
    let parts = ["machine", "epidemic"].into_iter().flat_map(|part| {
        let files = fs::read_dir(root.join(part)).unwrap().map(|entry| entry.unwrap().path());
        files.chain([root.join(part).with_extension("rs")]).collect::<Vec<_>>()
    });
    parts.collect()
}

/// Every rule that a comment of these files cites, with one file that does.
fn cited() -> BTreeMap<Rule, PathBuf> {
    let mut cited = BTreeMap::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for comment in text.lines().filter_map(|line| line.split_once("//")) {
            cited.extend(rules(comment.1).into_iter().map(|rule| (rule, path.clone())));
        }
    }
    cited
}

/// Every rule of these sections that the specification defines: a line that begins with its number.
fn defined() -> BTreeSet<Rule> {
    let text = fs::read_to_string(Path::new(CRATE).join("../docs/spec.md")).unwrap();
    let mut defined = BTreeSet::new();
    for line in text.lines() {
        let Some((label, _)) = line.strip_prefix("**").and_then(|rest| rest.split_once(".**")) else { continue };
        if !label.starts_with(SECTIONS) {
            continue;
        }
        let rule = rules(label).pop_first().unwrap_or_else(|| panic!("no rule begins so: {line}"));
        assert!(defined.insert(rule), "{label} is defined twice");
    }
    defined
}

#[test]
fn every_rule_that_the_code_cites_is_defined_and_every_defined_one_is_cited() {
    let (cited, defined) = (cited(), defined());
    for letter in SECTIONS {
        let is_of = |rule: &Rule| rule.0 == letter;
        let both = cited.keys().any(is_of) && defined.iter().any(is_of);
        assert!(both, "nothing was found of section {letter}: have the files moved?");
    }
    for ((letter, number), path) in &cited {
        let resolves = defined.contains(&(*letter, *number));
        assert!(resolves, "{} cites {letter}{number}, which docs/spec.md does not define", path.display());
    }
    for (letter, number) in &defined {
        let is_cited = cited.contains_key(&(*letter, *number));
        assert!(is_cited, "docs/spec.md defines {letter}{number}, which nothing of its part in src cites");
    }
}
