//! Each long option as an environment variable: `--max-per-host` is `GATHER_MAX_PER_HOST`.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command, ValueHint};

use super::process::Process;
use super::stand_in::{self, Kind, StandIn, Value};

/// Options that may be repeated and whose variable has one value a line.
const ONE_A_LINE: [&str; 5] = ["header", "expect", "report", "resolve", "connect-to"];

/// Options whose variable means something when it is empty: as on the command line, no proxy, or a proxy for all hosts.
const EMPTY_SAYS_NONE: [&str; 2] = ["proxy", "noproxy"];

/// What the variables stand for of the options that are `free`, or which variable is wrong.
pub(super) fn stand_ins(
    command: &Command,
    process: &Process,
    free: impl Fn(&Arg) -> bool,
) -> Result<Vec<StandIn>, String> {
    let mut stand_ins = Vec::new();
    for (option, long) in stand_in::options(command).filter(|(option, _)| free(option)) {
        let variable = variable_of(long);
        let Some(text) = process.variable_or_empty(&variable) else { continue };
        let value = value(option, long, text)
            .map_err(|why| format!("invalid value for the environment variable {variable}: {why}"))?;
        let place = format!("by the environment variable {variable}");
        stand_ins.extend(value.map(|value| StandIn::new(command, option, value, place)));
    }
    Ok(stand_ins)
}

/// The name of the variable of an option.
fn variable_of(long: &str) -> String {
    let upper = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("GATHER_{}", long.chars().map(upper).collect::<String>())
}

