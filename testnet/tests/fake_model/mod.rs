//! A language model's server that is none: it answers on a real socket as a test says. How every fault of a server is told
//! apart is tested beside the node's endpoint; here it matters only what is counted.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// Its name.
pub(crate) const NAME: &str = "fake-1";

/// Tokens of each question, and of each answer.
pub(crate) const TOKENS: (u64, u64) = (40, 2);

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// A text.
    Text,
    /// One of these words.
    OneOf(Vec<String>),
    /// How likely this word is.
    Score(String),
}

/// What is answered.
pub(crate) enum Reply {
    /// This word or text, each of whose tokens was this likely.
    Say(String, f64),
    /// This status, and nothing of use.
    Fail(u16),
    /// Nothing, until the caller leaves.
    Nothing,
}

type Script = Arc<Mutex<dyn FnMut(&Asked) -> Reply + Send>>;

/// A running server. It ends with the process of the test.
pub(crate) struct FakeModel {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl FakeModel {
    /// A server that answers every question as `script` says.
    pub(crate) fn start(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Script, _) = (Arc::new(Mutex::new(script)), Arc::clone(&heard));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                // A caller that leaves early is no failure of a test.
                thread::spawn(move || serve(stream, &script, &log).unwrap_or_default());
            }
        });
        Self { address, heard }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The last message of every question so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, script: &Script, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if body.is_null() {
        return send(&mut stream, 200, &json!({ "object": "list", "data": [{ "id": NAME, "object": "model" }] }));
    }
    let last = body["messages"].as_array().and_then(|messages| messages.last());
    log.lock().unwrap().push(last.and_then(|message| message["content"].as_str()).unwrap_or_default().to_owned());
    let reply = (script.lock().unwrap())(&asked(&body));
    match reply {
        Reply::Say(content, log_probability) => send(&mut stream, 200, &completion(&content, log_probability)),
        Reply::Fail(status) => send(&mut stream, status, &json!({ "error": { "message": "out of order" } })),
        // Whoever waits sends nothing, so that reading ends when the connection does.
        Reply::Nothing => stream.read(&mut [0]).map(|_| ()),
    }
}

fn asked(body: &Value) -> Asked {
    let schema = &body["response_format"]["json_schema"]["schema"];
    match (schema["const"].as_str(), &schema["properties"]["choice"]["enum"]) {
        (Some(word), _) => Asked::Score(word.to_owned()),
        (None, Value::Null) => Asked::Text,
        (None, words) => Asked::OneOf(serde_json::from_value(words.clone()).unwrap()),
    }
}

fn completion(content: &str, log_probability: f64) -> Value {
    let (prompt, completion) = TOKENS;
    json!({
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": json!(content).to_string() },
            "finish_reason": "stop",
            "logprobs": { "content": [{ "token": "a", "logprob": log_probability }] },
        }],
        "usage": {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": { "cached_tokens": 30 },
        },
    })
}

fn send(stream: &mut TcpStream, status: u16, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    let head =
        format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes())?;
    stream.flush()
}
