//! The files of a node: key, genesis, first model, data, store, and the disk beneath them.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use althing_protocol::genesis::Genesis;

use super::finding::Finding;
use crate::{
    account::{Account, AccountError, Owner, Witness},
    config::Config,
    driver, genesis_file,
    invitation::Pass,
    keyfile::KeyFile,
    learn::catalogue::{Catalogue, Task},
    net::{self, SharedKey},
    status,
    store::{Store, StoreError},
};

/// Free space below which the disk is called short, in bytes: what a ledger may grow by in a long while.
const SPACE_MIN: u64 = 256 * 1024 * 1024;

/// Models that a node may hold at once beside the updates of a round: the settled one, the one before, a step's own,
/// and one that is being aggregated.
const MODELS_HELD: u64 = 4;

/// What the files say, as far as they can be read.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) genesis: Option<Genesis>,
    key: Option<KeyFile>,
    task: Option<Arc<dyn Task>>,
}

/// Who has the store open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// The node of this configuration runs.
    Node,
    /// Nobody.
    Nobody,
}

impl Claims {
    /// Reads key and genesis, and compares them.
    pub(super) fn examine(config: &Config, catalogue: &Catalogue, findings: &mut Vec<Finding>) -> Self {
        let mut claims = Self::default();
        match KeyFile::load(&config.key) {
            Ok(key) => {
                findings.push(privacy_of(&config.key, &key));
                claims.key = Some(key);
            }
            Err(error) => findings.push(Finding::stops("key", error)),
        }
        match genesis_file::load(&config.genesis) {
            Ok(genesis) => {
                let named =
                    format!("{} of {} members, network {}", genesis.name, genesis.members.len(), genesis.network());
                findings.push(Finding::fine("genesis", named));
                claims.genesis = Some(genesis);
            }
            Err(error) => findings.push(Finding::stops("genesis", error)),
        }
        findings.extend(config.net.shared_key_file.as_deref().map(|path| shared_key(config, path)));
        if let (Some(genesis), Some(key)) = (&claims.genesis, &claims.key) {
            findings.push(member(config, genesis, key));
        }
        if let Some(genesis) = &claims.genesis {
            claims.task = examine_model(config, genesis, catalogue, findings);
        }
        claims
    }

    /// Bytes of the model, 0 if it is not known.
    pub(super) fn model_bytes(&self) -> u64 {
        self.genesis.as_ref().map_or(0, |genesis| genesis.task.initial_model.size)
    }
}

/// Whether the node may take part: by the genesis, or by an invitation.
fn member(config: &Config, genesis: &Genesis, key: &KeyFile) -> Finding {
    match (driver::member(genesis, key), &config.invitation) {
        (Err(error), _) => Finding::stops("member", error),
        (Ok(me), _) if genesis.member(&me).is_some() => {
            Finding::fine("member", format_args!("{} is a member of the genesis", key.name))
        }
        (Ok(_), Some(path)) if path.exists() => match Pass::load(path) {
            Ok(_) => Finding::fine("member", format_args!("{} comes by the invitation {}", key.name, path.display())),
            Err(error) => Finding::stops("member", error),
        },
        (Ok(_), _) => Finding::warns(
            "member",
            format_args!(
                "{} is not in the genesis, and there is no invitation: unless the ledger knows it, ask a founder for one",
                key.name
            ),
        ),
    }
}

fn privacy_of(path: &Path, key: &KeyFile) -> Finding {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    let path = path.display();
    if mode & 0o077 == 0 {
        return Finding::fine("key", format_args!("{path} is {}'s, for its owner alone", key.name));
    }
    Finding::warns("key", format_args!("others on this machine can read or change {path}; run `chmod 600 {path}`"))
}

/// The key of a private network, and what it takes away.
fn shared_key(config: &Config, path: &Path) -> Finding {
    if let Err(error) = SharedKey::load(path) {
        return Finding::stops("shared key", error);
    }
    let left_out: Vec<String> =
        config.net.listen.iter().filter(|address| !net::is_tcp(address)).map(ToString::to_string).collect();
    if left_out.len() == config.net.listen.len() {
        let says = "net.listen names no TCP address, and a network with a shared key speaks TCP alone; add one";
        return Finding::stops("shared key", says);
    }
    let says = format!("{} is there; whether others have the same shows when they connect", path.display());
    match left_out.is_empty() {
        true => Finding::fine("shared key", says),
        false => Finding::fine("shared key", format_args!("{says}; over TCP alone, without {}", left_out.join(", "))),
    }
}

fn examine_model(
    config: &Config,
    genesis: &Genesis,
    catalogue: &Catalogue,
    findings: &mut Vec<Finding>,
) -> Option<Arc<dyn Task>> {
    let checked = catalogue.check(&genesis.task).map_err(|error| Finding::stops("model", error));
    let task = match checked {
        Ok(task) => task,
        Err(finding) => {
            findings.push(finding);
            return None;
        }
    };
    findings.push(match driver::first_model(config, genesis, catalogue) {
        Ok(bytes) => {
            let model = format!("{} for {}, {} bytes", genesis.task.model, genesis.task.dataset, bytes.len());
            Finding::fine("model", model)
        }
        Err(error) => Finding::stops("model", error),
    });
    Some(task)
}

