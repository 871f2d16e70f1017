//! Whether a response leads to another request, and which (RFC 9110, section 15.4; Fetch standard, HTTP-redirect fetch).

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, percent_encode};
use url::Url;

use super::JobState;
use crate::model::{Exchange, Failure, FailureKind, Origin, Request, redact, redacted};

/// How redirects are followed.
#[derive(Debug, Clone)]
pub struct RedirectPolicy {
    /// Most redirects in one attempt; 0: none is followed, `--max-redirs`.
    pub limit: u32,
    /// Whether credentials go along to other origins, `--location-trusted`.
    pub trust_location: bool,
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self { limit: 10, trust_location: false }
    }
}

/// What a response means for redirects.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is no redirect that we follow.
    None,
    /// It is one that cannot or must not be followed.
    Refuse(Failure),
    /// It leads to this request.
    Follow(Box<Request>),
}

impl RedirectPolicy {
    /// Decides on the latest exchange of `job`.
    pub(super) fn decide(&self, job: &JobState, exchange: &Exchange) -> Decision {
        let (Some(response), None) = (&exchange.response, &exchange.failure) else {
            return Decision::None;
        };
        let redirects = [301, 302, 303, 307, 308];
        if self.limit == 0 || !redirects.contains(&response.status.as_u16()) {
            return Decision::None;
        }
        let Some(location) = location(&response.headers, &job.request.url) else {
            return Decision::None;
        };
        match location.and_then(|url| self.follow(job, response.status, url)) {
            Ok(request) => Decision::Follow(Box::new(request)),
            Err(failure) => Decision::Refuse(failure),
        }
    }

    fn follow(&self, job: &JobState, status: StatusCode, url: Url) -> Result<Request, Failure> {
        let hops = job.history.as_ref().map_or(0, |history| history.hops.len());
        let refuse = |kind, message: String| Err(Failure::new(kind, message));
        if hops >= usize::try_from(self.limit).unwrap_or(usize::MAX) {
            return refuse(FailureKind::RedirectLimit, format!("more than {} redirects", self.limit));
        }
        let request = redirected(&job.request, status, url, self.trust_location)?;
        let mut before = job.followed().chain([(&job.request.method, &job.request.url)]);
        if before.any(|asked| asked == (&request.method, &request.url)) {
            return refuse(FailureKind::RedirectLoop, format!("redirected back to {}", redacted(&request.url)));
        }
        Ok(request)
    }
}

/// Where a redirect leads to; `None` if it has no Location, so that it is an ordinary response.
fn location(headers: &HeaderMap, base: &Url) -> Option<Result<Url, Failure>> {
    let mut values = headers.get_all(header::LOCATION).iter();
    let first = values.next()?;
    let invalid = |message: String| Some(Err(Failure::new(FailureKind::RedirectInvalidLocation, message)));
    if values.any(|other| other != first) {
        return invalid("the response has several Location fields that disagree".to_owned());
    }
    let text = location_text(first);
    if text.trim().is_empty() {
        return invalid("the Location is empty".to_owned());
    }
    match base.join(&text) {
        Err(error) => invalid(format!("the Location {:?} is not a URL: {error}", shortened(&redact(&text)))),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            let message = format!("the Location has the scheme `{}`; http and https are followed", url.scheme());
            Some(Err(Failure::new(FailureKind::RedirectScheme, message)))
        }
        Ok(mut url) => {
            // Credentials that a server chose are not the user's, so they are not sent.
            url.set_username("").and_then(|()| url.set_password(None)).expect("an http URL can lose userinfo");
            if url.fragment().is_none() {
                url.set_fragment(base.fragment());
            }
            Some(Ok(url))
        }
    }
}

/// The text of a Location. Bytes that are no UTF-8 are percent-encoded as they are, as curl and browsers do: read as ISO-8859-1
/// they would be encoded as other bytes, and name another resource.
fn location_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(percent_encode(value.as_bytes(), &AsciiSet::EMPTY).to_string()),
    }
}

/// The request that a redirect with `status` makes of `from`.
fn redirected(from: &Request, status: StatusCode, url: Url, trusted: bool) -> Result<Request, Failure> {
    let mut request = Request { url, ..from.clone() };
    if becomes_get(&from.method, status) {
        request.method = Method::GET;
        request.body = None;
        retain(&mut request.headers, |name| !describes_body(name));
    }
    if trusted || Origin::of(&request.url) == Origin::of(&from.url) {
        return Ok(request);
    }
    let keeps_body = request.body.is_some();
    retain(&mut request.headers, |name| crosses_origins(name) || (keeps_body && describes_body(name)));
    let is_downgrade = from.url.scheme() == "https" && request.url.scheme() == "http";
    if is_downgrade && from.headers.keys().any(|name| !crosses_origins(name) && !describes_body(name)) {
        let message = "a redirect from https to http of a request that carries header fields of yours";
        return Err(Failure::new(FailureKind::RedirectDowngrade, message));
    }
    Ok(request)
}

