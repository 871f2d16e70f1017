//! Looking ahead: what a person wrote wrong anywhere in a file is told before anything is sent.
//!
//! Regular files are read through once for their expectations and variables. Lines that have neither are passed over without
//! being parsed. What can be read only once, or may come slowly, is not looked at; its bad lines are records.

use std::fmt::Write as _;

use super::asked::Defaults;
use super::error::InputError;
use super::lines::Lines;
use super::options::{InputOptions, Source};
use super::read::Parser;
use super::{shown, source};

/// Most bad lines that are shown.
const SHOWN: u64 = 5;

/// Most bad lines that are counted; there is no need to read a whole list of nothing else.
const COUNTED: u64 = 10_000;

/// The bad lines of all files.
#[derive(Default)]
struct Faults {
    count: u64,
    shown: String,
}

/// Finds lines with expectations that are wrong, or variables that are not set.
pub(super) fn check(sources: &[Source], options: &InputOptions) -> Result<(), InputError> {
    let mut faults = Faults::default();
    let defaults = Defaults::new(options);
    for source in sources {
        if let Source::File(path) = source
            && path.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            let hint = source::hint(path, options.format);
            let name = path.to_string_lossy();
            let parser = Parser::new(&name, hint, &defaults);
            look_through(Lines::new(source::open(path)?), parser, &name, &defaults, &mut faults)?;
        }
    }
    match faults.count {
        0 => Ok(()),
        count => {
            let more = count.saturating_sub(SHOWN);
            if more > 0 {
                write!(faults.shown, "\nand {more} more lines").expect("a string takes every write");
            }
            Err(InputError::Lines { shown: faults.shown })
        }
    }
}

fn look_through(
    mut lines: Lines<impl std::io::Read>,
    mut parser: Parser<'_>,
    name: &str,
    defaults: &Defaults<'_>,
    faults: &mut Faults,
) -> Result<(), InputError> {
    loop {
        while let Some((number, line)) = lines.buffered() {
            let Some(place) = parser.look(number, line)? else { return Ok(()) };
            if let Some(fault) = defaults.take_fault() {
                faults.add(name, place, &fault);
            }
        }
        // A source that cannot be read on has lines before that; the reader meets the failure again.
        if lines.has_ended() || faults.count >= COUNTED || lines.fill().is_err() {
            return Ok(());
        }
    }
}

impl Faults {
    fn add(&mut self, name: &str, line: u64, fault: &str) {
        self.count += 1;
        if self.count <= SHOWN {
            let separator = if self.count == 1 { "" } else { "\n" };
            let name = shown::name(name);
            write!(self.shown, "{separator}{name}, line {line}: {fault}").expect("a string takes every write");
        }
    }
}
