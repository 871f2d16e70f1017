//! Content codings: `gzip`, `br`, `zstd` and `deflate`, two at most, undone while the bytes arrive.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use http::{HeaderMap, header};
use tokio::io::{AsyncBufRead, AsyncRead, BufReader, ReadBuf};

use super::connect::Probe;
use crate::model::{Failure, FailureKind};

/// Most codings of one body. More than two are only seen in attacks.
const MOST_CODINGS: usize = 2;

/// The largest zstd window: 8 MiB, which RFC 9659 makes the limit for HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Most members of a gzip body, or frames of a zstd body, that hold nothing.
const MOST_EMPTY_MEMBERS: u32 = 1_000;

/// Decoded bytes from which on a body is looked at for being a bomb.
const BOMB_FROM: u64 = 1 << 20;

/// How many times larger than on the wire a decoded body may be.
const BOMB_RATIO: u64 = 200;

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Brotli,
    Zstd,
    /// zlib (RFC 1950) or, as some servers understand it, the bare format of RFC 1951.
    Deflate,
}

/// The codings of a body, in the order in which they were applied.
#[derive(Debug, Default)]
pub(super) struct Codings {
    applied: [Option<Coding>; MOST_CODINGS],
}

impl Codings {
    /// The codings that `headers` tell of, or why they cannot be undone.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut codings = Self::default();
        let mut count = 0;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            for name in value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                    continue;
                }
                let coding = coding(name).ok_or_else(|| {
                    let message = format!("the content coding \"{}\" is not known", name.escape_ascii());
                    Failure::new(FailureKind::UnsupportedContentEncoding, message)
                })?;
                let place = codings.applied.get_mut(count).ok_or_else(|| {
                    let message = format!("the body has more than {MOST_CODINGS} content codings");
                    Failure::new(FailureKind::UnsupportedContentEncoding, message)
                })?;
                *place = Some(coding);
                count += 1;
            }
        }
        Ok(codings)
    }

    /// Whether there is nothing to undo.
    pub(super) fn are_none(&self) -> bool {
        self.applied[0].is_none()
    }

    /// `body` with the codings undone. What it reads as an error is [`Undecodable`] or comes from `body`.
    pub(super) fn undo<R: AsyncBufRead + Send + Unpin + 'static>(self, body: R) -> Box<dyn AsyncRead + Send + Unpin> {
        match self.applied {
            [None, _] => Box::new(body),
            [Some(only), None] => Box::new(Decoded::new(only, body)),
            [Some(first), Some(last)] => {
                let between = Bounded { inner: Decoded::new(last, body), given: 0 };
                Box::new(Decoded::new(first, BufReader::new(between)))
            }
        }
    }
}

fn coding(name: &[u8]) -> Option<Coding> {
    const NAMES: [(&[u8], Coding); 5] = [
        (b"gzip", Coding::Gzip),
        (b"x-gzip", Coding::Gzip),
        (b"br", Coding::Brotli),
        (b"zstd", Coding::Zstd),
        (b"deflate", Coding::Deflate),
    ];
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, coding)| coding)
}

/// Whether a body of `wire` bytes that has become `decoded` bytes is a bomb.
pub(super) fn is_bomb(wire: u64, decoded: u64) -> bool {
    decoded > BOMB_FROM && decoded / BOMB_RATIO > wire
}

/// Why a body cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undecodable {
    /// It grows as only bombs do.
    #[error("the body grows more than {BOMB_RATIO} times when it is decoded")]
    Bomb,
    /// There is something after the end of the coded data.
    #[error("{0} data is followed by something else")]
    Trailing(&'static str),
    /// There are too many members without content.
    #[error("more than {MOST_EMPTY_MEMBERS} empty members")]
    EmptyMembers,
    /// The coding is broken.
    #[error("the body is not valid {0}: {1}")]
    Broken(&'static str, io::Error),
}

impl Undecodable {
    /// The kind of failure that it is.
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::Bomb => FailureKind::BodyRatioExceeded,
            _ => FailureKind::ContentDecoding,
        }
    }
}

/// The decoder of one member of `R`.
enum Member<R> {
    Gzip(GzipDecoder<R>),
    Brotli(BrotliDecoder<R>),
    Zstd(ZstdDecoder<R>),
    Zlib(ZlibDecoder<R>),
    Deflate(DeflateDecoder<R>),
}

/// A body with one coding undone: every member of it, and nothing after them.
struct Decoded<R> {
    coding: Coding,
    state: State<R>,
    /// Whether the member has given a byte.
    given: bool,
    empty_members: u32,
}

enum State<R> {
    /// Before a member, whose first byte may have to be seen.
    Before(R),
    Within(Member<R>),
    /// Being changed; never seen from outside.
    Moving,
}

impl<R: AsyncBufRead + Unpin> Decoded<R> {
    fn new(coding: Coding, reader: R) -> Self {
        Self { coding, state: State::Before(reader), given: true, empty_members: 0 }
    }

