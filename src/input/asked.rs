//! What one line asks for, and how the template fills it up to a job.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::options::{InputOptions, Template};
use super::shown::{kept, quoted};
use super::url::parse_url;
use super::variables::Variables;
use crate::expect::{Expectations, ParseExpectationError};
use crate::model::{BadLine, Failure, FailureKind, Job, Judge, Overrides, PerHost, Request, redact};

/// Most different texts of expectations that are remembered.
const MOST_KNOWN: usize = 1024;

/// What one line asks for; what it leaves open comes from the template.
#[derive(Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) url: Cow<'a, str>,
    pub(super) method: Option<Method>,
    /// Each name with all its values; they replace those of the template.
    pub(super) headers: Vec<(HeaderName, Vec<HeaderValue>)>,
    pub(super) body: Option<Bytes>,
    /// Whether the body is JSON and wants a Content-Type that says so.
    pub(super) is_json: bool,
    pub(super) overrides: Option<Box<Overrides>>,
    /// What is expected of this line, beside what is of all.
    pub(super) expect: Option<Arc<Expectations>>,
}

/// The template, and what many lines share.
pub(super) struct Defaults<'a> {
    template: &'a Template,
    headers: SharedHeaders,
    /// Where a host has fields of its own.
    host_headers: PerHost<SharedHeaders>,
    variables: Variables,
    url_column: &'a str,
    /// What a person must put right of the line that was last looked at, with the place marked where there is one.
    fault: Cell<Option<String>>,
    /// Expectations of lines by their text, together with those of the template.
    expectations: RefCell<HashMap<Box<str>, Arc<Expectations>>>,
}

/// The header fields of lines that add none, so that a million lines share one map.
#[derive(Debug)]
struct SharedHeaders {
    plain: Arc<HeaderMap>,
    /// The same and a Content-Type for JSON.
    json: OnceCell<Arc<HeaderMap>>,
}

impl<'a> Defaults<'a> {
    pub(super) fn new(options: &'a InputOptions) -> Self {
        let (variables, url_column) = (options.variables.clone(), options.url_column());
        Self { variables, url_column, ..Self::of(&options.template) }
    }

    pub(super) fn of(template: &'a Template) -> Self {
        let host_headers = template.host_headers.map(|own| {
            let mut headers = HeaderMap::clone(&template.headers);
            let names = own.keys().map(|name| (name.clone(), own.get_all(name).iter().cloned().collect()));
            replace(&mut headers, names.collect());
            SharedHeaders::new(Arc::new(headers))
        });
        let (variables, fault) = (Variables::default(), Cell::default());
        Self {
            template,
            headers: SharedHeaders::new(Arc::clone(&template.headers)),
            host_headers,
            variables,
            url_column: "url",
            fault,
            expectations: RefCell::default(),
        }
    }

    /// The column of a table that has the URLs.
    pub(super) fn url_column(&self) -> &str {
        self.url_column
    }

    /// What a person must put right of the line that was last looked at.
    pub(super) fn take_fault(&self) -> Option<String> {
        self.fault.take()
    }

    /// `text` with what its variables stand for, each made to fit in by `write`.
    pub(super) fn fill<'t>(
        &self,
        what: &str,
        text: &'t str,
        write: impl Fn(String) -> String,
    ) -> Result<Cow<'t, str>, Failure> {
        let filled = self.variables.fill(what, text, write);
        filled.inspect_err(|failure| self.find(failure.message.clone()))
    }

    /// What is expected of a line: of all lines, and `text`, of this one.
    pub(super) fn expectations(&self, text: &str) -> Result<Arc<Expectations>, Failure> {
        self.parse_expectations(text).map_err(|error| {
            self.find(error.marked());
            malformed(error.to_string())
        })
    }

    /// The job that `asked` becomes; it has no place, id or carried fields yet.
    pub(super) fn job(&self, asked: Asked) -> Job {
        match parse_url(&asked.url, self.template.base_url.as_ref()) {
            Ok(url) => self.fill_up(asked, url),
            Err(failure) => bad(kept(&asked.url), failure),
        }
    }

    fn fill_up(&self, asked: Asked, url: Url) -> Job {
        let body = asked.body.or_else(|| self.template.body.clone());
        let default_method = if body.is_some() { Method::POST } else { Method::GET };
        let method = asked.method.or_else(|| self.template.method.clone()).unwrap_or(default_method);
        let shared = self.host_headers.of_url(&url).unwrap_or(&self.headers);
        let mut headers = Arc::clone(if asked.is_json { shared.json() } else { &shared.plain });
        if !asked.headers.is_empty() {
            replace(Arc::make_mut(&mut headers), asked.headers);
        }
        let mut request = Request { method, url, headers, body, overrides: asked.overrides, expect: None };
        let expect = asked.expect.as_ref().or(self.template.expect.as_ref());
        request.expect = expect.map(|expect| Arc::clone(expect) as Arc<dyn Judge>);
        request.take_userinfo();
        let has_another_form = asked.url != request.url.as_str();
        Job { asked: has_another_form.then(|| redact(&asked.url).into()), ..Job::new(request) }
    }

    /// Notes what is wrong. What was found first is told.
    fn find(&self, fault: String) {
        self.fault.set(self.fault.take().or(Some(fault)));
    }

    /// A million lines with the same text share what it means.
    fn parse_expectations(&self, text: &str) -> Result<Arc<Expectations>, ParseExpectationError> {
        let mut known = self.expectations.borrow_mut();
        if let Some(expect) = known.get(text) {
            return Ok(Arc::clone(expect));
        }
        let own: Expectations = text.parse()?;
        let expect = Arc::new(match &self.template.expect {
            Some(of_all) => of_all.and(&own),
            None => own,
        });
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(text.into(), Arc::clone(&expect));
        Ok(expect)
    }
}

