//! Whether a body is text, by its charset.

use encoding_rs::{Encoding, UTF_8};
use http::HeaderValue;

use crate::model::Body;

/// The body as text, if its bytes are valid in its charset: that of a byte order mark, else that of the `Content-Type`, else
/// UTF-8 (the Encoding standard, "decode"). A byte order mark is not part of the text.
pub(super) fn body(bytes: Vec<u8>, content_type: Option<&HeaderValue>) -> Body {
    let (encoding, mark) = Encoding::for_bom(&bytes)
        .or_else(|| content_type.and_then(charset).and_then(Encoding::for_label).map(|encoding| (encoding, 0)))
        .unwrap_or((UTF_8, 0));
    if encoding == UTF_8 || (mark == 0 && encoding.is_ascii_compatible() && bytes.is_ascii()) {
        return utf8(bytes, mark);
    }
    match encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]) {
        Some(text) => Body::Text(text.into_owned()),
        None => Body::Binary(bytes.into()),
    }
}

/// Does not copy, but for a byte order mark.
fn utf8(bytes: Vec<u8>, mark: usize) -> Body {
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            text.drain(..mark);
            Body::Text(text)
        }
        Err(error) => Body::Binary(error.into_bytes().into()),
    }
}

/// The `charset` parameter of a media type (RFC 9110, section 8.3.2).
fn charset(content_type: &HeaderValue) -> Option<&[u8]> {
    content_type.as_bytes().split(|&byte| byte == b';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_at(parameter.iter().position(|&byte| byte == b'=')?);
        let value = value[1..].trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        name.trim_ascii().eq_ignore_ascii_case(b"charset").then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], content_type: &'static str) -> Body {
        body(bytes.to_vec(), Some(&HeaderValue::from_static(content_type)))
    }

    fn text(text: &str) -> Body {
        Body::Text(text.to_owned())
    }

    #[test]
    fn the_charset_of_the_content_type_holds() {
        assert_eq!(read(b"caf\xe9", "text/plain; charset=iso-8859-1"), text("café"));
        assert_eq!(read(b"caf\xe9", "text/plain;x=y; CharSet=\"windows-1252\""), text("café"));
        assert_eq!(read(b"\x83\x65", "text/plain; charset=shift_jis"), text("テ"));
        assert_eq!(read("café".as_bytes(), "text/plain; charset=no-such"), text("café"));
    }

    #[test]
    fn a_byte_order_mark_beats_it_and_goes() {
        assert_eq!(read("\u{feff}café".as_bytes(), "text/plain; charset=iso-8859-1"), text("café"));
        assert_eq!(read(b"\xff\xfea\0\xe9\0", "text/plain; charset=utf-8"), text("aé"));
        assert_eq!(body(b"\xfe\xff\0a".to_vec(), None), text("a"));
    }

    #[test]
    fn bytes_that_are_not_valid_in_it_are_binary() {
        for (bytes, content_type) in [
            (&b"caf\xe9"[..], "text/plain"),
            (b"caf\xe9", "text/plain; charset=utf-8"),
            (b"\xef\xbb\xbfcaf\xe9", "text/plain"),
            (b"\xff\xfea\0\xe9", "text/plain"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
        ] {
            assert_eq!(read(bytes, content_type), Body::Binary(bytes.to_vec().into()));
        }
    }

    #[test]
    fn a_nul_is_text() {
        assert_eq!(body(b"a\0b".to_vec(), None), text("a\0b"));
    }
}
