//! The stream to one provider: requests go out as they come, answers are read in the same order.

use std::{sync::Arc, time::Duration};

use althing_protocol::ids::{BlobRef, MemberId};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{Stream, StreamProtocol};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{
    BlobStats,
    fetch::Report,
    schedule::{FetchId, Flight, Found, LinkEnd, MAX_ACTIVE, MAX_FLIGHTS_PER_PEER, Outcome},
    store::{Partial, WriteError},
    tree::{Span, slice_len},
    wire::{Question, Request, Status, Survey},
};
use crate::net::peer_id;

/// How long a stream may take to open, a dial included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused link stays open: a round has several bursts of pulls from the same members.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Tasks of one link that wait: every piece that may be in flight, and a survey for each open fetch.
pub(super) const TASK_CAPACITY: usize = MAX_FLIGHTS_PER_PEER + MAX_ACTIVE;

/// What to ask a provider.
#[derive(Debug)]
pub(super) enum Task {
    Piece(Piece),
    Survey(FetchId, BlobRef),
}

/// A piece to fetch and where to put it.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) flight: Flight,
    pub(super) partial: Arc<Partial>,
}

impl Task {
    fn question(&self) -> Question {
        match self {
            Self::Piece(piece) => Question::Slice(piece.request()),
            Self::Survey(_, blob) => Question::Survey(*blob),
        }
    }
}

impl Piece {
    fn request(&self) -> Request {
        let blob = *self.partial.blob();
        Request { blob, span: Span::of_piece(self.flight.piece, blob.size) }
    }
}

/// What every link needs.
#[derive(Clone)]
pub(super) struct LinkContext {
    pub(super) control: libp2p_stream::Control,
    pub(super) protocol: StreamProtocol,
    pub(super) stats: Arc<BlobStats>,
    pub(super) reports: mpsc::Sender<Report>,
    /// How long one answer may take, from the first moment that it is the next to come.
    pub(super) answer_timeout: Duration,
}

/// Serves `tasks` from `member` until there are none for a while, or the stream fails; then reports how it ended.
pub(super) async fn run(member: MemberId, tasks: mpsc::Receiver<Task>, context: LinkContext) {
    let end = match open(&member, &context).await {
        Some(stream) => pull(stream, member, tasks, &context).await,
        None => LinkEnd::Failed,
    };
    // The receiver is gone only when the fetcher is.
    let _ = context.reports.send(Report::LinkClosed(member, end)).await;
}

async fn open(member: &MemberId, context: &LinkContext) -> Option<Stream> {
    let peer = peer_id(member)?;
    let mut control = context.control.clone();
    match timeout(OPEN_TIMEOUT, control.open_stream(peer, context.protocol.clone())).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "no blob stream");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "no blob stream in time");
            None
        }
    }
}

async fn pull(stream: Stream, member: MemberId, tasks: mpsc::Receiver<Task>, context: &LinkContext) -> LinkEnd {
    let (reader, writer) = stream.split();
    let (asked_tx, asked_rx) = mpsc::channel(TASK_CAPACITY);
    tokio::select! {
        end = write_requests(writer, tasks, asked_tx, context) => end,
        end = read_answers(reader, member, asked_rx, context) => end,
    }
}

async fn write_requests(
    mut writer: impl AsyncWriteExt + Unpin,
    mut tasks: mpsc::Receiver<Task>,
    asked: mpsc::Sender<Task>,
    context: &LinkContext,
) -> LinkEnd {
    while let Some(task) = tasks.recv().await {
        let bytes = task.question().encode();
        let write = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if !matches!(timeout(context.answer_timeout, write).await, Ok(Ok(()))) {
            return LinkEnd::Failed;
        }
        context.stats.count_up(bytes.len());
        if asked.send(task).await.is_err() {
            return LinkEnd::Failed;
        }
    }
    LinkEnd::Idle
}

