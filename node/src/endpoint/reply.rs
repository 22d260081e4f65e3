//! What a server says, read with suspicion: it may be any program, and what it says goes into transcripts.

use serde::{Deserialize, Serialize};

use super::{Form, Refusal};
use crate::text::one_line;

/// Longest free text that is kept, in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// Longest name of a model, in characters.
pub const MODEL_CHARS_MAX: usize = 200;

/// A log-probability above 0 by no more than this is rounding.
const LOG_PROBABILITY_SLACK: f64 = 1e-3;

/// How a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself.
    Complete,
    /// It was cut off: by the server at `max_tokens`, or here at [`TEXT_CHARS_MAX`].
    Truncated,
}

/// What is taken from a server's answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    pub(super) text: String,
    pub(super) ending: Ending,
    pub(super) log_probability: Option<f64>,
    pub(super) usage: Usage,
}

/// Tokens, as the server counts them; zeros where it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) prompt: u32,
    pub(super) completion: u32,
    pub(super) cached: u32,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Token>>,
}

#[derive(Deserialize)]
struct Token {
    logprob: f64,
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

/// The object that the schema of a menu asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choose {
    choice: String,
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

#[derive(Deserialize)]
struct Fault {
    error: FaultCode,
}

#[derive(Deserialize)]
struct FaultCode {
    code: String,
}

/// Reads the body of a completion that was asked for in `form`.
///
/// # Errors
/// [`Refusal::Malformed`], [`Refusal::Truncated`], [`Refusal::OffMenu`] and [`Refusal::NoLogProbabilities`].
pub(super) fn completion(body: &[u8], form: &Form) -> Result<Reading, Refusal> {
    let completion: Completion = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
    let usage = completion.usage.map(Usage::from).unwrap_or_default();
    let choice = completion.choices.into_iter().next().ok_or(Refusal::Malformed)?;
    let truncated = choice.finish_reason.as_deref() == Some("length");
    let said = choice.message.content.unwrap_or_default();
    let words = match form {
        Form::Text => {
            let (text, ending) = clip(&said, if truncated { Ending::Truncated } else { Ending::Complete });
            return Ok(Reading { text, ending, log_probability: None, usage });
        }
        Form::OneOf(words) => words.as_slice(),
        Form::Score(word) => std::slice::from_ref(word),
    };
    if truncated {
        return Err(Refusal::Truncated);
    }
    let text = word(&said, words)?;
    let log_probability = match form {
        Form::Score(_) => Some(sum(choice.logprobs)?),
        Form::Text | Form::OneOf(_) => None,
    };
    Ok(Reading { text, ending: Ending::Complete, log_probability, usage })
}

/// The word of `words` that `said` is: as `{"choice": "word"}` or as a JSON string, and in no other way.
fn word(said: &str, words: &[String]) -> Result<String, Refusal> {
    let chosen = serde_json::from_str::<Choose>(said)
        .map(|choose| choose.choice)
        .or_else(|_| serde_json::from_str::<String>(said))
        .map_err(|_| Refusal::Malformed)?;
    if words.contains(&chosen) { Ok(chosen) } else { Err(Refusal::OffMenu) }
}

/// The log-probability of all tokens together.
fn sum(logprobs: Option<Logprobs>) -> Result<f64, Refusal> {
    let tokens = logprobs.and_then(|logprobs| logprobs.content).unwrap_or_default();
    if tokens.is_empty() {
        return Err(Refusal::NoLogProbabilities);
    }
    let sum: f64 = tokens.iter().map(|token| token.logprob).sum();
    if sum.is_finite() && sum <= LOG_PROBABILITY_SLACK { Ok(sum.min(0.0)) } else { Err(Refusal::Malformed) }
}

/// `said` on one line, without control characters, and no longer than is kept.
fn clip(said: &str, ending: Ending) -> (String, Ending) {
    let line = one_line(said);
    match line.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => (line[..end].to_owned(), Ending::Truncated),
        None => (line, ending),
    }
}

/// The model that a list of models serves: the one called `wanted`, or the first.
///
/// # Errors
/// [`Refusal::NoModel`] if it is not there, [`Refusal::Malformed`] if this is no list of models.
pub(super) fn model(body: &[u8], wanted: Option<&str>) -> Result<String, Refusal> {
    let models: Models = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
    let mut names = models.data.into_iter().map(|model| model.id);
    let name = match wanted {
        Some(wanted) => names.find(|name| name == wanted),
        None => names.next(),
    };
    name.ok_or(Refusal::NoModel).and_then(|name| if is_model(&name) { Ok(name) } else { Err(Refusal::Malformed) })
}

/// Whether `name` can be the name of a model.
pub(crate) fn is_model(name: &str) -> bool {
    (1..=MODEL_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// What a `status` that is no success says, together with the `body` that came with it.
pub(super) fn refusal(status: u16, body: &[u8]) -> Refusal {
    match status {
        300..=399 => Refusal::Redirected,
        401 | 403 => Refusal::Denied,
        // `althing-lm` alone knows this code; to other servers 422 is a request that they cannot read.
        422 if code(body).as_deref() == Some("output_truncated") => Refusal::Truncated,
        429 => Refusal::Busy,
        504 => Refusal::Late,
        _ => Refusal::Status(status),
    }
}

fn code(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<Fault>(body).ok().map(|fault| fault.error.code)
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let number = |count: Option<u64>| u32::try_from(count.unwrap_or_default()).unwrap_or(u32::MAX);
        Self {
            prompt: number(counts.prompt_tokens),
            completion: number(counts.completion_tokens),
            cached: number(counts.prompt_tokens_details.and_then(|details| details.cached_tokens)),
        }
    }
}
