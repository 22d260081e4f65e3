//! What can be asked of an endpoint.

use std::path::PathBuf;

use clap::Args;

use crate::endpoint::{ANSWER_TOKENS_MAX, Address};

/// A question.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question.
    pub question: String,
    /// Where to ask [default: where the node of the configuration does].
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<Address>,
    /// The node's configuration, read where no --endpoint is given.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// The model to ask for [default: the first that the endpoint lists].
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The environment variable that holds the endpoint's key.
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,
    /// Words, split by commas, one of which is to be the answer [default: any text].
    #[arg(long, value_name = "WORDS", value_delimiter = ',', conflicts_with = "score")]
    pub choose: Vec<String>,
    /// A word: say how likely the model is to answer it.
    #[arg(long, value_name = "WORD")]
    pub score: Option<String>,
    /// Most tokens of the answer.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(ANSWER_TOKENS_MAX)))]
    pub max_tokens: u32,
    /// How long the answer may take, in milliseconds [default: 120000, or what the configuration says].
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub answer_within_ms: Option<u64>,
}
