//! Bytes over all connections, from counters that begin again with every life of a node.

use std::collections::BTreeMap;

use crate::{process::Life, status::Wire};

/// Counters of all lives of all nodes, as last read.
#[derive(Debug, Default)]
pub struct Traffic {
    latest: BTreeMap<Life, Wire>,
    by_round: BTreeMap<u64, Wire>,
}

impl Traffic {
    /// Takes note of a life's counters, read when `round` had settled.
    ///
    /// Answers may overtake each other, and counters only grow: the largest reading is the latest.
    pub fn note(&mut self, life: Life, round: u64, wire: Wire) {
        let slot = self.latest.entry(life).or_default();
        *slot = Wire {
            sent_bytes: slot.sent_bytes.max(wire.sent_bytes),
            received_bytes: slot.received_bytes.max(wire.received_bytes),
            blob_sent_bytes: slot.blob_sent_bytes.max(wire.blob_sent_bytes),
            blob_received_bytes: slot.blob_received_bytes.max(wire.blob_received_bytes),
        };
        let total = self.total();
        self.by_round.insert(round, total);
    }

    /// All that was counted so far.
    pub fn total(&self) -> Wire {
        sum(self.latest.values())
    }

    /// All that was counted so far of the lives of `node`.
    pub fn of(&self, node: usize) -> Wire {
        let lives = Life { node, number: 0 }..=Life { node, number: u32::MAX };
        sum(self.latest.range(lives).map(|(_, wire)| wire))
    }

    /// All that was counted up to the end of `round`, if anything was.
    pub fn up_to(&self, round: u64) -> Option<Wire> {
        self.by_round.range(..=round).next_back().map(|(_, wire)| *wire)
    }
}

fn sum<'a>(wires: impl Iterator<Item = &'a Wire>) -> Wire {
    wires.fold(Wire::default(), |sum, wire| Wire {
        sent_bytes: sum.sent_bytes + wire.sent_bytes,
        received_bytes: sum.received_bytes + wire.received_bytes,
        blob_sent_bytes: sum.blob_sent_bytes + wire.blob_sent_bytes,
        blob_received_bytes: sum.blob_received_bytes + wire.blob_received_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(sent_bytes: u64) -> Wire {
        Wire { sent_bytes, ..Wire::default() }
    }

    #[test]
    fn a_restart_adds_and_a_late_answer_does_not_subtract() {
        let mut traffic = Traffic::default();
        let (first, second, other) =
            (Life { node: 0, number: 0 }, Life { node: 0, number: 1 }, Life { node: 1, number: 0 });
        assert_eq!(traffic.up_to(1), None);
        traffic.note(first, 1, sent(100));
        traffic.note(other, 1, sent(10));
        assert_eq!(traffic.up_to(1), Some(sent(110)));
        traffic.note(second, 3, sent(5));
        traffic.note(other, 3, sent(7));
        assert_eq!(traffic.total(), sent(115));
        assert_eq!((traffic.of(0), traffic.of(1), traffic.of(2)), (sent(105), sent(10), sent(0)));
        assert_eq!(traffic.up_to(2), Some(sent(110)), "nobody answered in round 2");
    }
}
