//! What can be asked: a part of OpenAI's chat completions, read strictly, so that nothing is silently left out.

use serde::Deserialize;
use serde_json::Value;

use super::{
    limits::{ANSWER_TOKENS_DEFAULT, ANSWER_TOKENS_MAX, MESSAGES_MAX, TOP_LOGPROBS_MAX},
    refusal::Refusal,
};
use crate::engine::{Ask, Message, Speaker};

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    messages: Vec<BodyMessage>,
    model: Option<String>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    response_format: Option<Format>,
    logprobs: Option<bool>,
    top_logprobs: Option<usize>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    n: Option<u64>,
    stream: Option<bool>,
    /// Greedy decoding has no use for a seed.
    #[serde(rename = "seed")]
    _seed: Option<i64>,
    /// Who asks is of no interest.
    #[serde(rename = "user")]
    _user: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyMessage {
    role: Role,
    content: String,
    /// Names do not reach the model.
    #[serde(rename = "name")]
    _name: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    System,
    User,
    Assistant,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    Text,
    JsonSchema { json_schema: JsonSchema },
}

#[derive(Debug, Deserialize)]
struct JsonSchema {
    schema: Value,
}

/// A request that can be answered.
#[derive(Debug)]
pub(crate) struct Question {
    /// What to ask the model.
    pub(crate) ask: Ask,
    /// Judges an answer under a schema.
    pub(crate) judge: Option<jsonschema::Validator>,
}

impl Question {
    /// Reads the body of a request to the model called `here`.
    ///
    /// # Errors
    /// [`Refusal::Request`] and [`Refusal::OtherModel`], which say what to change.
    pub(crate) fn parse(body: &[u8], here: &str) -> Result<Self, Refusal> {
        let body: Body =
            serde_json::from_slice(body).map_err(|error| wrong(format!("the body is not understood: {error}")))?;
        if let Some(asked) = body.model.as_ref().filter(|asked| *asked != here) {
            let asked = asked.chars().take(100).collect();
            return Err(Refusal::OtherModel { asked, here: here.to_owned() });
        }
        check_decoding(&body)?;
        let max_tokens = max_tokens(&body)?;
        let odds = odds(&body)?;
        let messages = messages(body.messages)?;
        let schema = match body.response_format {
            None | Some(Format::Text) => None,
            Some(Format::JsonSchema { json_schema }) => Some(json_schema.schema),
        };
        let judge = schema.as_ref().map(judge).transpose()?;
        Ok(Self { ask: Ask { messages, max_tokens, schema, odds }, judge })
    }
}

/// Refuses whatever would make the answer another one than greedy decoding gives.
fn check_decoding(body: &Body) -> Result<(), Refusal> {
    if body.temperature.is_some_and(|temperature| temperature != 0.0) {
        return Err(wrong("only greedy decoding is offered: leave `temperature` out or set it to 0"));
    }
    if body.top_p.is_some_and(|top_p| top_p != 1.0) {
        return Err(wrong("only greedy decoding is offered: leave `top_p` out or set it to 1"));
    }
    if body.n.is_some_and(|n| n != 1) {
        return Err(wrong("there is one answer to a question: leave `n` out or set it to 1"));
    }
    if body.stream == Some(true) {
        return Err(wrong("answers come whole: leave `stream` out or set it to false"));
    }
    Ok(())
}

fn max_tokens(body: &Body) -> Result<usize, Refusal> {
    let asked = body.max_completion_tokens.or(body.max_tokens).unwrap_or(ANSWER_TOKENS_DEFAULT);
    if (1..=ANSWER_TOKENS_MAX).contains(&asked) {
        Ok(asked)
    } else {
        Err(wrong(format!("`max_tokens` is {asked}: give a number from 1 to {ANSWER_TOKENS_MAX}")))
    }
}

fn odds(body: &Body) -> Result<Option<usize>, Refusal> {
    let top = body.top_logprobs.unwrap_or_default();
    if top > TOP_LOGPROBS_MAX {
        return Err(wrong(format!("`top_logprobs` is {top}: give a number up to {TOP_LOGPROBS_MAX}")));
    }
    match body.logprobs {
        Some(true) => Ok(Some(top)),
        _ if body.top_logprobs.is_some() => Err(wrong("`top_logprobs` needs `logprobs`: true")),
        _ => Ok(None),
    }
}

fn messages(messages: Vec<BodyMessage>) -> Result<Vec<Message>, Refusal> {
    if messages.is_empty() || messages.len() > MESSAGES_MAX {
        return Err(wrong(format!("there are {} messages: send from 1 to {MESSAGES_MAX}", messages.len())));
    }
    Ok(messages.into_iter().map(|message| Message { speaker: speaker(message.role), text: message.content }).collect())
}

fn speaker(role: Role) -> Speaker {
    match role {
        Role::System => Speaker::System,
        Role::User => Speaker::User,
        Role::Assistant => Speaker::Assistant,
    }
}

