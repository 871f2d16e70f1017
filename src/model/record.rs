//! The record: all that is known of a finished job, and the only thing that reports see.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{Base64, Failure, FailureKind, Headers, seconds};

/// All that is known of a finished job. Serialises to one JSON object; a field that does not apply is absent.
///
/// Times are seconds with six decimals. `fixtures/record.schema.json` is the schema of this type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Record {
    /// Position in the whole input, from 0.
    pub index: u64,
    /// Line in its source, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Name of the source; `-` is standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Arc<str>>,
    /// The user's own name for the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<serde_json::Value>>,
    /// Method as asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// URL as asked, secrets redacted; for a bad line, as much of the line as can be shown.
    pub url: String,
    /// Raw bytes of a line that is not UTF-8 and has no secret in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_base64: Option<Base64>,
    /// URL of the final exchange, after redirects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_effective: Option<String>,
    /// Whether the line is as it should be.
    pub ok: bool,
    /// `ok`, `flaky` (only after a retry) or `failed`.
    pub verdict: Verdict,
    /// What an older run, `--baseline`, says of it: `known` (it failed then too) or `fixed` (it failed then).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Standing>,
    /// Status of the final response; null when no response came.
    pub status: Option<u16>,
    /// Protocol version of the final response: `1.0`, `1.1`, `2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_version: Option<String>,
    /// Address of the peer of the final exchange; of the proxy, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<IpAddr>,
    /// Content-Type of the final response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Header fields of the final response, names in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
    /// Decoded body, where it is text that is valid in its charset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Decoded body, where it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<Base64>,
    /// File that the decoded body was written to.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "lossy")]
    #[cfg_attr(test, schemars(with = "Option<PathBuf>"))]
    pub body_file: Option<PathBuf>,
    /// Bytes of the body on the wire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_download: Option<u64>,
    /// Bytes of the body after decoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_decoded: Option<u64>,
    /// SHA-256 of the decoded body, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// From the start of the final exchange until its name was looked up.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_namelookup: Option<Duration>,
    /// From the start of the final exchange until its TCP connection stood.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_connect: Option<Duration>,
    /// From the start of the final exchange until its TLS handshake was done.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_appconnect: Option<Duration>,
    /// From the start of the final exchange until its response head was there.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_starttransfer: Option<Duration>,
    /// From the moment the first exchange left until the final one was over, waits in between included.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_total: Option<Duration>,
    /// In queues, gates and backoff, and for a processor of this machine: before the first exchange and between exchanges.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_wait: Option<Duration>,
    /// When the first exchange left, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none", with = "timestamp")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub timestamp: Option<SystemTime>,
    /// Redirects followed in the final attempt.
    pub num_redirects: u32,
    /// Attempts after the first.
    pub num_retries: u32,
    /// The exchanges of the final attempt, only with redirects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<ExchangeRecord>,
    /// The final exchange of every attempt, only with retries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<ExchangeRecord>,
    /// Why there is no usable response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What refused a retry that would have made sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_stopped_by: Option<RetryStop>,
    /// The wait that the server asked for in the final response, where it is longer than `--max-retry-after`.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub retry_after: Option<Duration>,
    /// Expectations that were not met, each with what was seen. None where there is an error: it says it all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// Fields of the input line that are carried along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<Map<String, serde_json::Value>>>,
}

/// What the expectations make of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be at the first attempt.
    Ok,
    /// As it should be, but only after a retry.
    Flaky,
    /// Not as it should be.
    #[default]
    Failed,
}

impl Verdict {
    /// The name, as it stands in a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Flaky => "flaky",
            Self::Failed => "failed",
        }
    }
}

/// How a record compares with an older run of the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is not as it should be, and was not then: no reason for the run to fail.
    Known,
    /// It is as it should be, and was not then.
    Fixed,
}

impl Standing {
    /// The name, as it stands in a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Fixed => "fixed",
        }
    }
}

