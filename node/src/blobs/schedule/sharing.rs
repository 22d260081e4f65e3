//! What is found out of those who fetch the same large blob.

use althing_protocol::{ids::MemberId, time::Time};

use super::{Effect, FetchId, Found, MAX_PROVIDERS, Phase, Schedule, provider::Provider};
use crate::blobs::wire::Survey;

impl Schedule {
    /// Takes in what `member` has, and whom it names.
    pub(super) fn surveyed(
        &mut self,
        id: FetchId,
        member: MemberId,
        found: Found,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        self.surveys.remove(&(id, member));
        match found {
            Found::Held(survey) => self.add_survey(id, member, survey, now),
            Found::Absent => self.remove_provider(id, &member),
            Found::Forged => self.ban(member, id, effects),
        }
        self.review(id, effects);
    }

    fn add_survey(&mut self, id: FetchId, member: MemberId, survey: Survey, now: Time) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let providers = fetch.providers.len();
        let Some(provider) = fetch.providers.get_mut(&member) else { return };
        provider.surveyed(survey.pieces, providers, now);
        survey.fellows.into_iter().for_each(|fellow| self.add_fellow(id, fellow));
        self.take_turns(id);
    }

    /// One that fetches the same, and so may be asked too.
    pub(super) fn add_fellow(&mut self, id: FetchId, fellow: MemberId) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        if !self.banned.contains(&fellow) && fetch.providers.len() < MAX_PROVIDERS {
            fetch.providers.entry(fellow).or_insert_with(Provider::fellow);
            self.peers.entry(fellow).or_default();
        }
    }

    pub(super) fn take_turns(&mut self, id: FetchId) {
        if let Some(fetch) = self.fetches.get_mut(&id) {
            fetch.take_turns(self.salt);
        }
    }

    pub(super) fn lacks(&mut self, id: FetchId, member: &MemberId, piece: u32) {
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        let pieces = fetch.pieces();
        if let Some(provider) = fetch.providers.get_mut(member) {
            provider.lacks(piece, pieces);
        }
        self.take_turns(id);
    }

    /// Asks the providers of shared blobs what they have, each as often as that may change.
    pub(super) fn survey(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let is_due = |&(place, time): &((FetchId, MemberId), Time)| {
            (time <= now && self.is_free(&place.1, usize::MAX, now)).then_some(place)
        };
        let due: Vec<(FetchId, MemberId)> = self.awaited_surveys().filter_map(|survey| is_due(&survey)).collect();
        for (id, member) in due {
            self.surveys.insert((id, member));
            effects.push(Effect::Survey(id, member));
        }
    }

    /// The next survey of each provider of a shared blob, where none is under way.
    pub(super) fn awaited_surveys(&self) -> impl Iterator<Item = ((FetchId, MemberId), Time)> {
        let shared = self.fetches.iter().filter(|(_, fetch)| fetch.phase == Phase::Active && fetch.is_shared());
        let all = shared.flat_map(|(id, fetch)| {
            fetch.providers.iter().map(|(member, provider)| ((*id, *member), provider.survey_at()))
        });
        all.filter(|(place, _)| !self.surveys.contains(place))
    }

    /// The link to `member` has ended, and its surveys with it.
    pub(super) fn lose_surveys(&mut self, member: MemberId, now: Time) {
        self.surveys.retain(|(_, surveyed)| *surveyed != member);
        let providers = self.fetches.values_mut().filter_map(|fetch| fetch.providers.get_mut(&member));
        providers.for_each(|provider| provider.survey_lost(now));
    }
}
