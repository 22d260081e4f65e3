//! A new node's folder: key, genesis and configuration. It is there as a whole or not at all.

use std::{
    fs,
    path::{Path, PathBuf},
};

use althing_protocol::genesis::Genesis;

use crate::{
    cli::membership::DataArgs,
    config::Config,
    failure::Failure,
    files::{self, Readers},
    genesis_file,
    invitation::Pass,
    keyfile::KeyFile,
    learn::catalogue::Catalogue,
    net::{Relay, SharedKey},
};

/// The configuration in such a folder.
pub(super) const CONFIG: &str = "node.toml";

const KEY: &str = "key.toml";
const GENESIS: &str = "genesis.toml";
const INVITATION: &str = "invitation.txt";
const SHARED_KEY: &str = "shared.key";

/// What a pass over the usual data, or over a member's own where the genesis knows no usual one, is to cost at the most, in
/// micro-credits: half of what the market pays for one by default, so that whoever has much data bids too.
pub(super) const PASS_MICRO: u64 = 200_000;

/// What one example costs where that is less, in micro-credits.
const EXAMPLE_MICRO: u64 = 10;

/// How the node begins.
pub(super) struct Start<'a> {
    /// The port at which it listens; any, if it is the newcomer that dials.
    pub(super) port: Option<u16>,
    /// What it does about routers.
    pub(super) relay: Relay,
    /// What it was invited by.
    pub(super) invitation: Option<&'a Pass>,
    /// The key of the network, if it is private.
    pub(super) shared_key: Option<&'a SharedKey>,
    /// The first model, where the founder has given one to everybody.
    pub(super) first_model: Option<&'a Path>,
}

/// A node's folder, before it is made.
pub(super) struct Home<'a> {
    pub(super) dir: &'a Path,
    pub(super) key: &'a KeyFile,
    pub(super) genesis: &'a Genesis,
    pub(super) data: &'a DataArgs,
    pub(super) start: Start<'a>,
}

/// What was made.
pub(super) struct Made {
    /// Examples that the member trains on.
    pub(super) samples: u64,
}

/// Refuses to write where something is.
pub(super) fn must_not_exist(dir: &Path) -> Result<(), Failure> {
    if dir.exists() {
        return Err(Failure::user(format_args!(
            "{} exists already; start the node in it by `althing run --config {}`, or name another folder",
            dir.display(),
            dir.join(CONFIG).display()
        )));
    }
    Ok(())
}

impl Home<'_> {
    /// Makes the folder, once the data was looked at.
    pub(super) fn make(&self, catalogue: &Catalogue) -> Result<Made, Failure> {
        must_not_exist(self.dir)?;
        let samples = self.samples(catalogue)?;
        let usual = if self.genesis.market.usual_samples == 0 { samples } else { self.genesis.market.usual_samples };
        let cost = (PASS_MICRO / usual.max(1)).clamp(1, EXAMPLE_MICRO);
        let text = self.config()?;
        let text =
            format!("{text}\n[agents]\ncost_per_sample = {cost}    # micro-credits for training on one example once\n");
        self.write(&text)?;
        Ok(Made { samples })
    }

    /// Examples that the member trains on.
    pub(super) fn samples(&self, catalogue: &Catalogue) -> Result<u64, Failure> {
        let config = Config::parse(&self.config()?, &self.dir.join(CONFIG))?;
        Ok(catalogue.check(&self.genesis.task)?.learner(&config.data)?.samples())
    }

    /// Writes everything beside the folder's place, and then puts it there.
    fn write(&self, config: &str) -> Result<(), Failure> {
        let parent =
            self.dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let refused = |error: std::io::Error| {
            Failure::user(format_args!("{}: {error}; check the path and the space on the disk", self.dir.display()))
        };
        fs::create_dir_all(parent).map_err(refused)?;
        let draft = tempfile::Builder::new().prefix(".althing-").tempdir_in(parent).map_err(refused)?;
        let at = |file| draft.path().join(file);
        self.key.create(&at(KEY))?;
        genesis_file::save(self.genesis, &at(GENESIS))?;
        if let Some(pass) = self.start.invitation {
            pass.create(&at(INVITATION))?;
        }
        if let Some(key) = self.start.shared_key {
            key.create(&at(SHARED_KEY))?;
        }
        files::create(&at(CONFIG), config, Readers::Everybody)?;
        fs::rename(draft.path(), self.dir).map_err(refused)?;
        // The folder has another name now, and must stay.
        let _ = draft.keep();
        Ok(())
    }

    fn config(&self) -> Result<String, Failure> {
        let mut text = format!("genesis = {GENESIS:?}\nkey = {KEY:?}\ndata_dir = \"store\"\n");
        if self.start.invitation.is_some() {
            text += &format!("invitation = {INVITATION:?}\n");
        }
        if let Some(model) = self.start.first_model {
            text += &format!("first_model = {}\n", quoted(&absolute(model)?));
        }
        let net = self.net();
        if !net.is_empty() {
            text += &format!("\n[net]\n{net}");
        }
        let path = quoted(&absolute(&self.data.data)?);
        let (part, parts) = (self.data.part.part - 1, self.data.part.parts);
        text += &format!("\n[data]\npath = {path}\nparts = {parts}\npart = {part}\n");
        Ok(text)
    }

    /// What the configuration says of the network.
    fn net(&self) -> String {
        let mut text = match (self.start.port, self.start.shared_key) {
            (None, None) => String::new(),
            (None, Some(_)) => "listen = [\"/ip4/0.0.0.0/tcp/0\"]\n".to_owned(),
            (Some(port), None) => {
                format!("listen = [\"/ip4/0.0.0.0/tcp/{port}\", \"/ip4/0.0.0.0/udp/{port}/quic-v1\"]\n")
            }
            (Some(port), Some(_)) => format!("listen = [\"/ip4/0.0.0.0/tcp/{port}\"]\n"),
        };
        if self.start.relay == Relay::Serve {
            text += "relay = \"serve\"    # for members behind routers that let nobody in\n";
        }
        if self.start.shared_key.is_some() {
            text += &format!("shared_key_file = {SHARED_KEY:?}    # who lacks it is not spoken to; over TCP alone\n");
        }
        text
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| Failure::user(format_args!("{}: {error}; check the path", path.display())))
}

/// A path as TOML writes it.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}
