//! An answer in the shape of OpenAI's chat completions, once it has been judged.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{refusal::Refusal, request::Question};
use crate::{
    engine::{Answer, Finish, Likelihood, Odds},
    failure::one_line,
};

/// What a question asks of its answer.
pub(crate) struct Demands {
    max_tokens: usize,
    judge: Option<jsonschema::Validator>,
}

impl Demands {
    /// Those of `question`, apart from what is to be asked.
    pub(crate) fn of(question: Question) -> (crate::engine::Ask, Self) {
        let max_tokens = question.ask.max_tokens;
        (question.ask, Self { max_tokens, judge: question.judge })
    }

    /// Lets `answer` pass if it is one.
    ///
    /// # Errors
    /// [`Refusal::Truncated`] and [`Refusal::Invalid`], under a schema.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), Refusal> {
        let Some(judge) = &self.judge else { return Ok(()) };
        if answer.finish == Finish::Truncated {
            return Err(Refusal::Truncated { max_tokens: self.max_tokens });
        }
        let said: Value =
            serde_json::from_str(&answer.text).map_err(|error| Refusal::Invalid(format!("it is no JSON: {error}")))?;
        judge.validate(&said).map_err(|error| Refusal::Invalid(one_line(&error.to_string())))
    }
}

/// The body of the response: `answer` by the model called `model`.
pub(crate) fn completion(answer: &Answer, model: &str, number: u64) -> Value {
    let usage = &answer.usage;
    let finish = match answer.finish {
        Finish::Complete => "stop",
        Finish::Truncated => "length",
    };
    json!({
        "id": format!("chatcmpl-{number}"),
        "object": "chat.completion",
        "created": unix_seconds(),
        "model": model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": answer.text },
            "finish_reason": finish,
            "logprobs": answer.odds.as_ref().map(|odds| json!({ "content": odds.iter().map(logprob).collect::<Vec<_>>() })),
        }],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": { "cached_tokens": usage.reused_tokens },
        },
    })
}

/// The body of `GET /v1/models`.
pub(crate) fn models(model: &str, loaded: u64) -> Value {
    json!({
        "object": "list",
        "data": [{ "id": model, "object": "model", "created": loaded, "owned_by": "althing-lm" }],
    })
}

fn logprob(odds: &Odds) -> Value {
    let mut place = likelihood(&odds.taken);
    place["top_logprobs"] = odds.likeliest.iter().map(likelihood).collect();
    place
}

fn likelihood(likelihood: &Likelihood) -> Value {
    json!({ "token": likelihood.token, "logprob": likelihood.ln, "bytes": likelihood.token.as_bytes() })
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
