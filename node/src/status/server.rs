//! The HTTP side of a node.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{encoding::text, registry::Registry};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    Books, Status, Submission,
    guard::{self, Token},
    metrics, operate,
    teller::{self, Teller},
};
use crate::{
    driver, files,
    page::{
        Board,
        html::{self, View},
        sheet,
    },
    store::Store,
    transcript::{ENTRIES_MAX, Entry},
};

/// File in the data folder that holds `host:port` of the running node's pages and, on a second line, the token's file if
/// there is one.
pub const ADDRESS_FILE: &str = "http.addr";

/// Entries of the transcript that one answer holds.
const DECISIONS_MAX: usize = ENTRIES_MAX as usize;

/// Entries of the transcript in which the page looks for the model's last word.
const ENTRIES_SHOWN: usize = 128;

/// A limit of memory that nothing reaches.
const MEMORY_UNLIMITED_MB: u64 = u64::MAX >> 20;

/// How long a stopping server waits for answers that are on their way.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Somebody else listens there.
    #[error("http.listen: {address} is in use; stop whoever listens there, or write 127.0.0.1:0 for any free port")]
    Busy {
        /// The address.
        address: SocketAddr,
    },
    /// An address that others could reach.
    #[error("http.listen: {address} is not loopback; use 127.0.0.1 or [::1], or name a token_file under [http]")]
    Exposed {
        /// The address.
        address: SocketAddr,
    },
    /// The system refused.
    #[error("http.listen: {address}: {source}; choose another address")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The address cannot be told to `althing status`.
    #[error("data_dir: {0}")]
    AddressFile(#[from] files::FileError),
}

/// What a node shows of itself at any moment, and where it takes instructions.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its status.
    pub status: watch::Receiver<Status>,
    /// What the page shows beside it.
    pub board: watch::Receiver<Board>,
    /// The ledger.
    pub books: watch::Receiver<Arc<Books>>,
    /// Where instructions go.
    pub submit: mpsc::Sender<Submission>,
}

/// Where the pages are served, and for whom.
#[derive(Debug, Clone)]
pub struct Place {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What who asks must know, and the file that it stands in; nothing on loopback alone.
    pub token: Option<(Token, PathBuf)>,
    /// The data folder of the node.
    pub data_dir: PathBuf,
}

/// The pages of a running node.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    address_file: PathBuf,
    stop: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

#[derive(Clone)]
struct Pages {
    status: watch::Receiver<Status>,
    board: watch::Receiver<Board>,
    store: Arc<Store>,
    registry: Arc<Registry>,
}

impl Server {
    /// Serves what `told` shows and the transcript in `store` at `place`, and leaves the address in the data folder.
    ///
    /// # Errors
    /// [`ServeError`] when the address is taken, is not loopback though there is no token, or cannot be written down.
    pub async fn start(place: Place, told: Told, store: Arc<Store>) -> Result<Self, ServeError> {
        let Place { listen, token, data_dir } = place;
        if token.is_none() && !listen.ip().is_loopback() {
            return Err(ServeError::Exposed { address: listen });
        }
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::Busy { address: listen },
            _ => ServeError::Refused { address: listen, source },
        };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let address_file = data_dir.join(ADDRESS_FILE);
        files::replace(&address_file, &door_plate(address, token.as_ref().map(|(_, path)| path.as_path())))?;
        let Told { status, board, books, submit } = told;
        let mut registry = Registry::default();
        metrics::register(&mut registry, status.clone());
        let teller = Teller { books, submit, store: Arc::clone(&store) };
        let pages = Pages { status, board, store, registry: Arc::new(registry) };
        let stop = CancellationToken::new();
        let router = router(pages, teller, token.map(|(token, _)| token));
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move { serving.await });
        Ok(Self { address, address_file, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: takes no more connections and lets answers that are on their way finish, for a bounded time.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(STOP_WAIT, &mut self.task).await.is_err() {
            tracing::debug!("a connection to the status pages did not end; dropping it");
            self.task.abort();
        }
        // A file that stays behind is harmless: nobody answers there, or somebody who is not this member.
        let _ = fs::remove_file(&self.address_file);
    }
}

/// What the address file says: where this machine itself reaches the pages, and by which token.
fn door_plate(address: SocketAddr, token_file: Option<&Path>) -> String {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => address.ip(),
    };
    let reached = SocketAddr::new(ip, address.port());
    token_file.map_or_else(|| reached.to_string(), |path| format!("{reached}\n{}", path.display()))
}

fn router(pages: Pages, teller: Teller, token: Option<Token>) -> Router {
    let operating = operate::routes(pages.status.clone());
    Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/api/status", get(status))
        .route("/api/decisions", get(decisions))
        .route("/metrics", get(scrape))
        .with_state(pages)
        .merge(sheet::assets())
        .merge(teller::routes(teller))
        .merge(operating)
        .layer(middleware::from_fn_with_state(Arc::new(token), guard::admit))
}

async fn page(State(pages): State<Pages>) -> Response {
    pages.shown(html::page).await.map_or_else(IntoResponse::into_response, sheet::answer)
}

/// The parts of the page, by the ids of the elements that they belong in.
async fn live(State(pages): State<Pages>) -> Response {
    pages.shown(html::live).await.map_or_else(IntoResponse::into_response, |parts| Json(parts).into_response())
}

impl Pages {
    fn status(&self) -> Status {
        let mut status = self.status.borrow().clone();
        status.peak_rss_mb = super::peak_rss_mb();
        status
    }

    /// What `render` makes of this moment.
    async fn shown<T: Send + 'static>(self, render: fn(&View<'_>) -> T) -> Result<T, StatusCode> {
        let show = move || {
            let entries = self.store.transcript(ENTRIES_SHOWN).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
            let entries: Vec<Entry> = entries.iter().filter_map(|entry| serde_json::from_slice(entry).ok()).collect();
            // What is left to the process itself is the guardian's concern; the page shows what the machine has.
            let machine = driver::look(MEMORY_UNLIMITED_MB);
            // A copy, so that the node's loop never waits for a page to be drawn.
            let board = self.board.borrow().clone();
            Ok(render(&View { status: &self.status(), machine, board: &board, entries: &entries }))
        };
        tokio::task::spawn_blocking(show).await.unwrap_or(Err(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

async fn status(State(pages): State<Pages>) -> Json<Status> {
    Json(pages.status())
}

/// The newest entries of the transcript, the oldest of them first.
async fn decisions(State(pages): State<Pages>) -> Response {
    let read = tokio::task::spawn_blocking(move || pages.store.transcript(DECISIONS_MAX)).await;
    match read {
        Ok(Ok(entries)) => {
            let entries: Vec<Value> = entries.iter().filter_map(|entry| serde_json::from_slice(entry).ok()).collect();
            Json(entries).into_response()
        }
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn scrape(State(pages): State<Pages>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &pages.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], body)
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
