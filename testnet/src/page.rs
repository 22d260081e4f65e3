//! The page of a run, for people: all nodes at once, and the rounds behind them.
//!
//! The run copies what is known into a [`View`] now and then; the server renders the newest copy when somebody asks. So
//! a slow browser holds up nothing, and nothing on the page can change the run. It is made of the parts of a node's own
//! page ([`althing_node::page::sheet`]), under the same policy and the same guard.

mod html;
#[cfg(test)]
mod tests;
mod view;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use althing_node::{page::sheet, status};
use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

pub use view::{Accuracy, Doing, NodeRow, RoundRow, Sight, View};

use crate::error::Error;

/// Loopback, on any free port.
pub const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The page of a run. It ends with it.
#[derive(Debug)]
pub struct Page {
    address: SocketAddr,
    shown: watch::Sender<Arc<View>>,
    task: AbortHandle,
}

impl Page {
    /// Serves `view`, until it is replaced, on `listen`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`Error::Usage`] if others than this machine could reach the address, or somebody else has it.
    pub async fn start(listen: SocketAddr, view: View) -> Result<Self, Error> {
        let refused = |why: &str| Error::Usage(format!("--page {listen}: {why}"));
        if !listen.ip().is_loopback() {
            return Err(refused("this is not loopback; use 127.0.0.1 or [::1], and `ssh -L` from elsewhere"));
        }
        let unusable = |error: std::io::Error| refused(&format!("{error}; write 127.0.0.1:0 for any free port"));
        let listener = TcpListener::bind(listen).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let (shown, view) = watch::channel(Arc::new(view));
        let routes = Router::new()
            .route("/", get(async |State(view): State<Seen>| sheet::answer(html::page(&view.now()))))
            .route("/live", get(async |State(view): State<Seen>| Json(html::live(&view.now())).into_response()))
            .with_state(Seen(view))
            .merge(sheet::assets());
        let serving = axum::serve(listener, status::for_this_machine(routes));
        let task = tokio::spawn(async move { serving.await }).abort_handle();
        Ok(Self { address, shown, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows `view` from now on.
    pub fn show(&self, view: View) {
        self.shown.send_replace(Arc::new(view));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The newest view.
#[derive(Debug, Clone)]
struct Seen(watch::Receiver<Arc<View>>);

impl Seen {
    fn now(&self) -> Arc<View> {
        Arc::clone(&self.0.borrow())
    }
}