/// Opens the store as the node would, if there is one, and finds out who has it open.
pub(super) fn store(config: &Config, claims: &Claims, findings: &mut Vec<Finding>) -> Holder {
    if let Some(finding) = unwritable(&config.data_dir) {
        findings.push(finding);
        return Holder::Nobody;
    }
    let Some(genesis) = &claims.genesis else { return Holder::Nobody };
    if !Store::exists(&config.data_dir) {
        let says = format!("there is none in {} yet; the first run makes it", config.data_dir.display());
        findings.push(Finding::fine("store", says));
        return Holder::Nobody;
    }
    let network = genesis.network();
    match Store::open(&config.data_dir, &network).and_then(|store| store.height()) {
        Ok(height) => {
            findings.push(Finding::fine("store", format_args!("every page is sound, height {height}")));
            Holder::Nobody
        }
        Err(StoreError::Locked { path }) => {
            let member = claims.key.as_ref().map(KeyFile::id);
            let told = status::ask(&config.data_dir).ok();
            let own = told.filter(|told| told.network == network && Some(told.member) == member);
            findings.push(match &own {
                Some(told) => Finding::fine("store", format_args!("the node runs, at height {}", told.height)),
                None => Finding::stops("store", StoreError::Locked { path }),
            });
            if own.is_some() { Holder::Node } else { Holder::Nobody }
        }
        Err(error) => {
            findings.push(Finding::stops("store", error));
            Holder::Nobody
        }
    }
}

/// Whether files cannot be made and written in `dir`, or in the folder that it would be made in.
fn unwritable(dir: &Path) -> Option<Finding> {
    let folder = existing(dir);
    let probe = folder.join(format!(".althing-doctor-{}", std::process::id()));
    let tried = OpenOptions::new().write(true).create_new(true).open(&probe);
    let tried = tried.and_then(|mut file| file.write_all(&[0; 4096]).and_then(|()| file.sync_all()));
    // A probe that could not be made cannot be removed either.
    let _ = fs::remove_file(&probe);
    let error = tried.err()?;
    let folder = folder.display();
    Some(Finding::stops(
        "store",
        format_args!(
            "nothing can be written in {folder} ({error}); make it writable for this user, free space on its disk, or choose another data_dir"
        ),
    ))
}

/// `dir`, or the nearest folder above it that exists.
fn existing(dir: &Path) -> PathBuf {
    let found = dir.ancestors().find(|folder| folder.exists()).map(Path::to_owned);
    found.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("."))
}

/// Loads the member's part of the data as the node would, and asks whether a privacy account fits it.
pub(super) fn data(config: &Config, claims: &Claims, findings: &mut Vec<Finding>) {
    let (Some(task), Some(genesis)) = (&claims.task, &claims.genesis) else { return };
    let learner = match task.learner(&config.data) {
        Ok(learner) => learner,
        Err(error) => return findings.push(Finding::stops("data", error)),
    };
    let samples = learner.samples();
    findings.push(Finding::fine("data", format_args!("{samples} examples of {}", genesis.task.dataset)));
    let owner = learner.fingerprint().map(|data| Owner { network: genesis.network(), data });
    if let Some(error) = account_trouble(config, genesis, owner.as_ref()) {
        findings.push(Finding::stops("privacy", error));
    }
}

/// What is wrong with the privacy account, as far as it can be seen without touching it. A store that cannot be opened
/// has a finding of its own.
fn account_trouble(config: &Config, genesis: &Genesis, owner: Option<&Owner>) -> Option<AccountError> {
    let witness = Witness::beside(&config.key);
    let store = Store::exists(&config.data_dir).then(|| Store::open(&config.data_dir, &genesis.network()));
    let store = store.transpose().ok()?.map(Arc::new);
    if config.privacy.is_none() {
        let store = store.as_ref()?;
        return Account::check_none(store, &witness, owner).err();
    }
    let Some(owner) = owner else { return Some(AccountError::Unbound) };
    let known = match witness.knows(owner) {
        Ok(known) => known,
        Err(error) => return Some(error.into()),
    };
    let path = config.data_dir.join(crate::store::FILE_NAME);
    match store.map(Account::stored).transpose() {
        Ok(account) if account.as_ref().and_then(Option::as_ref).is_none() && known => {
            Some(AccountError::Lost { witness: witness.path().to_owned(), store: path })
        }
        Ok(_) => None,
        Err(error) => Some(error),
    }
}

/// Compares the free space with what the models of a round take.
pub(super) fn space(config: &Config, claims: &Claims) -> Option<Finding> {
    let room = claims.genesis.as_ref().map(|genesis| config.limits.disk_bytes(genesis));
    if let Some(Err(error)) = room {
        return Some(Finding::stops("disk", error));
    }
    let folder = existing(&config.data_dir);
    let told = rustix::fs::statvfs(&folder).ok()?;
    let free = told.f_bavail.saturating_mul(told.f_frsize);
    let members = claims.genesis.as_ref().map_or(1, |genesis| genesis.members.len() as u64);
    let wanted = claims.model_bytes().saturating_mul(members + MODELS_HELD);
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let says = format!("{} MiB are free at {}", mib(free), folder.display());
    Some(if free < wanted {
        let wanted = mib(wanted) + 1;
        Finding::stops(
            "disk",
            format_args!(
                "{says}, and the models of one round take {wanted} MiB; free some, or choose a data_dir on another disk"
            ),
        )
    } else if free < SPACE_MIN.saturating_add(wanted) {
        Finding::warns(
            "disk",
            format_args!("{says}; the ledger grows without end, so free some, or choose a data_dir on another disk"),
        )
    } else {
        Finding::fine("disk", says)
    })
}
