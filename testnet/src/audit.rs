//! After the run: every node's ledger is exported, verified offline, and compared with the others.

use std::collections::{BTreeMap, BTreeSet};

use althing_node::genesis_file;
use althing_protocol::ids::{Hash, Height, MemberId};
use serde::Deserialize;

use crate::{
    althing::Althing,
    observer::Observer,
    setup::Federation,
    trace::{Trace, TraceError},
};

/// File of the trace in a report.
const TRACE_FILE: &str = "trace.json";

/// What `althing ledger verify` finds in a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ledger {
    /// Decided heights in it.
    pub heights: u64,
    /// Hash of the last body.
    pub head: Hash,
    /// Whether every body conserves supply.
    pub supply_conserved: bool,
    /// Ever minted, in micro-credits.
    pub minted: u64,
    /// Ever burned, in micro-credits.
    pub burned: u64,
    /// What each member owns at the end, in micro-credits.
    #[serde(default)]
    pub balances: BTreeMap<MemberId, u64>,
}

/// All ledgers.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// By node; `None` if it could not be exported or did not verify.
    pub ledgers: Vec<Option<Ledger>>,
    /// Why, for people.
    pub complaints: Vec<String>,
    /// Whether the market simulator pays the same for the same bids; unknown without a ledger that verifies.
    pub replayed: Option<bool>,
}

/// Exports and verifies the ledgers of all nodes, which must have stopped.
pub async fn audit(althing: &Althing, federation: &Federation) -> Audit {
    let mut audit = Audit::default();
    for node in &federation.nodes {
        let file = federation.folder.join(format!("ledger-{}.json", node.label));
        let export = ["--config".into(), node.config().into(), "--out".into(), file.clone().into()];
        let verify = [file.into(), "--genesis".into(), federation.genesis.clone().into()];
        let ledger = match althing.call(&["ledger", "export"], &export, &[]).await {
            Ok(_) => althing.json(&["ledger", "verify"], &verify).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &ledger {
            audit.complaints.push(format!("the ledger of {} is not verified: {error}", node.name));
        }
        audit.ledgers.push(ledger.ok());
    }
    match replay(federation, &audit) {
        Ok(same) => audit.replayed = same,
        Err(why) => audit.complaints.push(format!("the rounds cannot be replayed: {why}")),
    }
    audit
}

/// Writes the trace of the first ledger that verifies, and plays it again in the market simulator.
fn replay(federation: &Federation, audit: &Audit) -> Result<Option<bool>, TraceError> {
    let verified = federation.nodes.iter().zip(&audit.ledgers).find(|(_, ledger)| ledger.is_some());
    let Some((node, _)) = verified else { return Ok(None) };
    let ledger = federation.folder.join(format!("ledger-{}.json", node.label));
    // Nodes that ran could read it; a stand-in for nodes may have none.
    let Ok(genesis) = genesis_file::load(&federation.genesis) else { return Ok(None) };
    let trace = Trace::of_file(&ledger, &genesis)?;
    trace.save(&federation.folder.join(TRACE_FILE))?;
    Ok(Some(trace.replay(None)?.is_same()))
}

impl Audit {
    /// Whether all ledgers verify and none of them, nor any node's report, contradicts another.
    ///
    /// Nodes are stopped one by one while the next round is under way, so one ledger may reach further than another. Of
    /// equally long ones the heads must be the same; any two of different length must at least have reported the
    /// same Settle at `least`, the height that the run waited for, or above.
    pub fn heads_equal(&self, observer: &Observer, least: Height) -> bool {
        let ledgers: Option<Vec<&Ledger>> = self.ledgers.iter().map(Option::as_ref).collect();
        let Some(ledgers) = ledgers else { return false };
        let Some(first) = ledgers.first() else { return false };
        let by_height: BTreeSet<(u64, Hash)> = ledgers.iter().map(|ledger| (ledger.heights, ledger.head)).collect();
        let heights: BTreeSet<u64> = ledgers.iter().map(|ledger| ledger.heights).collect();
        if !observer.conflicts().is_empty() || by_height.len() != heights.len() {
            return false;
        }
        if first.heights < least.0 || heights.len() == 1 {
            return heights.iter().all(|height| *height >= least.0);
        }
        heights.iter().all(|height| *height >= least.0) && share_a_settle(observer, least)
    }

    /// Whether every body of every ledger, and every report of a node, conserves supply.
    pub fn supply_conserved(&self, observer: &Observer) -> bool {
        let conserved = |ledger: &Option<Ledger>| ledger.as_ref().is_some_and(|ledger| ledger.supply_conserved);
        !self.ledgers.is_empty() && self.ledgers.iter().all(conserved) && observer.unbalanced().is_empty()
    }
}

/// Whether all nodes have reported the same Settle at one height from `least` on.
fn share_a_settle(observer: &Observer, least: Height) -> bool {
    let Some(first) = observer.nodes().first() else { return false };
    let is_shared =
        |(height, body): (&Height, &Hash)| observer.nodes().iter().all(|node| node.bodies.get(height) == Some(body));
    first.bodies.range(least..).any(is_shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::tests::{fold, settled};

    fn ledger(heights: u64, head: u8) -> Option<Ledger> {
        let head = Hash([head; 32]);
        Some(Ledger { heights, head, supply_conserved: true, minted: 0, burned: 0, balances: BTreeMap::new() })
    }

    #[test]
    fn heads_are_compared_at_equal_heights_and_settles_otherwise() {
        let both = fold(2, vec![(1, 0, settled(2, 1, 0)), (1, 1, settled(2, 1, 0))]);
        let one = fold(2, vec![(1, 0, settled(2, 1, 0))]);
        let cases = [
            ("the same head", &both, vec![ledger(4, 1), ledger(4, 1)], true),
            ("the same head, one caught up silently", &one, vec![ledger(4, 1), ledger(4, 1)], true),
            ("another head", &both, vec![ledger(4, 1), ledger(4, 2)], false),
            ("one plan further, after the same settle", &both, vec![ledger(5, 9), ledger(4, 1)], true),
            ("one plan further, after who knows what", &one, vec![ledger(5, 9), ledger(4, 1)], false),
            ("one does not verify", &both, vec![ledger(4, 1), None], false),
            ("both end before the run did", &both, vec![ledger(2, 1), ledger(2, 1)], false),
            ("one ends before the run did", &both, vec![ledger(4, 1), ledger(2, 1)], false),
            ("no ledger", &both, vec![], false),
        ];
        for (what, observer, ledgers, expected) in cases {
            let audit = Audit { ledgers, ..Audit::default() };
            assert_eq!(audit.heads_equal(observer, Height(4)), expected, "{what}");
        }
    }

    #[test]
    fn supply_is_conserved_only_if_every_ledger_says_so() {
        let observer = fold(1, vec![]);
        let mut audit = Audit { ledgers: vec![ledger(4, 1), ledger(4, 1)], ..Audit::default() };
        assert!(audit.supply_conserved(&observer));
        audit.ledgers[1].as_mut().unwrap().supply_conserved = false;
        assert!(!audit.supply_conserved(&observer));
        audit.ledgers = vec![];
        assert!(!audit.supply_conserved(&observer));
    }
}
