//! The log: `tracing` to standard error, as text or as JSON.
//!
//! All that is logged, by us or by a library at any level, passes through here on its way out: URLs are
//! [covered](gather::model::redact_each), and nothing can act on the terminal. Of what the libraries log below their own
//! levels, that is enough: h2 shows frames without their fields, and neither hyper nor reqwest speaks `tracing`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;

use gather::model::redact_each;
use gather::report::{Screen, escape, is_unsafe};
use serde_json::Value;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::{EnvFilter, fmt as subscriber};

use super::args::LogFormat;
use super::settings::LogSettings;

/// Starts logging; only the first call in a process has an effect. A closed standard error is no error.
pub(crate) fn start(settings: &LogSettings, screen: &Screen) {
    let filter = EnvFilter::builder().parse_lossy(&settings.filter);
    let builder = subscriber().with_env_filter(filter).with_ansi(settings.colored);
    let screen = screen.clone();
    let started = match settings.format {
        // Colours stand around the fields, so each field is made safe before they come.
        LogFormat::Text => builder
            .fmt_fields(debug_fn(|writer, field, value| write_field(writer, field.name(), value)).delimited(" "))
            .with_writer(move || screen.clone())
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_writer(move || JsonLines(screen.clone())).try_init(),
    };
    debug_assert!(started.is_ok(), "logging is started once");
}

/// One field of a log line in text form.
fn write_field(writer: &mut Writer<'_>, name: &str, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let shown = redact_each(&text);
    let shown = escape(&shown);
    if name == "message" {
        writer.write_str(&shown)
    } else {
        write!(writer, "{}={shown}", name.trim_start_matches("r#"))
    }
}

/// Takes log lines in JSON, each in one piece.
struct JsonLines<W>(W);

impl<W: io::Write> io::Write for JsonLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(json_line(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A line of JSON as it may be seen.
fn json_line(line: &str) -> String {
    let Ok(mut value) = serde_json::from_str(line) else {
        return escape(&redact_each(line.trim_end())).into_owned() + "\n";
    };
    cover(&mut value);
    let mut shown = String::with_capacity(line.len());
    for character in value.to_string().chars() {
        // It can only stand within a string, so it is written as JSON writes it there.
        if is_unsafe(character) {
            write!(shown, "\\u{:04x}", u32::from(character)).expect("a string takes every write");
        } else {
            shown.push(character);
        }
    }
    shown + "\n"
}

fn cover(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(shown) = redact_each(text) {
                *text = shown;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(cover),
        Value::Object(fields) => fields.values_mut().for_each(cover),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_stays_json_and_shows_no_secret() {
        let line = "{\"url\":\"\\\"http://u:canary@h/?token=canary\\\"\",\"x\":\"\u{7f}\u{9b}\u{202e}é\"}\n";
        let shown = r#"{"url":"\"http://***@h/?token=***\"","x":"\u007f\u009b\u202eé"}"#;
        assert_eq!(json_line(line), format!("{shown}\n"));
    }

    #[test]
    fn a_field_of_text_is_made_safe_whoever_logs_it() {
        let mut text = String::new();
        let value = format_args!("http://h/?sig=canary \u{1b}[2J\u{85}");
        write_field(&mut Writer::new(&mut text), "url", &value).expect("a string takes every write");
        assert_eq!(text, "url=http://h/?sig=*** \\u{1b}[2J\\u{85}");
    }
}
