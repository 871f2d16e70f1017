//! What a server says about when to come back: `Retry-After`, and rate limits that are used up.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use crate::model::Exchange;

/// A `X-RateLimit-Reset` above this is a point in time (seconds since 1970), below it a number of seconds to wait.
const EPOCH_FROM: u64 = 1_000_000_000;

/// Above this it is a point in time in milliseconds.
const EPOCH_MILLIS_FROM: u64 = 1_000_000_000_000;

/// How long the server of `exchange` wants to be left alone, if it says so.
///
/// `Retry-After` counts on 429 and 503 (RFC 9110, section 10.2.3), in seconds or as a date, which is taken relative to the
/// response's own `Date`, so that the server's clock may be wrong. `RateLimit`, `RateLimit-*` and `X-RateLimit-*` count on
/// every response, when nothing remains (draft-ietf-httpapi-ratelimit-headers: three fields up to version 06, one with
/// `remaining` and `reset` in 07, one with `r` and `t` since then).
pub(crate) fn wait_asked_for(exchange: &Exchange) -> Option<Duration> {
    let response = exchange.response.as_ref()?;
    // Nearly every response asks for no wait, so its Date is not parsed before it is needed.
    let served = || {
        let date = text(&response.headers, header::DATE).and_then(|text| httpdate::parse_http_date(text).ok());
        date.unwrap_or(exchange.timestamp + exchange.timing.total)
    };
    let retry_after = text(&response.headers, header::RETRY_AFTER).filter(|_| asks_for_less(response.status));
    retry_after.and_then(|text| retry_after_wait(text, served)).or_else(|| rate_limit_wait(&response.headers, served))
}

