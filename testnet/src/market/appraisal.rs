//! What appraisers say of a round's updates.

use std::collections::BTreeMap;

use althing_node::learn::train::LearnError;
use althing_protocol::{
    ids::{MemberId, Round},
    statement::{Appraisal, HeldOut},
};
use rand::seq::index;
use rand_distr::{Distribution as _, StandardNormal};

use super::{
    draw::{Stream, stream},
    learning::Work,
    strategy::Maker,
    world::{Deliveries, Lessons, World},
};

/// Held-out examples that an appraisal rests on; the protocol asks for some.
const HELD_OUT: HeldOut = HeldOut { samples: 256, accuracy_ppm: 0 };

impl World<'_> {
    /// A panel's appraisals: what each update has brought, as every appraiser's own examples show it.
    ///
    /// # Errors
    /// [`LearnError`] if training is real and an appraiser has no examples.
    pub(super) fn appraise(&self, deliveries: &Deliveries) -> Result<BTreeMap<MemberId, Appraisal>, LearnError> {
        let mut draws = stream(self.seed, "panel", &[self.round]);
        let count = self.config.learning.appraisers.min(self.agents.len());
        let panel = index::sample(&mut draws, self.agents.len(), count).into_vec();
        let mut appraisals = BTreeMap::new();
        for place in panel {
            let appraiser = &self.agents[place];
            let Some(seat) = appraiser.seats.first() else { continue };
            let (seen, held_out) = match &self.lessons {
                Lessons::Modelled { work } => (self.seen(*work, deliveries, &mut draws), HELD_OUT),
                Lessons::Real(school) => school.appraise(place)?,
            };
            let said = |(id, seen): (MemberId, i64)| {
                let ((maker, _), _) = deliveries.updates.get(&id)?;
                let is_fellow = self.agents[*maker].part == appraiser.part;
                let maker = if is_fellow { Maker::Fellow } else { Maker::Stranger };
                Some((id, appraiser.behaviour.appraise(maker, seen)))
            };
            let gains = seen.into_iter().filter_map(said).collect();
            let round = Round(self.round);
            appraisals.insert(seat.id, Appraisal { round, gains, held_out, arrivals: Default::default() });
        }
        Ok(appraisals)
    }

    /// What each update would bring alone by the model of value, with the error of an appraiser's few examples.
    fn seen(&self, work: f64, deliveries: &Deliveries, draws: &mut Stream) -> BTreeMap<MemberId, i64> {
        let learning = &self.config.learning;
        let alone = |update: &Work| learning.gain(work, learning.work(&[*update]));
        let total: f64 = deliveries.updates.values().map(|(_, update)| alone(update)).sum();
        let scale = learning.noise * total / deliveries.updates.len().max(1) as f64;
        let mut seen = |update: &Work| {
            let noise: f64 = StandardNormal.sample(draws);
            (alone(update) + scale * noise).round() as i64
        };
        deliveries.updates.iter().map(|(id, (_, update))| (*id, seen(update))).collect()
    }
}
