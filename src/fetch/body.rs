//! A response body: how it comes from the wire, what bounds it, and what becomes of it.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderValue, Version, header};
use http_body::Body as _;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use url::Url;

use super::body_file::{BodyFile, WriteError};
use super::connect::Probe;
use super::decode::{Undecodable, is_bomb};
use super::text;
use crate::model::{Body, Failure, FailureKind};

/// Most bytes that are set aside for a body on the word of its `Content-Length`.
const MOST_RESERVED: u64 = 1 << 20;

/// Most bytes of a body that goes to a file or nowhere which are kept beside that, to be looked at.
const MOST_KEPT: usize = 10 << 20;

/// The bytes of a coded body as they come, for the decoders to read. Errors are [`reqwest::Error`]s, or of [`check_end`].
pub(super) struct Wire {
    body: reqwest::Body,
    version: Version,
    chunk: Bytes,
}

impl Wire {
    /// The body of `response`.
    pub(super) fn new(response: reqwest::Response) -> Self {
        let version = response.version();
        Self { body: http::Response::from(response).into_body(), version, chunk: Bytes::new() }
    }
}

/// Fails if a body that gives no more is not whole. The HTTP client takes a stream of HTTP/2 that was reset with `NO_ERROR`
/// for one that has ended, as it is if the server had sent all before (RFC 9113, section 8.1).
pub(super) fn check_end(body: &reqwest::Body, version: Version) -> io::Result<()> {
    if version == Version::HTTP_2 && !body.is_end_stream() {
        return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the stream was reset before its end"));
    }
    Ok(())
}

impl AsyncBufRead for Wire {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.chunk.is_empty() {
            // A decoder asks again and again while it has nothing to give, so other tasks must get their turn here.
            let coop = ready!(tokio::task::coop::poll_proceed(cx));
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
            coop.made_progress();
            match frame {
                None => {
                    check_end(&this.body, this.version)?;
                    break;
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        Probe::hear(chunk.len());
                        this.chunk = chunk;
                    }
                }
            }
        }
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().chunk.advance(amount);
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let chunk = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = chunk.len().min(out.remaining());
        out.put_slice(&chunk[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

/// Where the bytes of a body go.
#[derive(Debug)]
pub(super) enum Sink {
    /// Nowhere: they are counted.
    Count,
    /// Into the record.
    Memory(Vec<u8>),
    /// Into a file.
    File(Box<BodyFile>),
}

/// A body that is being taken in, decoded.
#[derive(Debug)]
pub(super) struct Intake {
    sink: Sink,
    cap: Option<u64>,
    taken: u64,
    digest: Option<Sha256>,
    copy: Copy,
}

/// A copy of a body, for those who have to look at it.
#[derive(Debug)]
enum Copy {
    /// Nobody has to.
    Unwanted,
    /// As far as it has come.
    Kept(Vec<u8>),
    /// It was too large.
    GivenUp,
}

/// What became of a body that is whole.
pub(super) struct Taken {
    pub(super) body: Body,
    pub(super) sha256: Option<[u8; 32]>,
    /// The copy, where one was wanted; `Discarded` if it was too large.
    pub(super) copy: Option<Body>,
}

/// A body was not taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It is the body's fault.
    #[error(transparent)]
    Body(#[from] Failure),
    /// It is this machine's fault.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Sink {
    /// The sink for a body in the record.
    pub(super) fn memory() -> Self {
        Self::Memory(Vec::new())
    }

    /// The sink for a body in a file of `directory`.
    pub(super) fn file(directory: &Path, index: u64, url: &Url, content_type: Option<&HeaderValue>) -> Self {
        Self::File(Box::new(BodyFile::new(directory, index, url, content_type)))
    }
}

impl Intake {
    /// Takes a body of at most `cap` decoded bytes in.
    pub(super) fn new(sink: Sink, cap: Option<u64>, sha256: bool) -> Self {
        Self { sink, cap, taken: 0, digest: sha256.then(Sha256::new), copy: Copy::Unwanted }
    }

    /// Keeps a copy too, unless the body is in memory anyway.
    pub(super) fn with_copy(self) -> Self {
        match self.sink {
            Sink::Memory(_) => self,
            Sink::Count | Sink::File(_) => Self { copy: Copy::Kept(Vec::new()), ..self },
        }
    }

    /// Decoded bytes that were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Prepares for a body of `length` bytes; refuses it at once if that is too much.
    pub(super) fn expect(&mut self, length: u64) -> Result<(), Failure> {
        self.check(length)?;
        if let Sink::Memory(bytes) = &mut self.sink {
            let reserved = usize::try_from(length.min(MOST_RESERVED)).expect("a mebibyte fits");
            bytes.reserve_exact(reserved);
        }
        Ok(())
    }

    /// Takes the next bytes. Then [`relieve`](Self::relieve) must have its turn if the sink [is full](Self::is_full).
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.check(self.taken + bytes.len() as u64)?;
        self.taken += bytes.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        if let Copy::Kept(copy) = &mut self.copy {
            if copy.len() + bytes.len() > MOST_KEPT {
                self.copy = Copy::GivenUp;
            } else {
                copy.extend_from_slice(bytes);
            }
        }
        match &mut self.sink {
            Sink::Count => {}
            Sink::Memory(body) => body.extend_from_slice(bytes),
            Sink::File(file) => file.take(bytes),
        }
        Ok(())
    }

    /// Takes the next bytes of a body that was coded.
    pub(super) fn take_decoded(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.take(bytes)?;
        if is_bomb(Probe::received(), self.taken) {
            return Err(Failure::new(Undecodable::Bomb.kind(), Undecodable::Bomb.to_string()));
        }
        Ok(())
    }

    /// Whether bytes wait to be written.
    pub(super) fn is_full(&self) -> bool {
        matches!(&self.sink, Sink::File(file) if file.is_full())
    }

    /// Writes what waits to be written.
    pub(super) async fn relieve(&mut self) -> Result<(), WriteError> {
        if let Sink::File(file) = &mut self.sink {
            file.relieve().await?;
        }
        // While the disk was slow, nothing was read: that was no silence of the server.
        Probe::hear(0);
        Ok(())
    }

    /// The body is whole: what becomes of it.
    pub(super) async fn finish(self, headers: &HeaderMap) -> Result<Taken, WriteError> {
        let content_type = headers.get(header::CONTENT_TYPE);
        let body = match self.sink {
            Sink::Count => Body::Discarded,
            Sink::Memory(mut bytes) => {
                give_back(&mut bytes);
                text::body(bytes, content_type)
            }
            Sink::File(file) => Body::File(file.finish().await?),
        };
        let copy = match self.copy {
            Copy::Unwanted => None,
            Copy::Kept(bytes) => Some(text::body(bytes, content_type)),
            Copy::GivenUp => Some(Body::Discarded),
        };
        Ok(Taken { body, sha256: self.digest.map(|digest| digest.finalize().into()), copy })
    }

    fn check(&self, length: u64) -> Result<(), Failure> {
        match self.cap {
            Some(cap) if length > cap => {
                let message = format!("the body is larger than {cap} bytes (--max-filesize)");
                Err(Failure::new(FailureKind::BodyTooLarge, message))
            }
            _ => Ok(()),
        }
    }
}

/// Records wait in memory, many of them: room that a body does not need is given back.
fn give_back(bytes: &mut Vec<u8>) {
    if bytes.capacity() > bytes.len() + bytes.len() / 8 + 64 {
        bytes.shrink_to_fit();
    }
}