impl SharedHeaders {
    fn new(plain: Arc<HeaderMap>) -> Self {
        Self { plain, json: OnceCell::new() }
    }

    fn json(&self) -> &Arc<HeaderMap> {
        self.json.get_or_init(|| {
            let mut headers = Arc::clone(&self.plain);
            if !headers.contains_key(CONTENT_TYPE) {
                Arc::make_mut(&mut headers).insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            headers
        })
    }
}

/// What is wrong with a line that is not what its format promises.
pub(super) fn malformed(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::InputMalformed, message)
}

impl Template {
    /// The job that a URL becomes which is not from a file: one of the command line's arguments, or a library user's.
    ///
    /// A bad URL becomes a job too, whose record says what is wrong with it.
    pub fn job(&self, url: &str) -> Job {
        Defaults::of(self).job(Asked { url: url.into(), ..Asked::default() })
    }
}

/// A job whose line is no request.
pub(super) fn bad(text: String, failure: Failure) -> Job {
    Job {
        place: None,
        id: None,
        input: None,
        asked: None,
        request: Err(Box::new(BadLine { text, raw: None, failure })),
    }
}

/// The method that `text` names. Those that everybody knows may be written in any case, as in the Fetch standard; others are
/// sent as they are (RFC 9110, section 9.1: methods are case-sensitive).
pub(super) fn parse_method(text: &str) -> Result<Method, Failure> {
    let refused = |why: &str| Failure::new(FailureKind::InputMalformed, format!("the method {} {why}", quoted(text)));
    match known_method(text).map_or_else(|| Method::from_bytes(text.as_bytes()), Ok) {
        Ok(Method::CONNECT) => Err(refused("asks for a tunnel and not for a resource")),
        Ok(method) => Ok(method),
        Err(_) => Err(refused("is not a word of letters, digits and hyphens, such as `GET`")),
    }
}

/// The well-known method of that name, whatever the case of its letters.
pub(super) fn known_method(text: &str) -> Option<Method> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text))
}

