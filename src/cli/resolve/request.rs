//! What every line asks for unless it says otherwise: method, headers, body, credentials.
//!
//! Values may be secrets, so messages name an option and what is wrong, and never repeat the value.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gather::fetch::FetchOptions;
use gather::input::Template;
use gather::model::{PerHost, Secret, redact};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::UsageError;
use super::at_file::{self, StandardInput};
use crate::cli::args;
use crate::cli::hosts::Hosts;

/// Headers that can be replaced but not left out.
const ALWAYS_SENT: [HeaderName; 3] = [header::ACCEPT, header::ACCEPT_ENCODING, header::HOST];

/// What every line asks for unless it says otherwise.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) template: Template,
    /// Empty: none is sent.
    pub(super) user_agent: String,
}

pub(super) fn resolve(args: &args::Request, hosts: &Hosts, stdin: &mut StandardInput) -> Result<Request, UsageError> {
    let mut given = GivenHeaders::read(&args.headers, stdin)?;
    let host_headers = host_headers(args, hosts, &given, stdin)?;
    let body = body(args, &mut given, stdin)?;
    if let Some(authorization) = authorization(args, stdin)? {
        if given.fields.contains_key(header::AUTHORIZATION) {
            let option = if args.user.is_some() { "--user" } else { "--oauth2-bearer" };
            return Err(UsageError(format!("--header Authorization and {option} cannot be used together")));
        }
        given.fields.insert(header::AUTHORIZATION, authorization);
    }
    let template = Template {
        method: args.method.clone(),
        headers: Arc::new(given.fields),
        host_headers,
        body,
        base_url: args.base_url.as_ref().map(|url| base_url(url.expose())).transpose()?,
        expect: None,
    };
    let user_agent = match &args.user_agent {
        _ if given.taken_back.contains(&header::USER_AGENT) => String::new(),
        Some(text) if HeaderValue::from_str(text).is_err() => {
            return Err(UsageError("--user-agent has a character that a header value cannot have".to_owned()));
        }
        Some(text) => text.clone(),
        None => FetchOptions::default().user_agent,
    };
    Ok(Request { template, user_agent })
}

/// The headers of each host that has its own, without those that a layer above the file says for all hosts.
fn host_headers(
    args: &args::Request,
    hosts: &Hosts,
    given: &GivenHeaders,
    stdin: &mut StandardInput,
) -> Result<PerHost<HeaderMap>, UsageError> {
    let mut taken = Vec::new();
    if hosts.is_set_above("headers") {
        taken.extend(given.fields.keys().chain(&given.taken_back).cloned());
    }
    let credentials = [("user", args.user.is_some()), ("oauth2_bearer", args.oauth2_bearer.is_some())];
    if credentials.iter().any(|&(id, is_set)| is_set && hosts.is_set_above(id)) {
        taken.push(header::AUTHORIZATION);
    }
    let mut of_hosts = Vec::new();
    for (host, values) in hosts.headers() {
        let mut own = GivenHeaders::read(values, stdin)
            .map_err(|UsageError(why)| UsageError(format!("in the table of the host {host}: {why}")))?;
        if let Some(name) = own.taken_back.first() {
            let message =
                format!("in the table of the host {host}: the header {name} has no value, and cannot be taken back");
            return Err(UsageError(message));
        }
        for name in &taken {
            own.fields.remove(name);
        }
        of_hosts.push((host.clone(), own.fields));
    }
    Ok(of_hosts.into_iter().collect())
}

/// The headers that the user gave, and those that he does not want to be sent by default.
#[derive(Debug, Default)]
struct GivenHeaders {
    fields: HeaderMap,
    taken_back: Vec<HeaderName>,
}

