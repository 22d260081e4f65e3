//! Serving: answers requests for blobs, whole or as far as they have come, to whom the node admits, a bounded number at a
//! time. Who asks for more waits behind who asks for less: a stream has one answer under way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use althing_protocol::ids::{BlobRef, MemberId};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{PeerId, Stream};
use libp2p_stream::IncomingStreams;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use super::{
    Admission, Admit, BlobConfig, BlobStats, LetOut, Opened,
    fellows::Fellows,
    store::{Health, Reader, SliceError, Store},
    wire::{Question, REQUEST_BYTES, Request, Status, Survey},
};
use crate::net::member_id;

/// Slices that are read or sent at once; times 1 MiB this bounds the memory that serving takes.
pub const MAX_UPLOADS: usize = 16;
/// Streams that one peer may have open: one to pull, and one that is just being replaced.
pub const MAX_STREAMS_PER_PEER: usize = 2;
/// Streams that are open at once.
pub const MAX_STREAMS: usize = 256;
/// How long a request waits for a free upload before the peer is told to come back later.
const UPLOAD_WAIT: Duration = Duration::from_secs(2);
/// How long a stream may be silent; longer than pullers keep an unused one.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// What every stream needs.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) store: Store,
    pub(super) stats: Arc<BlobStats>,
    pub(super) admit: Admit,
    pub(super) opened: Opened,
    let_out: LetOut,
    /// How long a peer may take to read one answer.
    pub(super) answer_timeout: Duration,
    uploads: Arc<Semaphore>,
    fellows: Arc<Mutex<Fellows>>,
    streams: Arc<Mutex<BTreeMap<PeerId, usize>>>,
}

impl Server {
    pub(super) fn new(store: Store, stats: Arc<BlobStats>, config: &BlobConfig) -> Self {
        let uploads = Arc::new(Semaphore::new(MAX_UPLOADS));
        let (admit, opened) = (Arc::clone(&config.admit), Arc::clone(&config.opened));
        let let_out = Arc::clone(&config.let_out);
        let (fellows, streams) = (Arc::default(), Arc::default());
        Self { store, stats, admit, opened, let_out, answer_timeout: config.answer_timeout, uploads, fellows, streams }
    }

    /// Accepts streams until it is aborted. It only spawns: a stream that arrives while it is busy would be lost.
    pub(super) async fn run(self, mut incoming: IncomingStreams) {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                stream = incoming.next() => match stream {
                    Some((peer, stream)) => drop(tasks.spawn(self.clone().serve(peer, stream))),
                    None => return,
                },
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
    }

    async fn serve(self, peer: PeerId, stream: Stream) {
        (self.opened)(peer);
        if (self.admit)(peer) == Admission::Refused {
            tracing::debug!(%peer, "blob stream refused");
            return;
        }
        let Some(_place) = Place::take(&self.streams, peer) else {
            tracing::debug!(%peer, "too many blob streams; stream dropped");
            return;
        };
        if let Err(error) = self.answer_all(peer, stream).await {
            tracing::debug!(%peer, %error, "blob stream ended");
        }
    }

    async fn answer_all(&self, peer: PeerId, mut stream: Stream) -> Result<(), ServeError> {
        let mut open: Option<Arc<Reader>> = None;
        loop {
            let mut bytes = [0; REQUEST_BYTES];
            match timeout(SILENCE_TIMEOUT, stream.read_exact(&mut bytes)).await {
                Ok(Ok(())) => {}
                // The peer has hung up, or sleeps: both are its right.
                Ok(Err(_)) | Err(_) => return Ok(()),
            }
            self.stats.count_down(bytes.len());
            let request = match Question::decode(&bytes)? {
                Question::Slice(request) => request,
                Question::Survey(blob) => {
                    self.send(&mut stream, &self.survey(peer, blob)).await?;
                    continue;
                }
            };
            if let Some(fellow) = self.send_away(peer, request) {
                let answer = [&[Status::Elsewhere.byte()], fellow.as_bytes().as_slice()].concat();
                self.send(&mut stream, &answer).await?;
                continue;
            }
            let Ok(Ok(_upload)) = timeout(UPLOAD_WAIT, self.uploads.acquire()).await else {
                self.send(&mut stream, &[Status::Busy.byte()]).await?;
                continue;
            };
            let (answer, reader) = self.answer(request, open.take()).await;
            open = reader;
            self.send(&mut stream, &(self.let_out)(answer)).await?;
        }
    }