fn judge(schema: &Value) -> Result<jsonschema::Validator, Refusal> {
    if !schema.is_object() {
        return Err(wrong("`response_format.json_schema.schema` is no object: give a JSON schema"));
    }
    jsonschema::validator_for(schema).map_err(|error| {
        wrong(format!(
            "`response_format.json_schema.schema` is no JSON schema: {}",
            crate::failure::one_line(&error.to_string())
        ))
    })
}

fn wrong(reason: impl Into<String>) -> Refusal {
    Refusal::Request(reason.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<Question, Refusal> {
        Question::parse(body.to_string().as_bytes(), "small")
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = json!({ "messages": [{ "role": "user", "content": "Hello" }] });
        body[field] = value;
        body
    }

    #[test]
    fn a_plain_question_gets_the_defaults() {
        let question = parse(&with("model", json!("small"))).unwrap();
        assert_eq!(
            question.ask,
            Ask {
                messages: vec![Message { speaker: Speaker::User, text: "Hello".into() }],
                max_tokens: ANSWER_TOKENS_DEFAULT,
                schema: None,
                odds: None,
            }
        );
        assert!(question.judge.is_none());
    }

    #[test]
    fn what_greedy_decoding_gives_anyway_may_be_asked_for() {
        let body = json!({
            "messages": [{ "role": "system", "content": "Be brief.", "name": "judge" }, { "role": "assistant", "content": "." }],
            "temperature": 0, "top_p": 1, "n": 1, "stream": false, "seed": 7, "user": "node-1",
            "max_tokens": 9, "max_completion_tokens": 8, "logprobs": true, "top_logprobs": 3,
            "response_format": { "type": "text" },
        });
        let ask = parse(&body).unwrap().ask;
        assert_eq!((ask.max_tokens, ask.odds, ask.messages.len()), (8, Some(3), 2));
    }

    #[test]
    fn a_schema_comes_with_a_judge() {
        let format = json!({ "type": "json_schema", "json_schema": { "name": "a", "strict": true, "schema": { "enum": ["yes"] } } });
        let question = parse(&with("response_format", format)).unwrap();
        assert_eq!(question.ask.schema, Some(json!({ "enum": ["yes"] })));
        let judge = question.judge.unwrap();
        assert!(judge.is_valid(&json!("yes")) && !judge.is_valid(&json!("no")));
    }

    #[test]
    fn a_schema_keeps_the_order_of_its_properties() {
        let body = r#"{ "messages": [{ "role": "user", "content": "" }], "response_format": { "json_schema": { "schema":
            { "properties": { "reason": {}, "choice": {} } } }, "type": "json_schema" } }"#;
        let schema = Question::parse(body.as_bytes(), "small").unwrap().ask.schema.unwrap();
        assert_eq!(schema["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["reason", "choice"]);
    }

    #[test]
    fn everything_else_is_refused_with_what_to_change() {
        let many: Vec<Value> = (0..=MESSAGES_MAX).map(|_| json!({ "role": "user", "content": "" })).collect();
        let schema = |schema: Value| json!({ "type": "json_schema", "json_schema": { "schema": schema } });
        let cases = [
            (with("temperature", json!(0.7)), "`temperature`"),
            (with("top_p", json!(0.5)), "`top_p`"),
            (with("n", json!(2)), "`n`"),
            (with("stream", json!(true)), "`stream`"),
            (with("tools", json!([])), "unknown field `tools`"),
            (with("max_tokens", json!(0)), "from 1 to"),
            (with("max_tokens", json!(ANSWER_TOKENS_MAX + 1)), "from 1 to"),
            (with("max_tokens", json!(-1)), "not understood"),
            (with("top_logprobs", json!(3)), "needs `logprobs`"),
            (with("logprobs", json!(false)), ""),
            (with("messages", json!([])), "from 1 to"),
            (with("messages", json!(many)), "from 1 to"),
            (with("messages", json!([{ "role": "tool", "content": "" }])), "unknown variant `tool`"),
            (with("messages", json!([{ "role": "user", "content": ["parts"] }])), "expected a string"),
            (with("response_format", json!({ "type": "json_object" })), "unknown variant `json_object`"),
            (with("response_format", schema(json!(true))), "no object"),
            (with("response_format", schema(json!({ "type": "word" }))), "no JSON schema"),
            (with("response_format", schema(json!({ "$ref": "http://example.com/a" }))), "no JSON schema"),
        ];
        for (body, expected) in cases {
            match parse(&body) {
                Err(refusal) => {
                    assert!(!expected.is_empty() && refusal.to_string().contains(expected), "{body}: {refusal}");
                }
                Ok(_) => assert!(expected.is_empty(), "{body} was taken"),
            }
        }
        let mut odds = with("logprobs", json!(true));
        odds["top_logprobs"] = json!(TOP_LOGPROBS_MAX + 1);
        assert!(parse(&odds).unwrap_err().to_string().contains("up to 20"));
    }

    #[test]
    fn another_model_is_refused_with_the_name_of_this_one() {
        let refusal = parse(&with("model", json!("large"))).unwrap_err();
        assert_eq!(refusal, Refusal::OtherModel { asked: "large".into(), here: "small".into() });
    }
}
