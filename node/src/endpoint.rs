//! A language model's endpoint: any server that speaks OpenAI's protocol over HTTP, of this machine or another.
//!
//! ```text
//!   Question --body()--> Connector: connect, send, read at most so much --> reply: Answer
//!                  any of these may end in a Refusal, and all of them in Late
//! ```
//!
//! What a server does is an outcome. It may be any program, so all that it sends is bounded and checked: the size of its
//! answer before it is read, the word before it counts, the text before it is kept. One deadline spans name resolution,
//! connection, sending and reading. A caller that no longer wants an answer drops the future, and the connection closes.

mod address;
mod connection;
mod question;
mod refusal;
mod reply;
mod secret;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http_body_util::Full;
use hyper::{
    Method, Request,
    body::Bytes,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT},
};
use tokio::time::{Instant, timeout_at};

use self::connection::Connector;
pub(crate) use self::reply::is_model;
pub use self::{
    address::{Address, AddressError},
    question::{
        ANSWER_TOKENS_MAX, Form, MENU_WORDS_MAX, MESSAGES_MAX, Message, QUESTION_BYTES_MAX, Question, Role,
        WORD_BYTES_MAX,
    },
    refusal::Refusal,
    reply::{Ending, MODEL_CHARS_MAX, TEXT_CHARS_MAX},
    secret::Secret,
};
use crate::config::Agents;

/// Longest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Longest list of models that is read, in bytes: those who resell models list hundreds.
pub const MODELS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How long a list of models may take.
pub const MODELS_WITHIN: Duration = Duration::from_secs(10);

/// Longest time that an answer may take.
pub const ANSWER_WITHIN_MAX: Duration = Duration::from_secs(3_600);

/// The header by which `althing-lm` learns how long, in milliseconds, an answer is waited for. Others read it over.
const TIMEOUT_HEADER: &str = "x-timeout-ms";

/// Where a language model answers, and how it is asked. Clones share what they know.
#[derive(Clone)]
pub struct Endpoint(Arc<Shared>);

struct Shared {
    connector: Connector,
    key: Option<Secret>,
    answer_within: Duration,
    /// The model that the user wants.
    wanted: Option<String>,
    /// The model that the server was found to serve, where the user wants none in particular.
    found: Mutex<Option<String>>,
}

/// How to reach a language model.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Where it is.
    pub address: Address,
    /// The model to ask for, as the server calls it. Without it, the first that the server lists.
    pub model: Option<String>,
    /// What the server wants to see before it answers, if anything.
    pub key: Option<Secret>,
    /// How long any answer may take, at most [`ANSWER_WITHIN_MAX`].
    pub answer_within: Duration,
}

/// Why an endpoint cannot be used. All of it is for the user to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The environment holds no key.
    #[error(
        "the environment variable {name}, which is to hold the endpoint's key, is not set; export it, or leave key_env out"
    )]
    KeyMissing {
        /// The variable.
        name: String,
    },
    /// What the environment holds is no key.
    #[error("the environment variable {name} holds no key that can be sent; set it to the key alone, on one line")]
    KeyUnusable {
        /// The variable.
        name: String,
    },
    /// The host's name cannot stand in a certificate.
    #[error("the endpoint's host has no name that a certificate can prove; correct the address")]
    Name,
    /// Nobody vouches for servers on this machine.
    #[error(
        "this machine trusts no certificate authority; install the system's (package ca-certificates), name a file of them in SSL_CERT_FILE, or use http:// on a network that you trust"
    )]
    NoAuthorities,
    /// The cryptography of this build cannot do TLS 1.3.
    #[error("this build has no TLS 1.3; build it with the lock file as it is")]
    Tls,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The word, for [`Form::OneOf`] and [`Form::Score`]. For [`Form::Text`] one line without control characters, of at
    /// most [`TEXT_CHARS_MAX`] characters.
    pub text: String,
    /// Whether the text is whole. Words always are.
    pub ending: Ending,
    /// For [`Form::Score`]: natural logarithm of the probability that the model gave this answer, at most 0.
    pub log_probability: Option<f64>,
    /// Tokens of the question, 0 where the server does not say.
    pub prompt_tokens: u32,
    /// Tokens of the answer, 0 where the server does not say.
    pub completion_tokens: u32,
    /// Tokens of the question that the server knew already, 0 where it does not say.
    pub cached_tokens: u32,
    /// From the call to the answer.
    pub latency: Duration,
}

