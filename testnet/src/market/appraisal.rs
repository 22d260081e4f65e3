//! What appraisers say of a round's updates.

use std::collections::BTreeMap;

use althing_protocol::{
    ids::MemberId,
    statement::{Appraisal, HeldOut},
};
use rand::seq::index;
use rand_distr::{Distribution as _, StandardNormal};

use super::{
    draw::stream,
    learning::Work,
    strategy::Maker,
    world::{Deliveries, World},
};

/// Held-out examples that an appraisal rests on; the protocol asks for some.
const HELD_OUT: HeldOut = HeldOut { samples: 256, accuracy_ppm: 0 };

impl World<'_> {
    /// A panel's appraisals: what each update would bring alone, as every appraiser's own examples show it.
    pub(super) fn appraise(&self, deliveries: &Deliveries) -> BTreeMap<MemberId, Appraisal> {
        let learning = &self.config.learning;
        let mut draws = stream(self.seed, "panel", &[self.round]);
        let count = learning.appraisers.min(self.agents.len());
        let panel = index::sample(&mut draws, self.agents.len(), count).into_vec();
        let alone = |work: &Work| learning.gain(self.work, learning.work(&[*work]));
        let total: f64 = deliveries.updates.values().map(|(_, work)| alone(work)).sum();
        let scale = learning.noise * total / deliveries.updates.len().max(1) as f64;
        let mut appraisals = BTreeMap::new();
        for (appraiser, seat) in panel.into_iter().filter_map(|place| {
            let agent = &self.agents[place];
            Some((agent, agent.seats.first()?))
        }) {
            let mut gains = BTreeMap::new();
            for (id, ((maker, _), work)) in &deliveries.updates {
                let noise: f64 = StandardNormal.sample(&mut draws);
                let seen = (alone(work) + scale * noise).round() as i64;
                let is_fellow = self.agents[*maker].part == appraiser.part;
                let maker = if is_fellow { Maker::Fellow } else { Maker::Stranger };
                gains.insert(*id, appraiser.behaviour.appraise(maker, seen));
            }
            let round = althing_protocol::ids::Round(self.round);
            appraisals.insert(seat.id, Appraisal { round, gains, held_out: HELD_OUT, arrivals: Default::default() });
        }
        appraisals
    }
}
