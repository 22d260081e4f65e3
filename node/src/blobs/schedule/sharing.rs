//! What is found out of those who fetch the same large blob.

use althing_protocol::{ids::MemberId, time::Time};

use super::{Effect, Fetch, FetchId, Found, MAX_PROVIDERS, Phase, Schedule, provider::Provider};
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
        let is_free = |member: &MemberId| self.is_free(member, usize::MAX, now);
        let due = |provider: &Provider| provider.survey_due().is_some_and(|time| time <= now);
        let of_fetch = |(id, fetch): (FetchId, &Fetch)| {
            let due = fetch.providers.iter().filter(|(member, provider)| due(provider) && is_free(member));
            due.map(|(member, _)| (id, *member)).collect::<Vec<_>>()
        };
        let due: Vec<(FetchId, MemberId)> = self.shared().flat_map(of_fetch).collect();
        for (id, member) in due {
            let fetch = self.fetches.get_mut(&id);
            if let Some(provider) = fetch.and_then(|fetch| fetch.providers.get_mut(&member)) {
                provider.survey_begins();
                effects.push(Effect::Survey(id, member));
            }
        }
    }

    /// The fetches whose providers are surveyed.
    pub(super) fn shared(&self) -> impl Iterator<Item = (FetchId, &Fetch)> {
        let shared = self.fetches.iter().filter(|(_, fetch)| fetch.phase == Phase::Active && fetch.is_shared());
        shared.map(|(id, fetch)| (*id, fetch))
    }
}
