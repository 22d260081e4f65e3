//! What one example looks like to a model: so many numbers in a shape, one of so many classes, on an agreed scale.

use std::{fmt, str::FromStr};

/// Features that a line of a CSV file may have.
pub const FEATURES_MAX: u16 = 4_096;
/// Classes that there may be: a label is kept as one byte.
pub const CLASSES_MAX: u16 = 256;

/// The kind of data that a federation agrees on: `task.dataset` of its genesis.
///
/// All members must read numbers on one scale, or their models do not fit together. So the scale belongs to the schema
/// and is never measured on a member's own data, which would also tell something of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schema {
    /// `mnist`: 28 x 28 grey pixels, ten classes; Fashion-MNIST and others in the same files.
    #[default]
    Mnist,
    /// `cifar10`: 32 x 32 pixels in three colours, ten classes.
    Cifar10,
    /// `cifar100`: the same with a hundred classes.
    Cifar100,
    /// `csv-FEATURES-CLASSES`: so many numbers and so many classes. The numbers are read as they are.
    Csv {
        /// Numbers of one example, from 1 to [`FEATURES_MAX`].
        features: u16,
        /// Labels are below this, from 2 to [`CLASSES_MAX`].
        classes: u16,
    },
}

/// How a byte of a pixel becomes the number that a model reads: `(byte / 255 - mean) / deviation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Mean over the training set, of 1.
    pub mean: f32,
    /// Standard deviation over the training set, of 1.
    pub deviation: f32,
}

const MNIST: [Scale; 1] = [Scale { mean: 0.1307, deviation: 0.3081 }];
const CIFAR10: [Scale; 3] = [
    Scale { mean: 0.4914, deviation: 0.2470 },
    Scale { mean: 0.4822, deviation: 0.2435 },
    Scale { mean: 0.4465, deviation: 0.2616 },
];
const CIFAR100: [Scale; 3] = [
    Scale { mean: 0.5071, deviation: 0.2673 },
    Scale { mean: 0.4865, deviation: 0.2564 },
    Scale { mean: 0.4409, deviation: 0.2762 },
];

/// A name that is no [`Schema`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no data schema is called `{0}`; say mnist, cifar10, cifar100, or csv-FEATURES-CLASSES as in csv-4-3, with 1 to \
     {FEATURES_MAX} features and 2 to {CLASSES_MAX} classes"
)]
pub struct SchemaError(String);

impl Schema {
    /// Extents of one example: channels, rows and columns of an image, or the number of features.
    pub fn shape(self) -> Vec<usize> {
        match self {
            Self::Mnist => vec![1, 28, 28],
            Self::Cifar10 | Self::Cifar100 => vec![3, 32, 32],
            Self::Csv { features, .. } => vec![usize::from(features)],
        }
    }

    /// Numbers of one example.
    pub fn inputs(self) -> usize {
        self.shape().into_iter().product()
    }

    /// Labels are below this.
    pub fn classes(self) -> usize {
        match self {
            Self::Mnist | Self::Cifar10 => 10,
            Self::Cifar100 => 100,
            Self::Csv { classes, .. } => usize::from(classes),
        }
    }

    /// The scale of each channel; none where numbers are read as they are.
    pub fn scales(self) -> &'static [Scale] {
        match self {
            Self::Mnist => &MNIST,
            Self::Cifar10 => &CIFAR10,
            Self::Cifar100 => &CIFAR100,
            Self::Csv { .. } => &[],
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mnist => f.write_str("mnist"),
            Self::Cifar10 => f.write_str("cifar10"),
            Self::Cifar100 => f.write_str("cifar100"),
            Self::Csv { features, classes } => write!(f, "csv-{features}-{classes}"),
        }
    }
}

impl FromStr for Schema {
    type Err = SchemaError;

    fn from_str(name: &str) -> Result<Self, SchemaError> {
        let fixed = [Self::Mnist, Self::Cifar10, Self::Cifar100].into_iter().find(|schema| schema.to_string() == name);
        fixed.or_else(|| csv(name)).ok_or_else(|| SchemaError(name.chars().take(40).collect()))
    }
}

fn csv(name: &str) -> Option<Schema> {
    let (features, classes) = name.strip_prefix("csv-")?.split_once('-')?;
    let schema = Schema::Csv {
        features: features.parse().ok().filter(|features| (1..=FEATURES_MAX).contains(features))?,
        classes: classes.parse().ok().filter(|classes| (2..=CLASSES_MAX).contains(classes))?,
    };
    // One name for one schema: `csv-04-3` would be another network with the same data.
    (schema.to_string() == name).then_some(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_one_name() {
        for name in ["mnist", "cifar10", "cifar100", "csv-4-3", "csv-4096-256"] {
            assert_eq!(name.parse::<Schema>().unwrap().to_string(), name);
        }
        for wrong in
            ["", "MNIST", "csv", "csv-4", "csv-0-2", "csv-4-1", "csv-4097-2", "csv-4-257", "csv-04-3", "csv-+4-3"]
        {
            let error = wrong.parse::<Schema>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("csv-4-3"), "{error}");
        }
    }

    #[test]
    fn images_have_a_scale_for_each_channel() {
        for schema in [Schema::Mnist, Schema::Cifar10, Schema::Cifar100] {
            assert_eq!(schema.scales().len(), schema.shape()[0]);
        }
        assert_eq!((Schema::Cifar10.inputs(), Schema::Cifar100.classes()), (3_072, 100));
    }
}
