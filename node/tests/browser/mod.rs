//! Headless Chromium under a test, spoken to over WebDriver: one request after the other to `chromedriver` on loopback,
//! which takes no library. The tests of the testnet use it too.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    iter,
    net::TcpStream,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Time after which a test gives up. Never reached when all is well, however loaded the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often the page is asked whether what is waited for has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Time in which the driver must say where it listens; it takes a fraction of a second. One that does not is given up for
/// another: it may have found the port that it was given taken by then.
const START_PATIENCE: Duration = Duration::from_secs(30);
const STARTS_MAX: usize = 4;

/// Runs a program in its own group and, when the pipe closes, because the test is over or was killed, kills the group:
/// the program, every browser that it has started, and the shell itself. The output is the program's alone, and closes
/// when it ends.
const SCRIPT: &str = r#""$@" & exec >&-; read -r _; kill -s KILL 0"#;

/// The key that goes on to the next thing that takes the keyboard.
pub(crate) const TAB: char = '\u{E004}';
pub(crate) const ENTER: char = '\u{E007}';

/// What the browser reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) level: String,
    pub(crate) source: String,
    pub(crate) message: String,
}

/// A browser with one tab.
pub(crate) struct Browser {
    driver: Driver,
    session: String,
    // After the driver, whose browser writes into it.
    _folder: TempDir,
}

/// The program that drives browsers, and with it all that it has started.
struct Driver {
    shell: Child,
    pipe: Option<ChildStdin>,
    port: u16,
}

impl Browser {
    /// Starts one; `None`, and a word on the error stream, where none is installed.
    pub(crate) fn start() -> Option<Self> {
        let (Some(driver), Some(browser)) = (find(&["chromedriver"]), find(&["chromium", "chromium-browser"])) else {
            // Past the harness, which keeps what a test that passes has printed.
            let _ =
                writeln!(io::stderr(), "skipped: there is no chromium or no chromedriver; install both to test pages");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let driver =
            iter::repeat_with(|| Driver::start(&driver, folder.path(), &log)).take(STARTS_MAX).flatten().next();
        let driver = driver.unwrap_or_else(|| panic!("chromedriver does not start: {:?}", fs::read_to_string(&log)));
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let mut this = Self { driver, session: String::new(), _folder: folder };
        // Without a sandbox, which root may not have: it opens nothing but our own pages.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--no-proxy-server",
            &profile,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": browser, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let told = this.command("POST", "/session", &wanted);
        this.session = told["sessionId"].as_str().expect("a session").to_owned();
        // A new tab shows a page of the browser's own, which is none of our business.
        this.open("about:blank");
        drop((this.reports(), this.requests()));
        Some(this)
    }

    /// Opens `url` and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.tell("/url", &json!({ "url": url }));
    }

    /// What `script`, the body of a function, returns in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.tell("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What the element with this id says.
    pub(crate) fn text(&self, id: &str) -> String {
        let text = self.run(&format!("return document.getElementById('{id}').innerText"));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until `script` returns something true, and returns it.
    pub(crate) fn wait(&self, what: &str, script: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = self.run(script);
            if !matches!(found, Value::Null | Value::Bool(false)) {
                return found;
            }
            assert!(
                Instant::now() < until,
                "{what} does not come; the page says {}",
                self.run("return document.body.innerText")
            );
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Makes it a device of this width that shows what is light or dark.
    pub(crate) fn become_device(&self, width: u32, scheme: &str) {
        let metrics = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Presses a key, and lets it go.
    pub(crate) fn press(&self, key: char) {
        let actions = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.tell("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}));
    }

    /// What has been reported since the last call: errors and warnings of scripts, styles and the network, and what the
    /// page's policy has kept from loading.
    pub(crate) fn reports(&self) -> Vec<Report> {
        let word = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let told = self.tell("/se/log", &json!({"type": "browser"}));
        let report = |entry: &Value| Report {
            level: word(entry, "level"),
            source: word(entry, "source"),
            message: word(entry, "message"),
        };
        told.as_array().unwrap().iter().map(report).collect()
    }

    /// Where requests have gone since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        let told = self.tell("/se/log", &json!({"type": "performance"}));
        let url = |entry: &Value| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            is_request.then(|| message["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
        };
        told.as_array().unwrap().iter().filter_map(url).collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.tell("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    fn tell(&self, path: &str, body: &Value) -> Value {
        self.command("POST", &format!("/session/{}{path}", self.session), body)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.exchange(method, path, &body.to_string()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let value = answer["value"].clone();
        assert!(value["error"].is_null(), "{path}: {value:#}");
        value
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.driver.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.driver.port,
            body.len()
        )?;
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 && !line.trim().is_empty() {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        serde_json::from_slice(&answer).map_err(io::Error::other)
    }
}

impl Driver {
    /// Starts it; `None` if it says nothing of listening.
    fn start(program: &Path, home: &Path, log: &Path) -> Option<Self> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(program).arg("--port=0").env("TMPDIR", home).env("HOME", home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut shell = command.spawn().expect("there is a shell");
        let (pipe, out) = (shell.stdin.take(), shell.stdout.take());
        let mut driver = Self { shell, pipe, port: 0 };
        driver.port = told_port(out?)?;
        Some(driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // The shell kills itself last, so how it ended says nothing.
        let _ = self.shell.wait();
    }
}

/// The first of these programs that is installed.
fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let places: Vec<PathBuf> = env::split_paths(&path).collect();
    let installed =
        |name: &&str| places.iter().map(|place| place.join(name)).find(|file: &PathBuf| Path::is_file(file));
    names.iter().find_map(installed)
}

/// The port that the driver says it has taken. What else it says is read and forgotten, so that it is never held up.
fn told_port(out: impl Read + Send + 'static) -> Option<u16> {
    let (sender, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let port =
                line.split("successfully on port ").nth(1).and_then(|rest| rest.trim_end_matches('.').parse().ok());
            if let Some(port) = port {
                let _ = sender.try_send(port);
            }
        }
    });
    told.recv_timeout(START_PATIENCE).ok()
}