/// What the text of a variable means, or what is wrong with it. An empty one is as good as none.
fn value(option: &Arg, long: &str, text: &OsStr) -> Result<Option<Value>, String> {
    if text.is_empty() && !EMPTY_SAYS_NONE.contains(&long) {
        return Ok(None);
    }
    let one = |value: &OsStr| Ok(Some(Value::Values(vec![value.to_owned()])));
    if option.get_value_hint() == ValueHint::AnyPath {
        return one(text);
    }
    let text = text.to_str().ok_or("it is not UTF-8")?;
    match Kind::of(option) {
        Kind::Switch => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Some(Value::Switch(true))),
            "0" | "false" | "no" | "off" => Ok(Some(Value::Switch(false))),
            _ => Err(format!("{text:?}; a flag takes 1 or 0, true or false, yes or no, on or off")),
        },
        Kind::Times => {
            let times = text.parse::<u8>();
            let times = times.map_err(|_| format!("{text:?}; a number from 0 to 255 says how often it is given"))?;
            Ok(Some(Value::Times(times)))
        }
        Kind::Several if ONE_A_LINE.contains(&long) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            Ok(Some(Value::Values(lines.map(OsString::from).collect())))
        }
        Kind::One | Kind::Several => one(text.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use gather::model::Secret;

    use crate::cli::args::Args;
    use crate::cli::layers;
    use crate::cli::process::Process;

    fn args(words: &[&str], variables: &[(&str, &str)]) -> Result<Args, String> {
        let words: Vec<_> = std::iter::once("gather").chain(words.iter().copied()).map(OsString::from).collect();
        layers::parse(&words, &Process::with(variables)).map(|parsed| parsed.args).map_err(|error| error.to_string())
    }

    fn secret(text: &str) -> Secret<String> {
        text.to_owned().into()
    }

    fn parsed(words: &[&str], variables: &[(&str, &str)]) -> Args {
        args(words, variables).unwrap_or_else(|error| panic!("{words:?} with {variables:?}: {error}"))
    }

    #[test]
    fn a_variable_stands_in_for_an_option_that_is_not_given() {
        let variables = [("GATHER_CONCURRENCY", "7"), ("GATHER_CACERT", "roots.pem"), ("GATHER_FIELDS", "url,status")];
        let args = parsed(&["list"], &variables);
        assert_eq!(args.fan_out.concurrency.get(), 7);
        assert_eq!(args.network.cacert, Some("roots.pem".into()));
        assert_eq!(args.results.fields.len(), 2);
    }

    #[test]
    fn the_command_line_wins_over_a_variable() {
        let variables = [("GATHER_CONCURRENCY", "7"), ("GATHER_HEADER", "a: 1")];
        let args = parsed(&["-c", "3", "-H", "b: 2"], &variables);
        assert_eq!(args.fan_out.concurrency.get(), 3);
        assert_eq!(args.request.headers, ["b: 2"].map(secret));
    }

    #[test]
    fn the_command_line_wins_over_the_variable_of_an_option_that_it_excludes() {
        let args = parsed(&["-6", "--json", "{}"], &[("GATHER_IPV4", "1"), ("GATHER_DATA", "x")]);
        assert!(args.network.ipv6 && !args.network.ipv4);
        assert!(args.request.data.is_empty());
        let args = parsed(&["-4"], &[("GATHER_IPV6", "1")]);
        assert!(args.network.ipv4 && !args.network.ipv6);
    }

    #[test]
    fn flags_and_counts_take_words_and_numbers() {
        for (value, expected) in [("1", true), ("TRUE", true), ("yes", true), ("0", false), ("off", false), ("", false)]
        {
            assert_eq!(parsed(&[], &[("GATHER_INSECURE", value)]).network.insecure, expected, "{value:?}");
        }
        assert_eq!(parsed(&[], &[("GATHER_VERBOSE", "2")]).talk.verbose, 2);
        assert!(parsed(&[], &[("GATHER_HTTP1_1", "1")]).network.http1_1);
    }

    #[test]
    fn a_flag_that_is_off_is_its_opposite_where_it_has_one() {
        assert!(parsed(&[], &[("GATHER_ADAPTIVE", "0")]).fan_out.no_adaptive);
        assert!(!parsed(&["--adaptive"], &[("GATHER_ADAPTIVE", "0")]).fan_out.no_adaptive);
        assert!(parsed(&[], &[("GATHER_NO_ADAPTIVE", "0")]).fan_out.adaptive);
    }

    #[test]
    fn a_repeated_option_takes_one_value_a_line_and_a_body_is_never_cut() {
        let args = parsed(&[], &[("GATHER_HEADER", "a: 1\nb: 2\n"), ("GATHER_JSON", "[1,\n2]")]);
        assert_eq!(args.request.headers, ["a: 1", "b: 2"].map(secret));
        assert_eq!(args.request.json, ["[1,\n2]"].map(secret));
    }

    #[test]
    fn an_empty_variable_is_none_but_for_a_proxy() {
        let args = parsed(&[], &[("GATHER_CONCURRENCY", ""), ("GATHER_PROXY", "")]);
        assert_eq!(args.fan_out.concurrency.get(), 64);
        assert_eq!(args.network.proxy, Some(secret("")));
    }

    #[test]
    fn a_bad_value_names_the_variable_and_the_value() {
        for (variable, value) in [
            ("GATHER_CONCURRENCY", "many"),
            ("GATHER_INSECURE", "maybe"),
            ("GATHER_VERBOSE", "loud"),
            ("GATHER_ORDER", "random"),
            ("GATHER_MAX_TIME", "0"),
        ] {
            let message = args(&[], &[(variable, value)]).expect_err("a usage error");
            assert!(message.contains(variable) && message.contains(value), "{message}");
        }
        let message = args(&[], &[("GATHER_IPV4", "1"), ("GATHER_IPV6", "1")]).expect_err("a conflict");
        assert!(message.contains("GATHER_IPV4") && message.contains("GATHER_IPV6"), "{message}");
    }

    #[test]
    fn help_shows_no_value_of_a_variable() {
        let help = args(&["-h"], &[("GATHER_USER", "u:canary"), ("GATHER_CONCURRENCY", "777")]).expect_err("help");
        assert!(!help.contains("canary") && !help.contains("777"), "{help}");
    }
}
