//! `althing log`.

use serde_json::json;

use super::Answer;
use crate::{
    cli::LogArgs,
    config::Config,
    failure::Failure,
    status::{self, AskError, SubmitFailure},
};

pub(super) fn execute(args: &LogArgs) -> Result<Answer, Failure> {
    let config = Config::load(&args.config)?;
    let filter = status::log_filter(&config.data_dir, args.filter.as_deref()).map_err(|failure| match failure {
        SubmitFailure::Refused(why) => Failure::user(why),
        SubmitFailure::Ask(AskError::NotRunning) => Failure::user(
            "no node runs on this data folder; start it with `althing run`, and choose its logs by ALTHING_LOG",
        ),
        SubmitFailure::Ask(error) => Failure::machine(error),
    })?;
    Ok(Answer { text: format!("log  {filter}\n"), json: json!({ "filter": filter }) })
}
