//! What is said on standard error, and in which colours.

use gather::report::Style;
use tracing_subscriber::EnvFilter;

use super::UsageError;
use crate::cli::args::{self, Args, ColorChoice};
use crate::cli::process::{Process, Terminal};
use crate::cli::settings::{LogSettings, ProgressForm, Talk};

pub(super) fn talk(args: &Args, process: &Process, records_on_stdout: bool) -> Talk {
    let talk = &args.talk;
    let shares_terminal = records_on_stdout && process.stdout.is_some();
    let progress = match process.stderr {
        _ if talk.quiet || talk.no_progress || talk.dry_run => ProgressForm::Hidden,
        Some(_) if shares_terminal => ProgressForm::Hidden,
        Some(_) if !is_dumb(process) => ProgressForm::Drawn,
        _ => ProgressForm::Plain,
    };
    Talk {
        summary: !talk.quiet,
        progress,
        style: style(talk.color, process.stderr, process),
        is_insecure: args.network.insecure,
    }
}

/// How text for people looks on a stream, which may be a terminal.
pub(super) fn style(color: ColorChoice, terminal: Option<Terminal>, process: &Process) -> Style {
    // A terminal that does not tell is as wide as most are.
    let width = terminal.map(|terminal| terminal.width.unwrap_or(80));
    Style { color: is_colored(color, terminal.is_some(), process), unicode: is_unicode(process), width }
}

/// Whether a stream gets colours. `--color` wins, then `NO_COLOR` (no-color.org), then `CLICOLOR_FORCE`
/// (bixense.com/clicolors).
fn is_colored(choice: ColorChoice, is_terminal: bool, process: &Process) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if process.variable("NO_COLOR").is_some() => false,
        ColorChoice::Auto if process.variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => is_terminal && !is_dumb(process),
    }
}

fn is_dumb(process: &Process) -> bool {
    process.variable("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the locale has all of Unicode (POSIX, Base Definitions, section 8.2). Containers set none; what shows their
/// output does.
fn is_unicode(process: &Process) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| process.variable(name));
    locale.and_then(|locale| locale.to_str()).is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// What is logged: `RUST_LOG` if it is set, else as `-q` and `-v` say.
pub(super) fn log(talk: &args::Talk, process: &Process) -> Result<LogSettings, UsageError> {
    let filter = match process.variable("RUST_LOG") {
        None => directives(talk).to_owned(),
        Some(value) => {
            let wrong = |why: String| UsageError(format!("the variable RUST_LOG is {}, but {why}", value.display()));
            let text = value.to_str().ok_or_else(|| wrong("that is not UTF-8".to_owned()))?;
            let parsed = EnvFilter::builder().parse(text);
            parsed
                .map_err(|error| wrong(format!("{error}; it is written like `info` or `gather=debug,hyper=warn`")))?;
            text.to_owned()
        }
    };
    let colored = is_colored(talk.color, process.stderr.is_some(), process);
    Ok(LogSettings { filter, format: talk.log_format, colored })
}

/// The libraries speak one level lower than we do: their words are about connections, not about the user's lines.
fn directives(talk: &args::Talk) -> &'static str {
    match talk.verbose {
        _ if talk.quiet => "error",
        0 => "error,gather=warn",
        1 => "warn,gather=info",
        2 => "info,gather=debug",
        _ => "debug,gather=trace",
    }
}