impl Endpoint {
    /// Prepares to ask; nothing is sent yet, so that the server may come later.
    ///
    /// # Errors
    /// [`EndpointError`], for `https://` alone.
    pub fn new(config: EndpointConfig) -> Result<Self, EndpointError> {
        Ok(Self(Arc::new(Shared {
            connector: Connector::new(config.address)?,
            key: config.key,
            answer_within: config.answer_within.min(ANSWER_WITHIN_MAX),
            wanted: config.model,
            found: Mutex::new(None),
        })))
    }

    /// The endpoint that a node's configuration names, if it names one.
    ///
    /// # Errors
    /// [`EndpointError`] says what to correct.
    pub fn configured(agents: &Agents) -> Result<Option<Self>, EndpointError> {
        let Some(address) = agents.endpoint.clone() else { return Ok(None) };
        Self::new(EndpointConfig {
            address,
            model: agents.model.clone(),
            key: agents.key_env.as_deref().map(Secret::from_environment).transpose()?,
            answer_within: Duration::from_millis(agents.answer_within_ms),
        })
        .map(Some)
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        self.0.connector.address()
    }

    /// The model that is served: the wanted one if the server lists it, else the first of the list. Takes at most
    /// [`MODELS_WITHIN`].
    ///
    /// # Errors
    /// [`Refusal::NoModel`] if the list lacks it, or another [`Refusal`] if there is no list.
    pub async fn model(&self) -> Result<String, Refusal> {
        let deadline = Instant::now() + self.0.answer_within.min(MODELS_WITHIN);
        timeout_at(deadline, self.list()).await.unwrap_or(Err(Refusal::Late))
    }

    /// The answer to `question`, if there is one `within` that time and within that of the configuration.
    ///
    /// # Errors
    /// [`Refusal`] says why there is none.
    pub async fn complete(&self, question: &Question, within: Duration) -> Result<Answer, Refusal> {
        let began = Instant::now();
        let deadline = began + within.min(self.0.answer_within);
        let reading = timeout_at(deadline, self.ask(question, deadline)).await.unwrap_or(Err(Refusal::Late))?;
        Ok(Answer {
            text: reading.text,
            ending: reading.ending,
            log_probability: reading.log_probability,
            prompt_tokens: reading.usage.prompt,
            completion_tokens: reading.usage.completion,
            cached_tokens: reading.usage.cached,
            latency: began.elapsed(),
        })
    }

    async fn ask(&self, question: &Question, deadline: Instant) -> Result<reply::Reading, Refusal> {
        let model = match self.known() {
            Some(model) => model,
            None => self.list().await?,
        };
        let body = question.body(&model)?;
        let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
        let request = self
            .request(Method::POST, "/chat/completions")
            .header(CONTENT_TYPE, "application/json")
            .header(TIMEOUT_HEADER, left.to_string())
            .body(Full::new(body));
        let answered = self.exchange(request, ANSWER_BYTES_MAX).await;
        if let Err(Refusal::Status(_)) = answered {
            // The server may have been started anew with another model.
            self.find(None);
        }
        reply::completion(&answered?, &question.form)
    }

    async fn list(&self) -> Result<String, Refusal> {
        let request = self.request(Method::GET, "/models").body(Full::default());
        let body = self.exchange(request, MODELS_BYTES_MAX).await?;
        let model = reply::model(&body, self.0.wanted.as_deref())?;
        self.find(Some(model.clone()));
        Ok(model)
    }

    fn request(&self, method: Method, page: &str) -> hyper::http::request::Builder {
        let address = self.address();
        let request = Request::builder()
            .method(method)
            .uri(address.path_of(page))
            .header(HOST, address.authority())
            .header(USER_AGENT, concat!("althing/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close");
        match &self.0.key {
            Some(key) => request.header(AUTHORIZATION, key.bearer()),
            None => request,
        }
    }

    async fn exchange(
        &self,
        request: Result<Request<Full<Bytes>>, hyper::http::Error>,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Refusal> {
        self.0.connector.exchange(request.map_err(|_| Refusal::Unaskable)?, bytes_max).await
    }

    /// The model to ask for, if it is known.
    fn known(&self) -> Option<String> {
        let found = || self.0.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.wanted.clone().or_else(found)
    }

    fn find(&self, model: Option<String>) {
        *self.0.found.lock().unwrap_or_else(PoisonError::into_inner) = model;
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.address())
    }
}
