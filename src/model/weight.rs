//! About how many bytes of memory things take that wait in great numbers.

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::{ExchangeRecord, Job, Record};

/// The short texts of a record, and what the allocator adds.
const TEXTS: usize = 1024;
/// A header field with a short value.
const FIELD: usize = 256;
/// An exchange in `hops` or `attempts`, with short texts.
const EXCHANGE: usize = 600;
/// An entry of a JSON object, beside its name and value.
const ENTRY: usize = 64;

/// About how many bytes of memory a record takes.
pub(crate) fn of_record(record: &Record) -> u64 {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
    let bytes = [&record.body_base64, &record.line_base64].into_iter().flatten().map(|bytes| bytes.0.len());
    let line = size_of::<Record>()
        + TEXTS
        + record.url.capacity() * 2
        + of_input(record.id.as_deref(), record.input.as_deref());
    let response = text(&record.body) + record.headers.as_ref().map_or(0, |headers| of_headers(&headers.0));
    let outcome = record.error.as_ref().map_or(0, |error| error.message.capacity());
    let failed: usize = record.failed.iter().map(String::capacity).sum();
    let exchanges: usize = record.hops.iter().chain(&record.attempts).map(of_exchange).sum();
    (line + response + bytes.sum::<usize>() + outcome + failed + exchanges) as u64
}

/// About how many bytes of memory a job takes that waits. Header fields that it shares with others are not counted.
pub(crate) fn of_job(job: &Job) -> u64 {
    let request = job.request.as_ref().map_or(0, |request| {
        let own = std::sync::Arc::strong_count(&request.headers) == 1;
        let headers = if own { of_headers(&request.headers) } else { 0 };
        request.url.as_str().len() + headers + request.body.as_ref().map_or(0, bytes::Bytes::len)
    });
    (size_of::<Job>() + FIELD + request + of_input(job.id.as_deref(), job.input.as_deref())) as u64
}

fn of_exchange(exchange: &ExchangeRecord) -> usize {
    let message = exchange.error.as_ref().map_or(0, |error| error.message.capacity());
    EXCHANGE + exchange.url.capacity() + message + exchange.hops.iter().map(of_exchange).sum::<usize>()
}

fn of_headers(headers: &HeaderMap) -> usize {
    headers.capacity() * FIELD + headers.values().map(HeaderValue::len).filter(|length| *length > FIELD).sum::<usize>()
}

fn of_input(id: Option<&Value>, input: Option<&Map<String, Value>>) -> usize {
    id.map_or(0, of_json) + input.map_or(0, of_object)
}

fn of_object(object: &Map<String, Value>) -> usize {
    object.iter().map(|(name, value)| ENTRY + name.capacity() + of_json(value)).sum()
}

fn of_json(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.capacity(),
            Value::Array(values) => values.iter().map(of_json).sum(),
            Value::Object(object) => of_object(object),
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Failure, FailureKind, Headers, Request};

    const LONG: usize = 100_000;

    fn long() -> String {
        "x".repeat(LONG)
    }

    fn object(value: &Value) -> Option<Box<Map<String, Value>>> {
        value.as_object().cloned().map(Box::new)
    }

    #[test]
    fn whatever_may_be_long_in_a_record_counts() {
        let error = || Some(Failure::new(FailureKind::InternalError, long()));
        let value = HeaderValue::from_str(&long()).expect("a value");
        let exchange = || ExchangeRecord { error: error(), ..ExchangeRecord::default() };
        let empty = || Record::default();
        for record in [
            Record { url: long(), ..empty() },
            Record { body: Some(long()), ..empty() },
            Record { body_base64: Some(crate::model::Base64(long().into())), ..empty() },
            Record { line_base64: Some(crate::model::Base64(long().into())), ..empty() },
            Record { id: Some(Box::new(json!(long()))), ..empty() },
            Record { input: object(&json!({"a": [{"b": long()}]})), ..empty() },
            Record { input: object(&json!({ long(): 1 })), ..empty() },
            Record { headers: Some(Headers(HeaderMap::from_iter([(http::header::LINK, value.clone())]))), ..empty() },
            Record { error: error(), ..empty() },
            Record { failed: vec![long()], ..empty() },
            Record { hops: vec![exchange()], ..empty() },
            Record { attempts: vec![ExchangeRecord { hops: vec![exchange()], ..exchange() }], ..empty() },
        ] {
            let more = of_record(&record) - of_record(&empty());
            assert!(more >= LONG as u64, "{more} for {record:?}");
        }
    }

    #[test]
    fn whatever_may_be_long_in_a_job_counts() {
        let request = || Request::new("http://a.example/".parse().expect("a URL"));
        let empty = of_job(&Job::new(request()));
        let mut with_headers = request();
        let value = HeaderValue::from_str(&long()).expect("a value");
        with_headers.headers = std::sync::Arc::new(HeaderMap::from_iter([(http::header::LINK, value)]));
        let url = format!("http://a.example/{}", long()).parse().expect("a URL");
        for job in [
            Job::new(Request::new(url)),
            Job::new(Request { body: Some(long().into()), ..request() }),
            Job::new(with_headers),
            Job { id: Some(Box::new(json!(long()))), ..Job::new(request()) },
            Job { input: object(&json!({"a": long()})), ..Job::new(request()) },
        ] {
            let more = of_job(&job) - empty;
            assert!(more >= LONG as u64, "{more} for {job:?}");
        }
    }
}
