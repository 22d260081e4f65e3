//! One node process: its start, its lines, its memory, its end.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::mpsc::Sender,
};

use althing_protocol::ids::MemberId;

use crate::{error::Error, observer::Line, scenario::Plot, setup::Node, status::Status};

/// Lines that may wait for the observer before a node's output is held back.
pub const INPUTS_MAX: usize = 1024;
/// Lines of a log that an error shows.
const TAIL_LINES: usize = 12;

/// A life of a node: which one, and which life. What an earlier life had to say may arrive during the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    /// Its place in the federation.
    pub node: usize,
    /// Starts before this one.
    pub number: u32,
}

/// What a run hears of its nodes.
#[derive(Debug)]
pub enum Input {
    /// A node has printed a line.
    Line(Life, Box<Line>),
    /// A node's process has ended.
    Ended(Life, ExitStatus),
    /// A node has told its status, as it was when this round had settled.
    Status(Life, u64, Status),
}

/// A running node process.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Which life.
    pub life: Life,
    /// The operating system's number for it.
    pub pid: u32,
}

/// What it takes to start a node.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The node binary.
    pub binary: &'a Path,
    /// Which node.
    pub node: &'a Node,
    /// This program, for a node that attacks, and everybody who does.
    pub hostile: Hostile<'a>,
    /// Which life.
    pub life: Life,
    /// Addresses of nodes that run already.
    pub bootstrap: Vec<String>,
    /// Where it runs.
    pub place: &'a Place,
    /// The warden's process group.
    pub group: i32,
}

/// Where a node runs. By default it is a process of this machine like any other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The command that starts another there, word by word; it must become that other.
    pub within: Vec<String>,
    /// Variables that the node finds set.
    pub variables: Vec<(&'static str, String)>,
}

impl Place {
    /// `program`, to be started there.
    fn command(&self, program: &Path) -> Command {
        let mut command = match self.within.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// What it takes to start a node that attacks.
#[derive(Debug)]
pub struct Hostile<'a> {
    /// This program.
    pub binary: &'a Path,
    /// Everybody who attacks.
    pub accomplices: Vec<MemberId>,
}

/// The program of a node, with what it is called with before the addresses.
fn command(binary: &Path, node: &Node, hostile: &Hostile<'_>, place: &Place) -> Command {
    let Some(Plot { attack, from_round }) = node.plot else {
        let mut command = place.command(binary);
        command.args(["run", "--json", "--config"]).arg(node.config());
        return command;
    };
    let mut command = place.command(hostile.binary);
    command.arg("hostile").args(["--attack", &attack.to_string(), "--from-round", &from_round.to_string()]);
    for member in &hostile.accomplices {
        command.args(["--accomplice", &member.to_string()]);
    }
    command.arg("--config").arg(node.config());
    command
}

/// Starts a node; what it prints and how it ends arrive at `inputs`.
///
/// # Errors
/// [`Error::Io`] if the process or its files cannot be made.
pub fn launch(launch: Launch<'_>, inputs: Sender<Input>) -> Result<Process, Error> {
    let Launch { binary, node, hostile, life, bootstrap, place, group } = launch;
    let mut command = command(binary, node, &hostile, place);
    for address in bootstrap {
        command.args(["--bootstrap", &address]);
    }
    // One thread and two arenas a node: with many nodes on one machine, more of either only costs memory.
    command.env("RAYON_NUM_THREADS", "1").env("MALLOC_ARENA_MAX", "2");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(append(&node.log())?);
    command.kill_on_drop(true).process_group(group);
    let starting = || format!("start {}", node.name);
    let mut child = command.spawn().map_err(Error::io(starting()))?;
    let vanished = || Error::io(starting())(std::io::Error::other("it ended at once"));
    let pid = child.id().ok_or_else(vanished)?;
    let stdout = child.stdout.take().ok_or_else(vanished)?;
    let record = append(&node.events())?;
    tokio::spawn(follow(life, child, stdout, record, inputs));
    Ok(Process { life, pid })
}

fn append(path: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(Error::io(format!("write {}", path.display())))
}

/// Hands on what a node prints, keeps a record of it, and tells of its end. Nobody listening any more ends this too.
async fn follow(life: Life, mut child: Child, stdout: ChildStdout, mut record: File, inputs: Sender<Input>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        // The record is for people; a full disk shows itself at the report, which is written to the same one.
        let _ = writeln!(record, "{text}");
        if let Some(line) = Line::parse(&text)
            && inputs.send(Input::Line(life, Box::new(line))).await.is_err()
        {
            return;
        }
    }
    if let Ok(status) = child.wait().await {
        // A closed channel means that the run is over.
        let _ = inputs.send(Input::Ended(life, status)).await;
    }
}

/// The most memory that a living process ever had resident, in bytes.
pub fn peak_rss_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    parse_peak_rss(&status)
}

fn parse_peak_rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The last lines of a log, for an error message.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_in_bytes() {
        assert_eq!(parse_peak_rss("Name:\tx\nVmHWM:\t   61440 kB\nVmRSS:\t 1 kB\n"), Some(62_914_560));
        assert_eq!(parse_peak_rss("Name:\tx\n"), None);
        assert_eq!(parse_peak_rss("VmHWM:\tmuch kB\n"), None);
        assert!(peak_rss_bytes(std::process::id()).unwrap() > 100_000);
    }

    #[test]
    fn only_a_node_that_attacks_is_another_program() {
        let node = |plot| Node {
            name: "node-1".into(),
            label: "1".into(),
            id: MemberId([1; 32]),
            folder: "/report/node-1".into(),
            plot,
        };
        let called = |plot, place: Place| {
            let hostile = Hostile { binary: Path::new("/bin/testnet"), accomplices: vec![MemberId([1; 32])] };
            let command = command(Path::new("/bin/althing"), &node(plot), &hostile, &place);
            let arguments: Vec<_> =
                command.as_std().get_args().map(|word| word.to_string_lossy().into_owned()).collect();
            (command.as_std().get_program().to_string_lossy().into_owned(), arguments.join(" "))
        };
        let honest = ("/bin/althing".to_owned(), "run --json --config /report/node-1/node.toml".to_owned());
        assert_eq!(called(None, Place::default()), honest);
        let elsewhere = Place { within: vec!["ip".into(), "netns".into()], variables: Vec::new() };
        let (program, words) = called(None, elsewhere);
        assert_eq!((program.as_str(), words), ("ip", format!("netns {} {}", honest.0, honest.1)));
        let attack = "scaled:10".parse().unwrap();
        let (program, words) = called(Some(Plot { attack, from_round: 4 }), Place::default());
        assert_eq!(program, "/bin/testnet");
        let wanted = format!(
            "hostile --attack scaled:10 --from-round 4 --accomplice {} --config /report/node-1/node.toml",
            MemberId([1; 32])
        );
        assert_eq!(words, wanted);
    }

    #[test]
    fn a_tail_is_the_last_lines_or_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text: Vec<String> = (0..20).map(|line| line.to_string()).collect();
        std::fs::write(file.path(), text.join("\n")).unwrap();
        assert!(tail(file.path()).starts_with("8\n") && tail(file.path()).ends_with("\n19"));
        assert_eq!(tail(Path::new("/nonexistent/log")), "");
    }
}
