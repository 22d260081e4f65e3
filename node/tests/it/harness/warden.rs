//! Node processes never outlive their test, however it ends.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
};

/// Reads a signal and a process from each line; when the pipe closes, kills its whole group, itself included.
const SCRIPT: &str =
    r#"while read -r signal process; do kill -s "$signal" "$process" 2>/dev/null; done; kill -s KILL 0"#;

/// How a process is told to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signal {
    /// What `kill` sends.
    Terminate,
    /// What Ctrl-C sends.
    Interrupt,
}

/// A shell that leads the process group of all nodes of one test. The pipe to it closes when the test ends or dies.
pub(crate) struct Warden {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Warden {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.process_group(0).spawn().expect("there is a shell");
        let pipe = child.stdin.take();
        Self { child, pipe }
    }

    /// The group that nodes join.
    pub(crate) fn group(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub(crate) fn signal(&mut self, signal: Signal, process: u32) {
        let name = match signal {
            Signal::Terminate => "TERM",
            Signal::Interrupt => "INT",
        };
        writeln!(self.pipe.as_mut().unwrap(), "{name} {process}").unwrap();
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // It kills itself last, so how it ended says nothing.
        let _ = self.child.wait();
    }
}