async fn read_answers(
    mut reader: impl AsyncReadExt + Unpin,
    member: MemberId,
    mut asked: mpsc::Receiver<Task>,
    context: &LinkContext,
) -> LinkEnd {
    loop {
        let Ok(Some(task)) = timeout(IDLE_TIMEOUT, asked.recv()).await else { return LinkEnd::Idle };
        let by = Instant::now() + context.answer_timeout;
        let report = match task {
            Task::Piece(piece) => match timeout_at(by, read_answer(&mut reader, &piece, context)).await {
                Ok(Ok(answer)) => Report::Ended(piece.flight, take(piece, answer).await),
                _ => return LinkEnd::Failed,
            },
            Task::Survey(fetch, blob) => match timeout_at(by, read_survey(&mut reader, &blob, context)).await {
                Ok(Ok(found)) => Report::Surveyed(fetch, member, found),
                _ => return LinkEnd::Failed,
            },
        };
        let forged = matches!(report, Report::Ended(_, Outcome::Forged) | Report::Surveyed(_, _, Found::Forged));
        if context.reports.send(report).await.is_err() {
            return LinkEnd::Idle;
        }
        if forged {
            return LinkEnd::Failed;
        }
    }
}

async fn take(piece: Piece, answer: Answer) -> Outcome {
    match answer {
        Answer::Slice(slice) => write(piece, slice).await,
        Answer::Other(outcome) => outcome,
    }
}

async fn read_survey(
    reader: &mut (impl AsyncReadExt + Unpin),
    blob: &BlobRef,
    context: &LinkContext,
) -> std::io::Result<Found> {
    let mut status = [0];
    reader.read_exact(&mut status).await?;
    context.stats.count_down(status.len());
    match Status::from_byte(status[0]) {
        Some(Status::Here) => {}
        Some(Status::Absent) => return Ok(Found::Absent),
        Some(Status::Busy | Status::Lacking | Status::Elsewhere) | None => return Ok(Found::Forged),
    }
    let mut head = vec![0; Survey::head_bytes(blob.size)];
    reader.read_exact(&mut head).await?;
    let Some(count) = Survey::fellows_after(&head) else { return Ok(Found::Forged) };
    let mut fellows = vec![[0; 32]; count];
    for fellow in &mut fellows {
        reader.read_exact(fellow).await?;
    }
    context.stats.count_down(head.len() + fellows.as_flattened().len());
    Ok(Survey::decode(blob.size, &head, &fellows).map_or(Found::Forged, Found::Held))
}

enum Answer {
    Slice(Vec<u8>),
    Other(Outcome),
}

async fn read_answer(
    reader: &mut (impl AsyncReadExt + Unpin),
    piece: &Piece,
    context: &LinkContext,
) -> std::io::Result<Answer> {
    let mut status = [0];
    reader.read_exact(&mut status).await?;
    context.stats.count_down(status.len());
    Ok(match Status::from_byte(status[0]) {
        Some(Status::Here) => {
            let request = piece.request();
            let mut slice = vec![0; slice_len(request.span, request.blob.size)];
            reader.read_exact(&mut slice).await?;
            context.stats.count_down(slice.len());
            Answer::Slice(slice)
        }
        Some(Status::Absent) => Answer::Other(Outcome::Absent),
        Some(Status::Busy) => Answer::Other(Outcome::Busy),
        Some(Status::Lacking) => Answer::Other(Outcome::Lacking),
        Some(Status::Elsewhere) => {
            let mut member = [0; 32];
            reader.read_exact(&mut member).await?;
            context.stats.count_down(member.len());
            Answer::Other(Outcome::Elsewhere(MemberId(member)))
        }
        None => Answer::Other(Outcome::Forged),
    })
}

/// Proves and writes a slice away from the event loop.
async fn write(piece: Piece, slice: Vec<u8>) -> Outcome {
    let span = piece.request().span;
    let written = tokio::task::spawn_blocking(move || piece.partial.write(span, &slice)).await;
    match written {
        Ok(Ok(())) => Outcome::Landed,
        Ok(Err(WriteError::Forged)) => Outcome::Forged,
        Ok(Err(WriteError::Disk(error))) => Outcome::Unsaved(error.to_string()),
        Err(error) => Outcome::Unsaved(format!("the writer of a piece stopped: {error}; restart the node")),
    }
}
