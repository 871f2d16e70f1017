//! What must hold for any response head and any address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use super::{JobState, Next, Outcome, Policy, special_purpose, wait_asked_for};
use crate::model::{Exchange, Job, is_unsafe};

/// The wait that a server asks for is read without a panic, and a number of seconds is taken as it is.
pub fn retry_after(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let fields = [header::RETRY_AFTER, HeaderName::from_static("x-ratelimit-reset")];
    for (field, status) in fields.into_iter().zip([429, 200]) {
        let mut headers = HeaderMap::new();
        headers.insert(field, value.clone());
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
        headers.insert(header::DATE, HeaderValue::from_static("Fri, 20 Nov 2026 12:00:00 GMT"));
        let wait = wait_asked_for(&Exchange::answered(status, headers));
        let seconds = value.to_str().ok().and_then(|text| text.trim().parse::<u32>().ok());
        if let Some(seconds) = seconds.filter(|&seconds| seconds < 1_000_000_000)
            && bytes.trim_ascii().iter().all(u8::is_ascii_digit)
        {
            assert_eq!(wait, Some(Duration::from_secs(seconds.into())));
        }
    }
}

/// A Location leads to an http URL without credentials, or to a failure that says why not.
pub fn location(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(header::LOCATION, value)]);
    let exchange = Exchange::answered(302, headers);
    let base: Url = "https://u:canary@api.example.com/a/b?c#d".parse().expect("a URL");
    let now = Instant::now();
    let Ok(job) = JobState::new(0, Job::from(base), now) else { unreachable!("the line is good") };
    let outcome = Outcome { job: &job, exchange: &exchange, left: now, now, winding_down: false };
    match Policy::default().next(outcome, &mut fastrand::Rng::with_seed(0)) {
        Next::Hop(request) => {
            assert!(matches!(request.url.scheme(), "http" | "https") && request.url.has_host());
            assert!(request.url.username().is_empty() && request.url.password().is_none());
            let stays = request.url.host_str() == Some("api.example.com");
            assert!(stays || !request.headers.contains_key(header::AUTHORIZATION));
        }
        Next::Finish(ending) => {
            let failure = ending.failure.expect("a Location that is not followed is a failure");
            assert!(failure.message.len() <= 512 && !failure.message.contains("canary"), "{failure}");
            assert!(!failure.message.chars().any(is_unsafe), "{:?}", failure.message);
        }
        other => unreachable!("a redirect is followed or refused, not {other:?}"),
    }
}

/// An IPv4 address is judged alike in each spelling of IPv6 that reaches it, and what the standard library knows to be
/// special is special.
pub fn address(bytes: &[u8]) {
    if let Ok(octets) = <[u8; 16]>::try_from(bytes) {
        let address = Ipv6Addr::from(octets);
        let is_special = special_purpose(IpAddr::V6(address)).is_some();
        let must = address.is_loopback() || address.is_multicast() || address.is_unspecified();
        let must = must || address.is_unique_local() || address.is_unicast_link_local();
        assert!(is_special || !must, "{address}");
    }
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        let address = Ipv4Addr::from(octets);
        let is_special = special_purpose(IpAddr::V4(address)).is_some();
        let must = address.is_private() || address.is_loopback() || address.is_link_local();
        let must = must || address.is_multicast() || address.is_broadcast() || address.is_documentation();
        assert!(is_special || !must, "{address}");
        let [a, b, c, d] = octets;
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        for spelling in [address.to_ipv6_mapped(), Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)] {
            assert_eq!(special_purpose(IpAddr::V6(spelling)).is_some(), is_special, "{spelling}");
        }
    }
}
