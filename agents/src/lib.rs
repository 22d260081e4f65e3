//! Who decides within a node.
//!
//! Three roles: the [`bidder`] chooses a contract and a margin, the [`selector`] how many members to hire and which kinds
//! to favour, the [`guardian`] how much work the round may cost this machine. Each picks one entry of a menu that code has
//! built and found valid; code then turns the pick into amounts and ids. A [`Policy`] answers at once, from what it
//! knows: one that thinks slowly answers from orders that it has settled on before.
//!
//! What no policy may choose away is the [`privacy`] filter: it refuses work that would overspend the member's budget.
#![deny(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

pub mod bidder;
pub mod council;
pub mod counter;
pub mod guardian;
pub mod orders;
pub mod policy;
pub mod privacy;
pub mod rivals;
pub mod selector;

pub use council::{Bidding, Circumstances, Council, Deliberation, Replying};
pub use policy::{Pick, Policy};
pub use rivals::Rival;
