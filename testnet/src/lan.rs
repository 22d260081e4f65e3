//! A host for every node, on this machine: network namespaces, each with an address of its own, on bridges.
//!
//! All hosts are on one bridge, until they are parted: then each side has its own. A cable is pulled out of one bridge and
//! put into another, so what was on its way is lost, as it would be. Packets that get lost and links that are slow are the
//! kernel's doing too (nftables, `tc`).

use std::{fmt::Write, net::Ipv4Addr, process::Stdio};

use serde::Deserialize;
use tokio::process::Command;

use crate::process::Place;

/// What every link does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    /// Packets of a thousand that never arrive.
    pub loss_permille: u32,
    /// Most that a host sends, in kilobits a second.
    pub rate_kbit: Option<u32>,
}

/// Why hosts cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LanError {
    /// A program is missing, or it is not for us.
    #[error(
        "`{command}` does not work here ({why}); hosts need root, iproute2, and nftables for links that lose packets"
    )]
    Refused {
        /// What was tried.
        command: String,
        /// What came of it.
        why: String,
    },
}

/// Some hosts.
#[derive(Debug)]
pub struct Lan {
    /// What all names begin with: a process has one network at a time.
    prefix: String,
    hosts: usize,
}

impl Lan {
    /// A network of so many hosts, not made yet. [`Lan::last_will`] must be carried out in the end, however it ends.
    pub fn of(hosts: usize) -> Self {
        Self { prefix: format!("alt{}", std::process::id()), hosts }
    }

    /// Makes it.
    ///
    /// # Errors
    /// [`LanError`] where that is not allowed. Some of it may be there then.
    pub async fn make(&self, links: Links) -> Result<(), LanError> {
        for side in 0..self.hosts {
            let bridge = self.bridge(side);
            ip(&format!("link add {bridge} type bridge")).await?;
            ip(&format!("link set {bridge} up")).await?;
        }
        for host in 0..self.hosts {
            self.add(host).await?;
            self.spoil(host, links).await?;
        }
        Ok(())
    }

    async fn add(&self, host: usize) -> Result<(), LanError> {
        let (space, cable, bridge) = (self.space(host), self.cable(host), self.bridge(0));
        ip(&format!("netns add {space}")).await?;
        ip(&format!("link add {cable} type veth peer name eth0 netns {space}")).await?;
        ip(&format!("link set {cable} master {bridge} up")).await?;
        ip(&format!("-n {space} addr add {}/16 dev eth0", Self::address(host))).await?;
        ip(&format!("-n {space} link set eth0 up")).await?;
        ip(&format!("-n {space} link set lo up")).await
    }

    async fn spoil(&self, host: usize, links: Links) -> Result<(), LanError> {
        let space = self.space(host);
        if let Some(rate) = links.rate_kbit {
            let shape = format!("tc -n {space} qdisc add dev eth0 root tbf rate {rate}kbit burst 64kb latency 200ms");
            call(&words(&shape)).await?;
        }
        if links.loss_permille > 0 {
            let within = format!("ip netns exec {space} nft");
            let table = "add table inet links";
            let chain = "add chain inet links in { type filter hook input priority 0 ; }";
            let permille = links.loss_permille;
            let rule = format!("add rule inet links in iif eth0 numgen random mod 1000 < {permille} drop");
            for command in [table, chain, &rule] {
                call(&words(&format!("{within} {command}"))).await?;
            }
        }
        Ok(())
    }

    /// Puts each host on a side; whoever is on another cannot be reached.
    ///
    /// # Errors
    /// [`LanError`] when a cable cannot be moved.
    pub async fn part(&self, sides: &[usize]) -> Result<(), LanError> {
        for (host, side) in sides.iter().enumerate().take(self.hosts) {
            ip(&format!("link set {} master {}", self.cable(host), self.bridge(*side))).await?;
        }
        Ok(())
    }

    /// The address of a host.
    pub const fn address(host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, (host / 250) as u8, (host % 250 + 1) as u8)
    }

    /// A process there.
    pub fn place(&self, host: usize) -> Place {
        Place { within: words(&format!("ip netns exec {}", self.space(host))), variables: Vec::new() }
    }

    /// The commands that leave nothing of it, whether it was made or not.
    pub fn last_will(&self) -> String {
        let mut will = String::new();
        for host in 0..self.hosts {
            // A namespace lives as long as its last process, its cable as long as either end; writing to a string cannot fail.
            let (space, cable, bridge) = (self.space(host), self.cable(host), self.bridge(host));
            let _ = write!(will, "ip netns del {space}; ip link del {cable}; ip link del {bridge}; ");
        }
        will
    }

    fn space(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }

    fn cable(&self, host: usize) -> String {
        format!("{}v{host}", self.prefix)
    }

    fn bridge(&self, side: usize) -> String {
        format!("{}b{side}", self.prefix)
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

async fn ip(arguments: &str) -> Result<(), LanError> {
    call(&words(&format!("ip {arguments}"))).await
}

/// Runs a command of the system to its end.
///
/// # Errors
/// [`LanError`] with its words when it fails.
pub async fn call(words: &[String]) -> Result<(), LanError> {
    let refused = |why: String| LanError::Refused { command: words.join(" "), why };
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|why| refused(why.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(refused(said.lines().next().map_or_else(|| output.status.to_string(), str::to_owned)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn reaches(lan: &Lan, from: usize, to: usize) -> bool {
        let place = lan.place(from);
        let (program, arguments) = place.within.split_first().unwrap();
        // A connection that is refused has reached the host; one that is not gets no answer.
        let script = format!("exec 3<>/dev/tcp/{}/9", Lan::address(to));
        let output = Command::new(program).args(arguments).args(["timeout", "0.3", "bash", "-c", &script]).output();
        String::from_utf8_lossy(&output.unwrap().stderr).contains("refused")
    }

    #[tokio::test]
    async fn hosts_reach_each_other_on_their_own_side_only() {
        let lan = Lan::of(3);
        let made = lan.make(Links { loss_permille: 0, rate_kbit: Some(100_000) }).await;
        if let Err(why) = &made {
            println!("skipped: {why}");
        } else {
            assert!(reaches(&lan, 0, 1) && reaches(&lan, 2, 0));
            lan.part(&[0, 1, 0]).await.unwrap();
            assert!(!reaches(&lan, 0, 1) && reaches(&lan, 2, 0));
            lan.part(&[0, 0, 0]).await.unwrap();
            assert!(reaches(&lan, 0, 1));
        }
        let script = format!("{{ {} }} 2>/dev/null", lan.last_will());
        Command::new("sh").args(["-c", &script]).status().unwrap();
        if made.is_ok() {
            let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
            assert!(!String::from_utf8_lossy(&left.stdout).contains(&lan.prefix), "nothing is left of it");
        }
    }
}
