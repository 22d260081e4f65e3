//! The folder where pinned models are kept.

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{catalogue::Pinned, cli::CacheArgs, failure::Failure};

/// Bytes read at a time when a digest is computed.
const CHUNK_BYTES: usize = 1 << 20;

/// The folder of the pinned models.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder that `args` names, or the one in the user's cache folder. It need not exist.
    ///
    /// # Errors
    /// [`Failure`] when none is named and the user has neither cache folder nor home.
    pub(crate) fn open(args: &CacheArgs) -> Result<Self, Failure> {
        if let Some(folder) = &args.folder {
            return Ok(Self { folder: folder.clone() });
        }
        let set = |name| env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        match cache {
            Some(cache) => Ok(Self { folder: cache.join("althing").join("models") }),
            None => Err(Failure::user("there is no home folder: say where models are to be kept with --cache DIR")),
        }
    }

    /// Where `pinned` is, or will be. Nothing lies there that has not been checked.
    pub(crate) fn path(&self, pinned: &Pinned) -> PathBuf {
        self.folder.join(format!("{}.gguf", pinned.name))
    }

    /// Where pieces of `pinned` lie until it is whole.
    pub(crate) fn scratch(&self, pinned: &Pinned) -> PathBuf {
        self.folder.join(format!("{}.incomplete", pinned.name))
    }

    /// Makes `whole`, a file in the scratch folder, the model `pinned`, if it is.
    ///
    /// # Errors
    /// [`Failure`] when it is something else, which is deleted then, or cannot be moved.
    pub(crate) fn admit(&self, pinned: &Pinned, whole: &Path) -> Result<PathBuf, Failure> {
        let found = digest(whole)?;
        if found != pinned.sha256 {
            let gone = fs::remove_dir_all(self.scratch(pinned));
            gone.map_err(|error| failed(&self.scratch(pinned), &error))?;
            return Err(Failure::machine(format!(
                "what was fetched is not {}: its SHA-256 is {found}, and {} is pinned; it was deleted. Try again, or \
                 another source with --from",
                pinned.name, pinned.sha256
            )));
        }
        let path = self.path(pinned);
        // A file and then its name: whoever sees the name sees all of the file.
        fs::File::open(whole).and_then(|file| file.sync_all()).map_err(|error| failed(whole, &error))?;
        fs::rename(whole, &path).map_err(|error| failed(&path, &error))?;
        // What is left takes room, and does no other harm.
        if let Err(error) = fs::remove_dir_all(self.scratch(pinned)) {
            tracing::warn!(%error, folder = %self.scratch(pinned).display(), "not deleted");
        }
        Ok(path)
    }
}

/// The SHA-256 of the file at `path`, in hexadecimal.
pub(crate) fn digest(path: &Path) -> Result<String, Failure> {
    let mut file = fs::File::open(path).map_err(|error| failed(path, &error))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk).map_err(|error| failed(path, &error))?;
        if read == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&chunk[..read]);
    }
}

/// A file that could not be used.
pub(crate) fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::machine(format!("{}: {error}", path.display()))
}
