//! What this machine must do so that nodes can be disturbed one by one: a host, a disk and a clock for each.

use std::{
    fs::{self, File},
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use super::scenario::Scenario;
use crate::{
    error::Error,
    lan::{Lan, LanError, call},
    process::Place,
    setup::{Federation, Node},
};

/// Where Debian and its like keep the library that lies about the time.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];
/// A file that takes up the rest of a disk.
const FILLER: &str = "filler";
/// Bytes that are written to it at a time.
const FILL: usize = 64 * 1024;

/// Why a scenario cannot be played on this machine.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// Hosts or disks cannot be made.
    #[error(transparent)]
    Refused(#[from] LanError),
    /// Clocks cannot be set.
    #[error("there is no libfaketime; install it (apt install libfaketime)")]
    NoFaketime,
}

/// A machine that is made ready for a scenario.
#[derive(Debug)]
pub(super) struct Machine {
    lan: Option<Lan>,
    /// Size of each node's own disk.
    disk_mib: Option<u64>,
    clocks: Option<&'static str>,
}

impl Machine {
    /// What `scenario` needs, with nothing of it made yet.
    ///
    /// # Errors
    /// [`Unfit::NoFaketime`].
    pub(super) fn of(scenario: &Scenario) -> Result<Self, Unfit> {
        let lan = scenario.needs_hosts().then(|| Lan::of(scenario.nodes()));
        let library = || FAKETIME.into_iter().find(|path| Path::new(path).exists()).ok_or(Unfit::NoFaketime);
        let clocks = scenario.needs_clocks().then(library).transpose()?;
        Ok(Self { lan, disk_mib: scenario.disk_mib, clocks })
    }

    /// The address of a node.
    pub(super) const fn address(&self, node: usize) -> Ipv4Addr {
        match self.lan {
            Some(_) => Lan::address(node),
            None => Ipv4Addr::LOCALHOST,
        }
    }

    /// Where each node runs.
    pub(super) fn places(&self, federation: &Federation) -> Vec<Place> {
        let of = |(place, node): (usize, &Node)| {
            let place = self.lan.as_ref().map_or_else(Place::default, |lan| lan.place(place));
            let clock = self.clocks.map(|library| {
                vec![
                    ("LD_PRELOAD", library.to_owned()),
                    ("FAKETIME_TIMESTAMP_FILE", clock(node).display().to_string()),
                    ("FAKETIME_CACHE_DURATION", "1".to_owned()),
                    ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
                ]
            });
            Place { variables: clock.unwrap_or_default(), ..place }
        };
        federation.nodes.iter().enumerate().map(of).collect()
    }

    /// The commands that leave nothing of it, whether it was made or not.
    pub(super) fn last_will(&self, federation: &Federation) -> String {
        let disks = federation.nodes.iter().filter(|_| self.disk_mib.is_some());
        let unmount = disks.map(|node| format!("umount -l '{}'; ", node.data().display()));
        let undo: String = unmount.chain(self.lan.as_ref().map(Lan::last_will)).collect();
        if undo.is_empty() { undo } else { format!("{{ {undo} }} >/dev/null 2>&1") }
    }

    /// Makes hosts, disks and clocks.
    ///
    /// # Errors
    /// [`Unfit`] where that is not allowed.
    pub(super) async fn make(&self, scenario: &Scenario, federation: &Federation) -> Result<(), Unfit> {
        if let Some(lan) = &self.lan {
            lan.make(scenario.links).await?;
        }
        for node in &federation.nodes {
            let refused = |why: io::Error| {
                let command = format!("write in {}", node.folder.display());
                LanError::Refused { command, why: why.to_string() }
            };
            if let Some(mib) = self.disk_mib {
                fs::create_dir_all(node.data()).map_err(refused)?;
                let words = ["mount", "-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"];
                let folder = node.data().display().to_string();
                call(&words.iter().copied().chain([folder.as_str()]).map(str::to_owned).collect::<Vec<_>>()).await?;
            }
            if self.clocks.is_some() {
                fs::write(clock(node), "+0").map_err(refused)?;
            }
        }
        Ok(())
    }

    /// Puts each node on a side.
    ///
    /// # Errors
    /// [`Error::Io`] when a cable cannot be moved.
    pub(super) async fn part(&self, sides: &[usize]) -> Result<(), Error> {
        let Some(lan) = &self.lan else { return Ok(()) };
        lan.part(sides).await.map_err(|why| Error::io("part the nodes")(io::Error::other(why)))
    }
}

fn clock(node: &Node) -> PathBuf {
    node.folder.join("clock")
}

/// Sets the clock of `node` so many seconds ahead, or back.
///
/// # Errors
/// [`Error::Io`] when its file cannot be written.
pub(super) fn set_clock(node: &Node, by_s: i64) -> Result<(), Error> {
    fs::write(clock(node), format!("{by_s:+}")).map_err(Error::io(format!("set the clock of {}", node.name)))
}

/// Leaves no room on the disk of `node`.
///
/// # Errors
/// [`Error::Io`] when that fails for another reason than that there is none.
pub(super) fn fill_disk(node: &Node) -> Result<(), Error> {
    let doing = || Error::io(format!("fill the disk of {}", node.name));
    let mut filler = File::create(node.data().join(FILLER)).map_err(doing())?;
    loop {
        match filler.write_all(&[0; FILL]) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(doing()(error)),
        }
    }
}

/// Makes room on it again.
///
/// # Errors
/// [`Error::Io`] when that fails.
pub(super) fn free_disk(node: &Node) -> Result<(), Error> {
    let doing = Error::io(format!("make room on the disk of {}", node.name));
    fs::remove_file(node.data().join(FILLER)).map_err(doing)
}
