//! Nodes never outlive the testnet, however it ends.
//!
//! The warden is a shell that leads a process group of its own, which all nodes join. It waits on a pipe from us; when
//! the pipe closes, because we are done or because we were killed, it kills the group and itself with it. The same pipe
//! carries the signals that we send to single nodes. Being in another group than ours, neither the warden nor the nodes
//! hear a ctrl-c at the terminal: the testnet decides what happens then.
//!
//! Before it kills, it carries out a last will: commands that undo what has been done to this machine.

use std::process::Stdio;

use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};

use crate::error::Error;

/// `kill` is the shell's own, so a machine without that program will do. In a group of its own, 0 means the group.
const SCRIPT: &str =
    r#"while read -r signal process; do kill -s "$signal" "$process" 2>/dev/null; done; eval "$1"; kill -s KILL 0"#;

/// What a node's process is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Stop in good order.
    Term,
    /// Be gone, at once.
    Kill,
    /// Stand still.
    Freeze,
    /// Go on.
    Thaw,
}

/// The shell that holds all nodes' lives.
#[derive(Debug)]
pub struct Warden {
    child: Child,
    pipe: ChildStdin,
    group: i32,
}

impl Warden {
    /// Starts it, with the commands of its last will.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no `sh`.
    pub fn start(last_will: &str) -> Result<Self, Error> {
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "warden", last_will])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.process_group(0).spawn().map_err(Error::io("start `sh`"))?;
        let vanished = || std::io::Error::other("it ended at once");
        let group = child.id().and_then(|pid| i32::try_from(pid).ok());
        match (child.stdin.take(), group) {
            (Some(pipe), Some(group)) => Ok(Self { child, pipe, group }),
            _ => Err(Error::io("start `sh`")(vanished())),
        }
    }

    /// The process group that nodes must join.
    pub const fn group(&self) -> i32 {
        self.group
    }

    /// Sends `signal` to the process `pid`. One that has ended is left alone.
    ///
    /// # Errors
    /// [`Error::Io`] if the warden is gone.
    pub async fn signal(&mut self, signal: Signal, pid: u32) -> Result<(), Error> {
        let name = match signal {
            Signal::Term => "TERM",
            Signal::Kill => "KILL",
            Signal::Freeze => "STOP",
            Signal::Thaw => "CONT",
        };
        let order = format!("{name} {pid}\n");
        self.pipe.write_all(order.as_bytes()).await.map_err(Error::io(format!("signal process {pid}")))
    }

    /// Kills whatever is left of the group, and waits for it to be done.
    pub async fn dismiss(self) {
        let Self { mut child, pipe, .. } = self;
        drop(pipe);
        // It kills itself last, so how it ended says nothing.
        let _ = child.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn sleeper(warden: &Warden) -> Child {
        Command::new("sleep").arg("600").process_group(warden.group()).spawn().unwrap()
    }

    async fn ends(mut child: Child) {
        timeout(Duration::from_secs(20), child.wait()).await.expect("the process is killed").unwrap();
    }

    #[tokio::test]
    async fn when_the_pipe_closes_everybody_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let sign = folder.path().join("sign");
        let warden = Warden::start(&format!("touch {}", sign.display())).unwrap();
        let children = [sleeper(&warden), sleeper(&warden)];
        drop(warden);
        for child in children {
            ends(child).await;
        }
        assert!(sign.exists(), "its last will is done before");
    }

    #[tokio::test]
    async fn a_signal_reaches_one_process_only() {
        let mut warden = Warden::start("").unwrap();
        let (one, mut other) = (sleeper(&warden), sleeper(&warden));
        warden.signal(Signal::Term, one.id().unwrap()).await.unwrap();
        ends(one).await;
        assert!(other.try_wait().unwrap().is_none());
        warden.dismiss().await;
        ends(other).await;
    }
}
