//! Who takes part: rules, rivals, and whoever is entered beside them.

use std::{fmt, str::FromStr, time::Duration};

use althing_agents::{
    Rival,
    bidder::{BidOption, BidderQuestion, Margin},
    guardian::{Effort, GuardianQuestion, PaceQuestion, Stint},
    rivals::{Decaying, Fixed, FixedNumber, GoingRate, LinUcb, Oort, PowerOfChoice, Random, Surplus},
    selector::{Focus, SelectorOption, SelectorQuestion},
};
use serde::Serialize;

use super::{
    contestant::{Contestant, Prompt},
    guardian::NO_PACE,
    scored::Scored,
    selector::{Drafter, Selection},
    topical::Topical,
};

/// What a standard deviation of doubt is worth to the bandit: about what rewards of a seat differ by.
const ALPHA: f64 = 0.3;

/// The same for the selector, whose rewards are parts of the loss.
const ALPHA_SELECTOR: f64 = 0.05;

/// What Oort takes a member's time to be that is fast enough: half of the deadline of the simulated rounds.
const PREFERRED: Duration = Duration::from_secs(5);

/// Share of the number that the decaying policy loses in each round.
const DECAY: f64 = 0.05;

/// Somebody who takes part. Asked for a contestant, it makes one that knows nothing of any other.
///
/// Contestants of one process, such as a language model behind an endpoint, may share what they speak through. They are
/// made and asked on a thread where waiting is allowed.
pub trait Entrant: Send + Sync {
    /// Its name in options, reports and plots: one word, unlike the others'.
    fn name(&self) -> String;

    /// The language model that answers, if one does.
    fn model(&self) -> Option<Model> {
        None
    }

    /// A bidder, if it is one.
    fn bidder(&self, _seed: u64) -> Option<Box<dyn Contestant<Scored<BidderQuestion>>>> {
        None
    }

    /// A selector, if it is one. A round hires `winners` at the most.
    fn selector(&self, _seed: u64, _winners: usize) -> Option<Box<dyn Contestant<Selection>>> {
        None
    }

    /// A guardian of the machine, if it is one.
    fn guardian(&self, _seed: u64) -> Option<Box<dyn Contestant<Scored<GuardianQuestion>>>> {
        None
    }

    /// A guardian of the privacy budget, if it is one.
    fn pace(&self, _seed: u64) -> Option<Box<dyn Contestant<Scored<PaceQuestion>>>> {
        None
    }
}

/// A language model that takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Model {
    /// As its endpoint calls it.
    pub name: String,
    /// How long each of its answers may take, in milliseconds.
    pub answer_within_ms: u64,
}

/// Rules and rivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// What a node does without a model.
    Rules,
    /// Any entry.
    Random,
    /// One entry whatever the facts are.
    Fixed,
    /// The bidder's contract that could earn most.
    Surplus,
    /// The bidder's contract that earns most at what work was last paid.
    GoingRate,
    /// The guardian's fastest pace.
    Hasty,
    /// The selector's least number of winners, favouring nobody.
    FixedK,
    /// A number of winners that falls.
    DecayingK,
    /// A contextual bandit.
    LinUcb,
    /// Client selection by utility and speed.
    Oort,
    /// Client selection by the highest loss of some.
    PowerOfChoice,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Rules,
        Self::Random,
        Self::Fixed,
        Self::Surplus,
        Self::GoingRate,
        Self::Hasty,
        Self::FixedK,
        Self::DecayingK,
        Self::LinUcb,
        Self::Oort,
        Self::PowerOfChoice,
    ];
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rules => "rules",
            Self::Random => "random",
            Self::Fixed => "fixed",
            Self::Surplus => "surplus",
            Self::GoingRate => "going-rate",
            Self::Hasty => "hasty",
            Self::FixedK => "fixed-k",
            Self::DecayingK => "decaying-k",
            Self::LinUcb => "linucb",
            Self::Oort => "oort",
            Self::PowerOfChoice => "power-of-choice",
        })
    }
}

impl FromStr for BuiltIn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(|policy| policy.to_string()).join(", ");
        Self::ALL.into_iter().find(|policy| policy.to_string() == text).ok_or_else(|| format!("give some of {names}"))
    }
}

impl Entrant for BuiltIn {
    fn name(&self) -> String {
        self.to_string()
    }