/// Whether a status says that there were too many requests.
pub(super) fn asks_for_less(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// The wait that a Retry-After means to a server whose clock says `served`; `None` for nonsense. A date that is past
/// means no wait.
fn retry_after_wait(text: &str, served: impl Fn() -> SystemTime) -> Option<Duration> {
    if let Some(seconds) = whole_number(text) {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(served()).unwrap_or_default())
}

/// The wait until a rate limit with nothing remaining is reset.
fn rate_limit_wait(headers: &HeaderMap, served: impl Fn() -> SystemTime) -> Option<Duration> {
    if let Some(wait) = used_up_wait(headers) {
        return Some(wait);
    }
    let fields = [("ratelimit-remaining", "ratelimit-reset"), ("x-ratelimit-remaining", "x-ratelimit-reset")];
    let (_, reset) = fields
        .into_iter()
        .find(|(remaining, _)| text(headers, *remaining).and_then(whole_number).is_some_and(|left| left == 0))?;
    let reset = seconds_up(text(headers, reset)?)?;
    if reset < EPOCH_FROM {
        return Some(Duration::from_secs(reset));
    }
    let at = if reset < EPOCH_MILLIS_FROM { Duration::from_secs(reset) } else { Duration::from_millis(reset) };
    let at = SystemTime::UNIX_EPOCH.checked_add(at)?;
    Some(at.duration_since(served()).unwrap_or_default())
}

/// The longest wait of the quotas in `RateLimit: "default";r=0;t=5, "daily";r=7;t=600` that have nothing remaining. Their names
/// are quoted and may hold what else separates; what is no such list says nothing.
fn used_up_wait(headers: &HeaderMap) -> Option<Duration> {
    let fields = headers.get_all("ratelimit").iter().filter_map(|field| field.to_str().ok());
    let unquoted = fields.map(|field| field.split('"').step_by(2).collect::<String>());
    let waits = unquoted.flat_map(|field| {
        let quotas = field.split(',').filter_map(|quota| parameter_wait(&quota.split(';').skip(1), "r", "t"));
        quotas.chain(parameter_wait(&field.split(','), "remaining", "reset")).collect::<Vec<_>>()
    });
    waits.max().map(Duration::from_secs)
}

/// The seconds until a quota of which nothing remains is reset, by the parameters of these names.
fn parameter_wait<'a>(
    parameters: &(impl Iterator<Item = &'a str> + Clone),
    remaining: &str,
    reset: &str,
) -> Option<u64> {
    let value = |name| {
        let mut pairs = parameters.clone().filter_map(|parameter| parameter.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).and_then(|(_, value)| whole_number(value))
    };
    (value(remaining)? == 0).then(|| value(reset)).flatten()
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A number without sign, rounded up.
fn seconds_up(text: &str) -> Option<u64> {
    match text.split_once('.') {
        None => whole_number(text),
        Some((whole, part)) => whole_number(part).and(whole_number(whole)).map(|whole| whole.saturating_add(1)),
    }
}

/// A number without sign; one that is too large for 64 bits is the largest.
fn whole_number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn wait(status: u16, fields: &[(&'static str, &str)]) -> Option<u64> {
        let headers = fields.iter().map(|(name, value)| {
            let value = http::HeaderValue::from_str(value).expect("a legal value");
            (http::HeaderName::from_static(name), value)
        });
        let exchange = Exchange::answered(status, headers.collect());
        wait_asked_for(&exchange).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_counts_in_seconds_and_in_all_three_forms_of_a_date() {
        let table = [
            ("2", Some(2)),
            (" 0 ", Some(0)),
            ("1000000000000", Some(1_000_000_000_000)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("1.5", None),
        ];
        for (text, expected) in table {
            assert_eq!(wait(429, &[("date", DATE), ("retry-after", text)]), expected, "{text:?}");
            assert_eq!(wait(503, &[("date", DATE), ("retry-after", text)]), expected, "{text:?}");
            assert_eq!(wait(200, &[("date", DATE), ("retry-after", text)]), None, "{text:?} on 200");
        }
    }

    #[test]
    fn a_rate_limit_with_nothing_left_asks_for_a_wait_on_every_status() {
        assert_eq!(wait(200, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "7")]), Some(7));
        assert_eq!(wait(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "7")]), Some(7));
        assert_eq!(wait(200, &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "7")]), None);
        assert_eq!(wait(200, &[("x-ratelimit-remaining", "0")]), None);
        let github = [
            ("date", "Sat, 21 Nov 2026 09:00:00 GMT"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795251660"),
        ];
        assert_eq!(wait(403, &github), Some(60));
        for reset in ["1795251660000", "1795251659.5"] {
            let fields = [github[0], github[1], ("x-ratelimit-reset", reset)];
            assert_eq!(wait(429, &fields), Some(60), "{reset}");
        }
        assert_eq!(wait(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1.2")]), Some(2));
        assert_eq!(wait(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "soon")]), None);
    }

    #[test]
    fn a_quota_with_nothing_left_asks_for_a_wait() {
        let table = [
            ("\"default\";r=0;t=5", Some(5)),
            ("default; r=0; t=5", Some(5)),
            ("\"default\";r=50;t=5", None),
            ("\"burst\";r=0;t=2, \"daily\";r=0;t=60, \"other\";r=1;t=900", Some(60)),
            ("\"a;r=0;t=9,\";r=1;t=5", None),
            ("\"default\";r=0", None),
            ("\"default\";r=0;t=-5", None),
            ("limit=10, remaining=0, reset=5", Some(5)),
            ("limit=10, remaining=1, reset=5", None),
            ("limit=10, remaining=0", None),
            ("\"remaining=0, reset=5\";r=1;t=9", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(wait(200, &[("ratelimit", text)]), expected, "{text:?}");
            assert_eq!(wait(429, &[("ratelimit", text)]), expected, "{text:?}");
        }
    }

    #[test]
    fn retry_after_comes_before_a_rate_limit() {
        let fields = [("retry-after", "3"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "7")];
        assert_eq!(wait(429, &fields), Some(3));
    }
}
