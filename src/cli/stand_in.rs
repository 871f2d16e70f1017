//! A value that does not stand on the command line, as the words that it would be there.
//!
//! Variables of the environment and keys of a file go this one way, and from there through the option's own parser: so a new
//! option is at once a variable and a key.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};

/// Options that only the command line has.
const ONLY_WORDS: [&str; 3] = ["help", "version", "generate"];

/// What an option is given from somewhere else than the command line.
#[derive(Debug)]
pub(super) enum Value {
    /// A flag that is on, or off.
    Switch(bool),
    /// A flag that is given so many times.
    Times(u8),
    /// Each value of an option; none takes the option back from what stands below.
    Values(Vec<OsString>),
}

/// A value that is set somewhere else, and the words that it stands for.
pub(super) struct StandIn {
    /// Where it is set, as a message says it: `by the environment variable GATHER_RETRY`, `in gather.toml:3`.
    pub(super) place: String,
    /// The id of the option that it sets.
    pub(super) id: String,
    /// That option as clap writes it in messages: `--concurrency <N>`.
    pub(super) option: String,
    /// The words; none for a flag that is off.
    pub(super) words: Vec<OsString>,
}

/// What an option takes, as far as its form goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Times,
    One,
    Several,
}

impl Kind {
    pub(super) fn of(option: &Arg) -> Self {
        match option.get_action() {
            ArgAction::SetTrue => Self::Switch,
            ArgAction::Count => Self::Times,
            ArgAction::Append => Self::Several,
            _ => Self::One,
        }
    }
}

/// The options that can be set elsewhere, with their long names.
pub(super) fn options(command: &Command) -> impl Iterator<Item = (&Arg, &str)> {
    let named = command.get_arguments().filter_map(|option| Some((option, option.get_long()?)));
    named.filter(|(_, long)| !ONLY_WORDS.contains(long))
}

impl StandIn {
    /// The words for `value` of `option`. A flag that is off is its opposite, where it has one: `adaptive = false` is
    /// `--no-adaptive`.
    pub(super) fn new(command: &Command, option: &Arg, value: Value, place: String) -> Self {
        let opposite = match value {
            Value::Switch(false) => opposite(command, option),
            _ => None,
        };
        let (option, value) = opposite.map_or((option, value), |opposite| (opposite, Value::Switch(true)));
        let flag = OsString::from(format!("--{}", option.get_long().expect("only long options are set elsewhere")));
        let with_value = |value: &OsStr| [flag.as_os_str(), OsStr::new("="), value].into_iter().collect();
        let words = match &value {
            Value::Switch(is_on) => vec![flag; usize::from(*is_on)],
            Value::Times(times) => vec![flag; usize::from(*times)],
            Value::Values(values) => values.iter().map(|value| with_value(value)).collect(),
        };
        Self { place, id: option.get_id().to_string(), option: option.to_string(), words }
    }
}

/// The flag that says the contrary of `option`: `--no-adaptive` of `--adaptive`, and the other way round.
fn opposite<'a>(command: &'a Command, option: &Arg) -> Option<&'a Arg> {
    let long = option.get_long()?;
    let name = long.strip_prefix("no-").map_or_else(|| format!("no-{long}"), str::to_owned);
    options(command)
        .map(|(option, _)| option)
        .find(|&other| other.get_long() == Some(name.as_str()) && Kind::of(other) == Kind::Switch)
}