    fn name(&self) -> &'static str {
        match self.coding {
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Deflate => "deflate",
        }
    }

    /// The decoder for a member that begins with `first`.
    fn member(&self, reader: R, first: u8) -> Member<R> {
        match self.coding {
            Coding::Gzip => Member::Gzip(GzipDecoder::new(reader)),
            Coding::Brotli => Member::Brotli(BrotliDecoder::new(reader)),
            Coding::Zstd => {
                Member::Zstd(ZstdDecoder::with_params(reader, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]))
            }
            // RFC 1950, section 2.2: the method is 8, the window's exponent 7 at most. No encoder begins a bare stream so: it
            // would be a stored block with rubbish in its padding.
            Coding::Deflate if first & 0x8f == 0x08 => Member::Zlib(ZlibDecoder::new(reader)),
            Coding::Deflate => Member::Deflate(DeflateDecoder::new(reader)),
        }
    }

    /// Whether another member may follow (RFC 1952, section 2.2; RFC 8878, section 3).
    fn may_follow(&self, first: u8) -> bool {
        match self.coding {
            Coding::Gzip => first == 0x1f,
            Coding::Zstd => first == 0x28 || first & 0xf0 == 0x50,
            Coding::Brotli | Coding::Deflate => false,
        }
    }

    /// Looks at what follows a member: `Some` is the first byte of another.
    fn poll_follows(&self, cx: &mut Context<'_>, reader: &mut R) -> Poll<io::Result<Option<u8>>> {
        loop {
            let rest = ready!(Pin::new(&mut *reader).poll_fill_buf(cx))?;
            let Some(&first) = rest.first() else {
                return Poll::Ready(Ok(None));
            };
            // gzip(1) passes over zeros at the end, which come from tapes. curl takes nothing but the data itself.
            let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
            if self.coding == Coding::Gzip && zeros > 0 {
                Pin::new(&mut *reader).consume(zeros);
                continue;
            }
            if self.may_follow(first) {
                return Poll::Ready(Ok(Some(first)));
            }
            return Poll::Ready(Err(io::Error::other(Undecodable::Trailing(self.name()))));
        }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Decoded<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Before(reader) => {
                    let Some(&first) = ready!(Pin::new(&mut *reader).poll_fill_buf(cx))?.first() else {
                        // Nothing at all: servers send that for empty bodies.
                        return Poll::Ready(Ok(()));
                    };
                    let State::Before(reader) = std::mem::replace(&mut this.state, State::Moving) else {
                        unreachable!("it was just seen");
                    };
                    this.state = State::Within(this.member(reader, first));
                    this.given = false;
                }
                State::Within(member) => {
                    let before = out.filled().len();
                    let read = ready!(member.poll_read(cx, out));
                    if let Err(error) = read {
                        return Poll::Ready(Err(broken(this.name(), error)));
                    }
                    if out.filled().len() > before {
                        this.given = true;
                        return Poll::Ready(Ok(()));
                    }
                    let State::Within(mut member) = std::mem::replace(&mut this.state, State::Moving) else {
                        unreachable!("it was just seen");
                    };
                    let follows = this.poll_follows(cx, member.reader());
                    if !matches!(follows, Poll::Ready(Ok(Some(_)))) {
                        this.state = State::Within(member);
                        return follows.map_ok(|_| ());
                    }
                    this.empty_members += u32::from(!this.given);
                    if this.empty_members > MOST_EMPTY_MEMBERS {
                        this.state = State::Within(member);
                        return Poll::Ready(Err(io::Error::other(Undecodable::EmptyMembers)));
                    }
                    this.state = State::Before(member.into_reader());
                }
                State::Moving => unreachable!("the state is put back before anything returns"),
            }
        }
    }
}

/// An error of a decoder, or of what it reads from.
fn broken(coding: &'static str, error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Undecodable>() || inner.is::<reqwest::Error>()) {
        return error;
    }
    let error = match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it ends too early"),
        _ => error,
    };
    io::Error::other(Undecodable::Broken(coding, error))
}

impl<R: AsyncBufRead + Unpin> Member<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Gzip(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Brotli(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Zstd(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Zlib(decoder) => Pin::new(decoder).poll_read(cx, out),
            Self::Deflate(decoder) => Pin::new(decoder).poll_read(cx, out),
        }
    }

    fn reader(&mut self) -> &mut R {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
        }
    }

    fn into_reader(self) -> R {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Brotli(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.into_inner(),
            Self::Zlib(decoder) => decoder.into_inner(),
            Self::Deflate(decoder) => decoder.into_inner(),
        }
    }
}

/// What comes between two codings: a bomb there would never be seen at the end, but cost all the time.
struct Bounded<R> {
    inner: R,
    given: u64,
}

impl<R: AsyncRead + Unpin> AsyncRead for Bounded<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, out))?;
        self.given += (out.filled().len() - before) as u64;
        if is_bomb(Probe::received(), self.given) {
            return Poll::Ready(Err(io::Error::other(Undecodable::Bomb)));
        }
        Poll::Ready(Ok(()))
    }
}
