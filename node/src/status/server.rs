//! The HTTP side of a node.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header, uri::Authority},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
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
    Books, Status, Submission, metrics,
    teller::{self, Teller},
};
use crate::{
    files,
    page::{
        self, Board,
        html::{self, View},
    },
    store::Store,
    transcript::{ENTRIES_MAX, Entry},
};

/// File in the data folder that holds `host:port` of the running node's pages.
pub const ADDRESS_FILE: &str = "http.addr";

/// Entries of the transcript that one answer holds.
const DECISIONS_MAX: usize = ENTRIES_MAX as usize;

/// Entries of the transcript in which the page looks for the model's last word.
const ENTRIES_SHOWN: usize = 64;

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
    #[error("http.listen: {address} is not loopback; use 127.0.0.1 or [::1], because the pages have no password")]
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
    /// Serves what `told` shows, the transcript in `store` and whatever else is in `registry` at `listen`, and leaves the
    /// address in `data_dir`.
    ///
    /// # Errors
    /// [`ServeError`] when the address is taken, is not loopback, or cannot be written down.
    pub async fn start(
        listen: SocketAddr,
        data_dir: &Path,
        told: Told,
        store: Arc<Store>,
        mut registry: Registry,
    ) -> Result<Self, ServeError> {
        if !listen.ip().is_loopback() {
            return Err(ServeError::Exposed { address: listen });
        }
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::Busy { address: listen },
            _ => ServeError::Refused { address: listen, source },
        };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let address_file = data_dir.join(ADDRESS_FILE);
        files::replace(&address_file, &address.to_string())?;
        let Told { status, board, books, submit } = told;
        metrics::register(&mut registry, status.clone());
        let teller = Teller { books, submit, store: Arc::clone(&store) };
        let pages = Pages { status, board, store, registry: Arc::new(registry) };
        let stop = CancellationToken::new();
        let serving =
            axum::serve(listener, router(pages, teller)).with_graceful_shutdown(stop.clone().cancelled_owned());
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

fn router(pages: Pages, teller: Teller) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/page.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE)))
        .route("/page.js", get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], page::SCRIPT)))
        .route("/api/status", get(status))
        .route("/api/decisions", get(decisions))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(scrape))
        .with_state(pages)
        .merge(teller::routes(teller))
        .layer(middleware::from_fn(refuse_foreign_hosts))
}

async fn page(State(pages): State<Pages>) -> Response {
    let headers = [(header::CONTENT_SECURITY_POLICY, page::POLICY), (header::REFERRER_POLICY, "no-referrer")];
    pages.shown(html::page).await.map_or_else(IntoResponse::into_response, |html| (headers, Html(html)).into_response())
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
            Ok(render(&View { status: &self.status(), board: &self.board.borrow(), entries: &entries }))
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

/// A web page elsewhere can point a name of its own at 127.0.0.1 and have the visitor's browser ask us. Such a request
/// carries that name.
async fn refuse_foreign_hosts(request: Request, next: Next) -> Response {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let names = [named, request.uri().authority().cloned()];
    let mut names = names.iter().flatten().peekable();
    if names.peek().is_some() && names.all(|name| is_loopback(name.host())) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "this host is not served: ask for 127.0.0.1, [::1] or localhost\n").into_response()
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
