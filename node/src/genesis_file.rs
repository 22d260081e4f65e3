//! The genesis as a file: read with every check, written once, and drafted with defaults that suit small machines.

mod draft;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use althing_protocol::{
    genesis::{Genesis, GenesisError},
    limits::MAX_GENESIS_BYTES,
};

pub use draft::{Draft, aggregating, coding, draft, hiring, offering};

use crate::{
    files::{self, FileError, Readers},
    keyfile::{NameError, check_name},
};

/// Why there is no genesis.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// The file cannot be read or created.
    #[error("genesis: {0}")]
    File(#[from] FileError),
    /// A line does not say what it should.
    #[error(
        "genesis {0}; get the file again from whoever founded the federation, or make one with `althing genesis new`"
    )]
    Line(String),
    /// A number or the list of members is not as it must be.
    #[error("{path}: {source}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: GenesisError,
    },
    /// A name cannot be one.
    #[error("{path}: {field}: {source}")]
    Name {
        /// The file.
        path: PathBuf,
        /// Whose name.
        field: &'static str,
        /// What is wrong.
        source: NameError,
    },
    /// A value that the file format cannot hold.
    #[error("{path}: cannot be written as TOML ({detail}); use whole numbers up to 9223372036854775807")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the format says.
        detail: String,
    },
}

/// Reads and checks the genesis at `path`.
///
/// # Errors
/// [`GenesisFileError`] names the file, the line or field, and what to do.
pub fn load(path: &Path) -> Result<Genesis, GenesisFileError> {
    let text = files::read(path, MAX_GENESIS_BYTES as u64)?;
    let parsed = toml::from_str::<Genesis>(&text);
    let genesis = parsed.map_err(|error| GenesisFileError::Line(files::toml_error(path, &text, &error)))?;
    check(&genesis, path)?;
    Ok(genesis)
}

/// Checks `genesis` and writes it to the new file `path`.
///
/// # Errors
/// [`GenesisFileError`] when it breaks a bound, when the file exists already, or when the disk refuses.
pub fn save(genesis: &Genesis, path: &Path) -> Result<(), GenesisFileError> {
    check(genesis, path)?;
    let unwritable =
        |error: toml::ser::Error| GenesisFileError::Unwritable { path: path.to_owned(), detail: error.to_string() };
    let body = toml::to_string(genesis).map_err(unwritable)?;
    let text = format!(
        "# The genesis of an Althing federation. All members hold the same: its content is the network's identity,\n\
         # and every change of a value makes another network. Amounts are micro-credits, times are milliseconds.\n\
         # Network {}\n\n{body}",
        genesis.network()
    );
    Ok(files::create(path, &text, Readers::Everybody)?)
}

/// The genesis' own bounds, and names that are fit to print.
fn check(genesis: &Genesis, path: &Path) -> Result<(), GenesisFileError> {
    genesis.validate().map_err(|source| GenesisFileError::Invalid { path: path.to_owned(), source })?;
    let names = [("name", &genesis.name), ("task.model", &genesis.task.model), ("task.dataset", &genesis.task.dataset)]
        .into_iter()
        .chain(genesis.contracts.iter().map(|contract| ("contracts.name", &contract.name)))
        .chain(genesis.members.iter().map(|member| ("members.name", &member.name)));
    for (field, name) in names {
        check_name(name).map_err(|source| GenesisFileError::Name { path: path.to_owned(), field, source })?;
    }
    Ok(())
}
