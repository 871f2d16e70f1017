//! Content codings: undone, refused, broken, and bombs.

use async_compression::tokio::bufread::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use async_compression::zstd::CParameter;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::*;

async fn all(mut coded: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    coded.read_to_end(&mut bytes).await.expect("it codes");
    bytes
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    all(GzipEncoder::new(bytes)).await
}

async fn brotli(bytes: &[u8]) -> Vec<u8> {
    all(BrotliEncoder::new(bytes)).await
}

async fn zstd(bytes: &[u8]) -> Vec<u8> {
    all(ZstdEncoder::new(bytes)).await
}

fn coded(coding: &str, body: impl AsRef<[u8]>) -> Reply {
    Reply::ok(&format!("Content-Encoding: {coding}\r\n"), body)
}

#[tokio::test]
async fn each_coding_is_undone_and_both_sizes_are_told() {
    let plain = "hello ".repeat(100);
    let bytes = plain.as_bytes();
    for (coding, body) in [
        ("gzip", gzip(bytes).await),
        ("X-GZip", gzip(bytes).await),
        ("br", brotli(bytes).await),
        ("zstd", zstd(bytes).await),
        ("deflate", all(ZlibEncoder::new(bytes)).await),
        ("deflate", all(DeflateEncoder::new(bytes)).await),
        ("identity", bytes.to_vec()),
        ("identity, , gzip", gzip(bytes).await),
        ("gzip, br", brotli(&gzip(bytes).await).await),
        ("zstd,zstd", zstd(&zstd(bytes).await).await),
    ] {
        let response = whole(exchange(coded(coding, &body)).await);
        assert_eq!(response.body, Body::Text(plain.clone()), "{coding}");
        assert_eq!((response.size_download, response.size_decoded), (body.len() as u64, 600), "{coding}");
    }
}

#[tokio::test]
async fn a_body_in_single_bytes_is_undone() {
    let body = gzip(b"hello").await;
    let mut chunks =
        String::from("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for byte in body {
        chunks.extend(b"1\r\n");
        chunks.push(byte);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    assert_eq!(text(exchange(Reply::bytes(chunks)).await), "hello");
}

#[tokio::test]
async fn every_member_counts() {
    let members = [gzip(b"one ").await, gzip(b"").await, gzip(b"two").await].concat();
    assert_eq!(text(exchange(coded("gzip", &members)).await), "one two");
    assert_eq!(text(exchange(coded("gzip", [members.as_slice(), &[0; 600]].concat())).await), "one two");
    let frames = [zstd(b"one ").await, zstd(b"two").await].concat();
    assert_eq!(text(exchange(coded("zstd", frames)).await), "one two");
    let empty = gzip(b"").await.repeat(10_000);
    assert_eq!(kind(&exchange(coded("gzip", empty)).await), FailureKind::ContentDecoding);
}

#[tokio::test]
async fn nothing_at_all_is_an_empty_body() {
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, br"] {
        assert_eq!(text(exchange(coded(coding, "")).await), "", "{coding}");
    }
}

#[tokio::test]
async fn codings_that_are_unknown_or_too_many_are_refused() {
    for coding in ["compress", "gzip, aes128gcm", "gzip, gzip, gzip"] {
        let exchange = exchange(coded(coding, "x")).await;
        assert_eq!(kind(&exchange), FailureKind::UnsupportedContentEncoding, "{coding}");
        assert!(exchange.response.is_some(), "the head came");
    }
}

#[tokio::test]
async fn broken_truncated_and_continued_data_is_told() {
    let bytes = "hello ".repeat(100).into_bytes();
    let mut broken = gzip(&bytes).await;
    let crc = broken.len() - 6;
    broken[crc] ^= 1;
    assert_eq!(kind(&exchange(coded("gzip", broken)).await), FailureKind::ContentDecoding);
    for (coding, body) in [
        ("gzip", gzip(&bytes).await),
        ("br", brotli(&bytes).await),
        ("zstd", zstd(&bytes).await),
        ("deflate", all(ZlibEncoder::new(&bytes[..])).await),
        ("deflate", all(DeflateEncoder::new(&bytes[..])).await),
    ] {
        for (what, body) in [
            ("truncated", body[..body.len() - 3].to_vec()),
            ("continued", [body.as_slice(), b"garbage"].concat()),
            ("not it", b"not coded at all".to_vec()),
        ] {
            let exchange = exchange(coded(coding, body)).await;
            assert_eq!(kind(&exchange), FailureKind::ContentDecoding, "{what} {coding}: {}", message(&exchange));
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_not_blamed_on_the_coding() {
    let body = gzip(&b"hello ".repeat(100)).await;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len() + 1);
    let reply = Reply::bytes([head.as_bytes(), &body[..body.len() - 5]].concat()).then_close();
    assert_eq!(kind(&exchange(reply).await), FailureKind::BodyTruncated);
}

#[tokio::test]
async fn bombs_of_each_coding_are_stopped() {
    let zeros = vec![0; 8 << 20];
    for (coding, body) in [
        ("gzip", gzip(&zeros).await),
        ("br", brotli(&zeros).await),
        ("zstd", zstd(&zeros).await),
        ("deflate", all(ZlibEncoder::new(&zeros[..])).await),
        ("gzip, gzip", gzip(&gzip(&zeros).await).await),
    ] {
        let exchange = exchange(coded(coding, body)).await;
        assert_eq!(kind(&exchange), FailureKind::BodyRatioExceeded, "{coding}");
        let taken = exchange.response.expect("the head came").size_decoded;
        assert!(taken < 3 << 20, "{coding}: {taken}");
    }
}

#[tokio::test]
async fn a_bomb_between_two_codings_is_stopped() {
    // The inner coding makes little of much, so only what comes between is large.
    let much = vec![0_u8; 8 << 20];
    let inner = [gzip(b"x").await, much].concat();
    let exchange = exchange(coded("gzip, br", brotli(&inner).await)).await;
    assert_eq!(kind(&exchange), FailureKind::BodyRatioExceeded);
}

#[tokio::test]
async fn the_cap_is_on_the_decoded_size() {
    let body = gzip(&[b'a'; 2_000]).await;
    let options = FetchOptions { max_filesize: Some(1_999), ..FetchOptions::default() };
    assert!(body.len() < 1_999);
    assert_eq!(kind(&exchange_with(options, coded("gzip", body)).await), FailureKind::BodyTooLarge);
}

#[tokio::test]
async fn a_zstd_window_of_more_than_8_mib_is_refused() {
    let parameters = [CParameter::window_log(27), CParameter::content_size_flag(false)];
    let level = async_compression::Level::Default;
    let body = all(ZstdEncoder::with_quality_and_params(&b"hello"[..], level, &parameters)).await;
    assert_eq!(kind(&exchange(coded("zstd", body)).await), FailureKind::ContentDecoding);
}
