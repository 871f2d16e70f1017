//! Which options are set, and where: what `--dry-run` shows of them, with secrets covered.

use std::any::TypeId;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use gather::model::{COVER, Secret, redact};

use super::stand_in::{Kind, StandIn, options};

/// The place of what is no stand-in.
const COMMAND_LINE: &str = "on the command line";

/// An option that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenOption {
    /// As it would stand on the command line, without secrets.
    pub(crate) option: String,
    /// Where it is set: `on the command line`, `by the environment variable GATHER_RETRY`, `in gather.toml:3`.
    pub(crate) place: String,
}

/// Where the options were set that `message` names, if that was not on the command line.
pub(super) fn places(given: &[GivenOption], message: &str) -> Vec<String> {
    let named = given.iter().filter(|given| given.place != COMMAND_LINE).filter_map(|given| {
        let flag = given.option.split(' ').next()?;
        let is_named =
            message.split(|letter: char| letter != '-' && !letter.is_alphanumeric()).any(|word| word == flag);
        is_named.then(|| format!("{flag} is set {}", given.place))
    });
    named.collect()
}

/// The options that are set, in the order of the help.
pub(super) fn options_set(command: &Command, matches: &ArgMatches, stand_ins: &[StandIn]) -> Vec<GivenOption> {
    let is_set = |option: &Arg| matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
    let set = options(command).filter(|(option, _)| is_set(option));
    set.map(|(option, long)| {
        let stand_in = stand_ins.iter().rev().find(|stand_in| stand_in.id == option.get_id().as_str());
        let place = stand_in.map_or(COMMAND_LINE, |stand_in| stand_in.place.as_str()).to_owned();
        GivenOption { option: shown(option, long, matches), place }
    })
    .collect()
}

fn shown(option: &Arg, long: &str, matches: &ArgMatches) -> String {
    let id = option.get_id().as_str();
    let flag = format!("--{long}");
    match Kind::of(option) {
        Kind::Switch => flag,
        Kind::Times => vec![flag; matches.get_count(id).into()].join(" "),
        Kind::One | Kind::Several => {
            let is_secret = option.get_value_parser().type_id() == TypeId::of::<Secret<String>>();
            let values = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy());
            let shown = values.map(|value| if is_secret { covered(long, &value) } else { value.into_owned() });
            shown.map(|value| format!("{flag} {}", quoted(&value))).collect::<Vec<_>>().join(" ")
        }
    }
}

/// A value that may be or hold a secret. The name of a file is none, nor is the name of a header.
fn covered(long: &str, value: &str) -> String {
    match long {
        _ if value.starts_with('@') => value.to_owned(),
        "proxy" | "base-url" => redact(value).into_owned(),
        "header" => match value.split_once(':') {
            Some((name, rest)) if !rest.trim().is_empty() => format!("{name}: {COVER}"),
            Some(_) => value.to_owned(),
            None if value.ends_with(';') => value.to_owned(),
            None => COVER.to_owned(),
        },
        _ => COVER.to_owned(),
    }
}

/// A value as a shell takes it.
fn quoted(value: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "@%+=:,./_-".contains(letter);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_without_its_secret() {
        for (long, value, shown) in [
            ("header", "X-Api-Key: canary", "X-Api-Key: ***"),
            ("header", "Accept:", "Accept:"),
            ("header", "X-Empty;", "X-Empty;"),
            ("header", "canary", "***"),
            ("header", "@headers.txt", "@headers.txt"),
            ("user", "u:canary", "***"),
            ("json", "canary", "***"),
            ("proxy", "u:canary@p", "***@p"),
            ("proxy", "http://u:canary@p:8080", "http://***@p:8080"),
            ("base-url", "http://h/?token=canary", "http://h/?token=***"),
        ] {
            assert_eq!(covered(long, value), shown);
        }
    }

    #[test]
    fn a_value_is_quoted_as_a_shell_needs_it() {
        for (value, shown) in [("10/s", "10/s"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'")] {
            assert_eq!(quoted(value), shown);
        }
    }
}
