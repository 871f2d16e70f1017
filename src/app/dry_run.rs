//! `--dry-run`: the requests that would be sent first, one a line, with secrets covered, and the
//! options that are set. Redirects and retries are not known.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::stop::Stop;
use super::{NO_URL, Outcome, fail};
use crate::cli::{GivenOption, Rules};
use futures::{FutureExt as _, StreamExt as _};
use gather::input::{Input, Jobs};
use gather::model::{COVER, Headers, Job, Request, redact_each, redacted};
use gather::report::{Screen, escape};

/// The widest option that the others are aligned with.
const MOST_ALIGNED: usize = 50;

/// Prints the requests to standard output, in the order of the input.
pub(super) async fn run(input: Input, rules: &Rules, stop: &Stop, screen: &Screen) -> Outcome {
    let (jobs, status) = input.into_stream();
    let has_bad_line = match print(jobs, stop).await {
        Ok(has_bad_line) => has_bad_line,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Outcome::AllOk,
        Err(error) => return fail(screen, Outcome::Broken, &format!("standard output: cannot be written to: {error}")),
    };
    match (stop.reason(), status.error()) {
        (Some(reason), _) => reason.outcome(),
        (None, Some(error)) => fail(screen, Outcome::Unusable, &error.to_string()),
        (None, None) if status.jobs() == 0 && !rules.allow_empty => fail(screen, Outcome::Empty, NO_URL),
        (None, None) if has_bad_line => Outcome::SomeFailed,
        (None, None) => Outcome::AllOk,
    }
}

/// Says on standard error which options are set, and where.
pub(super) fn show_options(given: &[GivenOption], screen: &Screen) {
    let width = given.iter().map(|given| given.option.chars().count()).max().unwrap_or_default().min(MOST_ALIGNED);
    for GivenOption { option, place } in given {
        screen.say(&escape(&format!("{option:width$}  set {place}")));
    }
}

/// Prints every job until the run is to stop; tells whether a line was no request.
async fn print(mut jobs: Jobs, stop: &Stop) -> io::Result<bool> {
    let mut out = io::BufWriter::new(io::stdout());
    let mut has_bad_line = false;
    loop {
        let mut next = std::pin::pin!(stop.gently.run_until_cancelled(jobs.next()));
        let job = if let Some(job) = next.as_mut().now_or_never() {
            job
        } else {
            out.flush()?;
            next.await
        };
        let Some(job) = job.flatten() else { break };
        has_bad_line |= job.request.is_err();
        writeln!(out, "{}", line(&job))?;
    }
    out.flush()?;
    Ok(has_bad_line)
}

/// One request, or what is wrong with its line.
fn line(job: &Job) -> String {
    let text = match &job.request {
        Ok(request) => described(request),
        Err(bad) => format!("{}: {} ({})", bad.failure.kind, bad.failure.message, bad.text),
    };
    escape(&text).into_owned()
}

fn described(request: &Request) -> String {
    let mut text = format!("{} {}", request.method, redacted(&request.url));
    let mut separator = "  ";
    for (name, value) in request.headers.iter() {
        let value = if value.is_sensitive() { COVER.into() } else { Headers::text(value) };
        write!(text, "{separator}{name}: {value}").expect("a string takes every write");
        separator = ", ";
    }
    if let Some(body) = &request.body {
        let unit = if body.len() == 1 { "byte" } else { "bytes" };
        write!(text, "{separator}body: {} {unit}", body.len()).expect("a string takes every write");
        separator = ", ";
    }
    if let Some(expect) = &request.expect {
        write!(text, "{separator}expect: {}", redact_each(&expect.to_string())).expect("a string takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    #[test]
    fn a_request_is_one_line_without_secrets() {
        let mut request = Request::new("http://user:canary@h.example/a?b=c".parse().expect("a URL"));
        let headers = Arc::make_mut(&mut request.headers);
        let mut secret = HeaderValue::from_static("canary");
        secret.set_sensitive(true);
        headers.insert("x-api-key", secret);
        headers.insert("accept", HeaderValue::from_static("text/html"));
        request.method = Method::POST;
        request.body = Some(bytes::Bytes::from_static(b"canary"));
        let expect: gather::expect::Expectations = "status == 200; time < 1s".parse().expect("expectations");
        request.expect = Some(Arc::new(expect));
        assert_eq!(
            line(&Job::new(request)),
            "POST http://h.example/a?b=c  authorization: ***, x-api-key: ***, accept: text/html, body: 6 bytes, \
             expect: status == 200; time < 1s"
        );
    }

    #[test]
    fn a_request_without_headers_is_method_and_url() {
        let mut request = Request::new("http://h.example/".parse().expect("a URL"));
        request.headers = Arc::new(HeaderMap::new());
        assert_eq!(line(&Job::new(request)), "GET http://h.example/");
    }
}