/// What a flaky line is to a run, `--flaky`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FlakyRule {
    /// A failure.
    Fail,
    /// As it should be, but worth a warning in reports.
    #[default]
    Warn,
    /// As it should be.
    Ok,
}

impl FlakyRule {
    /// Whether a line of that verdict is not as it should be.
    pub const fn fails(self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ok => false,
            Verdict::Flaky => matches!(self, Self::Fail),
            Verdict::Failed => true,
        }
    }
}

/// What refused a retry that the outcome would have deserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryStop {
    /// All attempts of `--retry` were used.
    Attempts,
    /// The next attempt would not start within `--retry-max-time`.
    RetryMaxTime,
    /// The method is not idempotent and the request may have been processed.
    Method,
    /// The server asked for a longer wait than `--max-retry-after`.
    MaxRetryAfter,
    /// Too many requests to this origin failed for it to be asked again and again.
    HostBudget,
    /// Too many of the latest requests of the run were retries.
    RunBudget,
    /// The run was stopped.
    Canceled,
}

impl RetryStop {
    /// The name, as it stands in a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::RetryMaxTime => "retry_max_time",
            Self::Method => "method",
            Self::MaxRetryAfter => "max_retry_after",
            Self::HostBudget => "host_budget",
            Self::RunBudget => "run_budget",
            Self::Canceled => "canceled",
        }
    }
}

/// One exchange in the `hops` or `attempts` of a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ExchangeRecord {
    /// Method sent.
    pub method: String,
    /// URL asked, secrets redacted.
    pub url: String,
    /// Status of the response; null when no response came.
    pub status: Option<u16>,
    /// Why there is no usable response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Address of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<IpAddr>,
    /// When it left, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none", with = "timestamp")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub timestamp: Option<SystemTime>,
    /// From its start until its name was looked up.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_namelookup: Option<Duration>,
    /// From its start until its TCP connection stood.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_connect: Option<Duration>,
    /// From its start until its TLS handshake was done.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_appconnect: Option<Duration>,
    /// From its start until its response head was there.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_starttransfer: Option<Duration>,
    /// From its start until it was over.
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub time_total: Option<Duration>,
    /// Why another exchange came after it: the URL that a redirect led to, or what made it worth a retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed_by: Option<String>,
    /// In `attempts`, the exchanges of an attempt that was redirected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Self>,
}

/// Declares [`Field`] with its names, so that the list of names, the parser and the order are one.
macro_rules! fields {
    ($( $variant:ident, $name:literal; )+) => {
        /// The name of a field of [`Record`], for `--fields` and for formats that have columns.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $( #[doc = concat!("`", $name, "`")] $variant, )+
        }

        impl Field {
            /// Every field, in the order of the record.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The name, as it stands in a record.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// The field of that name.
            pub fn named(name: &str) -> Option<Self> {
                match name { $( $name => Some(Self::$variant), )+ _ => None }
            }
        }
    };
}

fields! {
    Index, "index";
    Line, "line";
    Source, "source";
    Id, "id";
    Method, "method";
    Url, "url";
    LineBase64, "line_base64";
    UrlEffective, "url_effective";
    Ok, "ok";
    Verdict, "verdict";
    Baseline, "baseline";
    Status, "status";
    HttpVersion, "http_version";
    RemoteIp, "remote_ip";
    ContentType, "content_type";
    Headers, "headers";
    Body, "body";
    BodyBase64, "body_base64";
    BodyFile, "body_file";
    SizeDownload, "size_download";
    SizeDecoded, "size_decoded";
    Sha256, "sha256";
    TimeNamelookup, "time_namelookup";
    TimeConnect, "time_connect";
    TimeAppconnect, "time_appconnect";
    TimeStarttransfer, "time_starttransfer";
    TimeTotal, "time_total";
    TimeWait, "time_wait";
    Timestamp, "timestamp";
    NumRedirects, "num_redirects";
    NumRetries, "num_retries";
    Hops, "hops";
    Attempts, "attempts";
    Error, "error";
    RetryStoppedBy, "retry_stopped_by";
    RetryAfter, "retry_after";
    Failed, "failed";
    Input, "input";
}