    fn bidder(&self, seed: u64) -> Option<Box<dyn Contestant<Scored<BidderQuestion>>>> {
        let policy: Box<dyn Rival<BidderQuestion>> = match self {
            Self::Rules => Scored::<BidderQuestion>::rules(),
            Self::Random => Box::new(Random::new(seed, BidOption::Pass)),
            Self::Fixed => Box::new(Fixed::new(first_slim, BidOption::Pass)),
            Self::Surplus => Box::new(Surplus),
            Self::GoingRate => Box::new(GoingRate),
            Self::LinUcb => Box::new(LinUcb::new(ALPHA, BidOption::Pass)),
            Self::Hasty | Self::FixedK | Self::DecayingK | Self::Oort | Self::PowerOfChoice => return None,
        };
        Some(Box::new(Prompt(policy)))
    }

    fn selector(&self, seed: u64, winners: usize) -> Option<Box<dyn Contestant<Selection>>> {
        let most = u32::try_from(winners).unwrap_or(u32::MAX);
        let any = SelectorOption { hire: most, focus: Focus::Even };
        let policy: Box<dyn Rival<SelectorQuestion>> = match self {
            Self::Rules => Selection::rules(),
            Self::Random => Box::new(Random::new(seed, any)),
            Self::Fixed => Box::new(FixedNumber { hire: most }),
            Self::FixedK => Box::new(FixedNumber { hire: most.div_ceil(2) }),
            Self::DecayingK => Box::new(Decaying::new(most, DECAY)),
            Self::LinUcb => Box::new(LinUcb::new(ALPHA_SELECTOR, any)),
            Self::Surplus | Self::GoingRate | Self::Hasty => return None,
            Self::Oort => return Some(Box::new(Drafter { policy: Box::new(Oort::new(seed, PREFERRED)) })),
            Self::PowerOfChoice => {
                return Some(Box::new(Drafter { policy: Box::new(PowerOfChoice::new(seed, 2 * winners)) }));
            }
        };
        Some(Box::new(Prompt(policy)))
    }

    fn guardian(&self, seed: u64) -> Option<Box<dyn Contestant<Scored<GuardianQuestion>>>> {
        let policy: Box<dyn Rival<GuardianQuestion>> = match self {
            Self::Rules => Scored::<GuardianQuestion>::rules(),
            Self::Random => Box::new(Random::new(seed, Stint::Rest)),
            Self::Fixed => Box::new(Fixed::new(half_and_wide, Stint::Rest)),
            Self::LinUcb => Box::new(LinUcb::new(ALPHA, Stint::Rest)),
            Self::Surplus
            | Self::GoingRate
            | Self::Hasty
            | Self::FixedK
            | Self::DecayingK
            | Self::Oort
            | Self::PowerOfChoice => return None,
        };
        Some(Box::new(Prompt(policy)))
    }

    fn pace(&self, seed: u64) -> Option<Box<dyn Contestant<Scored<PaceQuestion>>>> {
        let policy: Box<dyn Rival<PaceQuestion>> = match self {
            Self::Rules => Scored::<PaceQuestion>::rules(),
            Self::Random => Box::new(Random::new(seed, NO_PACE)),
            Self::Fixed => Box::new(Fixed::new(|option| option.pace as u32, NO_PACE)),
            Self::Hasty => Box::new(Fixed::new(|option| u32::MAX - option.pace as u32, NO_PACE)),
            Self::LinUcb => Box::new(LinUcb::new(ALPHA, NO_PACE)),
            Self::Surplus | Self::GoingRate | Self::FixedK | Self::DecayingK | Self::Oort | Self::PowerOfChoice => {
                return None;
            }
        };
        Some(Box::new(Prompt(policy)))
    }
}

/// The first contract that there is, at a slim margin.
fn first_slim(option: &BidOption) -> u32 {
    match option {
        BidOption::Ask(place, Margin::Slim) => (*place).into(),
        BidOption::Ask(..) => u32::MAX,
        BidOption::Pass => u32::from(u8::MAX) + 1,
    }
}

/// Half the time, on as much of the model as that is enough for.
fn half_and_wide(stint: &Stint) -> u32 {
    match stint {
        Stint::Work { effort: Effort::Half, widest } => widest.divisor(),
        Stint::Rest => u32::MAX - 1,
        Stint::Work { effort: Effort::Full, .. } => u32::MAX,
    }
}
