//! How good each settled model is: on the test set, which no member trains on, and beside the run, never in its way.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use althing_protocol::ids::{BlobRef, Hash};
use serde::Deserialize;

use crate::error::Error;

/// Models that may wait to be judged, and results that may wait to be read. A run that is further ahead skips nothing:
/// a model that finds no place is offered again at the next event, and its file is kept from the first.
const WAITING_MAX: usize = 1024;

/// Judges models on the test set.
pub trait Evaluator: Send {
    /// Share of test samples that the model in this file names right, from 0 to 1.
    ///
    /// # Errors
    /// Words for people, if it cannot be judged.
    fn accuracy(&mut self, model: &Path) -> Result<f64, String>;
}

/// The node binary as judge: it alone knows its models and its data.
#[derive(Debug, Clone)]
pub struct Examiner {
    /// The binary.
    pub althing: PathBuf,
    /// The configuration of any node: all have the same test set.
    pub config: PathBuf,
}

/// What the binary answers, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Answer {
    accuracy: f64,
}

impl Evaluator for Examiner {
    fn accuracy(&mut self, model: &Path) -> Result<f64, String> {
        let mut command = Command::new(&self.althing);
        command.args(["model", "evaluate", "--json", "--config"]).arg(&self.config).arg("--model-file").arg(model);
        let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        Ok(answer.accuracy)
    }
}

/// A model whose parameters lie in this file.
#[derive(Debug)]
struct Job {
    model: Hash,
    file: PathBuf,
}

/// What became of it.
type Verdict = (Hash, Result<f64, String>);

/// Judges models on a thread of its own, the newest first.
#[derive(Debug)]
pub struct Judge {
    folder: PathBuf,
    jobs: SyncSender<Job>,
    verdicts: Receiver<Verdict>,
    /// `None` while the model is being judged.
    known: BTreeMap<Hash, Option<f64>>,
    /// Why models could not be judged, and how many for each reason.
    complaints: BTreeMap<String, usize>,
}

impl Judge {
    /// Starts the thread. Copies of the models lie in `folder` until they are judged.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or the thread cannot be made.
    pub fn start(mut evaluator: Box<dyn Evaluator>, folder: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&folder).map_err(Error::io(format!("make {}", folder.display())))?;
        let (jobs, inbox) = sync_channel(WAITING_MAX);
        let (outbox, verdicts) = sync_channel(WAITING_MAX);
        let work = move || judge_all(&mut *evaluator, &inbox, &outbox);
        thread::Builder::new().name("judge".to_owned()).spawn(work).map_err(Error::io("start a thread"))?;
        Ok(Self { folder, jobs, verdicts, known: BTreeMap::new(), complaints: BTreeMap::new() })
    }

    /// A model may lie at `blob`. If it does and is new, it is copied and judged.
    pub fn offer(&mut self, model: &BlobRef, blob: &Path) {
        if self.known.contains_key(&model.hash) {
            return;
        }
        let file = self.folder.join(model.hash.to_string());
        if keep(blob, &file).is_err() {
            // Not here, or not yet: whoever else has it will be asked.
            return;
        }
        if self.jobs.try_send(Job { model: model.hash, file }).is_ok() {
            self.known.insert(model.hash, None);
        }
    }

    /// The accuracy of a model, as far as it is known by now.
    pub fn accuracy(&mut self, model: &Hash) -> Option<f64> {
        while let Ok(verdict) = self.verdicts.try_recv() {
            self.note(verdict);
        }
        self.known.get(model).copied().flatten()
    }

    fn note(&mut self, (model, verdict): Verdict) {
        match verdict {
            Ok(accuracy) => {
                self.known.insert(model, Some(accuracy));
            }
            Err(reason) => *self.complaints.entry(reason).or_default() += 1,
        }
    }

    /// Waits for everything that was offered, but not past `patience`. Returns the accuracies, and what went wrong.
    pub fn finish(mut self, patience: Duration) -> (BTreeMap<Hash, f64>, Vec<String>) {
        // Without a sender the thread ends after the last job, and then its own channel closes.
        let (closed, _) = sync_channel(1);
        self.jobs = closed;
        let deadline = Instant::now() + patience;
        while let Ok(verdict) = self.verdicts.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.note(verdict);
        }
        let judged = self.known.into_iter().filter_map(|(model, accuracy)| Some((model, accuracy?))).collect();
        let complaint = |(reason, count)| format!("{count} models could not be judged: {reason}");
        (judged, self.complaints.into_iter().map(complaint).collect())
    }
}

