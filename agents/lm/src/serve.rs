//! `althing-lm serve`: listen, load, answer, stop.

pub(crate) mod limits;
mod metrics;
mod queue;
mod refusal;
mod reply;
mod request;
mod routes;
mod server;

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    catalogue,
    cli::ServeArgs,
    engine::local::Local,
    failure::Failure,
    fetch::store::Store,
    serve::{limits::STOPPING_MAX, server::Server},
    tell::{Teller, Told},
};

/// Threads for connections. The model has threads of its own; a few here keep `/health` alive while it is loaded.
const THREADS: usize = 3;

/// What is told while serving.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    /// Connections are taken.
    Listening {
        /// Where.
        address: SocketAddr,
        /// The model that is being loaded.
        model: &'a str,
    },
    /// Questions are answered.
    Ready {
        /// By which model.
        model: &'a str,
        /// How long it took to load, in milliseconds.
        after_ms: u128,
    },
    /// The end.
    Stopped,
}

impl Told for Event<'_> {
    fn words(&self) -> String {
        match self {
            Self::Listening { address, model } => format!("listening on http://{address}/v1, loading {model}"),
            Self::Ready { model, after_ms } => {
                format!("{model} is ready after {:.1} s", Duration::from_millis(*after_ms as u64).as_secs_f64())
            }
            Self::Stopped => "stopped".to_owned(),
        }
    }
}

/// A model to serve.
struct Chosen {
    name: String,
    path: PathBuf,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// [`Failure`] when the address or the model is none to serve, or the model cannot be loaded.
pub(crate) fn execute(args: &ServeArgs, teller: &Teller) -> Result<(), Failure> {
    check_loopback(args.listen)?;
    let chosen = choose(&args.model, &Store::open(&args.cache)?)?;
    warn_of_slowness();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::machine(format!("no threads can be started: {error}")))?;
    let served = runtime.block_on(serve(args, &chosen, teller));
    // A step of the model that is under way may take seconds, and nobody waits for it any more.
    runtime.shutdown_background();
    served
}

async fn serve(args: &ServeArgs, chosen: &Chosen, teller: &Teller) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::user(format!("cannot listen on {}: {error}; choose another address with --listen", args.listen))
    })?;
    let address = listener.local_addr().map_err(Failure::machine)?;
    let server = Arc::new(Server::new(chosen.name.clone(), args.queue, args.timeout()));
    let stopping = Arc::clone(&server);
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let connections = axum::serve(listener, routes::router(Arc::clone(&server))).with_graceful_shutdown(async move {
        // The sender being gone is as good a reason to stop.
        let _ = ended.await;
        stopping.stop();
    });
    let mut connections = tokio::spawn(connections.into_future());
    teller.tell(&Event::Listening { address, model: &chosen.name });

    let result = tokio::select! {
        result = load_and_wait(args, chosen, &server, teller) => result,
        () = stop.wait() => Ok(()),
        _ = &mut connections => Err(Failure::machine("connections are not taken any more")),
    };
    drop(end);
    if tokio::time::timeout(STOPPING_MAX, connections).await.is_err() {
        tracing::warn!("some connections were still open");
    }
    teller.tell(&Event::Stopped);
    result
}

/// Loads the model and then waits for ever.
async fn load_and_wait(args: &ServeArgs, chosen: &Chosen, server: &Server, teller: &Teller) -> Result<(), Failure> {
    let begun = Instant::now();
    let engine = Local::load(&chosen.path, args.remember)
        .await
        .map_err(|error| Failure::user(format!("{} cannot be loaded: {error}", chosen.path.display())))?;
    server.set_ready(Arc::new(engine));
    teller.tell(&Event::Ready { model: &chosen.name, after_ms: begun.elapsed().as_millis() });
    std::future::pending().await
}

/// The signals to stop.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::machine(format!("signals cannot be heard: {error}")));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn check_loopback(address: SocketAddr) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::user(format!(
        "{address} can be reached from other machines, and whoever reaches it may ask: listen on 127.0.0.1 or [::1], \
         and let a proxy with a password stand before it if others are to ask"
    )))
}

/// The file behind `--model`, which is a pinned model's name or a path.
fn choose(model: &str, store: &Store) -> Result<Chosen, Failure> {
    if let Some(pinned) = catalogue::find(model) {
        let path = store.path(pinned);
        return if path.is_file() {
            Ok(Chosen { name: pinned.name.to_owned(), path })
        } else {
            Err(Failure::user(format!("{model} is not here yet: run `althing-lm fetch {model}` first")))
        };
    }
    let path = PathBuf::from(model);
    check_gguf(&path)?;
    let name = path.file_stem().map_or_else(|| model.to_owned(), |stem| stem.to_string_lossy().into_owned());
    Ok(Chosen { name, path })
}

fn check_gguf(path: &Path) -> Result<(), Failure> {
    let mut magic = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).map_err(|error| {
        let names = catalogue::names();
        Failure::user(format!(
            "{} cannot be read ({error}): give the path of a GGUF file, or one of {names}",
            path.display()
        ))
    })?;
    if &magic == b"GGUF" {
        Ok(())
    } else {
        Err(Failure::user(format!("{} is no GGUF file: give one that is", path.display())))
    }
}

/// The kernels are chosen when they are compiled, and a build from another folder chooses slow ones.
fn warn_of_slowness() {
    if cfg!(all(target_arch = "x86_64", not(target_feature = "avx2"))) {
        tracing::warn!(
            "built without AVX2, several times slower than need be: build in agents/lm, where .cargo/config.toml is"
        );
    }
}
