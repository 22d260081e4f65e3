//! Questions to a language model, and its answers, written down so that they can be played again.
//!
//! A line for each question under the hash of its words. Whoever asks the same again, in another run too, is answered from
//! the book; so an answer depends on the question alone, runs may ask from any thread, and a book without an endpoint
//! behind it plays an experiment again to the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use althing_node::{
    advice::Respondent,
    endpoint::{Answer, Ending, Endpoint, Question, Refusal},
};
use althing_protocol::ids::Hash;
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::Mutex};

use super::{
    error::{Error, Fault},
    options::MarketOptions,
};
use crate::error::Error as TestnetError;

/// What it is called in a report.
pub(super) const FILE: &str = "answers.jsonl";

/// Answers of a model, and whom to ask for more.
pub(super) struct Book {
    runtime: Handle,
    endpoint: Option<Endpoint>,
    within: Duration,
    /// The model, as its endpoint calls it.
    model: String,
    /// Held while a question is asked, so that none is asked twice.
    pages: Mutex<Pages>,
    trouble: OnceLock<Trouble>,
}

/// What is known.
#[derive(Default)]
struct Pages {
    known: BTreeMap<String, Line>,
    /// The questions of this experiment.
    asked: BTreeSet<String>,
    /// Where what comes is kept at once.
    file: Option<(PathBuf, File)>,
}

/// Why nothing more is asked.
#[derive(Debug, Clone)]
enum Trouble {
    /// There is nobody to ask what the book lacks.
    Unanswered,
    /// The book cannot be written.
    Disk(String),
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    model: String,
}

/// A line of the book.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    /// The hash of all of the question.
    question: String,
    /// Its words, but for the rules that all questions begin with.
    said: Vec<String>,
    #[serde(flatten)]
    came: Came,
}

/// What has come of a question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Came {
    Answer(Kept),
    Refusal(Refusal),
}

/// An answer, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    text: String,
    ending: Ending,
    log_probability: Option<f64>,
    prompt_tokens: u32,
    completion_tokens: u32,
    cached_tokens: u32,
    latency_ms: u64,
}

impl Book {
    /// The answers that `options` name, and the endpoint that is asked for others. It must be there when it is opened, and
    /// is waited for on the runtime of the caller, whose thread must be one that may wait.
    ///
    /// # Errors
    /// [`Error`] if there is neither, the endpoint cannot be used, no model answers there or another than has answered, or
    /// the answers cannot be read.
    pub(super) fn open(options: &MarketOptions) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::Thread)?;
        let endpoint = options.server.endpoint()?;
        let recorded = options.answers.as_deref().map(read).transpose()?;
        let serves = endpoint.as_ref().map(|endpoint| {
            let absent = |refusal| Error::Absent { address: endpoint.address().clone(), refusal };
            runtime.block_on(endpoint.model()).map_err(absent)
        });
        let (model, mut known) = match (recorded, serves.transpose()?) {
            (None, None) => return Err(Error::NobodyToAsk),
            (None, Some(serves)) => (serves, BTreeMap::new()),
            (Some(recorded), None) => recorded,
            (Some((model, known)), Some(serves)) if model == serves => (model, known),
            (Some((answered, _)), Some(serves)) => return Err(Error::OtherModel { answered, serves }),
        };
        if endpoint.is_some() {
            // Whoever refused then may answer now.
            known.retain(|_, line| matches!(line.came, Came::Answer(_)));
        }
        let pages = Mutex::new(Pages { known, ..Pages::default() });
        Ok(Self { runtime, endpoint, within: options.server.within(), model, pages, trouble: OnceLock::new() })
    }

    /// Keeps the book in `folder` from now on: what is known at once, and what comes as it comes.
    ///
    /// # Errors
    /// [`Error::Report`] if it cannot be written.
    pub(super) fn keep(&mut self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let pages = self.pages.get_mut();
        let text = text(&self.model, pages.known.values());
        fs::write(&path, text).map_err(TestnetError::io(doing(&path)))?;
        let file = File::options().append(true).open(&path).map_err(TestnetError::io(doing(&path)))?;
        pages.file = Some((path, file));
        Ok(())
    }

    /// Leaves in the folder the lines of this experiment, in the order of their hashes, and returns the model's name.
    ///
    /// # Errors
    /// [`Error::Report`] if they cannot be written.
    pub(super) fn close(self) -> Result<String, Error> {
        let Pages { known, asked, file } = self.pages.into_inner();
        if let Some((path, _)) = file {
            let lines = asked.iter().filter_map(|question| known.get(question));
            fs::write(&path, text(&self.model, lines)).map_err(TestnetError::io(doing(&path)))?;
        }
        Ok(self.model)
    }

    /// How long an answer may take.
    pub(super) const fn within(&self) -> Duration {
        self.within
    }

    /// Waits for somebody who asks. Never called where a runtime must not be held up.
    pub(super) fn wait<T>(&self, asking: impl Future<Output = T>) -> T {
        self.runtime.block_on(asking)
    }

    /// Whether the last question could be asked at all.
    ///
    /// # Errors
    /// [`Fault`] if the book lacks it and there is nobody to ask, or it cannot be written.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self.trouble.get() {
            None => Ok(()),
            Some(Trouble::Unanswered) => Err(Fault::Unanswered),
            Some(Trouble::Disk(why)) => Err(Fault::Disk(why.clone())),
        }
    }

    fn give_up(&self, trouble: Trouble) {
        // The first trouble counts.
        let _ = self.trouble.set(trouble);
    }
}

