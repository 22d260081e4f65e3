//! Which language model takes part.

use std::time::Duration;

use althing_agents::orders::verdict::Asking;
use althing_node::endpoint::{Address, Endpoint, EndpointConfig, EndpointError, Secret};
use clap::{Args, value_parser};

/// Options of `testnet agents` that name a language model.
#[derive(Debug, Clone, Args)]
pub struct ModelOptions {
    /// A language model takes part too: any server that speaks OpenAI's protocol, as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<Address>,

    /// With --endpoint, how the model is asked to choose, with commas between: each-alone, both-ways (its menu in two
    /// orders), once; each way takes part by itself, as model-each-alone and so on
    #[arg(long, value_delimiter = ',', default_value = "each-alone", value_name = "WAYS", value_parser = way)]
    pub asking: Vec<Asking>,

    /// The model to ask for, as the endpoint calls it [default: the first that it lists]
    #[arg(long = "model", value_name = "NAME", requires = "endpoint")]
    pub name: Option<String>,

    /// The environment variable that holds the endpoint's key
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    pub key_env: Option<String>,

    /// With --endpoint, how long each answer of the model may take
    #[arg(long, default_value_t = 120_000, value_name = "MS", value_parser = value_parser!(u64).range(100..=3_600_000))]
    pub answer_within_ms: u64,
}

impl ModelOptions {
    /// The endpoint, if one is named.
    ///
    /// # Errors
    /// [`EndpointError`] says what to correct.
    pub(super) fn endpoint(&self) -> Result<Option<Endpoint>, EndpointError> {
        let Some(address) = self.endpoint.clone() else { return Ok(None) };
        Endpoint::new(EndpointConfig {
            address,
            model: self.name.clone(),
            key: self.key_env.as_deref().map(Secret::from_environment).transpose()?,
            answer_within: Duration::from_millis(self.answer_within_ms),
        })
        .map(Some)
    }

    /// The ways of asking, the cheapest first, each once.
    pub(super) fn all_askings(&self) -> Vec<Asking> {
        Asking::ALL.into_iter().filter(|asking| self.asking.contains(asking)).collect()
    }
}

fn way(text: &str) -> Result<Asking, String> {
    let names = Asking::ALL.map(Asking::name).join(", ");
    Asking::ALL.into_iter().find(|asking| asking.name() == text).ok_or_else(|| format!("give some of {names}"))
}
