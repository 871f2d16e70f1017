//! The one parser of expectations: text to checks, or the place where it went wrong.

use std::ops::Range;

use http::HeaderName;

use super::compare::{Compare, Comparison, duration, size};
use super::text::{TextTest, TextTestKind, pattern};
use super::{Check, Expectation, ParseExpectationError, jq};
use crate::model::StatusSet;

/// The longest text of expectations, in bytes.
const TEXT_LIMIT: usize = 16 << 10;

const SUBJECTS: &str = "`status`, `time`, `size`, `header NAME`, `body`, `jq FILTER` or `cert_days`";

type Result<T> = std::result::Result<T, ParseExpectationError>;

/// Parses expectations with `;` between them; one after the last is no error.
pub(super) fn list(text: &str) -> Result<Vec<Expectation>> {
    let mut parser = Parser { text, at: 0 };
    if text.len() > TEXT_LIMIT {
        return Err(parser.wrong(0..0, format!("there are {} bytes; at most {TEXT_LIMIT} are read", text.len())));
    }
    let mut found = Vec::new();
    loop {
        parser.skip_spaces();
        if parser.is_at_end() && !found.is_empty() {
            return Ok(found);
        }
        let start = parser.at;
        let check = parser.check()?;
        found.push(Expectation { text: text[start..parser.at].trim_end().into(), check });
        parser.skip_spaces();
        if !parser.eat(";") && !parser.is_at_end() {
            return Err(
                parser.wrong(parser.word_here(), "nothing more is right here, or `;` before the next expectation")
            );
        }
    }
}

/// How a text is tested, before its value is read.
enum Test {
    Exists,
    Is,
    Contains,
    Matches,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn check(&mut self) -> Result<Check> {
        let place = self.word_here();
        let subject = &self.text[place.clone()];
        self.at = place.end;
        match subject {
            "status" => self.status(),
            "time" => self.comparison("a time such as `500ms`, `2s` or `0.5`", duration).map(Check::Time),
            "size" => self.comparison("a size such as `512`, `10kB` or `1MB`", size).map(Check::Size),
            "cert_days" => self.comparison("a number of days such as `14`", days).map(Check::CertDays),
            "header" => {
                let name = self.header_name()?;
                self.text_test(true).map(|test| Check::Header(name, test))
            }
            "body" => self.text_test(false).map(Check::Body),
            "jq" => self.filter().map(Check::Jq),
            "" => Err(self.wrong(place, format!("an expectation is missing; it begins with {SUBJECTS}"))),
            _ => Err(self.wrong(place, format!("an expectation begins with {SUBJECTS}"))),
        }
    }

    fn status(&mut self) -> Result<Check> {
        const RIGHT: &str = "`==`, `!=`, `in`, `not in`, `<`, `<=`, `>` or `>=` follows `status`";
        self.skip_spaces();
        let place = self.operator_here();
        let operator = self.operator();
        let value =
            |parser: &mut Self| parser.value(|text| text.parse::<StatusSet>().map_err(|error| error.to_string()));
        let statuses = match operator.as_str() {
            "==" | "in" => value(self)?,
            "!=" | "not in" => return Ok(Check::Status { statuses: value(self)?, negated: true }),
            "<" | "<=" | ">" | ">=" => self.value(|text| {
                let code: u16 = text.parse().map_err(|_| "a status such as `400` is right".to_owned())?;
                let range = match operator.as_str() {
                    "<" => format!("100..{code}"),
                    "<=" => format!("100..={code}"),
                    ">" => format!("{}..=999", code.saturating_add(1)),
                    _ => format!("{code}..=999"),
                };
                range.parse::<StatusSet>().map_err(|_| "a status from 100 to 999 is right, that leaves some".to_owned())
            })?,
            _ => return Err(self.wrong(place, RIGHT)),
        };
        Ok(Check::Status { statuses, negated: false })
    }

    fn comparison<T>(&mut self, right: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Comparison<T>> {
        self.skip_spaces();
        let place = self.operator_here();
        let compare = match self.operator().as_str() {
            "==" => Compare::Equal,
            "!=" => Compare::Unequal,
            "<" => Compare::Less,
            "<=" => Compare::AtMost,
            ">" => Compare::Greater,
            ">=" => Compare::AtLeast,
            _ => return Err(self.wrong(place, "`<`, `<=`, `>`, `>=`, `==` or `!=` is right here")),
        };
        let limit = self.value(|text| parse(text).ok_or_else(|| format!("{right} is right here")))?;
        Ok(Comparison { compare, limit })
    }

    fn header_name(&mut self) -> Result<HeaderName> {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| c.is_whitespace() || matches!(c, ';' | '=' | '!' | '~')).unwrap_or(rest.len());
        let place = self.at..self.at + length;
        let name = HeaderName::from_bytes(self.text[place.clone()].trim_end_matches(':').as_bytes());
        self.at = place.end;
        name.map_err(|_| self.wrong(place, "the name of a header follows `header`, as in `header content-type ~ json`"))
    }