impl Respondent for &Book {
    async fn complete(&self, question: &Question, within: Duration) -> Result<Answer, Refusal> {
        let hash = hash(question);
        let mut pages = self.pages.lock().await;
        pages.asked.insert(hash.clone());
        if let Some(line) = pages.known.get(&hash) {
            return line.came.clone().into();
        }
        let Some(endpoint) = &self.endpoint else {
            self.give_up(Trouble::Unanswered);
            return Err(Refusal::Unreachable);
        };
        let came = Came::from(endpoint.complete(question, within).await);
        let said = question.messages.iter().skip(1).map(|message| message.content.clone()).collect();
        let line = Line { question: hash.clone(), said, came: came.clone() };
        if let Err(error) = pages.write(&line) {
            self.give_up(Trouble::Disk(error.to_string()));
        }
        pages.known.insert(hash, line);
        came.into()
    }
}

impl Pages {
    fn write(&mut self, line: &Line) -> std::io::Result<()> {
        let Some((_, file)) = &mut self.file else { return Ok(()) };
        file.write_all((json(line) + "\n").as_bytes())
    }
}

impl From<Result<Answer, Refusal>> for Came {
    fn from(came: Result<Answer, Refusal>) -> Self {
        match came {
            Ok(answer) => Self::Answer(Kept {
                text: answer.text,
                ending: answer.ending,
                log_probability: answer.log_probability,
                prompt_tokens: answer.prompt_tokens,
                completion_tokens: answer.completion_tokens,
                cached_tokens: answer.cached_tokens,
                latency_ms: u64::try_from(answer.latency.as_millis()).unwrap_or(u64::MAX),
            }),
            Err(refusal) => Self::Refusal(refusal),
        }
    }
}

impl From<Came> for Result<Answer, Refusal> {
    fn from(came: Came) -> Self {
        match came {
            Came::Answer(kept) => Ok(Answer {
                text: kept.text,
                ending: kept.ending,
                log_probability: kept.log_probability,
                prompt_tokens: kept.prompt_tokens,
                completion_tokens: kept.completion_tokens,
                cached_tokens: kept.cached_tokens,
                latency: Duration::from_millis(kept.latency_ms),
            }),
            Came::Refusal(refusal) => Err(refusal),
        }
    }
}

/// The model and the lines of a book. A last line that was broken off is read over: its question is asked again.
fn read(path: &Path) -> Result<(String, BTreeMap<String, Line>), Error> {
    let wrong = |why: String| Error::Answers { path: path.to_owned(), why };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let mut lines = text.split_inclusive('\n');
    let first = serde_json::from_str::<Header>(lines.next().unwrap_or_default());
    let model = first.map_err(|error| wrong(format!("line 1: {error}")))?.model;
    let mut known = BTreeMap::new();
    for (line, number) in lines.filter(|line| line.ends_with('\n')).zip(2..) {
        let line: Line = serde_json::from_str(line).map_err(|error| wrong(format!("line {number}: {error}")))?;
        known.insert(line.question.clone(), line);
    }
    Ok((model, known))
}

fn text<'a>(model: &str, lines: impl Iterator<Item = &'a Line>) -> String {
    let mut text = json(&Header { model: model.to_owned() }) + "\n";
    for line in lines {
        text.push_str(&json(line));
        text.push('\n');
    }
    text
}

fn hash(question: &Question) -> String {
    Hash::derive("althing market question", &[json(question).as_bytes()]).to_string()
}

fn json(value: &impl Serialize) -> String {
    // Nothing here can fail to become JSON: keys are words, and numbers are finite.
    serde_json::to_string(value).unwrap_or_default()
}

fn doing(path: &Path) -> String {
    format!("write {}", path.display())
}
