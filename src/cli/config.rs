//! Each long option as a key of a TOML file, and tables of what is for one host alone.
//!
//! ```toml
//! concurrency = 32
//! insecure = true
//! header = ["Accept: application/json"]
//!
//! [host."api.example.com"]
//! headers = { Authorization = "Bearer …" }
//! max-per-host = 2
//! rate = "10/s"
//! accept = "200..=299"
//! ```
//!
//! Messages name file, line and key, and never repeat a value: it may be a secret.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

use clap::{Arg, Command};
use gather::model::HostName;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::hosts::{HostTable, KEYS};
use super::stand_in::{self, Kind, StandIn, Value};

#[cfg(test)]
mod tests;

/// The key under which the tables of hosts stand.
const HOSTS: &str = "host";

/// Options that say whether and which file is read.
const NOT_IN_A_FILE: [&str; 2] = ["config", "no-config"];

/// How alike a name must be to be offered in place of an unknown one, as in clap.
const ALIKE: f64 = 0.7;

/// A file with options that has been read.
pub(super) struct File {
    shown: String,
    text: String,
}

/// What a file says.
pub(super) struct Contents {
    pub(super) options: Vec<StandIn>,
    pub(super) hosts: Vec<HostTable>,
}

type Key<'i> = Spanned<DeString<'i>>;
type Item<'i> = Spanned<DeValue<'i>>;

impl File {
    /// Reads a file that the user named.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display().to_string();
        match fs::read(path) {
            Err(error) => Err(format!("--config cannot read {shown:?}: {error}")),
            Ok(bytes) => Self::new(shown, bytes),
        }
    }

    /// Reads a file that nobody named, if it is there.
    pub(super) fn find(path: &Path) -> Result<Option<Self>, String> {
        let shown = path.display().to_string();
        match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{shown:?} cannot be read: {error}; --no-config goes without it")),
            Ok(bytes) => Self::new(shown, bytes).map(Some),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What the file says, as options of `command`.
    pub(super) fn contents(&self, command: &Command) -> Result<Contents, String> {
        let table = DeTable::parse(&self.text).map_err(|error| {
            // Only the message: the error itself would quote the line.
            self.wrong(&error.span().unwrap_or_default(), &format!("this is not TOML: {}", error.message()))
        })?;
        let mut contents = Contents { options: Vec::new(), hosts: Vec::new() };
        // As they stand, so that the first mistake is told first.
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, item) in entries {
            if key.get_ref() == HOSTS {
                contents.hosts = self.hosts(command, item)?;
                continue;
            }
            // `headers` reads better, and hosts have it too.
            let name = if key.get_ref() == "headers" { "header" } else { key.get_ref() };
            let (option, _) = stand_in::options(command)
                .find(|&(_, long)| long == name && !NOT_IN_A_FILE.contains(&long))
                .ok_or_else(|| self.unknown(command, key))?;
            contents.options.push(self.stand_in(command, option, key, item)?);
        }
        Ok(contents)
    }

    fn new(shown: String, bytes: Vec<u8>) -> Result<Self, String> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { shown, text }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let line = line_at_end(&error.as_bytes()[..valid]);
                Err(format!("{shown}:{line}: this is not UTF-8"))
            }
        }
    }

    fn hosts(&self, command: &Command, item: &Item) -> Result<Vec<HostTable>, String> {
        let form = "a host's table is written [host.\"api.example.com\"]";
        let DeValue::Table(tables) = item.get_ref() else {
            return Err(self.wrong(&item.span(), &format!("`{HOSTS}` is {}; {form}", described(item))));
        };
        let mut hosts: Vec<HostTable> = Vec::new();
        for (key, item) in tables {
            let name: HostName =
                key.get_ref().parse().map_err(|error| self.wrong(&key.span(), &format!("{error}; {form}")))?;
            let DeValue::Table(entries) = item.get_ref() else {
                let message = format!("`{HOSTS}.{}` is {}; {form}", key.get_ref(), described(item));
                return Err(self.wrong(&key.span(), &message));
            };
            if hosts.iter().any(|other| other.name == name) {
                return Err(self.wrong(&key.span(), &format!("the host {name} has two tables")));
            }
            let options = entries.iter().map(|(key, item)| self.host_option(command, key, item));
            hosts.push(HostTable { name, options: options.collect::<Result<_, _>>()? });
        }
        Ok(hosts)
    }

    fn host_option(&self, command: &Command, key: &Key, item: &Item) -> Result<StandIn, String> {
        let name = key.get_ref().as_ref();
        // The option's own name is as good.
        let is_named = |&(key, option): &(&str, &str)| key == name || (option == "header" && option == name);
        let Some((_, option)) = KEYS.into_iter().find(is_named) else {
            let known = KEYS.map(|(name, _)| name);
            let message = match nearest(name, known.into_iter()) {
                _ if matches!(item.get_ref(), DeValue::Table(_)) => {
                    format!(
                        "unknown table `{name}` of a host; the name of a host has quotes: [host.\"api.example.com\"]"
                    )
                }
                Some(near) => format!("unknown key `{name}` in a host's table; did you mean `{near}`?"),
                None => format!("unknown key `{name}`; a host's table has `{}`", known.join("`, `")),
            };
            return Err(self.wrong(&key.span(), &message));
        };
        let (option, _) = stand_in::options(command).find(|&(_, long)| long == option).expect("each key has an option");
        self.stand_in(command, option, key, item)
    }

    fn stand_in(&self, command: &Command, option: &Arg, key: &Key, item: &Item) -> Result<StandIn, String> {
        let place = format!("in {}:{}", self.shown, self.line(&key.span()));
        let value = match item.get_ref() {
            DeValue::Table(fields) if option.get_long() == Some("header") => {
                let fields = fields.iter().map(|(name, values)| self.header(name, values));
                Value::Values(fields.collect::<Result<Vec<_>, _>>()?.concat())
            }
            _ => value(option, item).map_err(|right| {
                let message = format!("`{}` is {}, but it takes {right}", key.get_ref(), described(item));
                self.wrong(&key.span(), &message)
            })?,
        };
        Ok(StandIn::new(command, option, value, place))
    }

    /// The fields that a name with one value or several stands for, in the option's own form.
    fn header(&self, name: &Key, item: &Item) -> Result<Vec<OsString>, String> {
        let field = |value: String| match value.trim() {
            "" => format!("{};", name.get_ref()).into(),
            value => format!("{}: {value}", name.get_ref()).into(),
        };
        texts(item).map(|values| values.into_iter().map(field).collect()).ok_or_else(|| {
            let message = format!(
                "the header `{}` is {}, but it takes text or an array of texts",
                name.get_ref(),
                described(item)
            );
            self.wrong(&name.span(), &message)
        })
    }

    fn unknown(&self, command: &Command, key: &Key) -> String {
        let name = key.get_ref().as_ref();
        if NOT_IN_A_FILE.contains(&name) {
            return self.wrong(&key.span(), &format!("`{name}` says which file is read, and cannot stand in one"));
        }
        let mut names: Vec<&str> = stand_in::options(command).map(|(_, long)| long).collect();
        names.retain(|long| !NOT_IN_A_FILE.contains(long));
        names.push(HOSTS);
        let has_alias = |option: &Arg| option.get_all_aliases().is_some_and(|aliases| aliases.contains(&name));
        let by_alias = stand_in::options(command).find(|(option, _)| has_alias(option)).map(|(_, long)| long);
        let nearest = by_alias.or_else(|| nearest(name, names.into_iter()));
        let tip =
            nearest.map_or("keys are the names of long options".to_owned(), |near| format!("did you mean `{near}`?"));
        self.wrong(&key.span(), &format!("unknown key `{name}`; {tip}"))
    }

    fn wrong(&self, span: &Range<usize>, message: &str) -> String {
        format!("{}:{}: {message}", self.shown, self.line(span))
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        line_at_end(before)
    }
}

