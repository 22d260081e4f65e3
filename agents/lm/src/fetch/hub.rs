//! From the Hugging Face hub.

use std::path::{Path, PathBuf};

use hf_hub::{
    Repo, RepoType,
    api::{
        Progress,
        sync::{ApiBuilder, ApiError},
    },
};
use indicatif::ProgressBar;

use super::bar;
use crate::{catalogue::Pinned, failure::Failure};

/// How often the hub's client goes on after a broken connection, in one run. The next run goes on too.
const RETRIES: usize = 5;

/// Fetches `pinned` into `scratch`, or goes on where the last run was broken off.
///
/// # Errors
/// [`Failure`] when the hub is out of reach, or does not have it.
pub(super) fn fetch(pinned: &Pinned, scratch: &Path) -> Result<PathBuf, Failure> {
    let hub = &pinned.hub;
    let out_of_reach = |error: ApiError| {
        Failure::machine(format!("the Hugging Face hub does not give {} of {}: {error}", hub.file, hub.repository))
    };
    let api = ApiBuilder::new()
        .with_cache_dir(scratch.join("hub"))
        .with_progress(false)
        .with_token(None)
        .with_retries(RETRIES)
        .build()
        .map_err(out_of_reach)?;
    let repository = Repo::with_revision(hub.repository.to_owned(), RepoType::Model, hub.revision.to_owned());
    let shown = Shown { bar: bar(pinned.bytes) };
    let pointer = api.repo(repository).download_with_progress(hub.file, shown).map_err(out_of_reach)?;
    // The client gives a link to what it has fetched.
    pointer.canonicalize().map_err(|error| super::store::failed(&pointer, &error))
}

/// Progress on a bar.
struct Shown {
    bar: ProgressBar,
}

impl Progress for Shown {
    fn init(&mut self, size: usize, _filename: &str) {
        self.bar.set_length(u64::try_from(size).unwrap_or(u64::MAX));
        self.bar.set_position(0);
    }

    fn update(&mut self, size: usize) {
        self.bar.inc(u64::try_from(size).unwrap_or(u64::MAX));
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}
