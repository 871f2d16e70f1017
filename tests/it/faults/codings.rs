//! Content codings: broken, false, too many, and bombs; and what bodies claim to be.

use std::io::Write as _;

use super::row::{Row, answers, fails, status};
use super::section::run;
use crate::bodies::{brotli, deflate, gzip, zstd};
use crate::support::Reply;

fn coded(coding: &str, body: impl AsRef<[u8]>) -> Reply {
    Reply::ok(body).header("content-encoding", coding)
}

fn typed(value: &str, body: impl AsRef<[u8]>) -> Reply {
    Reply::ok(body).header("content-type", value)
}

/// The name of each coding, and what it makes of bytes.
fn codings(bytes: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [("gzip", gzip(bytes)), ("br", brotli(bytes)), ("zstd", checked_zstd(bytes)), ("deflate", deflate(bytes))]
}

/// zstd with a checksum, which is an option of it. Without one nothing tells that a byte was changed.
fn checked_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).expect("a level that there is");
    zstd.include_checksum(true).expect("an option that there is");
    zstd.write_all(bytes).expect("memory takes every write");
    zstd.finish().expect("memory takes every write")
}

#[test]
fn codings_that_are_broken() {
    let mut rows = Vec::new();
    for (coding, whole) in codings("hello world ".repeat(20).as_bytes()) {
        for (what, body) in [
            (
                "broken",
                whole.iter().enumerate().map(|(at, byte)| if at == whole.len() / 2 { !byte } else { *byte }).collect(),
            ),
            ("truncated", whole[..whole.len() - 3].to_vec()),
            ("truncated after its first byte", whole[..1].to_vec()),
            ("trailing-garbage", [&whole[..], b"garbage"].concat()),
            ("not even begun", b"not coded at all".to_vec()),
            ("a page instead", b"<!doctype html><title>hello</title>".to_vec()),
        ] {
            rows.push(Row::of(format!("{what} {coding}"), coded(coding, body), fails("content_decoding")));
        }
        let cut = [
            format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: 10000\r\n\r\n").as_bytes(),
            &whole[..9],
        ]
        .concat();
        rows.push(Row::of(
            format!("{coding}, and the connection breaks off"),
            Reply::raw(cut),
            fails("body_truncated"),
        ));
        rows.push(Row::of(format!("{coding} of nothing at all"), coded(coding, ""), answers("")));
    }
    run(&[], &rows);
}

#[test]
fn codings_that_are_false_or_too_many() {
    let text = "hello ".repeat(50);
    let bytes = text.as_bytes();
    let unsupported = |coding: &str| {
        Row::of(format!("Content-Encoding: {coding}"), coded(coding, bytes), fails("unsupported_content_encoding"))
    };
    let mut rows: Vec<Row> = [
        "compress",
        "x",
        "gzip2",
        "gzip;q=1",
        "\"gzip\"",
        "gzip br",
        "gzip, x",
        "gzip, br, zstd",
        "gzip, gzip, gzip, gzip",
        "aes128gcm",
        "dcb",
        "exi",
        "utf-8",
        "none",
        "*",
        "gzip\u{a0}",
    ]
    .map(unsupported)
    .into();
    let right = |name: &str, reply: Reply| Row::of(name, reply, answers(text.clone()));
    rows.extend([
        right("two codings", coded("gzip, br", brotli(&gzip(bytes)))),
        right(
            "two codings in two lines",
            Reply::ok(zstd(&gzip(bytes))).header("content-encoding", "zstd").header("content-encoding", "gzip"),
        ),
        right("identity", coded("identity", bytes)),
        right("an empty coding", coded("", bytes)),
        right("identity, gzip, identity", coded("identity, gzip, identity", gzip(bytes))),
        right("GZip", coded(" GZip ", gzip(bytes))),
        right("gzip with two members", coded("gzip", [gzip(&bytes[..100]), gzip(&bytes[100..])].concat())),
        right("gzip with 900 empty members", coded("gzip", [gzip(bytes), gzip(b"").repeat(900)].concat())),
        right("zstd with two frames", coded("zstd", [zstd(&bytes[..100]), zstd(&bytes[100..])].concat())),
        Row::of("gzip with 10,000 empty members", coded("gzip", gzip(b"").repeat(10_000)), fails("content_decoding")),
        Row::of("zstd with 10,000 empty frames", coded("zstd", zstd(b"").repeat(10_000)), fails("content_decoding")),
        Row::of(
            "gzip with two members, the second broken",
            coded("gzip", [gzip(bytes), gzip(bytes)[..30].to_vec()].concat()),
            fails("content_decoding"),
        ),
        Row::of(
            "three codings in three lines",
            Reply::ok(bytes)
                .header("content-encoding", "br")
                .header("content-encoding", "gzip")
                .header("content-encoding", "br"),
            fails("unsupported_content_encoding"),
        ),
        Row::of(
            "gzip that lies about its length",
            coded("gzip", changed(gzip(bytes), |gzip| gzip.len() - 1)),
            fails("content_decoding"),
        ),
        Row::of(
            "gzip that lies about its checksum",
            coded("gzip", changed(gzip(bytes), |gzip| gzip.len() - 5)),
            fails("content_decoding"),
        ),
        Row::of("gzip of an unknown method", coded("gzip", changed(gzip(bytes), |_| 2)), fails("content_decoding")),
        Row::of(
            "gzip and zeros, as on a tape",
            coded("gzip", [gzip(bytes), vec![0; 1_000]].concat()),
            answers(text.clone()),
        ),
        Row::of(
            "gzip, and only the head of another member",
            coded("gzip", [gzip(bytes), gzip(bytes)[..10].to_vec()].concat()),
            fails("content_decoding"),
        ),
        Row::of(
            "deflate that lies about its checksum",
            coded("deflate", changed(deflate(bytes), |zlib| zlib.len() - 1)),
            fails("content_decoding"),
        ),
        Row::of(
            "zstd with a frame to skip",
            coded("zstd", [b"\x50\x2a\x4d\x18\x02\0\0\0no".to_vec(), zstd(bytes)].concat()),
            answers(text.clone()),
        ),
        Row::of(
            "zstd with a frame to skip that is cut off",
            coded("zstd", [zstd(bytes), b"\x50\x2a\x4d\x18\x09\0\0\0no".to_vec()].concat()),
            fails("content_decoding"),
        ),
        Row::of(
            "zstd with a dictionary",
            coded("zstd", b"\x28\xb5\x2f\xfd\x21\x07\x05\x29\0\0hello"),
            fails("content_decoding"),
        ),
        Row::of("gzip that is zstd", coded("gzip", zstd(bytes)), fails("content_decoding")),
        Row::of("gzip, whose first layer is missing", coded("gzip, gzip", gzip(bytes)), fails("content_decoding")),
    ]);
    run(&[], &rows);
}