/// Makes `file` the content of `blob`: a second link costs nothing and outlives the node's own clearing.
fn keep(blob: &Path, file: &Path) -> io::Result<()> {
    match fs::hard_link(blob, file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) => fs::copy(blob, file).map(|_| ()),
        Ok(()) => Ok(()),
    }
}

/// Judges until nobody will offer any more. When behind, the newest comes first: that is the one people look at.
fn judge_all(evaluator: &mut dyn Evaluator, inbox: &Receiver<Job>, outbox: &SyncSender<Verdict>) {
    let mut waiting: Vec<Job> = Vec::new();
    loop {
        match inbox.try_recv() {
            Ok(job) => {
                waiting.push(job);
                continue;
            }
            Err(TryRecvError::Disconnected) if waiting.is_empty() => return,
            Err(TryRecvError::Empty) if waiting.is_empty() => {
                let Ok(job) = inbox.recv() else { return };
                waiting.push(job);
                continue;
            }
            Err(_) => {}
        }
        let Some(Job { model, file }) = waiting.pop() else { continue };
        let verdict = evaluator.accuracy(&file);
        // The copy has served; one that cannot be removed is only litter in a folder that the next run replaces.
        let _ = fs::remove_file(&file);
        if outbox.send((model, verdict)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Names the first parameter as accuracy, and tells when it begins; it goes on when it may.
    struct Slow {
        begun: std::sync::mpsc::Sender<f32>,
        may: Receiver<()>,
    }

    impl Evaluator for Slow {
        fn accuracy(&mut self, model: &Path) -> Result<f64, String> {
            let bytes = fs::read(model).unwrap();
            let first = f32::from_le_bytes(bytes.try_into().map_err(|_| "this is no number")?);
            self.begun.send(first).unwrap();
            self.may.recv().unwrap();
            Ok(f64::from(first))
        }
    }

    fn blob(folder: &Path, bytes: &[u8]) -> (BlobRef, PathBuf) {
        let model = BlobRef::of(bytes);
        let path = folder.join(format!("blob-{}", model.hash.short()));
        fs::write(&path, bytes).unwrap();
        (model, path)
    }

    #[test]
    fn the_newest_comes_first_and_every_model_gets_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, order) = channel();
        let (allow, may) = channel();
        let evaluator = Box::new(Slow { begun, may });
        let mut judge = Judge::start(evaluator, folder.path().join("models")).unwrap();
        let values = [0.25_f32, 0.5, 0.75];
        let models = values.map(|value| blob(folder.path(), &value.to_le_bytes()));
        judge.offer(&models[0].0, Path::new("/nowhere"));
        judge.offer(&models[0].0, &models[0].1);
        judge.offer(&models[0].0, &models[0].1);
        assert_eq!(order.recv().unwrap(), 0.25);
        for (model, path) in &models[1..] {
            judge.offer(model, path);
            fs::remove_file(path).unwrap();
        }
        for _ in values {
            allow.send(()).unwrap();
        }
        let (accuracies, complaints) = judge.finish(Duration::from_secs(60));
        assert_eq!(order.iter().collect::<Vec<_>>(), [0.75, 0.5], "and none of them twice");
        assert!(complaints.is_empty());
        for ((model, _), value) in models.iter().zip(values) {
            assert_eq!(accuracies[&model.hash], f64::from(value));
        }
        assert_eq!(fs::read_dir(folder.path().join("models")).unwrap().count(), 0, "the copies are gone");
    }

    #[test]
    fn a_model_that_cannot_be_judged_is_a_complaint() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, _order) = channel();
        let (_allow, may) = channel();
        let mut judge = Judge::start(Box::new(Slow { begun, may }), folder.path().join("models")).unwrap();
        for bytes in [&b"abcde"[..], b"abc"] {
            let (model, path) = blob(folder.path(), bytes);
            judge.offer(&model, &path);
        }
        let (accuracies, complaints) = judge.finish(Duration::from_secs(60));
        assert!(accuracies.is_empty());
        assert_eq!(complaints, ["2 models could not be judged: this is no number"]);
    }
}
