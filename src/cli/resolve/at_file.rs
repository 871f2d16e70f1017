//! Values that are given as `@FILE`, so that secrets and large bodies need not stand on the command line.

use std::io::Read;

use super::UsageError;

/// Standard input, which can be read once: as the list of URLs, or as the value of one option.
#[derive(Debug)]
pub(super) struct StandardInput {
    taken_by: Option<String>,
}

impl StandardInput {
    /// Standard input, free unless it is the list of URLs.
    pub(super) fn unless(is_list: bool) -> Self {
        Self { taken_by: is_list.then(|| "the list of URLs".to_owned()) }
    }

    fn take(&mut self, option: &str) -> Result<Vec<u8>, UsageError> {
        if let Some(other) = &self.taken_by {
            return Err(UsageError(format!("{option} cannot read standard input (`@-`): it is {other}")));
        }
        self.taken_by = Some(format!("the value of {option}"));
        let mut bytes = Vec::new();
        match std::io::stdin().lock().read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(UsageError(format!("{option} cannot read standard input: {error}"))),
        }
    }
}

/// The bytes of the file that `value` names as `@FILE`; `None` if it is a value of its own.
pub(super) fn read(option: &str, value: &str, stdin: &mut StandardInput) -> Result<Option<Vec<u8>>, UsageError> {
    match value.strip_prefix('@') {
        None => Ok(None),
        Some("") => Err(UsageError(format!("{option} has an `@` without the name of a file after it"))),
        Some("-") => stdin.take(option).map(Some),
        Some(path) => match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(UsageError(format!("{option} cannot read {path:?}: {error}"))),
        },
    }
}

/// The same for a value that is text.
pub(super) fn read_text(option: &str, value: &str, stdin: &mut StandardInput) -> Result<Option<String>, UsageError> {
    let Some(bytes) = read(option, value, stdin)? else { return Ok(None) };
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| UsageError(format!("the file of {option} ({value:?}) is not UTF-8")))
}

/// The same for a secret: the first line of the file.
pub(super) fn read_secret(option: &str, value: &str, stdin: &mut StandardInput) -> Result<String, UsageError> {
    let text = read_text(option, value, stdin)?.unwrap_or_else(|| value.to_owned());
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
