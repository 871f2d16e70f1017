//! Where records go, and in which form.

use std::path::Path;

use gather::report::{Format, Rendering};

use super::{UsageError, talk};
use crate::cli::args::{ColorChoice, Results};
use crate::cli::process::Process;
use crate::cli::settings::OutputSettings;

pub(super) fn resolve(results: &Results, color: ColorChoice, process: &Process) -> Result<OutputSettings, UsageError> {
    // `-o -` is standard output, as in curl.
    let path = results.path.clone().filter(|path| path.as_os_str() != "-");
    if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        return Err(UsageError("--output is empty: the name of a file is needed".to_owned()));
    }
    let mut fields = results.fields.clone();
    fields.sort_unstable();
    if let Some(twice) = fields.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(UsageError(format!("--fields names `{}` twice", twice[0].name())));
    }
    let terminal = process.stdout.filter(|_| path.is_none());
    let format = results.format.format().unwrap_or_else(|| found(path.as_deref(), terminal.is_some()));
    let rendering = Rendering {
        fields: Some(results.fields.clone()).filter(|fields| !fields.is_empty()),
        style: talk::style(color, terminal, process),
        csv_raw: results.csv_raw,
    };
    Ok(OutputSettings { path, force: results.force, format, rendering })
}

/// The format that `auto` means.
fn found(path: Option<&Path>, on_terminal: bool) -> Format {
    match path {
        Some(path) => Format::from_path(path).unwrap_or(Format::Ndjson),
        None if on_terminal => Format::Text,
        None => Format::Ndjson,
    }
}
