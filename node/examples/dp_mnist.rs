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

use althing_agents::privacy::{Budget, Conversion, Curve, rehearse};
use althing_node::learn::{
    data::{self, Dataset, Subset},
    model::Architecture,
    params,
    private::{AdaptiveClip, Clip, NoiseLicence, PrivateHyper},
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
    /// Largest norm of a sample's gradient; the first of it with --clip-quantile.
    #[arg(long, default_value_t = 0.5)]
    clip: f64,
    /// Let the norm follow this quantile of the gradients' norms, as 0.5.
    #[arg(long)]
    clip_quantile: Option<f64>,
    /// Passes over the samples on average.
    #[arg(long, default_value_t = 10.0)]
    epochs: f64,
    /// Step size.
    #[arg(long, default_value_t = 2.0)]
    learning_rate: f64,
    /// Momentum.
    #[arg(long, default_value_t = 0.0)]
    momentum: f64,
    /// Largest epsilon, by the tight conversion, that the training may cost at the delta below.
    #[arg(long, default_value_t = 8.0)]
    epsilon: f64,
    /// Delta.
    #[arg(long, default_value_t = 1e-5)]
    delta: f64,
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
        clip: clip(&arguments),
        sigma: arguments.sigma,
        steps: (arguments.epochs * train.len() as f64 / arguments.lot as f64).round() as u32,
        learning_rate: arguments.learning_rate,
        momentum: arguments.momentum,
    };
    let spend = hyper.spend(train.len())?;
    let learner = Learner::new(arguments.model, train, Dataset::default(), test);
    let start = params::init(arguments.model, [arguments.seed; 32]);
    // MNIST is public: a budget in memory and noise that can be drawn again do no harm.
    let debited = rehearse(Budget::new(arguments.epsilon, arguments.delta)?, spend)?;
    let licence = NoiseLicence::repeatable(debited, [arguments.seed; 32]);
    let mut go_on = || ControlFlow::Continue(());
    let trained = learner.train_private(&start, &hyper, licence, &mut go_on)?;
    let evaluation = learner.evaluate(&trained.weights, EvaluateOn::Test, &mut go_on)?;
    let cost = Curve::of(&spend);
    println!(
        "{}: accuracy {:.4} at epsilon {:.3} ({:.3} classic) and delta {:e}, \
         with q {:.7} sigma {} steps {} (clip {:?}, rate {}, momentum {}, seed {}) in {:.1} s",
        arguments.model,
        evaluation.accuracy(),
        cost.guarantee(arguments.delta, Conversion::Tight).epsilon,
        cost.guarantee(arguments.delta, Conversion::Classic).epsilon,
        arguments.delta,
        spend.q(),
        spend.sigma(),
        spend.steps(),
        hyper.clip,
        hyper.learning_rate,
        hyper.momentum,
        arguments.seed,
        trained.training_ms as f64 / 1e3,
    );
    Ok(())
}

/// The clip of the arguments; an adaptive one as its paper has it.
fn clip(arguments: &Arguments) -> Clip {
    let Arguments { clip: initial, lot, .. } = *arguments;
    let adaptive =
        |quantile| Clip::Adaptive(AdaptiveClip { initial, quantile, rate: 0.2, count_noise: lot as f64 / 20.0 });
    arguments.clip_quantile.map_or(Clip::Fixed(initial), adaptive)
}
