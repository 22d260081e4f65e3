//! How wide a slice of the model is, as one word: `1`, `1/2`, `1/4`, `1/8`, `1/16`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Which fraction of every layer a member trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Width {
    /// All of it.
    #[default]
    Full,
    /// One half, so about a quarter of the parameters.
    Half,
    /// One quarter.
    Quarter,
    /// One eighth.
    Eighth,
    /// One sixteenth.
    Sixteenth,
}

/// A word that is no [`Width`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no width; say 1, 1/2, 1/4, 1/8 or 1/16")]
pub struct WidthError(String);

impl Width {
    /// All of them, the widest first.
    pub const ALL: [Self; 5] = [Self::Full, Self::Half, Self::Quarter, Self::Eighth, Self::Sixteenth];

    /// How many slices of this width would make a whole layer.
    pub const fn divisor(self) -> u32 {
        1 << self.place()
    }

    /// What is left of `units` at this width, rounded up, so at least one of one or more.
    pub const fn of(self, units: u32) -> u32 {
        units.div_ceil(self.divisor())
    }

    /// Its place in [`Width::ALL`] and in the shapes of a tensor.
    pub const fn place(self) -> usize {
        self as usize
    }

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "1",
            Self::Half => "1/2",
            Self::Quarter => "1/4",
            Self::Eighth => "1/8",
            Self::Sixteenth => "1/16",
        }
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Width {
    type Err = WidthError;

    fn from_str(text: &str) -> Result<Self, WidthError> {
        let known = Self::ALL.into_iter().find(|width| width.name() == text);
        known.ok_or_else(|| WidthError(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Width {
    type Error = WidthError;

    fn try_from(text: String) -> Result<Self, WidthError> {
        text.parse()
    }
}

impl From<Width> for String {
    fn from(width: Width) -> Self {
        width.name().to_owned()
    }
}
