//! A value that is used and never shown.

use std::fmt;

/// What stands in place of a secret where the secret was asked to show itself.
const COVER: &str = "[redacted]";

/// A value that must not be shown: a password, a token, a proxy with its credentials.
///
/// It has no `Display` and no `Serialize`, and its `Debug` says `[redacted]`, so that no message, log line or panic can show it
/// by accident. Whoever sends it calls [`Secret::expose`], which is easy to search for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Covers a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, to be sent or to be checked, and not to be shown.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(COVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_of_itself_alone_or_within_another_type() {
        let secret = Secret::new("canary".to_owned());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[redacted] Some(\n    [redacted],\n)");
        assert_eq!(secret.expose(), "canary");
    }
}
