//! What can be said of models.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

const MODELS: &str = "\
Examples:
  althing model export --config node.toml --out model.safetensors
  althing model export --genesis genesis.toml --model-file model.bin --out model.safetensors
  althing model import model.safetensors --genesis genesis.toml --out model.bin

In Python: load_state_dict(safetensors.torch.load_file(\"model.safetensors\")); docs/check_safetensors.py does it.";

/// Models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Show the tensors of a model.
    #[command(after_help = "Example:\n  althing model show --config node.toml")]
    Show(ModelArgs),
    /// Measure a model on the test set of a node's data, which no member trains on.
    #[command(after_help = "Example:\n  althing model evaluate --config node.toml --model-file model.bin --json")]
    Evaluate(ModelArgs),
    /// Write a model to a file that PyTorch reads.
    #[command(after_help = MODELS)]
    Export(ExportArgs),
    /// Read such a file back, strictly, and write the parameters as members exchange them.
    #[command(after_help = MODELS)]
    Import(ImportArgs),
}

/// Which model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The configuration of the node whose settled model, or own model in an epidemic federation, is meant. It must not be running.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// Another model than the node's: a file of parameters as members exchange them.
    #[arg(long, value_name = "FILE")]
    pub model_file: Option<PathBuf>,
    /// The genesis that the model belongs to [default: the node's].
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
}

/// A model to export.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which one.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The format.
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// The file to create.
    #[arg(long, value_name = "FILE", default_value = "model.safetensors")]
    pub out: PathBuf,
}

/// A format that models are exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExportFormat {
    /// Tensors named and shaped as in PyTorch's `state_dict`.
    #[default]
    Safetensors,
}

/// A model to import.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The safetensors file.
    pub file: PathBuf,
    /// The genesis that says which tensors the model has.
    #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
    pub genesis: PathBuf,
    /// The file to create.
    #[arg(long, value_name = "FILE", default_value = "model.bin")]
    pub out: PathBuf,
}