/// Whether the method changes to GET (Fetch standard, HTTP-redirect fetch, step 12).
fn becomes_get(method: &Method, status: StatusCode) -> bool {
    match status.as_u16() {
        301 | 302 => method == Method::POST,
        303 => method != Method::GET && method != Method::HEAD,
        _ => false,
    }
}

/// Whether a field belongs to the body (Fetch standard, request-body-header name).
fn describes_body(name: &HeaderName) -> bool {
    [
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_LOCATION,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
    ]
    .contains(name)
}

/// Whether a field that the user gave may go to another origin. All others may be credentials, whatever their name.
fn crosses_origins(name: &HeaderName) -> bool {
    let harmless = [
        header::USER_AGENT,
        header::RANGE,
        header::IF_RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
    ];
    name.as_str().starts_with("accept") || harmless.contains(name)
}

/// Keeps the fields that `keep` approves of, and copies the shared map only if one goes.
fn retain(headers: &mut Arc<HeaderMap>, keep: impl Fn(&HeaderName) -> bool) {
    if headers.keys().all(&keep) {
        return;
    }
    let kept = headers.iter().filter(|(name, _)| keep(name));
    *headers = Arc::new(kept.map(|(name, value)| (name.clone(), value.clone())).collect());
}

/// The first part of a text, for a message.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(100)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Job;

    /// A job that has just asked `method url`, with one field of each sort.
    fn job(method: &str, url: &str) -> JobState {
        let mut request = Request::new(url.parse().expect("a URL"));
        request.method = method.parse().expect("a method");
        request.body = (method == "POST").then(|| bytes::Bytes::from_static(b"x=1"));
        let fields = [
            ("authorization", "canary"),
            ("cookie", "canary"),
            ("x-api-key", "canary"),
            ("accept", "text/html"),
            ("content-type", "text/plain"),
        ];
        request.headers = Arc::new(
            fields.map(|(k, v)| (k.parse().expect("a name"), v.parse().expect("a value"))).into_iter().collect(),
        );
        JobState::new(0, Job::new(request), std::time::Instant::now()).expect("a good line")
    }

    fn answer(status: u16, locations: &[&str]) -> Exchange {
        let mut headers = HeaderMap::new();
        for location in locations {
            let value = HeaderValue::from_bytes(location.as_bytes()).expect("a legal value");
            headers.append(header::LOCATION, value);
        }
        Exchange::answered(status, headers)
    }

    fn decide(job: &JobState, exchange: &Exchange) -> Decision {
        RedirectPolicy::default().decide(job, exchange)
    }

    fn followed(job: &JobState, exchange: &Exchange) -> Request {
        match decide(job, exchange) {
            Decision::Follow(request) => *request,
            other => panic!("not followed: {other:?}"),
        }
    }

    fn refused(job: &JobState, exchange: &Exchange) -> FailureKind {
        match decide(job, exchange) {
            Decision::Refuse(failure) => failure.kind,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn names(request: &Request) -> Vec<&str> {
        let mut names: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn method_and_body_change_as_the_fetch_standard_says() {
        let table = [
            ("GET", 301, "GET"),
            ("GET", 303, "GET"),
            ("HEAD", 303, "HEAD"),
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("POST", 303, "GET"),
            ("PUT", 302, "PUT"),
            ("PUT", 303, "GET"),
            ("POST", 307, "POST"),
            ("POST", 308, "POST"),
        ];
        for (method, status, expected) in table {
            let request = followed(&job(method, "http://a.example/"), &answer(status, &["/next"]));
            assert_eq!(request.method, expected, "{method} {status}");
            let has_body = request.body.is_some();
            assert_eq!(has_body, method == "POST" && expected == "POST", "body of {method} {status}");
            assert_eq!(names(&request).contains(&"content-type"), method == expected, "{method} {status}");
        }
    }

    #[test]
    fn only_harmless_fields_go_to_another_host_port_or_scheme() {
        let elsewhere = ["http://b.example/", "http://a.example:81/", "https://a.example/"];
        for target in elsewhere {
            for status in [301, 302, 303, 307, 308] {
                let request = followed(&job("GET", "http://a.example/"), &answer(status, &[target]));
                assert_eq!(names(&request), ["accept"], "{status} to {target}");
            }
        }
        let same = followed(&job("GET", "http://a.example/"), &answer(302, &["http://a.example:80/x"]));
        assert_eq!(names(&same).len(), 5);
    }

    #[test]
    fn a_body_that_goes_along_keeps_its_type() {
        let request = followed(&job("POST", "http://a.example/"), &answer(307, &["http://b.example/"]));
        assert_eq!(names(&request), ["accept", "content-type"]);
    }

    #[test]
    fn a_trusted_location_gets_everything() {
        let policy = RedirectPolicy { trust_location: true, ..RedirectPolicy::default() };
        match policy.decide(&job("GET", "https://a.example/"), &answer(302, &["http://b.example/"])) {
            Decision::Follow(request) => assert_eq!(names(&request).len(), 5),
            other => panic!("not followed: {other:?}"),
        }
    }

    #[test]
    fn a_credential_is_not_taken_from_https_to_http() {
        let exchange = answer(302, &["http://a.example/"]);
        assert_eq!(refused(&job("GET", "https://a.example/"), &exchange), FailureKind::RedirectDowngrade);
        let mut without = job("GET", "https://a.example/");
        without.request.headers = Arc::default();
        assert_eq!(followed(&without, &exchange).url.as_str(), "http://a.example/");
    }

    #[test]
    fn the_location_is_resolved_against_the_request() {
        let table = [
            ("/x", "http://a.example/x"),
            ("x?y", "http://a.example/d/x?y"),
            ("../x", "http://a.example/x"),
            ("?q", "http://a.example/d/e?q"),
            ("//b.example/x", "http://b.example/x"),
            ("/with space", "http://a.example/with%20space"),
            ("/grüße", "http://a.example/gr%C3%BC%C3%9Fe"),
            ("http://user:pw@b.example/", "http://b.example/"),
            ("#part", "http://a.example/d/e#part"),
        ];
        for (location, expected) in table {
            let job = job("GET", "http://a.example/d/e");
            match decide(&job, &answer(302, &[location])) {
                Decision::Follow(request) => assert_eq!(request.url.as_str(), expected, "{location}"),
                other => panic!("{location}: {other:?}"),
            }
        }
    }

    #[test]
    fn bytes_of_a_location_that_are_no_utf_8_are_asked_for_as_they_are() {
        let mut exchange = answer(302, &[]);
        let location = HeaderValue::from_bytes(b"/caf\xe9?\xff=%20").expect("a legal value");
        exchange.response.as_mut().expect("it answers").headers.insert(header::LOCATION, location);
        let request = followed(&job("GET", "http://a.example/"), &exchange);
        assert_eq!(request.url.as_str(), "http://a.example/caf%E9?%FF=%20");
    }

    #[test]
    fn a_location_that_leads_nowhere_is_refused_by_name() {
        let table = [
            (vec!["http://[::1/"], FailureKind::RedirectInvalidLocation),
            (vec![""], FailureKind::RedirectInvalidLocation),
            (vec!["/a", "/b"], FailureKind::RedirectInvalidLocation),
            (vec!["file:///etc/passwd"], FailureKind::RedirectScheme),
            (vec!["ftp://a.example/"], FailureKind::RedirectScheme),
            (vec!["data:,x"], FailureKind::RedirectScheme),
            (vec!["/"], FailureKind::RedirectLoop),
        ];
        for (locations, kind) in table {
            assert_eq!(refused(&job("GET", "http://a.example/"), &answer(302, &locations)), kind, "{locations:?}");
        }
    }

    #[test]
    fn secrets_are_compared_whole_and_shown_covered() {
        let url = |token: &str| format!("http://a.example/?token={token}");
        let mut job = job("GET", &url("canary"));
        let exchange = answer(302, &[&url("other")]);
        let next = followed(&job, &exchange);
        let now = std::time::Instant::now();
        job.hop(next, &exchange, now, now);
        for (location, kind) in [
            (url("canary"), FailureKind::RedirectLoop),
            ("http://u:canary@[::1".to_owned(), FailureKind::RedirectInvalidLocation),
        ] {
            match decide(&job, &answer(302, &[&location])) {
                Decision::Refuse(failure) => {
                    assert_eq!(failure.kind, kind);
                    assert!(failure.message.contains("***") && !failure.message.contains("canary"), "{failure}");
                }
                other => panic!("not refused: {other:?}"),
            }
        }
    }

    #[test]
    fn a_redirect_without_a_location_is_an_ordinary_response() {
        assert!(matches!(decide(&job("GET", "http://a.example/"), &answer(302, &[])), Decision::None));
        assert!(matches!(decide(&job("GET", "http://a.example/"), &answer(304, &["/x"])), Decision::None));
    }

    #[test]
    fn loops_and_the_limit_end_the_chain() {
        let mut job = job("GET", "http://a.example/0");
        for location in ["/1", "/2"] {
            let next = followed(&job, &answer(302, &[location]));
            let now = std::time::Instant::now();
            job.hop(next, &answer(302, &[location]), now, now);
        }
        assert_eq!(refused(&job, &answer(302, &["/0"])), FailureKind::RedirectLoop);
        followed(&job, &answer(302, &["/3"]));
        let policy = RedirectPolicy { limit: 2, ..RedirectPolicy::default() };
        match policy.decide(&job, &answer(302, &["/3"])) {
            Decision::Refuse(failure) => assert_eq!(failure.kind, FailureKind::RedirectLimit),
            other => panic!("not refused: {other:?}"),
        }
    }
}