    /// What is here of `blob`, and who else fetches it.
    fn survey(&self, peer: PeerId, blob: BlobRef) -> Vec<u8> {
        let Some((pieces, member)) = self.store.pieces(&blob).zip(member_id(&peer)) else {
            return vec![Status::Absent.byte()];
        };
        let fellows = self.fellows().meet(blob, &pieces, member, Instant::now());
        Survey { pieces, fellows }.encode()
    }

    /// Whom the peer may ask instead for a piece.
    fn send_away(&self, peer: PeerId, request: Request) -> Option<MemberId> {
        let piece = request.span.piece(request.blob.size)?;
        let member = member_id(&peer)?;
        self.fellows().send_away(&request.blob, piece, member)
    }

    /// Who fetches what. A thread that panicked while it held the lock left it whole.
    fn fellows(&self) -> MutexGuard<'_, Fellows> {
        self.fellows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to `request`, and the open blob for the next one.
    async fn answer(&self, request: Request, open: Option<Arc<Reader>>) -> (Vec<u8>, Option<Arc<Reader>>) {
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || read(&store, request, open)).await;
        read.unwrap_or_else(|error| {
            tracing::error!(%error, "a disk task stopped; the request counts as absent");
            (vec![Status::Absent.byte()], None)
        })
    }

    async fn send(&self, stream: &mut Stream, answer: &[u8]) -> Result<(), ServeError> {
        let write = async {
            stream.write_all(answer).await?;
            stream.flush().await
        };
        timeout(self.answer_timeout, write).await.map_err(|_| ServeError::Slow)??;
        self.stats.count_up(answer.len());
        Ok(())
    }
}

/// Why a stream was closed by us.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Request(#[from] super::wire::RequestError),
    #[error("the peer reads too slowly")]
    Slow,
    #[error("the peer is gone: {0}")]
    Gone(#[from] std::io::Error),
}

/// Reads what `request` asks for; a blob that turns out damaged is mended or given up.
fn read(store: &Store, request: Request, open: Option<Arc<Reader>>) -> (Vec<u8>, Option<Arc<Reader>>) {
    let absent = (vec![Status::Absent.byte()], None);
    let Some(reader) = open.filter(|r| *r.blob() == request.blob).or_else(|| open_blob(store, &request.blob)) else {
        return absent;
    };
    match slice(store, &reader, request) {
        Slice::Here(slice) => {
            let mut answer = Vec::with_capacity(1 + slice.len());
            answer.push(Status::Here.byte());
            answer.extend(slice);
            (answer, Some(reader))
        }
        Slice::Lacking => (vec![Status::Lacking.byte()], Some(reader)),
        Slice::Absent => absent,
    }
}

/// What a request gets.
enum Slice {
    Here(Vec<u8>),
    Lacking,
    Absent,
}

fn open_blob(store: &Store, blob: &BlobRef) -> Option<Arc<Reader>> {
    let reader = store.reader(blob).unwrap_or_else(|error| {
        tracing::error!(%error, "cannot serve a blob");
        None
    });
    reader.map(Arc::new)
}

fn slice(store: &Store, reader: &Reader, request: Request) -> Slice {
    match reader.slice(request.span) {
        Ok(slice) => Slice::Here(slice),
        Err(SliceError::Lacking) => Slice::Lacking,
        Err(SliceError::Damaged) => mended_slice(store, request).map_or(Slice::Absent, Slice::Here),
        Err(SliceError::Io(error)) => {
            tracing::error!(%error, blob = %request.blob, "cannot serve a blob");
            Slice::Absent
        }
    }
}

fn mended_slice(store: &Store, request: Request) -> Option<Vec<u8>> {
    match store.mend(&request.blob) {
        Ok(Health::Sound) => open_blob(store, &request.blob)?.slice(request.span).ok(),
        Ok(Health::Gone) => None,
        Err(error) => {
            tracing::error!(%error, "cannot mend a blob");
            None
        }
    }
}

/// A stream's place among those of its peer and of all.
struct Place {
    streams: Arc<Mutex<BTreeMap<PeerId, usize>>>,
    peer: PeerId,
}

impl Place {
    fn take(streams: &Arc<Mutex<BTreeMap<PeerId, usize>>>, peer: PeerId) -> Option<Self> {
        let mut open = streams.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = open.get(&peer).copied().unwrap_or(0);
        if of_peer >= MAX_STREAMS_PER_PEER || open.values().sum::<usize>() >= MAX_STREAMS {
            return None;
        }
        open.insert(peer, of_peer + 1);
        Some(Self { streams: Arc::clone(streams), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}
