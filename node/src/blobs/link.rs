//! The stream to one provider: requests go out as they come, answers are read in the same order.

use std::{sync::Arc, time::Duration};

use althing_protocol::ids::MemberId;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{Stream, StreamProtocol};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{
    BlobStats,
    fetch::Report,
    schedule::{Flight, LinkEnd, MAX_FLIGHTS_PER_PEER, Outcome},
    store::{Partial, WriteError},
    tree::{Span, slice_len},
    wire::{Request, Status},
};
use crate::net::peer_id;

/// How long a stream may take to open, a dial included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused link stays open: a round has several bursts of pulls from the same members.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// A piece to fetch and where to put it.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) flight: Flight,
    pub(super) partial: Arc<Partial>,
}

impl Task {
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
        Some(stream) => pull(stream, tasks, &context).await,
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

async fn pull(stream: Stream, tasks: mpsc::Receiver<Task>, context: &LinkContext) -> LinkEnd {
    let (reader, writer) = stream.split();
    let (asked_tx, asked_rx) = mpsc::channel(MAX_FLIGHTS_PER_PEER);
    tokio::select! {
        end = write_requests(writer, tasks, asked_tx, context) => end,
        end = read_answers(reader, asked_rx, context) => end,
    }
}

async fn write_requests(
    mut writer: impl AsyncWriteExt + Unpin,
    mut tasks: mpsc::Receiver<Task>,
    asked: mpsc::Sender<Task>,
    context: &LinkContext,
) -> LinkEnd {
    while let Some(task) = tasks.recv().await {
        let bytes = task.request().encode();
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
    mut asked: mpsc::Receiver<Task>,
    context: &LinkContext,
) -> LinkEnd {
    loop {
        let Ok(Some(task)) = timeout(IDLE_TIMEOUT, asked.recv()).await else { return LinkEnd::Idle };
        let by = Instant::now() + context.answer_timeout;
        let Ok(Ok(answer)) = timeout_at(by, read_answer(&mut reader, &task, context)).await else {
            return LinkEnd::Failed;
        };
        let flight = task.flight;
        let outcome = match answer {
            Answer::Slice(slice) => write(task, slice).await,
            Answer::Other(outcome) => outcome,
        };
        let end = (outcome == Outcome::Forged).then_some(LinkEnd::Failed);
        if context.reports.send(Report::Ended(flight, outcome)).await.is_err() {
            return LinkEnd::Idle;
        }
        if let Some(end) = end {
            return end;
        }
    }
}

enum Answer {
    Slice(Vec<u8>),
    Other(Outcome),
}

async fn read_answer(
    reader: &mut (impl AsyncReadExt + Unpin),
    task: &Task,
    context: &LinkContext,
) -> std::io::Result<Answer> {
    let mut status = [0];
    reader.read_exact(&mut status).await?;
    context.stats.count_down(status.len());
    Ok(match Status::from_byte(status[0]) {
        Some(Status::Here) => {
            let request = task.request();
            let mut slice = vec![0; slice_len(request.span, request.blob.size)];
            reader.read_exact(&mut slice).await?;
            context.stats.count_down(slice.len());
            Answer::Slice(slice)
        }
        Some(Status::Absent) => Answer::Other(Outcome::Absent),
        Some(Status::Busy) => Answer::Other(Outcome::Busy),
        None => Answer::Other(Outcome::Forged),
    })
}

/// Proves and writes a slice away from the event loop.
async fn write(task: Task, slice: Vec<u8>) -> Outcome {
    let span = task.request().span;
    let written = tokio::task::spawn_blocking(move || task.partial.write(span, &slice)).await;
    match written {
        Ok(Ok(())) => Outcome::Landed,
        Ok(Err(WriteError::Forged)) => Outcome::Forged,
        Ok(Err(WriteError::Disk(error))) => Outcome::Unsaved(error.to_string()),
        Err(error) => Outcome::Unsaved(format!("the writer of a piece stopped: {error}; restart the node")),
    }
}
