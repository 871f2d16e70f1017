//! Each long option as an environment variable: `--max-per-host` is `GATHER_MAX_PER_HOST`.
//!
//! The command line is parsed alone first. Variables then stand in for options that it does not have, as words before its
//! own, and are judged by the same parsers. An option of the command line so beats its own variable, and the variable of
//! every option that it excludes; clap's own `Arg::env` would call the latter a conflict, knows nothing of which variable
//! a bad value came from, and cannot be tried out without changing the environment of the tests.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, ValueHint};

use super::args::Args;
use super::process::Process;

/// Options that may be repeated and whose variable has one value a line.
const ONE_A_LINE: [&str; 4] = ["header", "report", "resolve", "connect-to"];

/// Options whose variable means something when it is empty: as on the command line, no proxy, or a proxy for all hosts.
const EMPTY_SAYS_NONE: [&str; 2] = ["proxy", "noproxy"];

/// Parses a command line, the program's name first, with variables in place of options that it does not have.
pub(crate) fn parse(words: &[OsString], process: &Process) -> Result<Args, clap::Error> {
    let mut command = Args::command().mut_args(with_negative_numbers);
    command.build();
    let given = command.clone().try_get_matches_from(words)?;
    let stand_ins = stand_ins(&mut command, &given, process)?;
    if stand_ins.is_empty() {
        return Args::from_arg_matches(&given);
    }
    let (program, words) = words.split_first().expect("words that parse have a program's name");
    let set = stand_ins.iter().flat_map(|stand_in| &stand_in.words);
    let whole = std::iter::once(program).chain(set).chain(words);
    let matches = command.clone().try_get_matches_from(whole).map_err(|error| name_variables(error, &stand_ins))?;
    Args::from_arg_matches(&matches)
}

/// A negative number after an option that wants a number is its value, so that it is refused with the option's name and not
/// as a short option that nobody wrote.
fn with_negative_numbers(option: Arg) -> Arg {
    let names = option.get_value_names().unwrap_or_default();
    let is_number = names.iter().any(|name| ["N", "TIME", "SIZE"].contains(&name.as_str()));
    option.allow_negative_numbers(is_number)
}

/// A variable that is set, and the words that it stands for on the command line.
struct StandIn {
    variable: String,
    /// The option as clap writes it in messages: `--concurrency <N>`.
    option: String,
    words: Vec<OsString>,
}

fn stand_ins(command: &mut Command, given: &ArgMatches, process: &Process) -> Result<Vec<StandIn>, clap::Error> {
    let is_given = |option: &Arg| given.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
    let mut barred = Vec::new();
    for option in command.get_arguments() {
        let excludes = command.get_arg_conflicts_with(option);
        if is_given(option) {
            barred.extend(excludes.iter().map(|other| other.get_id().clone()));
        }
        if excludes.into_iter().any(is_given) {
            barred.push(option.get_id().clone());
        }
    }
    let mut stand_ins = Vec::new();
    let mut wrong = None;
    for option in command.get_arguments().filter(|option| !is_given(option) && !barred.contains(option.get_id())) {
        let Some(long) = option.get_long().filter(|&long| long != "help" && long != "version") else { continue };
        let variable = variable_of(long);
        let Some(value) = process.variable_or_empty(&variable) else { continue };
        match words(option, long, value) {
            Ok(words) if words.is_empty() => {}
            Ok(words) => stand_ins.push(StandIn { variable, option: option.to_string(), words }),
            Err(why) => wrong = Some(format!("invalid value for the environment variable {variable}: {why}")),
        }
    }
    match wrong {
        Some(message) => Err(command.error(ErrorKind::InvalidValue, message)),
        None => Ok(stand_ins),
    }
}

/// The name of the variable of an option.
fn variable_of(long: &str) -> String {
    let upper = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("GATHER_{}", long.chars().map(upper).collect::<String>())
}

/// The words that `value` stands for on the command line, or what is wrong with it.
fn words(option: &Arg, long: &str, value: &OsStr) -> Result<Vec<OsString>, String> {
    let flag = || OsString::from(format!("--{long}"));
    let with_value = |value: &OsStr| {
        let mut word = flag();
        word.push("=");
        word.push(value);
        word
    };
    if value.is_empty() && !EMPTY_SAYS_NONE.contains(&long) {
        return Ok(Vec::new());
    }
    if option.get_value_hint() == ValueHint::AnyPath {
        return Ok(vec![with_value(value)]);
    }
    let text = value.to_str().ok_or("it is not UTF-8")?;
    match option.get_action() {
        ArgAction::SetTrue => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(vec![flag()]),
            "0" | "false" | "no" | "off" => Ok(Vec::new()),
            _ => Err(format!("{text:?}; a flag takes 1 or 0, true or false, yes or no, on or off")),
        },
        ArgAction::Count => {
            let times = text.parse::<u8>();
            let times = times.map_err(|_| format!("{text:?}; a number from 0 to 255 says how often it is given"))?;
            Ok(vec![flag(); times.into()])
        }
        _ if ONE_A_LINE.contains(&long) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            Ok(lines.map(|line| with_value(line.as_ref())).collect())
        }
        _ => Ok(vec![with_value(value)]),
    }
}

/// Says which variables the options came from that `error` is about.
fn name_variables(mut error: clap::Error, stand_ins: &[StandIn]) -> clap::Error {
    let mut concerned = String::new();
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        match error.get(kind) {
            Some(ContextValue::String(option)) => concerned.push_str(option),
            Some(ContextValue::Strings(options)) => concerned.push_str(&options.join("\n")),
            _ => {}
        }
        concerned.push('\n');
    }
    let named = stand_ins.iter().filter(|stand_in| concerned.lines().any(|option| option == stand_in.option));
    let tips = named.map(|stand_in| {
        let long = stand_in.option.split(' ').next().unwrap_or_default();
        format!("{long} is set by the environment variable {}", stand_in.variable).into()
    });
    let tips = tips.collect();
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}

#[cfg(test)]
mod tests {
    use gather::model::Secret;

    use super::*;

    fn args(words: &[&str], variables: &[(&str, &str)]) -> Result<Args, String> {
        let words: Vec<_> = std::iter::once("gather").chain(words.iter().copied()).map(OsString::from).collect();
        parse(&words, &Process::with(variables)).map_err(|error| error.to_string())
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