    fn text_test(&mut self, may_exist: bool) -> Result<TextTest> {
        self.skip_spaces();
        let place = self.operator_here();
        let (test, negated) = match self.operator().as_str() {
            "==" => (Test::Is, false),
            "!=" => (Test::Is, true),
            "~" => (Test::Matches, false),
            "!~" => (Test::Matches, true),
            "contains" => (Test::Contains, false),
            "not contains" => (Test::Contains, true),
            "exists" if may_exist => (Test::Exists, false),
            "not exists" if may_exist => (Test::Exists, true),
            _ => {
                let exists = if may_exist { ", `exists`, `not exists`" } else { "" };
                let right = format!("`==`, `!=`, `contains`, `not contains`, `~`, `!~`{exists} is right here");
                return Err(self.wrong(place, right));
            }
        };
        let kind = match test {
            Test::Exists => TextTestKind::Exists,
            Test::Is => TextTestKind::Is(self.string(false)?.0.into()),
            Test::Contains => TextTestKind::Contains(self.string(false)?.0.into()),
            Test::Matches => {
                let (written, place) = self.string(true)?;
                TextTestKind::Matches(pattern(&written).map_err(|message| self.wrong(place, message))?)
            }
        };
        Ok(TextTest { kind, negated })
    }

    /// A text in quotes, or bare up to the next `;`, and where it stands. That of a pattern keeps its backslashes.
    fn string(&mut self, is_pattern: bool) -> Result<(String, Range<usize>)> {
        self.skip_spaces();
        let start = self.at;
        let rest = &self.text[start..];
        let quote = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            None | Some(';') => return Err(self.wrong(start..start, "a text is missing here, in quotes or without")),
            Some(_) => {
                let (text, place) = self.bare();
                return Ok((text.to_owned(), place));
            }
        };
        let end = closing(rest, quote).ok_or_else(|| {
            self.wrong(start..self.text.len(), format!("the closing {quote} of this text is missing"))
        })?;
        self.at = start + end + 1;
        let inside = &rest[1..end];
        if is_pattern || quote == '\'' {
            return Ok((inside.to_owned(), start + 1..start + end));
        }
        let Ok(text) = serde_json::from_str(&format!("\"{}\"", inside.replace('\t', "\\t"))) else {
            let message =
                "a backslash in quotes begins an escape of JSON, such as `\\n` or `\\\\`; between ' all is as it is";
            return Err(self.wrong(start..self.at, message));
        };
        Ok((text, start + 1..start + end))
    }

    /// What stands up to the next `;`, made into a value.
    fn value<T>(&mut self, parse: impl Fn(&str) -> std::result::Result<T, String>) -> Result<T> {
        self.skip_spaces();
        let (text, place) = self.bare();
        parse(text).map_err(|message| self.wrong(place, message))
    }

    fn bare(&mut self) -> (&'a str, Range<usize>) {
        let rest = &self.text[self.at..];
        let text = rest[..rest.find(';').unwrap_or(rest.len())].trim_end();
        let place = self.at..self.at + text.len();
        self.at = place.end;
        (text, place)
    }

    /// A jq filter, up to the next `;` that is neither in a string nor in brackets.
    fn filter(&mut self) -> Result<jq::Filter> {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let text = rest[..jq::end(rest)].trim_end();
        let start = self.at;
        self.at += text.len();
        if text.is_empty() {
            return Err(self.wrong(start..start, "a jq filter follows `jq`, as in `jq .status == \"up\"`"));
        }
        jq::Filter::compile(text)
            .map_err(|error| self.wrong(start + error.at.start..start + error.at.end, error.message))
    }

    /// The operator that stands here, if one does, with one space in `not in`.
    fn operator(&mut self) -> String {
        let first = self.operator_here();
        self.at = first.end;
        let first = &self.text[first];
        if first != "not" {
            return first.to_owned();
        }
        self.skip_spaces();
        let second = self.word_here();
        self.at = second.end;
        format!("not {}", &self.text[second])
    }

    fn operator_here(&self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let symbols = rest.bytes().take_while(|byte| b"=!<>~".contains(byte)).count();
        if symbols > 0 { self.at..self.at + symbols } else { self.word_here() }
    }

    /// The word that stands here; of anything else, what stands up to the next space.
    fn word_here(&self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let length = match length {
            0 => rest.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(rest.len()),
            length => length,
        };
        self.at..self.at + length
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let is_here = self.text[self.at..].starts_with(symbol);
        self.at += if is_here { symbol.len() } else { 0 };
        is_here
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn wrong(&self, at: Range<usize>, message: impl Into<String>) -> ParseExpectationError {
        ParseExpectationError::new(self.text, at, message)
    }
}

/// Where the quotation that `text` begins with ends; a backslash takes the next character along, but not between `'`.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = quote == '"' && c == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn days(text: &str) -> Option<f64> {
    text.parse().ok().filter(|days: &f64| days.is_finite())
}