impl GivenHeaders {
    fn read(values: &[Secret<String>], stdin: &mut StandardInput) -> Result<Self, UsageError> {
        let mut given = Self::default();
        for value in values.iter().map(Secret::expose) {
            match at_file::read_text("--header", value, stdin)? {
                None => given.add(value)?,
                Some(text) => {
                    text.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| given.add(line))?;
                }
            }
        }
        Ok(given)
    }

    /// Takes one header in one of curl's three forms.
    fn add(&mut self, text: &str) -> Result<(), UsageError> {
        let wrong = || {
            let forms = "`Name: value`, `Name;` for one without a value, or `Name:` to take back a default";
            UsageError(format!("a value of --header is not a header; it is written {forms}"))
        };
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim()).filter(|value| !value.is_empty())),
            None => (text.trim_end().strip_suffix(';').ok_or_else(wrong)?, Some("")),
        };
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(&name) {
            return Err(UsageError(format!("--header cannot set {name}: it follows from the body")));
        }
        let Some(value) = value else {
            if ALWAYS_SENT.contains(&name) {
                return Err(UsageError(format!("--header cannot take {name} back: it is always sent")));
            }
            self.taken_back.push(name);
            return Ok(());
        };
        let value = HeaderValue::from_str(value);
        let mut value =
            value.map_err(|_| UsageError(format!("--header {name} has a character that no value can have")))?;
        value.set_sensitive(may_be_secret(&name));
        self.fields.append(name, value);
        Ok(())
    }

    /// Adds a header that goes with the body, unless the user has his own or wants none.
    fn add_default(&mut self, name: HeaderName, value: &'static str) {
        if !self.fields.contains_key(&name) && !self.taken_back.contains(&name) {
            self.fields.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Whether a header may hold a secret, whatever its name, so that its value must not be logged or indexed (RFC 7541, 7.1.3).
fn may_be_secret(name: &HeaderName) -> bool {
    let plain = ["accept", "content-", "if-", "range", "user-agent", "cache-control"];
    !plain.iter().any(|start| name.as_str().starts_with(start))
}

fn body(
    args: &args::Request,
    given: &mut GivenHeaders,
    stdin: &mut StandardInput,
) -> Result<Option<Bytes>, UsageError> {
    if !args.json.is_empty() {
        given.add_default(header::CONTENT_TYPE, "application/json");
        given.add_default(header::ACCEPT, "application/json");
        let mut body = Vec::new();
        for value in args.json.iter().map(Secret::expose) {
            body.extend(at_file::read("--json", value, stdin)?.unwrap_or_else(|| value.clone().into()));
        }
        return Ok(Some(body.into()));
    }
    if args.data.is_empty() {
        return Ok(None);
    }
    given.add_default(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut parts = Vec::new();
    for value in args.data.iter().map(Secret::expose) {
        parts.push(match at_file::read("--data", value, stdin)? {
            None => value.clone().into(),
            Some(mut bytes) => {
                bytes.retain(|byte| !b"\r\n\0".contains(byte));
                bytes
            }
        });
    }
    Ok(Some(parts.join(&b'&').into()))
}

fn authorization(args: &args::Request, stdin: &mut StandardInput) -> Result<Option<HeaderValue>, UsageError> {
    let text = if let Some(user) = &args.user {
        let pair = at_file::read_secret("--user", user.expose(), stdin)?;
        if !pair.contains(':') {
            return Err(UsageError(
                "--user has no password: it is written `user:password`, or `user:` for none".into(),
            ));
        }
        format!("Basic {}", STANDARD.encode(pair))
    } else if let Some(token) = &args.oauth2_bearer {
        let token = at_file::read_secret("--oauth2-bearer", token.expose(), stdin)?;
        if token.trim().is_empty() {
            return Err(UsageError("--oauth2-bearer is empty: a token is needed".to_owned()));
        }
        format!("Bearer {}", token.trim())
    } else {
        return Ok(None);
    };
    let wrong = |_| UsageError("--oauth2-bearer has a character that a header value cannot have".to_owned());
    let mut value = HeaderValue::from_str(&text).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn base_url(text: &str) -> Result<Url, UsageError> {
    let wrong = |why: String| {
        let shown = redact(text);
        UsageError(format!("--base-url: {shown:?} {why}; it is written `https://api.example.com/v1/`"))
    };
    let url = Url::parse(text).map_err(|error| wrong(format!("is not a URL ({error})")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(format!("has the scheme `{other}`, not http or https"))),
    }
}
