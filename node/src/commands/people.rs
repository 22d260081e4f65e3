//! What people call accounts.

use std::collections::BTreeMap;

use althing_protocol::{
    body::{Body, Evidence},
    genesis::Genesis,
    ids::MemberId,
    statement::Action,
    wire::Decision,
};

use crate::failure::Failure;

/// Names of members, those that have left among them.
pub(super) struct People(BTreeMap<MemberId, String>);

impl People {
    /// Those of the genesis.
    pub(super) fn founders(genesis: &Genesis) -> Self {
        Self(genesis.members.iter().map(|member| (member.id, member.name.clone())).collect())
    }

    /// Those, and whoever is on the roll now.
    pub(super) fn enrolled(genesis: &Genesis, names: &BTreeMap<MemberId, String>) -> Self {
        let mut people = Self::founders(genesis);
        people.0.extend(names.clone());
        people
    }

    /// Those, and whoever has joined by these decisions.
    pub(super) fn of(genesis: &Genesis, decisions: &[Decision]) -> Self {
        let mut people = Self::founders(genesis);
        let bodies = decisions.iter().filter_map(|decision| Body::decode(&decision.body).ok());
        for body in bodies {
            let Evidence::Plan(plan) = body.evidence else { continue };
            for signed in &plan.instructions {
                if let Ok(Action::Join(application)) = signed.peek().map(|instruction| instruction.action) {
                    people.0.insert(signed.signer, application.name);
                }
            }
        }
        people
    }

    /// The account that `text` names: a member by its name, or any by its id.
    pub(super) fn account(&self, text: &str) -> Result<MemberId, Failure> {
        let mut called = self.0.iter().filter(|(_, name)| *name == text);
        match (called.next(), called.next()) {
            (Some((id, _)), None) => Ok(*id),
            (Some(_), Some(_)) => Err(Failure::user(format_args!(
                "several have been called {text:?}; give the id of the one that you mean"
            ))),
            (None, _) => text.parse().map_err(|_| {
                Failure::user(format_args!(
                    "{text:?} is no member's name, and no id of 64 hexadecimal digits; see `althing ledger show`"
                ))
            }),
        }
    }

    /// What people call an account.
    pub(super) fn name(&self, account: &MemberId) -> String {
        self.0.get(account).cloned().unwrap_or_else(|| account.short())
    }
}
