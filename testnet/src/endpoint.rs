//! Which language model is asked, where a command asks one itself.

use std::time::Duration;

use althing_node::endpoint::{Address, Endpoint, EndpointConfig, EndpointError, Secret};
use clap::{Args, value_parser};

/// Options that name a language model.
#[derive(Debug, Clone, Args)]
pub struct EndpointOptions {
    /// A language model takes part: any server that speaks OpenAI's protocol, as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<Address>,

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

impl EndpointOptions {
    /// The endpoint, if one is named.
    ///
    /// # Errors
    /// [`EndpointError`] says what to correct.
    pub(crate) fn endpoint(&self) -> Result<Option<Endpoint>, EndpointError> {
        let Some(address) = self.endpoint.clone() else { return Ok(None) };
        Endpoint::new(EndpointConfig {
            address,
            model: self.name.clone(),
            key: self.key_env.as_deref().map(Secret::from_environment).transpose()?,
            answer_within: self.within(),
        })
        .map(Some)
    }

    /// How long an answer may take.
    pub(crate) const fn within(&self) -> Duration {
        Duration::from_millis(self.answer_within_ms)
    }
}
