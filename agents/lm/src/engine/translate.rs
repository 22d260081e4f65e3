//! Between the library's words and ours.

use mistralrs::{Response, TextMessageRole};

use super::{Ask, EngineError, Finish, Speaker};
use crate::failure::one_line;

/// Who speaks, to the library.
pub(super) fn role(speaker: Speaker) -> TextMessageRole {
    match speaker {
        Speaker::System => TextMessageRole::System,
        Speaker::User => TextMessageRole::User,
        Speaker::Assistant => TextMessageRole::Assistant,
    }
}

/// Why an answer ended, in our words.
pub(super) fn finish(reason: &str) -> Result<Finish, EngineError> {
    match reason {
        "stop" => Ok(Finish::Complete),
        "length" => Ok(Finish::Truncated),
        other => Err(failed(format!("it stopped because of {other:?}"))),
    }
}

/// Why the library answered with something else than a piece of text.
pub(super) fn refusal(response: Response, ask: &Ask) -> EngineError {
    match response {
        Response::ValidationError(error) => EngineError::Refused(one_line(&error.to_string())),
        // Before anything is computed, all that is compiled is the schema.
        Response::InternalError(error) if ask.schema.is_some() => EngineError::Refused(format!(
            "no answer can be held to this schema ({}); use objects, enums, bounded strings, arrays and integers",
            one_line(&error.to_string())
        )),
        Response::InternalError(error) => failed(error),
        Response::ModelError(error, _) => failed(error),
        _ => failed("it answered with something else than text"),
    }
}

/// A failure of the library, in one line.
pub(super) fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError::Failed(one_line(&error.to_string()))
}
