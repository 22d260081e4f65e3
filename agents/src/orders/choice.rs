//! What there is to choose, in words that code wrote.

use althing_protocol::{event::Role, model::Width};
use serde::{Deserialize, Serialize};

use crate::{
    bidder::Margin,
    counter::Counter,
    guardian::{Effort, Stint},
    privacy::Pace,
    selector::{Focus, Share},
};

/// What an order is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Which contract to bid for.
    Contract,
    /// How much to ask above cost.
    Margin,
    /// How many to hire.
    Hire,
    /// Whom to favour.
    Focus,
    /// Which counter-offers to make.
    Counter,
    /// How fast to spend the privacy budget.
    Pace,
    /// How much of the machine a round may take.
    Stint,
}

impl Topic {
    /// All of them, in the order in which they are asked about.
    pub const ALL: [Self; 7] =
        [Self::Focus, Self::Margin, Self::Stint, Self::Hire, Self::Contract, Self::Pace, Self::Counter];

    /// Its name in transcripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Margin => "margin",
            Self::Hire => "hire",
            Self::Focus => "focus",
            Self::Counter => "counter",
            Self::Pace => "pace",
            Self::Stint => "stint",
        }
    }

    /// Whose matter it is.
    pub const fn role(self) -> Role {
        match self {
            Self::Contract | Self::Margin => Role::Bidder,
            Self::Hire | Self::Focus | Self::Counter => Role::Selector,
            Self::Pace | Self::Stint => Role::Guardian,
        }
    }
}

/// An entry of a topic's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// This contract of the public menu.
    Contract {
        /// Its place there.
        place: u8,
        /// Passes over the data.
        epochs: u32,
        /// The part of the model that is trained.
        width: Width,
    },
    /// This margin.
    Margin(Margin),
    /// So many of those that may be hired.
    Hire(Share),
    /// Those members.
    Focus(Focus),
    /// Those counter-offers.
    Counter(Counter),
    /// So fast.
    Pace(Pace),
    /// At most so much work.
    Stint(Effort, Width),
}

impl Choice {
    /// What it is about.
    pub const fn topic(self) -> Topic {
        match self {
            Self::Contract { .. } => Topic::Contract,
            Self::Margin(_) => Topic::Margin,
            Self::Hire(_) => Topic::Hire,
            Self::Focus(_) => Topic::Focus,
            Self::Counter(_) => Topic::Counter,
            Self::Pace(_) => Topic::Pace,
            Self::Stint(..) => Topic::Stint,
        }
    }

    /// The one word by which it is chosen. Two entries of one menu never share it.
    pub fn word(self) -> String {
        match self {
            Self::Contract { epochs, width, .. } => format!("{epochs}-epoch-{}", part(width)),
            Self::Margin(margin) => margin.name().to_owned(),
            Self::Hire(share) => share.name().to_owned(),
            Self::Focus(focus) => focus.name().to_owned(),
            Self::Counter(counter) => counter.name().to_owned(),
            Self::Pace(pace) => pace.name().to_owned(),
            Self::Stint(effort, widest) => format!("{}-time-{}", effort.name(), part(widest)),
        }
    }

    /// What it means, in a plain line.
    pub fn meaning(self) -> String {
        match self {
            Self::Contract { epochs, width, .. } => {
                format!("train {epochs} times over the data on {} of the model", share(width))
            }
            Self::Margin(margin) => margin.meaning().to_owned(),
            Self::Hire(share) => share.meaning().to_owned(),
            Self::Focus(focus) => focus.meaning().to_owned(),
            Self::Counter(counter) => counter.meaning().to_owned(),
            Self::Pace(pace) => pace.meaning().to_owned(),
            Self::Stint(effort, widest) => format!("{}, on at most {} of the model", effort.meaning(), share(widest)),
        }
    }

    /// The work that it allows, if it is about that.
    pub const fn stint(self) -> Option<Stint> {
        match self {
            Self::Stint(effort, widest) => Some(Stint::Work { effort, widest }),
            _ => None,
        }
    }
}

/// A width as part of a word.
const fn part(width: Width) -> &'static str {
    match width {
        Width::Full => "whole",
        Width::Half => "half",
        Width::Quarter => "quarter",
        Width::Eighth => "eighth",
        Width::Sixteenth => "sixteenth",
    }
}

/// A width in a sentence.
const fn share(width: Width) -> &'static str {
    match width {
        Width::Full => "all",
        Width::Half => "half",
        Width::Quarter => "a quarter",
        Width::Eighth => "an eighth",
        Width::Sixteenth => "a sixteenth",
    }
}
