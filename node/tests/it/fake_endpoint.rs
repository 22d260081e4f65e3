//! A language model's endpoint that is none: it hears requests on a real socket and does to each what a test says,
//! good or bad. Tests of whole nodes use it too, which is why it runs on threads of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Things that happened which may wait to be looked at: more than any test makes.
const NEWS_MAX: usize = 1 << 12;

/// What is done to one request.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// These bytes are sent as they are, and the connection ends.
    Send(Vec<u8>),
    /// These bytes are sent, and then nothing more until the caller leaves.
    Stall(Vec<u8>),
    /// These bytes are sent one by one, with this time between any two.
    Drip(Vec<u8>, Duration),
    /// The former bytes are sent, and then the latter over and over, until the caller leaves.
    Flood(Vec<u8>, Vec<u8>),
}

impl Deed {
    /// A completion whose message is `content`.
    pub(crate) fn say(content: &str) -> Self {
        Self::json(200, &completion(content, "stop"))
    }

    /// `body` with `status`.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let body = body.to_string();
        let length = body.len();
        Self::Send(format!("{}content-length: {length}\r\n\r\n{body}", head(status)).into_bytes())
    }
}

/// The head of an answer in JSON, up to its last line.
pub(crate) fn head(status: u16) -> String {
    format!("HTTP/1.1 {status} Whatever\r\ncontent-type: application/json; charset=utf-8\r\n")
}

/// A completion as `althing-lm` gives it.
pub(crate) fn completion(content: &str, finish_reason: &str) -> Value {
    json!({
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": content },
            "finish_reason": finish_reason,
            "logprobs": { "content": [{ "token": "a", "logprob": -0.5 }, { "token": "b", "logprob": -0.25 }] },
        }],
        "usage": {
            "prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42,
            "prompt_tokens_details": { "cached_tokens": 30 },
        },
    })
}

/// The list of models of a server that has one.
pub(crate) fn models(name: &str) -> Value {
    json!({ "object": "list", "data": [{ "id": name, "object": "model" }] })
}

/// A request as it was heard.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Method and path, as in `POST /v1/chat/completions`.
    pub(crate) line: String,
    /// The other lines of its head, in small letters.
    pub(crate) head: Vec<String>,
    /// Its body, or null.
    pub(crate) body: Value,
}

impl Heard {
    /// The words of its menu, if it has one.
    pub(crate) fn menu(&self) -> Vec<String> {
        let words = &self.body["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"];
        serde_json::from_value(words.clone()).unwrap_or_default()
    }
}

/// What happened.
#[derive(Debug)]
pub(crate) enum News {
    /// A request came.
    Heard(Heard),
    /// The caller of a deed that does not end by itself has left, after so many bytes.
    Left(usize),
}

/// A running endpoint. It ends when this is dropped.
pub(crate) struct FakeEndpoint {
    address: SocketAddr,
    news: mpsc::Receiver<News>,
    over: Arc<AtomicBool>,
}

type Script = Mutex<Box<dyn FnMut(&Heard) -> Deed + Send>>;

struct Desk {
    script: Script,
    news: mpsc::SyncSender<News>,
}

impl FakeEndpoint {
    /// An endpoint that does to every request what `script` says.
    pub(crate) fn start(script: impl FnMut(&Heard) -> Deed + Send + 'static) -> Self {
        Self::open(script, None)
    }

    /// The same, over TLS.
    pub(crate) fn start_tls(script: impl FnMut(&Heard) -> Deed + Send + 'static, tls: ServerConfig) -> Self {
        Self::open(script, Some(Arc::new(tls)))
    }

    fn open(script: impl FnMut(&Heard) -> Deed + Send + 'static, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (sender, news) = mpsc::sync_channel(NEWS_MAX);
        let desk = Arc::new(Desk { script: Mutex::new(Box::new(script)), news: sender });
        let ended = Arc::clone(&over);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (desk, tls) = (Arc::clone(&desk), tls.clone());
                thread::spawn(move || match tls {
                    None => desk.serve(stream),
                    Some(tls) => desk.serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream)),
                });
            }
        });
        Self { address, news, over }
    }

    /// Its address, as a configuration names it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What happens next.
    pub(crate) fn news(&self) -> News {
        self.news.recv_timeout(crate::harness::PATIENCE).expect("something happens")
    }
}

impl Drop for FakeEndpoint {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections. If it has gone already, all the better.
        let _ = TcpStream::connect(self.address);
    }
}

impl Desk {
    /// A caller that leaves early is no failure of a test here, so that errors of the socket are passed over.
    fn serve(&self, stream: impl Read + Write) {
        let mut reader = BufReader::new(stream);
        let Some(heard) = hear(&mut reader) else { return };
        let deed = (self.script.lock().unwrap())(&heard);
        let _ = self.news.try_send(News::Heard(heard));
        let mut stream = reader.into_inner();
        if let Some(written) = act(&mut stream, deed) {
            let _ = self.news.try_send(News::Left(written));
        }
    }
}

fn hear(reader: &mut impl BufRead) -> Option<Heard> {
    let lines: Vec<String> = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let line = lines.first()?.trim_end_matches(" HTTP/1.1").to_owned();
    let head: Vec<String> = lines[1..].iter().map(|line| line.to_lowercase()).collect();
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { line, head, body: serde_json::from_slice(&body).unwrap_or_default() })
}

/// Does it. For a deed that does not end by itself: the bytes that were written before the caller left.
fn act(stream: &mut (impl Read + Write), deed: Deed) -> Option<usize> {
    match deed {
        Deed::Send(bytes) => {
            let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
            None
        }
        Deed::Stall(bytes) => {
            let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
            // Whoever waits sends nothing, so that reading ends when the connection does.
            let _ = stream.read(&mut [0]);
            Some(bytes.len())
        }
        Deed::Drip(bytes, pause) => {
            let drop = |byte: &&u8| {
                thread::sleep(pause);
                stream.write_all(&[**byte]).and_then(|()| stream.flush()).is_ok()
            };
            Some(bytes.iter().take_while(drop).count())
        }
        Deed::Flood(start, piece) => {
            let mut written = start.len();
            let _ = stream.write_all(&start);
            while stream.write_all(&piece).is_ok() {
                written += piece.len();
            }
            Some(written)
        }
    }
}
