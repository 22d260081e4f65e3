//! The program as a child process, and a caller that speaks just enough HTTP.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Longer than loading takes, even on a busy machine.
const LOADING_MAX: Duration = Duration::from_secs(120);

/// A running `althing-lm serve`, killed when dropped.
pub(crate) struct Program {
    child: Child,
    told: BufReader<ChildStdout>,
    address: String,
}

impl Program {
    /// Serves SmolLM2 on a free port, and waits until it is ready.
    pub(crate) fn serving_smollm2(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_althing-lm"))
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--model"])
            .arg(smollm2())
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, told, address: String::new() };
        let listening = program.event("listening");
        program.address = listening["address"].as_str().unwrap().to_owned();
        let health = program.get("/health");
        assert!(health.contains("loading") || health.contains("ready"), "{health}");
        let begun = Instant::now();
        program.event("ready");
        assert!(begun.elapsed() < LOADING_MAX);
        assert!(program.get("/health").contains("\"ready\""));
        program
    }

    /// The next event, which must be of that kind.
    fn event(&mut self, kind: &str) -> Value {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert_eq!(event["event"], kind, "{event}");
        event
    }

    /// Asks, and waits for status and body.
    pub(crate) fn ask(&self, body: &Value, headers: &[&str]) -> (u16, Value) {
        let mut stream = self.send(body, headers);
        let (status, text) = reply(&mut stream);
        (status, serde_json::from_str(&text).unwrap())
    }

    /// Asks, and closes the connection after a while.
    pub(crate) fn ask_and_leave(&self, body: &Value, after: Duration) {
        let mut stream = self.send(body, &[]);
        stream.set_read_timeout(Some(after)).unwrap();
        let early = stream.read(&mut [0]);
        assert!(early.is_err(), "there was an answer already");
    }

    /// The text of a page.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        reply(&mut stream).1
    }

    /// Stops it as Ctrl-C would, and sees it end well.
    pub(crate) fn stop(mut self) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &process]).status().unwrap().success());
        self.event("stopped");
        assert!(self.child.wait().unwrap().success());
    }

    fn send(&self, body: &Value, headers: &[&str]) -> TcpStream {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for header in headers {
            head.push_str(&format!("{header}\r\n"));
        }
        write!(stream, "{head}\r\n{body}").unwrap();
        stream
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reply(stream: &mut TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn smollm2() -> PathBuf {
    let path = env::var_os("ALTHING_LM_TEST_MODEL").map(PathBuf::from).unwrap_or_else(|| {
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| PathBuf::from(env::var_os("HOME").unwrap()).join(".cache"));
        cache.join("althing/models/smollm2-135m.gguf")
    });
    assert!(path.is_file(), "{} is not here: run `althing-lm fetch smollm2-135m` first", path.display());
    path
}
