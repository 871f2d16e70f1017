//! One run of the program: opens what it needs, gathers, sums up, and says how it ended.

mod dry_run;
mod fault;
mod gathering;
mod limits;
mod outputs;
mod reader;
mod stop;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use gather::baseline::Baseline;
use gather::engine;
use gather::fetch::HttpTransport;
use gather::input::{Input, InputError, Source, open_unpacked};
use gather::model::FlakyRule;
use gather::report::{Screen, escape};
use tracing::warn;

use crate::cli::Settings;
pub(crate) use fault::hide_panic_messages;
use gathering::Gathering;
use outputs::Outputs;
use stop::{Reason, Signals, Stop};

/// What is said where no line of the input was a URL or should have been one.
const NO_URL: &str = "the input has no URL; --allow-empty makes that no error";

/// What is said where this program is to blame.
const FAULT: &str =
    "a fault in this program: please report it, with the records that have `internal_error` if there are any";

/// How a run ended; each way has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every line is ok, or known not to be. Also when the reader of the output went away: he has what he wanted, and how far the run had come by
    /// then is a matter of luck.
    AllOk,
    /// At least one line is not ok.
    SomeFailed,
    /// The options cannot be carried out, or the input cannot be read.
    Unusable,
    /// Results could not be written, or this program has a fault.
    Broken,
    /// The input had no URL.
    Empty,
    /// A rule of the user's stopped the run: a deadline, or failures.
    StoppedEarly,
    /// A signal stopped the run.
    Interrupted(Signal),
}

impl Outcome {
    /// The exit code of the program.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::AllOk => 0,
            Self::SomeFailed => 1,
            Self::Unusable => 2,
            Self::Broken => 3,
            Self::Empty => 4,
            Self::StoppedEarly => 5,
            Self::Interrupted(Signal::Interrupt) => 130,
            Self::Interrupted(Signal::Terminate) => 143,
        }
    }
}

/// A signal that stops a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT, from Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Fits the settings to what the system allows. Belongs before the runtime's start: some of it is much cheaper while the
/// process has one thread.
pub(crate) fn fit(settings: &mut Settings) {
    limits::raise_open_files(&mut settings.plan.limits, &mut settings.fetch);
    limits::fit_memory(&mut settings.plan.window);
}

/// Runs as the settings say, and says on `screen` what a person must know.
///
/// Gathering is a task of its own, because writing records may block for as long as their reader likes: so a second signal
/// ends the run also while a write hangs.
pub(crate) async fn run(settings: Settings, screen: &Screen) -> Outcome {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(screen, Outcome::Broken, &format!("signals cannot be caught: {error}")),
    };
    let stop = Stop::default();
    let (grace, is_talkative) = (settings.plan.grace, settings.talk.summary && !settings.dry_run);
    let mut gathering = tokio::spawn(gather(settings, stop.clone(), screen.clone()));
    // Signals that come later must not begin its time anew.
    let mut overdue = pin!(stop.overdue());
    loop {
        tokio::select! {
            outcome = &mut gathering => return outcome.unwrap_or_else(|_| fail(screen, Outcome::Broken, FAULT)),
            signal = signals.next() => {
                let is_first = stop.reason().is_none();
                stop.ask(Reason::Signal(signal));
                if is_first && is_talkative {
                    screen.say(&stopping(grace));
                }
            }
            reason = &mut overdue => return reason.outcome(),
        }
    }
}

/// What the first signal does.
fn stopping(grace: Duration) -> String {
    if grace.is_zero() {
        return "stopping: requests in flight are stopped too (--grace)".to_owned();
    }
    format!("stopping: requests in flight have {grace:?}; a second signal stops at once")
}

/// Opens everything before anything is sent, then gathers.
async fn gather(settings: Settings, stop: Stop, screen: Screen) -> Outcome {
    let screen = &screen;
    limits::catch_file_size_limit();
    if let Err(error) = settings.plan.window.check_temporary_files(settings.plan.order) {
        let directory = std::env::temp_dir();
        let directory = escape(&directory.to_string_lossy()).into_owned();
        let message = format!("{directory}: {error}; with --memory 0 records wait in temporary files (TMPDIR)");
        return fail(screen, Outcome::Unusable, &message);
    }
    let mut inputs = files(&settings.sources);
    inputs.extend(settings.checks.baseline.clone());
    let input = match Input::open(settings.sources, settings.input) {
        Ok(input) => input,
        Err(error) => return refuse(screen, &error),
    };
    let baseline = match baseline(settings.checks.baseline.as_deref(), settings.rules.flaky) {
        Ok(baseline) => baseline,
        Err(message) => return fail(screen, Outcome::Unusable, &message),
    };
    if settings.dry_run {
        if settings.talk.summary {
            dry_run::show_options(&settings.given, screen);
        }
        return dry_run::run(input, &settings.rules, &stop, screen).await;
    }
    let writes_to_stdout = settings.output.path.is_none();
    let outputs = Outputs::open(settings.output, &settings.checks, settings.rules.flaky, &inputs, screen);
    let outputs = match outputs {
        Ok(outputs) => outputs,
        Err(message) => return fail(screen, Outcome::Unusable, &message),
    };
    if settings.fetch.tls.insecure {
        warn!("--insecure: certificates are not checked, anyone on the way can read and change everything");
    }
    let transport = match HttpTransport::new(settings.fetch) {
        Ok(transport) => transport,
        Err(error) => return fail(screen, Outcome::Unusable, &error.to_string()),
    };
    let (jobs, status) = input.into_stream();
    let gathering = Gathering {
        records: engine::run(jobs, transport.clone(), settings.plan, stop.gently.clone()),
        outputs,
        writes_to_stdout,
        baseline,
        transport,
        input: status,
        rules: settings.rules,
        talk: settings.talk,
        stop,
        screen: screen.clone(),
    };
    gathering.run().await
}

/// Reads the records of an older run; without one nothing is known and nothing is fixed.
fn baseline(path: Option<&Path>, flaky: FlakyRule) -> Result<Baseline, String> {
    let Some(path) = path else { return Ok(Baseline::default()) };
    let reader = open_unpacked(path).map_err(|error| format!("--baseline: {error}"))?;
    Baseline::read(reader, flaky).map_err(|error| format!("--baseline: {}, {error}", escape(&path.to_string_lossy())))
}

/// The files among the sources; standard input may be one too.
fn files(sources: &[Source]) -> Vec<PathBuf> {
    let file = |source: &Source| match source {
        Source::File(path) => Some(path.clone()),
        Source::Stdin => Some("/dev/stdin".into()),
        Source::Url(_) => None,
    };
    sources.iter().filter_map(file).collect()
}

/// Says why the input cannot be used; below that some messages mark the place, on lines of their own.
fn refuse(screen: &Screen, error: &InputError) -> Outcome {
    let message = format!("error: {error}");
    message.lines().for_each(|line| screen.say(line));
    Outcome::Unusable
}

/// Says why a run ended that could not go on.
fn fail(screen: &Screen, outcome: Outcome, message: &str) -> Outcome {
    screen.say(&format!("error: {message}"));
    outcome
}
