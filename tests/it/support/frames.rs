//! HTTP/2 as a server speaks it: frames as bytes, well formed or not (RFC 9113, section 4.1).

use super::Reply;

/// What every client sends first (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of a frame's head.
pub(super) const FRAME_HEAD: usize = 9;

/// Types of frames.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub(crate) mod flag {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const ACK: u8 = 1;
    pub(crate) const END_STREAM: u8 = 1;
    pub(crate) const END_HEADERS: u8 = 4;
    pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;
}

/// Codes of errors.
pub(crate) mod code {
    pub(crate) const NO_ERROR: u32 = 0;
    pub(crate) const PROTOCOL_ERROR: u32 = 1;
    pub(crate) const INTERNAL_ERROR: u32 = 2;
    pub(crate) const REFUSED_STREAM: u32 = 7;
    pub(crate) const CANCEL: u32 = 8;
    pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
}

/// `:status: 200`, from the static table (RFC 7541, appendix A).
pub(crate) const STATUS_200: &[u8] = &[0x88];

/// A frame of any type; its length is true.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).expect("a frame of a test is small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field of a head, spelt out (RFC 7541, section 6.2.2).
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let string = |text: &str| {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short string");
        [&[length], text.as_bytes()].concat()
    };
    [vec![0], string(name), string(value)].concat()
}

/// The head of a 200 with these fields, and whatever ends with it.
pub(crate) fn head(flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    frame(kind::HEADERS, flags, stream, [STATUS_200, &fields].concat())
}

/// A piece of a body.
pub(crate) fn data(flags: u8, stream: u32, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    frame(kind::DATA, flags, stream, bytes)
}

/// The end of a stream with a code.
pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, flag::NONE, stream, code.to_be_bytes())
}

/// The end of the connection with a code; streams after `last` were not looked at.
pub(crate) fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(kind::GOAWAY, flag::NONE, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// Settings by their numbers.
pub(crate) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        settings.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(kind::SETTINGS, flag::NONE, 0, payload)
}

/// Replies over HTTP/2; the connection is kept unless another end is asked for.
impl Reply {
    /// 200 with `body` on `stream`.
    pub(crate) fn stream(stream: u32, body: impl AsRef<[u8]>) -> Self {
        let body = [head(flag::END_HEADERS, stream, &[]), data(flag::END_STREAM, stream, body)].concat();
        Self::frames([body])
    }

    /// Just these frames.
    pub(crate) fn frames(frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::raw(frames.into_iter().flatten().collect::<Vec<u8>>()).keep()
    }
}
