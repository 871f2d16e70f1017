//! Judgement: what of a record and its response is not as expected, and what was seen instead.

use std::time::{Duration, SystemTime};

use http::StatusCode;

use super::text::TextTest;
use super::{Check, Expectation, Expectations};
use crate::model::{Body, Headers, Judge, Needs, Record, Response, Seen, Unmet, escape, redact_each};

/// The most characters of an expectation and of what was seen that are told.
const SHOWN: usize = 80;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

const TOO_LARGE: &str = "the body is too large to be looked at";

impl Judge for Expectations {
    fn needs(&self) -> Needs {
        let any = |is: fn(&Check) -> bool| self.0.iter().any(|expectation| is(&expectation.check));
        Needs {
            body: any(|check| matches!(check, Check::Body(_) | Check::Jq(_))),
            certificate: any(|check| matches!(check, Check::CertDays(_))),
        }
    }

    fn accepts(&self, status: StatusCode) -> Option<bool> {
        let of_status = |expectation: &Expectation| match &expectation.check {
            Check::Status { statuses, negated } => Some(statuses.contains(status) != *negated),
            _ => None,
        };
        self.0.iter().filter_map(of_status).reduce(|all, one| all && one)
    }

    fn look(&self, response: &Response) -> Vec<Unmet> {
        let kept = response.kept.as_ref().and_then(|kept| kept.body.as_ref());
        let body = kept.unwrap_or(&response.body);
        let unmet = self.0.iter().enumerate().filter_map(|(place, expectation)| {
            let seen = match &expectation.check {
                Check::Body(test) => body_seen(test, body),
                Check::Jq(filter) => match body {
                    Body::Text(text) => filter.holds(text).err(),
                    Body::Binary(_) => Some("the body is no text".to_owned()),
                    // RFC 9112, section 6.3: some responses have none.
                    Body::Discarded if response.size_decoded == 0 => Some("there is no body".to_owned()),
                    Body::Discarded | Body::File(_) => Some(TOO_LARGE.to_owned()),
                },
                _ => None,
            };
            seen.map(|seen| Unmet { place, text: told(expectation, &seen) })
        });
        unmet.collect()
    }

    fn judge(&self, record: &Record, seen: Seen) -> Vec<String> {
        let mut looked = seen.unmet.into_iter().peekable();
        let mut failed = Vec::new();
        for (place, expectation) in self.0.iter().enumerate() {
            if let Some(unmet) = looked.next_if(|unmet| unmet.place == place) {
                failed.push(unmet.text);
                continue;
            }
            let wrong = match &expectation.check {
                Check::Status { statuses, negated } => status_seen(statuses, *negated, record.status),
                Check::Time(comparison) => {
                    let time = seen.attempt_time;
                    (!comparison.holds(&time)).then(|| format!("it took {}", milliseconds(time)))
                }
                Check::Size(comparison) => {
                    let size = record.size_decoded.unwrap_or_default();
                    (!comparison.holds(&size)).then(|| format!("it was {size} bytes"))
                }
                Check::CertDays(comparison) => match days_left(seen.certificate_expires, seen.now) {
                    None => Some("there is no certificate".to_owned()),
                    Some(days) => (!comparison.holds(&days)).then(|| format!("it was {days:.1}")),
                },
                Check::Header(name, test) => header_seen(test, record.headers.as_ref(), name),
                Check::Body(_) | Check::Jq(_) => None,
            };
            failed.extend(wrong.map(|wrong| told(expectation, &wrong)));
        }
        failed
    }
}

fn status_seen(statuses: &crate::model::StatusSet, negated: bool, status: Option<u16>) -> Option<String> {
    let code = status.and_then(|status| StatusCode::from_u16(status).ok());
    if code.is_some_and(|code| statuses.contains(code) != negated) {
        return None;
    }
    Some(status.map_or_else(|| "there was none".to_owned(), |status| format!("it was {status}")))
}

fn header_seen(test: &TextTest, headers: Option<&Headers>, name: &http::HeaderName) -> Option<String> {
    let mut values = headers.into_iter().flat_map(|headers| headers.0.get_all(name)).peekable();
    let first = values.peek().map(|value| Headers::text(value).into_owned());
    if test.holds(values.map(http::HeaderValue::as_bytes)) {
        return None;
    }
    Some(first.map_or_else(|| "there is none".to_owned(), |first| format!("it was {}", quoted(&first))))
}

fn body_seen(test: &TextTest, body: &Body) -> Option<String> {
    let bytes = match body {
        Body::Text(content) => content.as_bytes(),
        Body::Binary(bytes) => bytes,
        Body::Discarded => b"",
        Body::File(_) => return Some(TOO_LARGE.to_owned()),
    };
    if test.holds(std::iter::once(bytes)) {
        return None;
    }
    Some(match body {
        _ if bytes.is_empty() => "it was empty".to_owned(),
        Body::Text(content) => format!("it was {}", quoted(content)),
        _ => format!("it was {} bytes that are no text", bytes.len()),
    })
}

/// Days until a certificate expires; less than none after that.
fn days_left(expires: Option<SystemTime>, now: SystemTime) -> Option<f64> {
    Some(match expires?.duration_since(now) {
        Ok(left) => left.as_secs_f64() / DAY,
        Err(past) => -past.duration().as_secs_f64() / DAY,
    })
}

fn milliseconds(time: Duration) -> String {
    if time < Duration::from_secs(10) { format!("{} ms", time.as_millis()) } else { format!("{} s", time.as_secs()) }
}

/// An expectation and what was seen: one line, short, safe to print, without the secrets of URLs.
fn told(expectation: &Expectation, seen: &str) -> String {
    let text = cut(&expectation.text, SHOWN);
    let told = format!("{text}, but {}", cut(seen, SHOWN + 16));
    escape(&redact_each(&told)).into_owned()
}

/// A text as JSON has it, cut before that would make it long.
fn quoted(text: &str) -> String {
    serde_json::to_string(&cut(text, SHOWN)).unwrap_or_default()
}

pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
