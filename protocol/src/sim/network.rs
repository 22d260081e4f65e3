//! Who can reach whom.

/// The sides of a partition; everybody is on side 0 while there is none.
#[derive(Debug, Clone)]
pub(super) struct Network {
    sides: Vec<u8>,
}

impl Network {
    pub(super) fn new(members: usize) -> Self {
        Self { sides: vec![0; members] }
    }

    pub(super) fn part(&mut self, sides: &[u8]) {
        for (side, new) in self.sides.iter_mut().zip(sides) {
            *side = *new;
        }
    }

    pub(super) fn heal(&mut self) {
        self.sides.fill(0);
    }

    /// Whether the two are on one side. Whether they live is another question.
    pub(super) fn joins(&self, a: usize, b: usize) -> bool {
        self.sides.get(a) == self.sides.get(b)
    }
}
