//! Every bound of the server.

use std::time::Duration;

/// Bytes of a request's body.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// Messages in a conversation.
pub(crate) const MESSAGES_MAX: usize = 32;

/// Tokens of a conversation, in the form that the model reads. A step over the whole of it cannot be broken off.
pub(crate) const PROMPT_TOKENS_MAX: usize = 2048;

/// Tokens of an answer, unless the request says how many.
pub(crate) const ANSWER_TOKENS_DEFAULT: usize = 256;

/// Tokens of an answer.
pub(crate) const ANSWER_TOKENS_MAX: usize = 1024;

/// Tokens whose likelihood is told in one place of an answer. OpenAI's limit.
pub(crate) const TOP_LOGPROBS_MAX: usize = 20;

/// Questions that wait, unless `--queue` says how many.
pub(crate) const QUEUE_DEFAULT: usize = 16;

/// Questions that wait.
pub(crate) const QUEUE_MAX: usize = 1024;

/// Seconds that a question may take, unless `--timeout` or the request says so.
pub(crate) const TIMEOUT_DEFAULT_S: u64 = 120;

/// Seconds that a question may take.
pub(crate) const TIMEOUT_MAX_S: u64 = 3600;

/// Blocks of 512 tokens that are remembered, unless `--remember` says how many.
pub(crate) const REMEMBERED_DEFAULT: usize = 64;

/// Blocks of 512 tokens that are remembered.
pub(crate) const REMEMBERED_MAX: usize = 4096;

/// How soon to ask again after a refusal, in seconds, when nothing better is known.
pub(crate) const RETRY_AFTER_S: u64 = 5;

/// How long connections have to end after the signal to stop.
pub(crate) const STOPPING_MAX: Duration = Duration::from_secs(5);
