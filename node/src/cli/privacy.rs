//! What can be said of privacy.

use std::path::PathBuf;

use althing_agents::privacy::Conversion;
use clap::{Args, Subcommand};

const EPSILON: &str = "\
Examples:
  althing privacy epsilon --q 0.01 --sigma 1.1 --steps 1000 --delta 1e-5
  althing privacy epsilon --schedule plan.csv --delta 1e-5 --json

  plan.csv:
    q,sigma,steps
    0.01,1.1,1000
    0.01,0.9,200

Epsilon bounds what any one example can change: about 1 is strong, 8 is weak. More noise (--sigma), fewer steps and
smaller batches (--q) lower it. It holds if each step takes every example by its own coin flip, clips its gradient and
adds fresh noise, and if all of this was fixed before the first step. docs/privacy.md says what it does not cover.";

/// Privacy.
#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Give the epsilon of some training with clipped gradients, Poisson sampling and Gaussian noise.
    #[command(after_help = EPSILON)]
    Epsilon(EpsilonArgs),
    /// Show what of a member's privacy budget is spent, whether or not its node runs.
    #[command(after_help = "Example:\n  althing privacy show --config node.toml --json")]
    Show(AccountArgs),
    /// Raise the budget of a member's account to the epsilon in its configuration. Its node must not run.
    ///
    /// A node lowers its budget by itself and never raises it: noise that was drawn under the old promise cannot be
    /// drawn again. Raise it for reasons that have nothing to do with what the training has shown.
    #[command(after_help = "Example:\n  althing privacy raise --config node.toml")]
    Raise(AccountArgs),
    /// Go on with the account when the member's examples have changed. Its node must not run.
    ///
    /// What is spent stays spent, for old examples and for new ones.
    #[command(after_help = "Example:\n  althing privacy rebind --config node.toml")]
    Rebind(AccountArgs),
    /// Give up the account: nothing counts any more what was spent. Its node must not run.
    ///
    /// For a member that goes on without noise, or whose store is lost. What a fresh account spends comes on top of
    /// what this one has.
    #[command(after_help = "Example:\n  althing privacy close --config node.toml")]
    Close(AccountArgs),
}

/// Whose account.
#[derive(Debug, Args)]
pub struct AccountArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// Training to account for.
#[derive(Debug, Args)]
pub struct EpsilonArgs {
    /// Probability with which a step takes an example: batch size / number of examples.
    #[arg(long, allow_negative_numbers = true, required_unless_present = "schedule")]
    pub q: Option<f64>,
    /// Standard deviation of the noise, in clipping norms.
    #[arg(long, allow_negative_numbers = true, required_unless_present = "schedule")]
    pub sigma: Option<f64>,
    /// Number of steps.
    #[arg(long, required_unless_present = "schedule")]
    pub steps: Option<u64>,
    /// A file of lines `q,sigma,steps`, all of which were trained. Empty lines, `#` comments and a header are allowed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["q", "sigma", "steps"])]
    pub schedule: Option<PathBuf>,
    /// Chance that epsilon does not hold: well below 1 / number of examples.
    #[arg(long, allow_negative_numbers = true)]
    pub delta: f64,
    /// `tight`, or `classic` to compare with figures published before 2021.
    #[arg(long, value_parser = conversion, default_value = "tight")]
    pub conversion: Conversion,
}

fn conversion(text: &str) -> Result<Conversion, String> {
    match text {
        "tight" => Ok(Conversion::Tight),
        "classic" => Ok(Conversion::Classic),
        _ => Err("expected `tight` or `classic`".into()),
    }
}