#[test]
fn bombs() {
    let zeros = vec![0; 16 << 20];
    let bomb =
        |name: String, coding: &str, body: Vec<u8>| Row::of(name, coded(coding, body), fails("body_ratio_exceeded"));
    let mut rows: Vec<Row> =
        codings(&zeros).into_iter().map(|(coding, body)| bomb(format!("bomb of {coding}"), coding, body)).collect();
    // A window of 128 MB (RFC 8878, section 3.1.1.1.2), and brotli's of 1 GB, which is in no RFC.
    let wide = [b"\x28\xb5\x2f\xfd\x00\x88", &b"\x29\0\0hello"[..]].concat();
    rows.extend([
        bomb("bomb in a bomb".into(), "gzip, gzip", gzip(&gzip(&zeros))),
        bomb("bomb in a small body".into(), "gzip, br", brotli(&[gzip(b"x"), zeros.clone()].concat())),
        Row::of("128 MB zstd window", coded("zstd", wide), fails("content_decoding")),
        Row::of("large window of brotli", coded("br", b"\x11\x1e\x81\x80\x02\x80hello"), fails("content_decoding")),
        Row::of(
            "a redirect with a bomb that is not read",
            Reply::new(302, gzip(&zeros)).header("location", "file:///x").header("content-encoding", "gzip"),
            fails("redirect_scheme"),
        ),
        Row::of("a decoded body above the limit", coded("gzip", gzip(&noise(3 << 20))), fails("body_too_large")),
    ]);
    run(&[], &rows);
    let rows: Vec<Row> = codings(&zeros)
        .into_iter()
        .map(|(coding, body)| bomb(format!("bomb of {coding}, any size allowed"), coding, body))
        .collect();
    run(&["--max-filesize=0"], &rows);
}

#[test]
fn what_bodies_claim_to_be() {
    run(
        &[],
        &[
            Row::of("charset lies: invalid UTF-8", typed("text/plain; charset=utf-8", b"caf\xe9"), status(200)),
            Row::of("charset lies: unknown", typed("text/plain; charset=x-nobody", "hello"), answers("hello")),
            Row::of("charset lies: half a UTF-16", typed("text/plain; charset=utf-16", b"h\0i"), status(200)),
            Row::of("charset lies: UTF-7", typed("text/html; charset=utf-7", "+ADw-script+AD4-"), status(200)),
            Row::of("charset lies: replacement", typed("text/html; charset=iso-2022-kr", "hello"), status(200)),
            Row::of("charset that is true", typed("text/plain; charset=latin1", b"caf\xe9"), answers("caf\u{e9}")),
            Row::of("binary in NDJSON", typed("text/plain", [0, 0xff, b'\n', 0x1b, 0x7f]), status(200)),
            Row::of(
                "line ends and quotes in NDJSON",
                typed("text/plain", "a\n\"b\"\r\n\u{2028}\\"),
                answers("a\n\"b\"\r\n\u{2028}\\"),
            ),
            Row::of("a type that is none", typed(";;=\"", "hello"), answers("hello")),
            Row::of("no type", Reply::ok("hello"), answers("hello")),
        ],
    );
}

/// Bytes of which one, where it is told, is another.
fn changed(mut bytes: Vec<u8>, at: impl Fn(&[u8]) -> usize) -> Vec<u8> {
    let at = at(&bytes);
    bytes[at] ^= 0x55;
    bytes
}

/// Bytes that no coding makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}
