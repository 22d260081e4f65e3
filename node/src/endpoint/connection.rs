//! One request and its answer over a connection of their own.
//!
//! The connection is driven by the future that waits for the answer, and by nothing else: when that future is dropped,
//! the socket closes, which is how a server learns that nobody waits any more. There is no pool and no task.

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Body, Bytes, Incoming},
    client::conn::http1,
    header::CONTENT_TYPE,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};
use tracing::debug;

use super::{Address, EndpointError, Refusal, address::Security, reply};
use crate::text::one_line;

/// Longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What a connection reads ahead at the most, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// Longest explanation of a failure, in bytes.
const FAULT_BYTES_MAX: usize = 16 * 1024;

/// How long a server may take to explain a failure once it has named its status.
const FAULT_WITHIN: Duration = Duration::from_secs(2);

/// Characters of such an explanation that go into the log.
const FAULT_CHARS_SHOWN: usize = 300;

/// How to get a connection to one address.
pub(super) struct Connector {
    address: Address,
    transport: Transport,
}

enum Transport {
    Plain,
    Tls { connector: TlsConnector, name: ServerName<'static> },
}

impl Connector {
    /// Prepares connections to `address`. For `https://` it reads the system's certificate authorities.
    ///
    /// # Errors
    /// [`EndpointError::NoAuthorities`] and [`EndpointError::Name`], for `https://` alone.
    pub(super) fn new(address: Address) -> Result<Self, EndpointError> {
        let transport = match address.security() {
            Security::Plain => Transport::Plain,
            Security::Tls => Transport::Tls {
                connector: TlsConnector::from(Arc::new(tls()?)),
                name: ServerName::try_from(address.host().to_owned()).map_err(|_| EndpointError::Name)?,
            },
        };
        Ok(Self { address, transport })
    }

    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    /// The body of the successful answer to `request`, of `bytes_max` at the most.
    ///
    /// # Errors
    /// [`Refusal`] says how far it came. There is no deadline here: whoever waits drops this.
    pub(super) async fn exchange(&self, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let at = (self.address.host(), self.address.port());
        let stream = TcpStream::connect(at).await.map_err(|_| Refusal::Unreachable)?;
        // Without it small packets wait for others; that is slower and no failure.
        let _ = stream.set_nodelay(true);
        match &self.transport {
            Transport::Plain => converse(stream, request, bytes_max).await,
            Transport::Tls { connector, name } => {
                let stream = connector.connect(name.clone(), stream).await.map_err(|error| tls_refusal(&error))?;
                converse(stream, request, bytes_max).await
            }
        }
    }
}

/// TLS 1.3 with the cryptography that QUIC brings along, trusting whom the system trusts.
fn tls() -> Result<ClientConfig, EndpointError> {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if authorities.is_empty() {
        return Err(EndpointError::NoAuthorities);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).map_err(|_| EndpointError::Tls)?;
    Ok(builder.with_root_certificates(authorities).with_no_client_auth())
}

async fn converse<S>(stream: S, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Vec<u8>, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = http1::Builder::new();
    builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(BUFFER_BYTES);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| http_refusal(&error))?;
    let answer = pin!(async move {
        let response = sender.send_request(request).await.map_err(|error| http_refusal(&error))?;
        read(response, bytes_max).await
    });
    drive(answer, connection).await
}

/// Waits for `answer` while `connection` does the work. The connection may end first, with the answer all read.
async fn drive<A, C>(answer: A, connection: C) -> A::Output
where
    A: Future + Unpin,
    C: Future,
{
    match select(answer, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    }
}

/// The body of `response` if it is a success, and JSON.
async fn read(response: Response<Incoming>, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        let explained = timeout(FAULT_WITHIN, collect(body, FAULT_BYTES_MAX)).await;
        let said = explained.ok().and_then(Result::ok).unwrap_or_default();
        let shown: String = one_line(&String::from_utf8_lossy(&said)).chars().take(FAULT_CHARS_SHOWN).collect();
        debug!(status = head.status.as_u16(), said = shown, "the endpoint refuses");
        return Err(reply::refusal(head.status.as_u16(), &said));
    }
    // A server that leaves the type out may still mean JSON; one that names another does not.
    let is_json = |kind: &[u8]| kind.len() >= 16 && kind[..16].eq_ignore_ascii_case(b"application/json");
    if head.headers.get(CONTENT_TYPE).is_some_and(|kind| !is_json(kind.as_bytes())) {
        return Err(Refusal::Malformed);
    }
    collect(body, bytes_max).await
}

/// Reads `body` piece by piece, and not a piece further than `bytes_max`.
async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    // What the server announces saves reading it, and is otherwise not relied upon.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Refusal::TooLong);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers are no data.
        let Ok(data) = frame.map_err(|error| http_refusal(&error))?.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(Refusal::TooLong);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn http_refusal(error: &hyper::Error) -> Refusal {
    debug!(%error, "the endpoint's answer breaks off");
    if error.is_parse_too_large() {
        Refusal::TooLong
    } else if error.is_parse() {
        Refusal::Malformed
    } else {
        Refusal::Dropped
    }
}

fn tls_refusal(error: &io::Error) -> Refusal {
    debug!(%error, "no TLS with the endpoint");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => Refusal::Untrusted,
        _ => Refusal::Unreachable,
    }
}
