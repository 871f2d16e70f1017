//! Flags and process to [`Settings`]: the second step of parsing, in which everything is decided that is not the run itself.

mod at_file;
mod checks;
mod fetch;
mod output;
mod proxy;
mod request;
mod talk;
#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::sync::Arc;

use gather::engine::{FailureLimit, Limits, Plan, WindowLimits};
use gather::expect::Expectations;
use gather::input::{InputOptions, Source, Variables};
use gather::policy::{Policy, RedirectPolicy, RetryPolicy};

use super::args::Args;
use super::hosts::Hosts;
use super::layers::Parsed;
use super::process::Process;
use super::settings::{Rules, Settings};
use at_file::StandardInput;

/// Options that cannot be carried out; the message names the option and what would be right, and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(String);

/// Makes settings of all that is set and what the process finds.
pub(crate) fn resolve(parsed: &Parsed, process: &Process) -> Result<Settings, UsageError> {
    let args = &parsed.args;
    let sources = sources(&args.sources, process)?;
    let mut stdin = StandardInput::unless(sources.contains(&Source::Stdin));
    let request::Request { mut template, user_agent } = request::resolve(&args.request, &parsed.hosts, &mut stdin)?;
    template.expect = expectations(&args.results.expectations)?;
    let output = output::resolve(&args.results, args.talk.color, process)?;
    Ok(Settings {
        checks: checks::resolve(&args.checks, output.path.is_none(), &sources, process)?,
        sources,
        input: InputOptions {
            format: args.input_format.map(Into::into),
            url_column: args.url_column.clone(),
            template,
            variables: variables(process),
        },
        fetch: fetch::resolve(args, user_agent, &output, process)?,
        plan: plan(args, &parsed.hosts),
        rules: Rules {
            deadline: args.time.deadline,
            max_failures: max_failures(args),
            flaky: args.checks.flaky.into(),
            allow_empty: args.results.allow_empty,
        },
        dry_run: args.talk.dry_run,
        given: parsed.given.clone(),
        talk: talk::talk(args, process, output.path.is_none()),
        log: talk::log(&args.talk, process)?,
        output,
    })
}

/// What is expected of every line, by all that is given.
fn expectations(given: &[String]) -> Result<Option<Arc<Expectations>>, UsageError> {
    let mut all = Expectations::default();
    for text in given {
        let parsed = text.parse::<Expectations>();
        all.append(parsed.map_err(|error| UsageError(format!("--expect: {}", error.marked())))?);
    }
    Ok((!all.is_empty()).then(|| Arc::new(all)))
}

/// The environment, as far as it is text, for lists that name variables.
fn variables(process: &Process) -> Variables {
    let process = process.clone();
    Variables::new(move |name| process.variable_or_empty(name)?.to_str().map(str::to_owned))
}

fn sources(given: &[Source], process: &Process) -> Result<Vec<Source>, UsageError> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    if process.stdin_is_terminal {
        return Err(UsageError("no list of URLs: give a file, a URL, or a pipe on standard input".to_owned()));
    }
    Ok(vec![Source::Stdin])
}

/// How many failures stop the run.
fn max_failures(args: &Args) -> Option<NonZeroU64> {
    args.results.max_failures.or(args.results.fail_early.then_some(NonZeroU64::MIN))
}

fn plan(args: &Args, hosts: &Hosts) -> Plan {
    let defaults = Plan::default();
    Plan {
        limits: Limits {
            concurrency: args.fan_out.concurrency,
            max_per_host: args.fan_out.max_per_host.0,
            rate: args.fan_out.rate,
            rate_per_host: args.fan_out.rate_per_host,
            max_of_host: hosts.max_per_host(),
            rate_of_host: hosts.rate_per_host(),
            adaptive: !args.fan_out.no_adaptive,
            circuit_patience: args.time.retry_max_time,
        },
        policy: Policy {
            accept: args.results.accept.clone(),
            accept_of_host: hosts.accept(),
            max_time: args.time.max_time,
            redirects: RedirectPolicy { limit: args.request.max_redirs, trust_location: args.request.location_trusted },
            retries: RetryPolicy {
                attempts: args.retries.attempts,
                statuses: args.retries.retry_on.clone(),
                all_methods: args.retries.retry_all_methods,
                max_time: args.time.retry_max_time,
                max_retry_after: args.retries.max_retry_after,
                ..defaults.policy.retries
            },
        },
        order: args.fan_out.order.into(),
        window: WindowLimits { records: args.fan_out.window, memory: args.fan_out.memory, ..WindowLimits::default() },
        // Which failures an older run knows is found out only as the records are written, in the order of the input.
        failure_limit: max_failures(args)
            .filter(|_| args.checks.baseline.is_none())
            .map(|failures| FailureLimit { failures, flaky: args.checks.flaky.into() }),
        grace: args.time.grace,
        seed: args.fan_out.seed.unwrap_or(defaults.seed),
    }
}
