//! What is for some hosts alone: the host tables of the file, as far as the layers above it say nothing else.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use gather::engine::Rate;
use gather::model::{HostName, PerHost, Secret, StatusSet};

use super::args::Args;
use super::given::{self, GivenOption};
use super::stand_in::StandIn;

/// The keys of a host's table, and the options that judge their values.
pub(super) const KEYS: [(&str, &str); 4] =
    [("headers", "header"), ("max-per-host", "max-per-host"), ("rate", "rate-per-host"), ("accept", "accept")];

/// A host's table, as options that are for this host alone.
pub(super) struct HostTable {
    pub(super) name: HostName,
    pub(super) options: Vec<StandIn>,
}

/// A host's table whose values have been judged.
pub(super) struct HostEntry {
    pub(super) args: Args,
    pub(super) matches: ArgMatches,
    pub(super) table: HostTable,
}

/// What is for some hosts alone.
#[derive(Default)]
pub(super) struct Hosts {
    entries: Vec<HostEntry>,
    /// Ids of the options that the layers above set for all hosts.
    above: HashSet<String>,
}

impl Hosts {
    pub(super) fn new(entries: Vec<HostEntry>, above: &HashSet<String>) -> Self {
        Self { entries, above: above.clone() }
    }

    pub(super) fn max_per_host(&self) -> PerHost<Option<NonZeroUsize>> {
        self.values("max_per_host", |args| args.fan_out.max_per_host.0)
    }

    pub(super) fn rate_per_host(&self) -> PerHost<Rate> {
        self.values("rate_per_host", |args| args.fan_out.rate_per_host.expect("it is set"))
    }

    pub(super) fn accept(&self) -> PerHost<StatusSet> {
        self.values("accept", |args| args.results.accept.clone())
    }

    /// Each host's own headers, as they are written.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&HostName, &[Secret<String>])> {
        let set = self.entries.iter().filter(|entry| entry.sets("headers"));
        set.map(|entry| (&entry.table.name, &entry.args.request.headers[..]))
    }

    /// Whether a layer above the file sets an option.
    pub(super) fn is_set_above(&self, id: &str) -> bool {
        self.above.contains(id)
    }

    /// What the tables set, to be shown.
    pub(super) fn given(&self, command: &Command) -> Vec<GivenOption> {
        let shown = self.entries.iter().flat_map(|entry| {
            let mut set = given::options_set(command, &entry.matches, &entry.table.options);
            for given in &mut set {
                given.option = format!("{} for {}", given.option, entry.table.name);
            }
            set
        });
        shown.collect()
    }

    fn values<T>(&self, id: &str, value: impl Fn(&Args) -> T) -> PerHost<T> {
        let set = self.entries.iter().filter(|entry| entry.sets(id) && !self.is_set_above(id));
        set.map(|entry| (entry.table.name.clone(), value(&entry.args))).collect()
    }
}

impl HostEntry {
    fn sets(&self, id: &str) -> bool {
        self.matches.value_source(id) == Some(ValueSource::CommandLine)
    }
}