/// The number, from 1, of the line in which `before` ends.
fn line_at_end(before: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', before).count() + 1
}

/// What a value means to an option, or what the option would take.
fn value(option: &Arg, item: &Item) -> Result<Value, &'static str> {
    let words = |texts: Vec<String>| Value::Values(texts.into_iter().map(OsString::from).collect());
    match (Kind::of(option), item.get_ref()) {
        (Kind::Switch, DeValue::Boolean(is_on)) => Ok(Value::Switch(*is_on)),
        (Kind::Switch, _) => Err("true or false"),
        (Kind::Times, _) => {
            let times = text(item).and_then(|text| text.parse().ok()).ok_or("a number from 0 to 255")?;
            Ok(Value::Times(times))
        }
        (Kind::One, _) => Ok(words(vec![text(item).ok_or("one text or number")?])),
        (Kind::Several, _) => Ok(words(texts(item).ok_or("text, or an array of texts")?)),
    }
}

/// One text or number, or an array of them.
fn texts(item: &Item) -> Option<Vec<String>> {
    match item.get_ref() {
        DeValue::Array(items) => items.iter().map(text).collect(),
        _ => text(item).map(|text| vec![text]),
    }
}

/// A text, or a number as text.
fn text(item: &Item) -> Option<String> {
    match item.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// The type of a value, with its article.
fn described(item: &Item) -> &'static str {
    match item.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// The name that is most like `name`, if one is.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = known.map(|other| (strsim::jaro(name, other), other)).filter(|(alike, _)| *alike > ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, other)| other)
}
