//! The three places that options come from, one over the other: a file, the environment, the command line.
//!
//! The command line is parsed alone first. What is set elsewhere then stands in for options that it does not have, as words
//! before its own, and is judged by the same parsers. An option so beats the same one of a lower layer, and every option there
//! that it excludes; clap's own `Arg::env` would call the latter a conflict, knows nothing of which variable a bad value came
//! from, and cannot be tried out without changing the environment of the tests.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use super::args::Args;
use super::given::{self, GivenOption};
use super::hosts::{HostEntry, Hosts};
use super::process::Process;
use super::stand_in::StandIn;
use super::{config, variables};

/// What all layers come to.
pub(crate) struct Parsed {
    pub(super) args: Args,
    /// What is for some hosts alone.
    pub(super) hosts: Hosts,
    /// The options that are set, and where.
    pub(super) given: Vec<GivenOption>,
    /// The text of the file, which messages may repeat; empty without one.
    pub(super) config: String,
}

/// Why the layers come to nothing.
pub(super) struct Refusal {
    /// What clap says; also help.
    pub(super) error: clap::Error,
    /// The text of the file, which the error may repeat; empty without one.
    pub(super) config: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Self { error, config: String::new() }
    }
}

/// Parses a command line, the program's name first, with what is set elsewhere in place of options that it does not have.
pub(super) fn parse(words: &[OsString], process: &Process) -> Result<Parsed, Refusal> {
    let mut layers = Layers::new(words)?;
    if layers.matches.contains_id("generate") {
        return Ok(layers.end(Hosts::default())?);
    }
    let variables = variables::stand_ins(&layers.command, process, |option| layers.is_free(option));
    let variables = variables.map_err(|message| layers.refuse(message))?;
    layers.put_below(variables)?;
    let Some(file) = layers.file(process).map_err(|message| layers.refuse(message))? else {
        return Ok(layers.end(Hosts::default())?);
    };
    let config = file.text().to_owned();
    match layers.with_file(&file) {
        Ok(parsed) => Ok(Parsed { config, ..parsed }),
        Err(error) => Err(Refusal { error, config }),
    }
}

/// The layers taken so far.
struct Layers {
    command: Command,
    program: OsString,
    words: Vec<OsString>,
    stand_ins: Vec<StandIn>,
    /// The options that lower layers have no say in any more.
    barred: HashSet<String>,
    matches: ArgMatches,
}

impl Layers {
    /// The command line alone.
    fn new(words: &[OsString]) -> Result<Self, clap::Error> {
        let mut command = Args::command().mut_args(with_negative_numbers);
        command.build();
        let matches = command.clone().try_get_matches_from(words)?;
        let (program, words) = words.split_first().expect("words that parse have a program's name");
        let stand_ins = Vec::new();
        let mut layers = Self {
            command,
            program: program.clone(),
            words: words.to_vec(),
            stand_ins,
            barred: HashSet::new(),
            matches,
        };
        let is_given =
            |option: &&Arg| layers.matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
        let given = layers.command.get_arguments().filter(is_given).map(|option| option.get_id().to_string());
        layers.bar(given.collect::<Vec<_>>());
        Ok(layers)
    }

    fn is_free(&self, option: &Arg) -> bool {
        !self.barred.contains(option.get_id().as_str())
    }

    /// Takes options away from lower layers, and those that they exclude.
    fn bar(&mut self, given: Vec<String>) {
        let is_given = |option: &Arg| given.iter().any(|id| id == option.get_id().as_str());
        for option in self.command.get_arguments() {
            let excluded = self.command.get_arg_conflicts_with(option);
            if is_given(option) {
                self.barred.extend(excluded.iter().map(|other| other.get_id().to_string()));
            } else if excluded.into_iter().any(is_given) {
                self.barred.insert(option.get_id().to_string());
            }
        }
        self.barred.extend(given);
    }

    /// Puts a layer below all others.
    fn put_below(&mut self, layer: Vec<StandIn>) -> Result<(), clap::Error> {
        if layer.is_empty() {
            return Ok(());
        }
        let (says, is_off): (Vec<_>, Vec<_>) = layer.iter().partition(|stand_in| !stand_in.words.is_empty());
        let off: Vec<_> = is_off.iter().map(|stand_in| stand_in.id.clone()).collect();
        let given = says.iter().map(|stand_in| stand_in.id.clone()).collect();
        self.bar(given);
        self.barred.extend(off);
        let set: Vec<_> = layer.iter().flat_map(|stand_in| stand_in.words.iter().cloned()).collect();
        self.words.splice(..0, set);
        self.stand_ins.extend(layer);
        let whole = std::iter::once(&self.program).chain(&self.words);
        let matches = self.command.clone().try_get_matches_from(whole);
        self.matches = matches.map_err(|error| name_places(error, &self.stand_ins))?;
        Ok(())
    }

    /// The file that the layers above it name, or the one that is found.
    fn file(&self, process: &Process) -> Result<Option<config::File>, String> {
        if self.matches.get_flag("no_config") {
            return Ok(None);
        }
        let named = self.matches.get_one::<PathBuf>("config").map(PathBuf::as_path);
        match (named, process.config_file.as_deref().map(Path::new)) {
            (Some(path), _) => config::File::open(path).map(Some),
            (None, Some(path)) => config::File::find(path),
            (None, None) => Ok(None),
        }
    }

    fn with_file(mut self, file: &config::File) -> Result<Parsed, clap::Error> {
        let contents = file.contents(&self.command).map_err(|message| self.refuse(message))?;
        let above = self.barred.clone();
        let free = contents.options.into_iter().filter(|stand_in| !above.contains(&stand_in.id));
        self.put_below(free.collect())?;
        let mut entries = Vec::new();
        for table in contents.hosts {
            let words = table.options.iter().flat_map(|stand_in| &stand_in.words);
            let matches = self.command.clone().try_get_matches_from(std::iter::once(&self.program).chain(words));
            let matches = matches.map_err(|error| name_places(error, &table.options))?;
            entries.push(HostEntry { args: Args::from_arg_matches(&matches)?, matches, table });
        }
        self.end(Hosts::new(entries, &above))
    }

    fn end(self, hosts: Hosts) -> Result<Parsed, clap::Error> {
        let args = Args::from_arg_matches(&self.matches)?;
        let mut given = given::options_set(&self.command, &self.matches, &self.stand_ins);
        given.extend(hosts.given(&self.command));
        Ok(Parsed { args, hosts, given, config: String::new() })
    }

    fn refuse(&self, message: String) -> clap::Error {
        self.command.clone().error(ErrorKind::InvalidValue, message)
    }
}

/// A negative number after an option that wants a number is its value, so that it is refused with the option's name and not
/// as a short option that nobody wrote.
fn with_negative_numbers(option: Arg) -> Arg {
    let names = option.get_value_names().unwrap_or_default();
    let is_number = names.iter().any(|name| ["N", "TIME", "SIZE"].contains(&name.as_str()));
    option.allow_negative_numbers(is_number)
}

/// Says where the options were set that `error` is about.
fn name_places(mut error: clap::Error, stand_ins: &[StandIn]) -> clap::Error {
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
        format!("{long} is set {}", stand_in.place).into()
    });
    let tips = tips.collect();
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}
