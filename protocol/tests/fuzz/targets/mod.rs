//! What hostile bytes are let loose on. `cargo fuzz` makes the bytes up (see `fuzz/` at the root of the repository), and
//! an ordinary test replays the corpus.
//!
//! Signatures stop made-up bytes before they reach anything. So most targets sign again what names one of their members:
//! a member is an attacker like any other, only one that can sign.

mod audit;
mod body;
mod genesis;
pub(crate) mod machine;
pub(crate) mod signer;
mod statement;
pub(crate) mod update;
mod wire;

/// What takes bytes, and panics over what must not be.
type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus too.
pub(crate) const ALL: [(&str, Target); 8] = [
    ("audit", audit::run),
    ("body", body::run),
    ("epidemic", machine::run_epidemic),
    ("genesis", genesis::run),
    ("machine", machine::run),
    ("statement", statement::run),
    ("update", update::run),
    ("wire", wire::run),
];

/// Stands between the parts of an input that has several. Bytes inside a part come and go without moving the others.
pub(crate) const BREAK: &[u8] = b"\n--\n";

/// The parts of an input.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let Some(place) = bytes.windows(BREAK.len()).position(|window| window == BREAK) else {
            ended = true;
            return Some(bytes);
        };
        let part = &bytes[..place];
        bytes = &bytes[place + BREAK.len()..];
        Some(part)
    })
}
