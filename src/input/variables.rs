//! `${NAME}` in header values and bodies of lines: what it stands for comes from outside, so that secrets stay out of lists.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::asked::malformed;
use super::shown::quoted;
use crate::model::Failure;

/// What `${NAME}` stands for; by default nothing is set. Its `Debug` shows none of it.
#[derive(Clone, Default)]
pub struct Variables(Option<Arc<Lookup>>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Variables {
    /// The value of each name, as `lookup` gives it.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(lookup)))
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0.as_ref()?(name)
    }

    /// `text` with its variables; `$${` is `${`. `what` names it in messages, and `write` makes a value fit in.
    pub(super) fn fill<'a>(
        &self,
        what: &str,
        text: &'a str,
        write: impl Fn(String) -> String,
    ) -> Result<Cow<'a, str>, Failure> {
        if !text.contains("${") {
            return Ok(Cow::Borrowed(text));
        }
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str("${");
                rest = &from[2..];
                continue;
            }
            let name =
                from[2..].split('}').next().filter(|name| is_name(name) && from[2 + name.len()..].starts_with('}'));
            let Some(name) = name else {
                let right = "`${NAME}` with letters, digits and `_` is right, and `$${` is a `${` as it is";
                return Err(malformed(format!("{what} has a `${{` that begins no variable; {right}")));
            };
            let Some(value) = self.value(name) else {
                let right = "set it, or write `$${` for a `${` as it is";
                return Err(malformed(format!(
                    "{what} names the variable {}, which is not set; {right}",
                    quoted(name)
                )));
            };
            filled.push_str(before);
            filled.push_str(&write(value));
            rest = &from[name.len() + 3..];
        }
        filled.push_str(rest);
        Ok(Cow::Owned(filled))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

/// Names as a shell has them (POSIX, Base Definitions, section 3.216).
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let variables = Variables::new(|name| (name == "KEY").then(|| "canary".to_owned()));
        let filled = variables.fill("the body", text, |value| value);
        filled.map(Cow::into_owned).map_err(|failure| failure.message)
    }

    #[test]
    fn a_name_stands_for_its_value_and_two_dollars_for_one() {
        for (text, expected) in [
            ("${KEY}", "canary"),
            ("a ${KEY}${KEY} b", "a canarycanary b"),
            ("$${KEY} $$${KEY}", "${KEY} $${KEY}"),
            ("$KEY {} $", "$KEY {} $"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "of {text}");
        }
    }

    #[test]
    fn a_name_that_is_not_set_or_is_none_is_told() {
        assert!(
            filled("${KEY} ${MISSING}")
                .expect_err("not set")
                .starts_with("the body names the variable `MISSING`, which")
        );
        for text in ["${", "${}", "${a.b}", "${1A}", "${KEY", "${KEY ${KEY}"] {
            assert!(filled(text).expect_err(text).starts_with("the body has a `${` that begins no variable"), "{text}");
        }
        let nothing = Variables::default().fill("it", "${KEY}", |value| value);
        assert!(nothing.is_err());
    }
}
