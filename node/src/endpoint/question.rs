//! What a language model is asked, and how that is said in OpenAI's protocol.

use hyper::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::Refusal;

/// Longest question as it is sent, in bytes: what `althing-lm` reads.
pub const QUESTION_BYTES_MAX: usize = 64 * 1024;

/// Most messages of a question.
pub const MESSAGES_MAX: usize = 32;

/// Most words of a menu.
pub const MENU_WORDS_MAX: usize = 64;

/// Longest word of a menu, in bytes.
pub const WORD_BYTES_MAX: usize = 64;

/// Most tokens of an answer.
pub const ANSWER_TOKENS_MAX: u32 = 1_024;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// What is said, 1 to [`MESSAGES_MAX`]. What is the same in every question comes first, so that servers which
    /// remember beginnings need not read it again.
    pub messages: Vec<Message>,
    /// Most tokens of the answer, 1 to [`ANSWER_TOKENS_MAX`].
    pub max_tokens: u32,
    /// What the answer may be.
    pub form: Form,
}

/// Something that is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A rule of the conversation.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    /// Said by who asks.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// Said by the model, earlier.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The rules of the conversation.
    System,
    /// Who asks.
    User,
    /// The model, earlier.
    Assistant,
}

/// What an answer may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Anything. A text that was cut off counts too, and says so.
    Text,
    /// One of these words, 1 to [`MENU_WORDS_MAX`], in the order in which the schema shows them.
    OneOf(Vec<String>),
    /// This word and no other: the question is how likely the model was to say it.
    Score(String),
}

impl Question {
    /// The body of the request to the model called `model`.
    ///
    /// # Errors
    /// [`Refusal::Unaskable`] if the question is out of bounds.
    pub(super) fn body(&self, model: &str) -> Result<Bytes, Refusal> {
        let counted = (1..=MESSAGES_MAX).contains(&self.messages.len());
        if !counted || !(1..=ANSWER_TOKENS_MAX).contains(&self.max_tokens) {
            return Err(Refusal::Unaskable);
        }
        let mut body = json!({
            "model": model,
            "messages": self.messages,
            "max_tokens": self.max_tokens,
            // Greedy: the same question shall have the same answer.
            "temperature": 0,
            "stream": false,
        });
        if let Some(schema) = self.form.schema()? {
            let format = json!({ "name": "choice", "strict": true, "schema": schema });
            body["response_format"] = json!({ "type": "json_schema", "json_schema": format });
        }
        if let Form::Score(_) = self.form {
            body["logprobs"] = true.into();
        }
        let bytes = body.to_string();
        if bytes.len() > QUESTION_BYTES_MAX {
            return Err(Refusal::Unaskable);
        }
        Ok(bytes.into())
    }
}

impl Form {
    /// The schema that the answer must follow, if any.
    fn schema(&self) -> Result<Option<Value>, Refusal> {
        let sound = |word: &String| (1..=WORD_BYTES_MAX).contains(&word.len()) && !word.chars().any(char::is_control);
        match self {
            Self::Text => Ok(None),
            Self::OneOf(words) if (1..=MENU_WORDS_MAX).contains(&words.len()) && words.iter().all(sound) => {
                Ok(Some(json!({
                    "type": "object",
                    "properties": { "choice": { "type": "string", "enum": words } },
                    "required": ["choice"],
                    "additionalProperties": false,
                })))
            }
            Self::Score(word) if sound(word) => Ok(Some(json!({ "const": word }))),
            Self::OneOf(_) | Self::Score(_) => Err(Refusal::Unaskable),
        }
    }
}