/// The value of one field of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value<'a> {
    /// JSON null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(u64),
    /// Seconds.
    Seconds(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Any JSON of the user's own.
    Json(&'a serde_json::Value),
    /// Fields carried from the input.
    Object(&'a Map<String, serde_json::Value>),
    /// Header fields.
    Headers(&'a Headers),
    /// Lines of text.
    Texts(&'a [String]),
    /// Bytes.
    Base64(&'a Base64),
    /// Exchanges.
    Exchanges(&'a [ExchangeRecord]),
    /// A failure.
    Failure(&'a Failure),
}

impl Record {
    /// Whether the run was stopped before anything was sent for this line, so that nothing is known of it.
    pub fn is_skipped(&self) -> bool {
        self.timestamp.is_none() && self.error.as_ref().is_some_and(|error| error.kind == FailureKind::Canceled)
    }

    /// The value of `field`; `None` where it does not apply, just where it is absent from the JSON object.
    pub fn get(&self, field: Field) -> Option<Value<'_>> {
        let text = |text: &Option<String>| text.clone().map(|text| Value::Text(text.into()));
        let time = |time: Option<Duration>| time.map(|time| Value::Seconds(seconds::rounded(time)));
        let exchanges = |list| Some(Value::Exchanges(list)).filter(|_| !<[ExchangeRecord]>::is_empty(list));
        match field {
            Field::Index => Some(Value::Int(self.index)),
            Field::Line => self.line.map(Value::Int),
            Field::Source => self.source.as_deref().map(|source| Value::Text(source.into())),
            Field::Id => self.id.as_deref().map(Value::Json),
            Field::Method => Some(Value::Text((&self.method).into())).filter(|_| !self.method.is_empty()),
            Field::Url => Some(Value::Text((&self.url).into())),
            Field::LineBase64 => self.line_base64.as_ref().map(Value::Base64),
            Field::UrlEffective => text(&self.url_effective),
            Field::Ok => Some(Value::Bool(self.ok)),
            Field::Verdict => Some(Value::Text(self.verdict.name().into())),
            Field::Baseline => self.baseline.map(|standing| Value::Text(standing.name().into())),
            Field::Status => Some(self.status.map_or(Value::Null, |status| Value::Int(status.into()))),
            Field::HttpVersion => text(&self.http_version),
            Field::RemoteIp => self.remote_ip.map(|ip| Value::Text(ip.to_string().into())),
            Field::ContentType => text(&self.content_type),
            Field::Headers => self.headers.as_ref().map(Value::Headers),
            Field::Body => self.body.as_deref().map(|body| Value::Text(body.into())),
            Field::BodyBase64 => self.body_base64.as_ref().map(Value::Base64),
            Field::BodyFile => self.body_file.as_ref().map(|path| Value::Text(path.to_string_lossy())),
            Field::SizeDownload => self.size_download.map(Value::Int),
            Field::SizeDecoded => self.size_decoded.map(Value::Int),
            Field::Sha256 => text(&self.sha256),
            Field::TimeNamelookup => time(self.time_namelookup),
            Field::TimeConnect => time(self.time_connect),
            Field::TimeAppconnect => time(self.time_appconnect),
            Field::TimeStarttransfer => time(self.time_starttransfer),
            Field::TimeTotal => time(self.time_total),
            Field::TimeWait => time(self.time_wait),
            Field::Timestamp => self.timestamp.map(|time| Value::Text(timestamp::rfc3339(time).into())),
            Field::NumRedirects => Some(Value::Int(self.num_redirects.into())),
            Field::NumRetries => Some(Value::Int(self.num_retries.into())),
            Field::Hops => exchanges(&self.hops),
            Field::Attempts => exchanges(&self.attempts),
            Field::Error => self.error.as_ref().map(Value::Failure),
            Field::RetryStoppedBy => self.retry_stopped_by.map(|stop| Value::Text(stop.name().into())),
            Field::RetryAfter => time(self.retry_after),
            Field::Failed => Some(Value::Texts(&self.failed)).filter(|_| !self.failed.is_empty()),
            Field::Input => self.input.as_deref().map(Value::Object),
        }
    }
}

/// A path as text, whatever its bytes are: a record must never fail to be written for the name of a directory.
#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn lossy<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(std::path::Path::to_string_lossy).serialize(serializer)
}

/// Points in time as RFC 3339 in UTC with milliseconds.
mod timestamp {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn rfc3339(time: SystemTime) -> String {
        humantime::format_rfc3339_millis(time).to_string()
    }

    #[expect(clippy::ref_option, reason = "the form that serde calls")]
    pub(super) fn serialize<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(&humantime::format_rfc3339_millis(*time)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Record {
        let failure = Failure::new(FailureKind::ReadTimeout, "no byte for 20 s");
        let mut headers = http::HeaderMap::new();
        headers.append("x-a", http::HeaderValue::from_static("1"));
        let exchange = ExchangeRecord {
            method: "GET".into(),
            url: "http://a.example/".into(),
            status: Some(302),
            ..ExchangeRecord::default()
        };
        let second = Some(Duration::from_micros(1_234_567));
        Record {
            index: 7,
            line: Some(8),
            source: Some("list.txt".into()),
            id: Some(Box::new(serde_json::json!({"a": 1}))),
            method: "GET".into(),
            url: "http://a.example/".into(),
            line_base64: Some(Base64(bytes::Bytes::from_static(b"\xff"))),
            url_effective: Some("http://b.example/".into()),
            ok: false,
            verdict: Verdict::Failed,
            baseline: Some(Standing::Known),
            status: Some(200),
            http_version: Some("1.1".into()),
            remote_ip: Some([127, 0, 0, 1].into()),
            content_type: Some("text/plain".into()),
            headers: Some(Headers(headers)),
            body: Some("hello".into()),
            body_base64: Some(Base64(bytes::Bytes::from_static(b"\x00\x01"))),
            body_file: Some("out/x".into()),
            size_download: Some(3),
            size_decoded: Some(5),
            sha256: Some("00".into()),
            time_namelookup: second,
            time_connect: second,
            time_appconnect: second,
            time_starttransfer: second,
            time_total: second,
            time_wait: second,
            timestamp: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)),
            num_redirects: 1,
            num_retries: 1,
            hops: vec![exchange.clone()],
            attempts: vec![exchange],
            error: Some(failure),
            retry_stopped_by: Some(RetryStop::Attempts),
            retry_after: second,
            failed: vec!["status == 200 \u{2014} 503".into()],
            input: Some(Box::new(Map::from_iter([("k".to_owned(), serde_json::json!(1))]))),
        }
    }

    #[test]
    fn every_field_is_the_same_by_name_and_in_json() {
        for record in [full(), Record::default()] {
            let json = serde_json::to_value(&record).expect("a record is JSON");
            let by_name: Map<String, serde_json::Value> = Field::ALL
                .iter()
                .filter_map(|&field| Some((field.name().to_owned(), serde_json::to_value(record.get(field)?).ok()?)))
                .collect();
            assert_eq!(json, serde_json::Value::Object(by_name));
        }
    }

    #[test]
    fn a_record_survives_its_json() {
        let json = serde_json::to_string(&full()).expect("a record is JSON");
        assert_eq!(serde_json::from_str::<Record>(&json).expect("the same record"), full());
    }

    #[test]
    #[cfg(unix)]
    fn a_path_that_is_not_utf_8_does_not_keep_a_record_from_being_written() {
        use std::os::unix::ffi::OsStrExt as _;

        let path = std::ffi::OsStr::from_bytes(b"out/\xff").into();
        let json = serde_json::to_value(Record { body_file: Some(path), ..full() }).expect("a record is JSON");
        assert_eq!(json["body_file"], "out/\u{fffd}");
    }

    #[test]
    fn the_published_schema_is_the_schema_of_the_type() {
        crate::model::published::check::<Record>("record");
    }
}
