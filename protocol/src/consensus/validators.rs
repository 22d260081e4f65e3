//! Who may vote, and in which order they chair.

use serde::{Deserialize, Serialize};

use crate::{
    election,
    ids::{Hash, MemberId},
    limits::{MAX_MEMBERS, MAX_TOTAL_POWER},
};

/// A member's say in the agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// The member.
    pub id: MemberId,
    /// Voting power: more than two thirds of all power decides. A member without power cannot chair either.
    pub power: u64,
    /// Weight in the lottery for the chair, and nowhere else.
    pub weight: u64,
}

/// The validators of one height and the order in which they chair its rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
    total_power: u64,
    order: Vec<MemberId>,
}

/// Why validators do not make a set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// More than [`MAX_MEMBERS`].
    #[error("{0} validators, but a height has at most {MAX_MEMBERS}: give the others no seat")]
    TooMany(usize),
    /// A member has two entries.
    #[error("{0} is listed twice: list each validator once")]
    Duplicate(MemberId),
    /// Nobody has any power, so nothing could ever be decided.
    #[error("no validator has voting power: give at least one member power")]
    Powerless,
    /// The powers add up to more than can be reckoned with.
    #[error("the voting powers add up to more than {MAX_TOTAL_POWER}: scale them down")]
    TooMuchPower,
}

impl ValidatorSet {
    /// The set of `validators`, in any order, whose chairs are drawn from `seed`.
    ///
    /// # Errors
    /// [`ValidatorSetError`] if there are too many, one twice, or no sound sum of powers.
    pub fn new(seed: Hash, mut validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if validators.len() > MAX_MEMBERS {
            return Err(ValidatorSetError::TooMany(validators.len()));
        }
        validators.sort_unstable_by_key(|validator| validator.id);
        if let Some(pair) = validators.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(ValidatorSetError::Duplicate(pair[0].id));
        }
        let total_power = validators
            .iter()
            .try_fold(0_u64, |sum, validator| sum.checked_add(validator.power))
            .filter(|&sum| sum <= MAX_TOTAL_POWER)
            .ok_or(ValidatorSetError::TooMuchPower)?;
        if total_power == 0 {
            return Err(ValidatorSetError::Powerless);
        }
        let candidates: Vec<_> = validators.iter().filter(|v| v.power > 0).map(|v| (v.id, v.weight)).collect();
        Ok(Self { order: election::order(&seed, &candidates), validators, total_power })
    }

    /// The member who chairs `round`: each in its turn, and after the last the first again.
    pub fn proposer(&self, round: u32) -> MemberId {
        // There is at least one place, because some member has power.
        self.order[round as usize % self.order.len()]
    }

    /// Those who may chair, first round first.
    pub fn order(&self) -> &[MemberId] {
        &self.order
    }

    /// All validators, by id.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// Whether `member` has a seat.
    pub fn contains(&self, member: &MemberId) -> bool {
        self.get(member).is_some()
    }

    /// The voting power of `member`: zero for one without a seat.
    pub fn power(&self, member: &MemberId) -> u64 {
        self.get(member).map_or(0, |validator| validator.power)
    }

    /// All voting power together.
    pub const fn total_power(&self) -> u64 {
        self.total_power
    }

    /// Whether `power` decides: strictly more than two thirds of all.
    pub fn is_quorum(&self, power: u64) -> bool {
        3 * u128::from(power) > 2 * u128::from(self.total_power)
    }

    /// Whether `power` must hold an honest member, as long as less than a third of all is dishonest.
    pub fn has_honest(&self, power: u64) -> bool {
        3 * u128::from(power) > u128::from(self.total_power)
    }

    /// The validator `member`, if it has a seat.
    pub fn get(&self, member: &MemberId) -> Option<&Validator> {
        let place = self.validators.binary_search_by_key(member, |validator| validator.id).ok()?;
        self.validators.get(place)
    }
}
