use std::{net::SocketAddr, path::Path, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

use super::*;
use crate::{page::Board, store::Store};

const ANY: &str = "127.0.0.1:0";

fn example() -> Status {
    let mut status = Status::new(MemberId([1; 32]), NetworkId([2; 32]));
    status.height = Height(12);
    status.round = Round(6);
    status.phase = Some(Phase::Train);
    status.chair = Some(MemberId([3; 32]));
    status.peers = 7;
    status.wire.sent_bytes = 1_000;
    status.decisions.fallback = 2;
    status.credits = 5_000_000;
    status.reputation = -3;
    status
}

/// A store that nobody needs after the test.
fn store(network: &NetworkId) -> Arc<Store> {
    Arc::new(Store::open(tempfile::tempdir().unwrap().path(), network).unwrap())
}

fn books() -> watch::Receiver<Arc<Books>> {
    let ledger = althing_protocol::ledger::Ledger::of([]);
    let books = Books { network: NetworkId([2; 32]), height: Height(12), round: Round(6), ledger };
    watch::channel(Arc::new(books)).1
}

pub(crate) fn told(status: watch::Receiver<Status>) -> Told {
    Told { status, board: watch::channel(Board::default()).1, books: books(), submit: mpsc::channel(1).0 }
}

fn place(listen: &str, dir: &Path) -> Place {
    Place { listen: listen.parse().unwrap(), token: None, data_dir: dir.to_owned() }
}

async fn start(dir: &Path) -> (Server, watch::Sender<Status>) {
    start_at(place(ANY, dir)).await
}

async fn start_at(place: Place) -> (Server, watch::Sender<Status>) {
    let (sender, receiver) = watch::channel(example());
    (Server::start(place, told(receiver), store(&NetworkId([2; 32]))).await.unwrap(), sender)
}

async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")).await
}

async fn ask_in(dir: &Path) -> Result<Status, AskError> {
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || ask(&dir)).await.unwrap()
}

#[tokio::test]
async fn the_latest_status_is_told_until_the_node_stops() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(ask_in(dir.path()).await, Err(AskError::NotRunning)));
    let (server, sender) = start(dir.path()).await;
    let told = ask_in(dir.path()).await.unwrap();
    assert!(told.peak_rss_mb > 0);
    assert_eq!(told, Status { peak_rss_mb: told.peak_rss_mb, ..example() });
    sender.send_modify(|status| status.height = Height(13));
    assert_eq!(ask_in(dir.path()).await.unwrap().height, Height(13));
    let json = get(server.address(), "/api/status").await;
    assert!(json.contains("\"phase\":\"train\"") && json.contains("\"fallback\":2"), "{json}");
    server.stop().await;
    assert!(matches!(ask_in(dir.path()).await, Err(AskError::NotRunning)));
}

#[tokio::test]
async fn health_and_metrics_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _sender) = start(dir.path()).await;
    assert!(get(server.address(), "/healthz").await.ends_with("\r\n\r\nok\n"));
    let metrics = get(server.address(), "/metrics").await;
    for line in [
        "althing_height 12\n",
        "althing_round 6\n",
        "althing_peers 7\n",
        "althing_reputation -3\n",
        "althing_sent_bytes_total 1000\n",
        "althing_decisions_fallback_total 2\n",
        "# EOF\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(get(server.address(), "/nothing").await.starts_with("HTTP/1.0 404"));
    let posted = exchange(server.address(), "POST /api/status HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
    assert!(posted.starts_with("HTTP/1.0 403"), "{posted}");
    server.stop().await;
}

#[tokio::test]
async fn only_loopback_names_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _sender) = start(dir.path()).await;
    let status_for = async |request: String| exchange(server.address(), &request).await[9..12].to_owned();
    for host in ["127.0.0.1", "localhost:80", "LOCALHOST", "[::1]:8080", "127.8.8.8"] {
        assert_eq!(status_for(format!("GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n")).await, "200", "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", "", "@", "[::1"] {
        assert_eq!(status_for(format!("GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n")).await, "403", "{host}");
    }
    assert_eq!(status_for("GET /healthz HTTP/1.0\r\n\r\n".into()).await, "403", "no host at all");
    let absolute = "GET http://evil.example/healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
    assert_eq!(status_for(absolute.into()).await, "403");
    server.stop().await;
}

