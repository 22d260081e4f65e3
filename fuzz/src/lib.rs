//! What the fuzz targets share: they run the very code that the stable tests of the protocol replay the corpus with.

#[path = "../../protocol/tests/fuzz/targets/mod.rs"]
mod targets;

/// Lets `target` have `bytes`.
///
/// # Panics
/// When there is no such target, and when the bytes have found something.
pub fn run(target: &str, bytes: &[u8]) {
    let known = targets::ALL.iter().find(|(name, _)| *name == target);
    let (_, run) = known.unwrap_or_else(|| panic!("no target is called {target}"));
    run(bytes);
}
