//! What must hold for any body and any name.

use std::path::{Component, Path};

use http::{HeaderMap, HeaderValue, header};
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::body_file;
use super::connect::Probe;
use super::decode::Codings;

/// Decoded bytes at which a target has seen enough; transports have a limit of their own.
const ENOUGH: u64 = 4 << 20;

/// A body under any one or two codings is decoded or refused, in bounded memory, and never panics. The first byte of the
/// input picks the codings.
pub fn coded_body(bytes: &[u8]) {
    const CODINGS: [&str; 8] =
        ["gzip", "br", "zstd", "deflate", "gzip, br", "br, gzip", "deflate, zstd", "zstd, deflate"];
    let Some((pick, body)) = bytes.split_first() else { return };
    let coding = CODINGS[usize::from(*pick) % CODINGS.len()];
    let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(coding))]);
    let codings = Codings::of(&headers).expect("the coding is known");
    let body = std::io::Cursor::new(body.to_vec());
    let decoding = async {
        let mut decoded = codings.undo(body).take(ENOUGH);
        let mut chunk = vec![0; 64 << 10];
        while let Ok(1..) = decoded.read(&mut chunk).await {}
    };
    futures::executor::block_on(Probe::new(None, false).watch(decoding));
}

/// A name for a body is one directory and one file, of harmless characters, whatever URL and type the server has.
pub fn file_name(bytes: &[u8]) {
    let split = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (url, content_type) = bytes.split_at(split);
    let Ok(Ok(url)) = std::str::from_utf8(url).map(Url::parse) else { return };
    let content_type = HeaderValue::from_bytes(content_type.trim_ascii()).ok();
    let name = body_file::name(u64::from(bytes[0]), &url, content_type.as_ref());
    let parts: Vec<Component<'_>> = Path::new(&name).components().collect();
    assert!(parts.len() == 2 && parts.iter().all(|part| matches!(part, Component::Normal(_))), "{name}");
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-.".contains(&byte)), "{name}");
    assert!(!name.contains("..") && name.len() < 64, "{name}");
}