#[tokio::test]
async fn a_busy_or_public_address_is_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let (server, sender) = start(dir.path()).await;
    let again = place(&server.address().to_string(), dir.path());
    let again = Server::start(again, told(sender.subscribe()), store(&NetworkId([2; 32]))).await;
    let error = again.unwrap_err().to_string();
    assert!(error.contains("is in use; stop whoever"), "{error}");
    let public = place("0.0.0.0:0", dir.path());
    let error = Server::start(public, told(sender.subscribe()), store(&NetworkId([2; 32]))).await.unwrap_err();
    assert!(matches!(error, ServeError::Exposed { .. }), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_silent_visitor_does_not_keep_the_node_from_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _sender) = start(dir.path()).await;
    let mut visitor = TcpStream::connect(server.address()).await.unwrap();
    visitor.write_all(b"GET /api/sta").await.unwrap();
    assert!(get(server.address(), "/healthz").await.contains("ok"), "accepted after the silent one");
    tokio::time::timeout(std::time::Duration::from_secs(30), server.stop()).await.expect("it stops");
}

#[tokio::test]
async fn strangers_and_stale_addresses_are_told_apart_from_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = TcpListener::bind(ANY).await.unwrap();
    let address = stranger.local_addr().unwrap();
    std::fs::write(dir.path().join(ADDRESS_FILE), address.to_string()).unwrap();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = stranger.accept().await.unwrap();
        let mut request = [0; 16];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n{}").await.unwrap();
    });
    assert!(matches!(ask_in(dir.path()).await, Err(AskError::Stranger { .. } | AskError::Silent { .. })));
    answering.await.unwrap();
    let error = ask_in(dir.path()).await.unwrap_err();
    assert!(matches!(error, AskError::Silent { .. }), "the stranger is gone: {error}");
    for nonsense in ["", "here", "8.8.8.8:80", "127.0.0.1:99999"] {
        std::fs::write(dir.path().join(ADDRESS_FILE), nonsense).unwrap();
        assert!(matches!(ask_in(dir.path()).await, Err(AskError::NotRunning)), "{nonsense}");
    }
}

#[tokio::test]
async fn the_live_page_is_whole_and_loads_nothing_from_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _sender) = start(dir.path()).await;
    let page = get(server.address(), "/").await;
    assert!(page.starts_with("HTTP/1.0 200"), "{page}");
    assert!(page.to_lowercase().contains("content-security-policy: default-src 'none';"), "{page}");
    assert!(page.contains("round 6") && page.ends_with("</html>"), "{page}");
    let links = page.split(['"', '\'']).filter(|word| word.starts_with('/') || word.contains("://"));
    for link in links.collect::<std::collections::BTreeSet<_>>() {
        assert!(get(server.address(), link).await.starts_with("HTTP/1.0 200"), "{link} is here");
    }
    let live = get(server.address(), "/live").await;
    let parts: serde_json::Value = serde_json::from_str(live.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert!(parts["now"].as_str().unwrap().contains("round 6"), "{parts}");
    let foreign = exchange(server.address(), "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n").await;
    assert!(foreign.starts_with("HTTP/1.0 403"), "{foreign}");
    server.stop().await;
}

