//! Trains a built-in model on all of MNIST privately and prints its accuracy with what an accountant needs.
//!
//! ```text
//! cargo run -p althing-node --example dp_mnist
//! ```
//!
//! The defaults cost epsilon 1.20 at delta 1e-5 by the classic conversion. A large lot under as much noise as that
//! allows learns more than a small one.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use althing_node::learn::{
    data::{self, Dataset, Subset},
    model::Architecture,
    params,
    private::{NoiseLicence, PrivateHyper},
    train::{EvaluateOn, Learner},
};
use clap::Parser;

/// Trains a built-in model on MNIST with DP-SGD.
#[derive(Parser)]
struct Arguments {
    /// Folder of the four MNIST files.
    #[arg(long, default_value_os_t = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/data/mnist"))]
    data: PathBuf,
    /// 2nn, lenet or fedavg-cnn.
    #[arg(long, default_value = "lenet")]
    model: Architecture,
    /// Samples per step on average.
    #[arg(long, default_value_t = 1024)]
    lot: usize,
    /// Noise multiplier.
    #[arg(long, default_value_t = 1.923)]
    sigma: f64,
    /// Largest norm of a sample's gradient.
    #[arg(long, default_value_t = 0.5)]
    clip: f64,
    /// Passes over the samples on average.
    #[arg(long, default_value_t = 10.0)]
    epochs: f64,
    /// Step size.
    #[arg(long, default_value_t = 2.0)]
    learning_rate: f64,
    /// Momentum.
    #[arg(long, default_value_t = 0.0)]
    momentum: f64,
    /// Decides everything that is random, so that a run can be repeated: real trainings take a secret instead.
    #[arg(long, default_value_t = 1)]
    seed: u8,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let train = data::load_all(&arguments.data, Subset::Train)?;
    let test = data::load_all(&arguments.data, Subset::Test)?;
    let hyper = PrivateHyper {
        lot: arguments.lot,
        clip: arguments.clip,
        sigma: arguments.sigma,
        steps: (arguments.epochs * train.len() as f64 / arguments.lot as f64).round() as u32,
        learning_rate: arguments.learning_rate,
        momentum: arguments.momentum,
    };
    let spending = hyper.spending(train.len())?;
    let learner = Learner::new(arguments.model, train, Dataset::default(), test);
    let start = params::init(arguments.model, [arguments.seed; 32]);
    // MNIST is public and this process keeps no budget: the one place where nothing needs to be debited.
    let licence = NoiseLicence::debited(spending, [arguments.seed; 32]);
    let mut go_on = || ControlFlow::Continue(());
    let trained = learner.train_private(&start, &hyper, licence, &mut go_on)?;
    let evaluation = learner.evaluate(&trained.weights, EvaluateOn::Test, &mut go_on)?;
    println!(
        "{}: accuracy {:.4} with q {:.7} sigma {} steps {} (clip {}, rate {}, momentum {}, seed {}) in {:.1} s",
        arguments.model,
        evaluation.accuracy(),
        spending.sampling_rate,
        spending.sigma,
        spending.steps,
        hyper.clip,
        hyper.learning_rate,
        hyper.momentum,
        arguments.seed,
        trained.training_ms as f64 / 1e3,
    );
    Ok(())
}
