//! The running node: one loop that brings what happens to the core and carries out what the core wants.
//!
//! The loop owns the [`Machine`](althing_protocol::machine::Machine). Everything slow runs elsewhere and comes back as an
//! input: the network and the blobs in tasks of their own, training on the learner's thread, hashing and averaging on
//! blocking threads. Only writes to the journal are waited for, since nothing may be said before they are durable.

mod counsel;
mod door;
mod effects;
mod exchange;
mod jobs;
mod journal;
mod machine_probe;
mod measured;
mod outlet;
mod privacy;
mod requests;
mod setup;
mod shell;
mod telling;
mod timers;
mod writer;

use std::{future::Future, sync::Arc};

pub(crate) use machine_probe::{available_memory, look};
pub use outlet::{Outlet, Unchanged};
pub(crate) use setup::{BLOBS_DIR, first_model, member};
pub use telling::{Line, Sink};

use crate::{
    cli::{Format, RunArgs},
    failure::Failure,
    learn::catalogue::Catalogue,
};

/// Runs a node until SIGINT or SIGTERM, and prints what it tells.
///
/// # Errors
/// [`Failure`] when it cannot start, or must not go on.
pub fn run(args: &RunArgs, catalogue: &Catalogue, format: Format) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::machine(format_args!("the operating system gives no threads ({error}); free some"))
        })?;
    let ends = (Sink::stdout(format), Arc::new(Unchanged) as Arc<dyn Outlet>);
    let outcome = runtime.block_on(run_until(args, catalogue, ends, stop_signal()));
    // Blocking work that is still under way must not keep the process from ending.
    runtime.shutdown_background();
    outcome
}

/// Threads of the network, the blobs and the loop. The work is in bursts, so two do.
const WORKERS: usize = 2;

/// Threads that hash, average and write.
const BLOCKING_THREADS: usize = 4;

/// Runs a node until `stop` is done: people hear of it by the one end, and what others get goes through the other.
///
/// # Errors
/// [`Failure`] when it cannot start, or must not go on.
pub async fn run_until(
    args: &RunArgs,
    catalogue: &Catalogue,
    ends: (Sink, Arc<dyn Outlet>),
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let mut shell = setup::start(args, catalogue, ends).await?;
    let outcome = shell.run(stop).await;
    shell.stop().await;
    outcome
}

/// Done at SIGINT or SIGTERM.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    // A process without signal handlers still ends on both signals, only less politely.
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