/// The names in the first column of the documentation's table of metrics.
fn documented() -> std::collections::BTreeSet<String> {
    let page = include_str!("../../../docs/operation.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `althing_"));
    rows.filter_map(|row| row.split('`').next()).map(|name| format!("althing_{name}")).collect()
}

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_one_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (server, sender) = start(dir.path()).await;
    sender.send_modify(|status| {
        status.payload.insert("round".into(), Traffic { sent_bytes: 5, received_bytes: 7 });
        status.tally.phases.insert(Phase::Train, Spell { count: 2, total_ms: 900 });
        status.tally.questions.insert(althing_protocol::event::Role::Bidder, Questions { answered: 3, failed: 1 });
        status.privacy = Some(Account { epsilon_micro: 8, delta_pico: 1, spent_micro: 2, rounds_left: 9 });
    });
    let metrics = get(server.address(), "/metrics").await;
    let mut exported = std::collections::BTreeSet::new();
    let mut kind = String::new();
    for line in metrics.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            kind = typed.split(' ').nth(1).unwrap_or_default().to_owned();
        } else if line.starts_with("althing_") {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            exported.insert(name.to_owned());
        }
    }
    assert_eq!(exported, documented());
    assert!(metrics.contains("althing_payload_bytes_total{protocol=\"round\",direction=\"in\"} 7"), "{metrics}");
    assert!(metrics.contains("althing_phase_milliseconds_total{phase=\"train\"} 900"), "{metrics}");
    assert!(metrics.contains("althing_questions_total{role=\"bidder\",outcome=\"failed\"} 1"), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn a_node_says_whether_it_is_ready_and_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let (server, sender) = start(dir.path()).await;
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    sender.send_modify(|status| status.told_ms = now_ms);
    let ready = get(server.address(), "/readyz").await;
    assert!(ready.starts_with("HTTP/1.0 200") && ready.ends_with("{\"ready\":true,\"why\":[]}"), "{ready}");
    sender.send_modify(|status| status.hindrances = vec!["nobody is here".into()]);
    let ready = get(server.address(), "/readyz").await;
    assert!(ready.starts_with("HTTP/1.0 503") && ready.contains("nobody is here"), "{ready}");
    server.stop().await;
}

#[tokio::test]
async fn no_page_of_elsewhere_can_change_the_logs() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _sender) = start(dir.path()).await;
    let post = async |head: &str| {
        let request =
            format!("POST /api/log HTTP/1.0\r\n{head}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\ndebug");
        exchange(server.address(), &request).await[9..12].to_owned()
    };
    assert_eq!(post("Host: localhost\r\n").await, "403", "what a form of another page can send");
    assert_eq!(post("Host: evil.example\r\nx-althing-intent: log\r\n").await, "403", "a name that was pointed here");
    // This test's process has logs of its own making, so the node has none to change.
    assert_eq!(post("Host: localhost\r\nx-althing-intent: log\r\n").await, "400");
    let asked = "OPTIONS /api/log HTTP/1.0\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n";
    let asked = exchange(server.address(), asked).await;
    assert!(!asked.to_lowercase().contains("access-control-allow"), "{asked}");
    server.stop().await;
}

#[tokio::test]
async fn beyond_loopback_only_who_knows_the_token_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (path, secret) = (dir.path().join("token"), "0123456789abcdef0123456789abcdef");
    crate::files::create(&path, secret, crate::files::Readers::Owner).unwrap();
    let token = Some((Token::load(&path).unwrap(), path));
    let (server, _sender) = start_at(Place { token, ..place("0.0.0.0:0", dir.path()) }).await;
    let address = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let with = async |proof: &str| {
        let request = format!("GET /api/status HTTP/1.0\r\nHost: node.example\r\n{proof}\r\n");
        exchange(address, &request).await
    };
    let refused = with("").await;
    assert!(
        refused.starts_with("HTTP/1.0 401") && refused.to_lowercase().contains("www-authenticate: basic"),
        "{refused}"
    );
    assert!(with("Authorization: Bearer 0123456789abcdef0123456789abcdee\r\n").await.starts_with("HTTP/1.0 401"));
    assert!(with(&format!("Authorization: Bearer {secret}\r\n")).await.starts_with("HTTP/1.0 200"));
    let basic = "Authorization: Basic YWx0aGluZzowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg==\r\n";
    assert!(with(basic).await.starts_with("HTTP/1.0 200"), "as a browser sends it");
    assert_eq!(ask_in(dir.path()).await.unwrap().height, Height(12), "commands on this machine find the token");
    server.stop().await;
}
