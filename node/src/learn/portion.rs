//! One member's own examples: its part of a data set, less what it keeps to appraise updates with.

use super::{
    catalogue::TaskError,
    data::{DataError, Dataset, Source, Subset},
    partition::{self, Partition},
};
use crate::config;

/// The examples of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Portion<E = Dataset> {
    /// Those to train on.
    pub train: E,
    /// Those never trained on.
    pub held_out: E,
}

impl Portion {
    /// The part of `source` that `config` deals to this member. No other examples are kept.
    ///
    /// # Errors
    /// [`TaskError`] if the data cannot be read or divided, or the part is too small.
    pub fn load(source: &Source, config: &config::Data) -> Result<Self, TaskError> {
        let wanted: Partition = config.partition.parse()?;
        let mut parts = partition::assign(&source.labels(Subset::Train)?, config.parts as usize, &wanted, config.seed)?;
        // The configuration was checked: the part is one of them.
        let mine = parts.swap_remove(config.part as usize);
        if mine.len() < 2 {
            let (path, part) = (source.path().to_owned(), config.part);
            return Err(DataError::SmallPart { path, part, samples: mine.len() }.into());
        }
        let fraction = f64::from(config.held_out) / mine.len() as f64;
        let split = partition::hold_out(&mine, fraction.min(0.5), config.seed);
        let mut train = source.load(Subset::Train, &[&split.train[..], &split.held_out].concat())?;
        let held_out = train.split_off(split.train.len());
        Ok(Self { train, held_out })
    }
}
