//! Which language model takes part, and how it is asked.

use althing_agents::orders::verdict::Asking;
use clap::Args;

use crate::endpoint::EndpointOptions;

/// Options of `testnet agents` that name a language model.
#[derive(Debug, Clone, Args)]
pub struct ModelOptions {
    /// Which one.
    #[command(flatten)]
    pub server: EndpointOptions,

    /// With --endpoint, how the model is asked to choose, with commas between: each-alone, both-ways (its menu in two
    /// orders), once; each way takes part by itself, as model-each-alone and so on
    #[arg(long, value_delimiter = ',', default_value = "each-alone", value_name = "WAYS", value_parser = way)]
    pub asking: Vec<Asking>,
}

impl ModelOptions {
    /// The ways of asking, the cheapest first, each once.
    pub(super) fn all_askings(&self) -> Vec<Asking> {
        Asking::ALL.into_iter().filter(|asking| self.asking.contains(asking)).collect()
    }
}

fn way(text: &str) -> Result<Asking, String> {
    let names = Asking::ALL.map(Asking::name).join(", ");
    Asking::ALL.into_iter().find(|asking| asking.name() == text).ok_or_else(|| format!("give some of {names}"))
}
