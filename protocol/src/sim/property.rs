//! What must hold in every run. Each property watches what members say and decide and reckons for itself; none of them
//! asks the ledger or the engine whether all is well.

mod chain;
mod counter;
mod electorate;
mod floor;
mod mean;
mod reading;
mod speech;
mod sponsor;
mod step;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{archive::Archive, node::Store};
use crate::{
    body::Body,
    epidemic::Mixture,
    event::Award,
    genesis::Genesis,
    ids::{Hash, Height, MemberId},
    machine::{Commit, Effect, Verdict},
    state::Stage,
    statement::ModelOffer,
    time::Time,
    wire::{Decision, Message},
};

/// Something that can be seen from outside of a member.
pub(super) enum Sight<'a> {
    /// An honest member says something.
    Said { who: usize, id: MemberId, message: &'a Message, store: &'a Store, archive: &'a Archive },
    /// A liar says something.
    Lie { message: &'a Message },
    /// An honest member has decided.
    Commit { who: usize, commit: &'a Commit },
    /// A member begins again from a copy of its store, in which this is decided last.
    Restored { who: usize, head: (Height, Hash) },
    /// An honest member offers its model.
    Offered { who: usize, said: &'a ModelOffer, store: &'a Store },
    /// An honest member says that another has misbehaved.
    Accused { who: usize, member: &'a MemberId, why: &'a str },
    /// A member has averaged.
    Mixed { own: &'a [u8], received: &'a [(MemberId, &'a [u8])], mixture: &'a Mixture },
    /// A forgery has reached a member.
    Forgery { who: usize, verdict: Verdict, effects: &'a [Effect] },
}

/// Something that must hold.
pub(super) trait Property {
    /// What, in a few words.
    fn name(&self) -> &'static str;

    /// Looks at `sight`; the error says how it does not hold.
    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String>;
}

/// Something that must not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What should hold.
    pub property: &'static str,
    /// When it did not.
    pub at: Time,
    /// How.
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} ms: \"{}\" does not hold: {}", self.at.0, self.property, self.why)
    }
}

/// All properties, and what they have seen.
pub(super) struct Witness {
    properties: Vec<Box<dyn Property>>,
    record: Record,
}

/// What was decided, and what must not have happened.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Every decided body.
    pub(super) chain: BTreeMap<Height, Body>,
    /// Every decision, as it came first.
    pub(super) decisions: BTreeMap<Height, Decision>,
    /// When each was first decided.
    pub(super) decided_at: BTreeMap<Height, Time>,
    /// Whom each Plan hires.
    pub(super) awards: BTreeMap<Height, Vec<Award>>,
    pub(super) violations: Vec<Violation>,
}

impl Witness {
    /// `honest` keep to the protocol in everything.
    pub(super) fn new(genesis: &Genesis, honest: BTreeSet<MemberId>) -> Self {
        Self {
            properties: vec![
                Box::new(chain::Agreement::default()),
                Box::new(chain::NoGap::default()),
                Box::new(chain::Supply::new(genesis)),
                Box::new(electorate::Electorate::new(genesis)),
                Box::new(floor::Floor::new(genesis)),
                Box::new(counter::Consent::new(genesis)),
                Box::new(speech::OneSay::default()),
                Box::new(speech::LogFirst),
                Box::new(speech::NoForgery),
                Box::new(speech::NoSlander::new(honest)),
                Box::new(mean::TrueMean::new(genesis)),
                Box::new(step::OneModel::default()),
                Box::new(step::TrueAverage::new(genesis.limits.max_update_norm)),
            ],
            record: Record::default(),
        }
    }

    pub(super) fn see(&mut self, at: Time, sight: &Sight<'_>) {
        if let Sight::Commit { commit, .. } = sight
            && let Ok(body) = Body::decode(&commit.decision.body)
        {
            self.record.chain.entry(commit.height).or_insert(body);
            self.record.decisions.entry(commit.height).or_insert_with(|| commit.decision.clone());
            self.record.decided_at.entry(commit.height).or_insert(at);
            if let Stage::Settling(awards) = &commit.state.stage {
                self.record.awards.entry(commit.height).or_insert_with(|| awards.clone());
            }
        }
        for property in &mut self.properties {
            if let Err(why) = property.check(sight) {
                self.record.violations.push(Violation { property: property.name(), at, why });
            }
        }
    }

    /// Takes note of a violation that the world itself has seen.
    pub(super) fn complain(&mut self, property: &'static str, at: Time, why: String) {
        self.record.violations.push(Violation { property, at, why });
    }

    pub(super) fn violations(&self) -> &[Violation] {
        &self.record.violations
    }

    /// All that was seen.
    pub(super) fn finish(self) -> Record {
        self.record
    }
}