/// Replaces fields of the same name; a name without values only removes.
fn replace(headers: &mut HeaderMap, own: Vec<(HeaderName, Vec<HeaderValue>)>) {
    for (name, _) in &own {
        headers.remove(name);
    }
    for (name, values) in own {
        for value in values {
            headers.append(&name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(headers: &[(&'static str, &'static str)]) -> Template {
        let headers =
            headers.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Template { headers: Arc::new(headers.collect()), ..Template::default() }
    }

    fn asked(url: &str) -> Asked<'_> {
        Asked { url: url.into(), ..Asked::default() }
    }

    fn request(template: &Template, asked: Asked) -> Request {
        Defaults::of(template).job(asked).request.expect("a request")
    }

    #[test]
    fn the_method_is_the_lines_then_the_templates_then_post_with_a_body_and_get_without() {
        let body = Some(Bytes::from_static(b"x"));
        for (own, template_method, body, method) in [
            (None, None, None, Method::GET),
            (None, None, body.clone(), Method::POST),
            (None, Some(Method::PUT), body.clone(), Method::PUT),
            (Some(Method::GET), Some(Method::PUT), body.clone(), Method::GET),
        ] {
            let template = Template { method: template_method, body: body.clone(), ..Template::default() };
            assert_eq!(request(&template, Asked { method: own.clone(), ..asked("http://h") }).method, method);
            let template = Template { body: None, ..template };
            assert_eq!(request(&template, Asked { method: own, body, ..asked("http://h") }).method, method);
        }
    }

    #[test]
    fn lines_without_headers_of_their_own_share_the_templates() {
        let template = template(&[("x-a", "1")]);
        let defaults = Defaults::of(&template);
        let headers = |asked| defaults.job(asked).request.expect("a request").headers;
        assert!(Arc::ptr_eq(&headers(asked("http://h")), &template.headers));
        let json = || headers(Asked { is_json: true, ..asked("http://h") });
        assert!(Arc::ptr_eq(&json(), &json()));
        assert_eq!(json()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn a_field_of_the_line_replaces_the_templates_of_the_same_name() {
        let own = |name, values: &[&'static str]| {
            (HeaderName::from_static(name), values.iter().map(|value| HeaderValue::from_static(value)).collect())
        };
        let template = template(&[("x-a", "1"), ("x-a", "2"), ("x-b", "3"), ("x-c", "4")]);
        let headers = vec![own("x-a", &["5", "6"]), own("x-c", &[])];
        let request = request(&template, Asked { headers, ..asked("http://h") });
        assert_eq!(request.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["5", "6"]);
        assert_eq!(request.headers["x-b"], "3");
        assert_eq!(request.headers.get("x-c"), None);
    }

    #[test]
    fn a_host_has_its_own_fields_and_shares_them_between_its_lines() {
        let own = template(&[("x-a", "own"), ("x-key", "k")]).headers;
        let host_headers = [("api.example".parse().expect("a host"), HeaderMap::clone(&own))].into_iter().collect();
        let base_url = Some("http://api.example/v1/".parse().expect("a URL"));
        let template = Template { host_headers, base_url, ..template(&[("x-a", "1"), ("x-a", "2"), ("x-b", "3")]) };
        let defaults = Defaults::of(&template);
        let headers = |asked| defaults.job(asked).request.expect("a request").headers;
        let of_host = headers(asked("https://api.example/x"));
        assert_eq!(of_host.get_all("x-a").iter().collect::<Vec<_>>(), ["own"]);
        assert_eq!(
            (&of_host["x-b"], &of_host["x-key"]),
            (&HeaderValue::from_static("3"), &HeaderValue::from_static("k"))
        );
        assert!(Arc::ptr_eq(&of_host, &headers(asked("users"))));
        let json = || headers(Asked { is_json: true, ..asked("users") });
        assert!(Arc::ptr_eq(&json(), &json()) && json()["x-key"] == "k" && json().contains_key(CONTENT_TYPE));
        assert!(Arc::ptr_eq(&headers(asked("http://other.example/")), &template.headers));
    }

    #[test]
    fn json_keeps_a_content_type_that_was_given() {
        let template = template(&[("content-type", "application/ld+json")]);
        let request = request(&template, Asked { is_json: true, ..asked("http://h") });
        assert_eq!(request.headers[CONTENT_TYPE], "application/ld+json");
    }

    #[test]
    fn the_url_as_asked_is_kept_redacted_where_the_request_has_another_form() {
        let base_url = Some("https://api.example.com/v1/".parse().expect("a URL"));
        let template = Template { base_url, ..Template::default() };
        for (url, kept) in [
            ("http://h/x", None),
            ("http://h", Some("http://h")),
            ("HTTP://H/x", Some("HTTP://H/x")),
            ("http://u:canary@h/x", Some("http://***@h/x")),
            ("users", Some("users")),
        ] {
            assert_eq!(template.job(url).asked.as_deref(), kept, "of {url}");
        }
    }

    #[test]
    fn userinfo_becomes_credentials_of_this_line_alone() {
        let template = template(&[("x-a", "1")]);
        let request = template.job("http://u:p@h/x").request.expect("a request");
        assert_eq!(request.url.as_str(), "http://h/x");
        assert_eq!(request.headers["authorization"], "Basic dTpw");
        assert_eq!(template.headers.get("authorization"), None);
    }

    #[test]
    fn a_bad_url_is_a_job_whose_record_shows_it_without_secrets() {
        let bad = Template::default().job("http://u:canary@h:0/").request.expect_err("port 0");
        assert_eq!((bad.failure.kind, bad.text.as_str()), (FailureKind::UrlInvalidPort, "http://***@h:0/"));
    }

    #[test]
    fn well_known_methods_may_be_in_lower_case_and_unknown_ones_are_sent_as_they_are() {
        for (text, method) in [("get", "GET"), ("Patch", "PATCH"), ("PURGE", "PURGE"), ("M-SEARCH", "M-SEARCH")] {
            assert_eq!(parse_method(text).expect(text).as_str(), method);
        }
        for text in ["", "GE T", "GET/", "CONNECT", "connect", "GÉT"] {
            assert_eq!(parse_method(text).expect_err(text).kind, FailureKind::InputMalformed);
        }
    }
}
