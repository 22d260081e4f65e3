//! Requests and answers on the wire: a length, then that many bytes.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};

/// What arrives as a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// A request within the bounds.
    Bytes(Vec<u8>),
    /// The peer announced a request beyond the bounds; it was not read. This is a value and no error, because the
    /// library keeps errors of reading to itself, and somebody is to blame here.
    TooLong,
}

/// Reads and writes byte strings, and refuses those that are too long before their first byte is read or sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct BytesCodec {
    /// Longest request, in bytes.
    pub(super) request_max: usize,
    /// Longest answer, in bytes.
    pub(super) reply_max: usize,
}

impl request_response::Codec for BytesCodec {
    type Protocol = StreamProtocol;
    type Request = Question;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Question>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read(io, self.request_max).await {
            Ok(bytes) => Ok(Question::Bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Question::TooLong),
            Err(error) => Err(error),
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io, self.reply_max).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, question: Question) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        match question {
            Question::Bytes(bytes) => write(io, &bytes, self.request_max).await,
            Question::TooLong => Err(io::Error::new(io::ErrorKind::InvalidData, "nobody asks what is too long")),
        }
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &bytes, self.reply_max).await
    }
}

/// One byte string of at most `max` bytes. Memory grows with what has arrived, not with what was announced.
async fn read<T: AsyncRead + Unpin + Send>(io: &mut T, max: usize) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    io.read_exact(&mut prefix).await?;
    let announced = u32::from_be_bytes(prefix);
    if usize::try_from(announced).map_or(true, |len| len > max) {
        return Err(too_long(u64::from(announced), max));
    }
    let mut bytes = Vec::new();
    io.take(u64::from(announced)).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 == u64::from(announced) {
        Ok(bytes)
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer announced more than it sent"))
    }
}

/// Writes one byte string of at most `max` bytes.
async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8], max: usize) -> io::Result<()> {
    let prefix = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= max);
    let prefix = prefix.ok_or_else(|| too_long(bytes.len() as u64, max))?;
    io.write_all(&prefix.to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}

fn too_long(len: u64, max: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{len} bytes where at most {max} are allowed"))
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, io::Cursor};

    use super::*;

    fn written(bytes: &[u8], max: usize) -> io::Result<Vec<u8>> {
        let mut wire = Cursor::new(Vec::new());
        block_on(write(&mut wire, bytes, max))?;
        Ok(wire.into_inner())
    }

    #[test]
    fn bytes_come_back_up_to_the_bound_and_not_beyond() {
        for len in [0, 1, 99, 100] {
            let bytes = vec![5; len];
            let wire = written(&bytes, 100).unwrap();
            assert_eq!(block_on(read(&mut Cursor::new(wire), 100)).unwrap(), bytes);
        }
        assert_eq!(written(&[5; 101], 100).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let wire = written(&[5; 101], 101).unwrap();
        assert_eq!(block_on(read(&mut Cursor::new(wire), 100)).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_truncated_string_is_an_error() {
        let wire = written(&[5; 100], 100).unwrap();
        for cut in [0, 3, 4, 50, 103] {
            let error = block_on(read(&mut Cursor::new(&wire[..cut]), 100)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
    }
}
