//! One value of a record as the text of one cell, for formats that have columns.

use std::borrow::Cow;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::object::write_value;
use crate::model::{Field, Record, Value};

/// The text of one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// Absent, or null.
    Empty,
    /// A number, a truth value, base64 or compact JSON, written by us: nothing that a spreadsheet could run.
    Ours(String),
    /// Text, which may come from the network or the list.
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    pub(super) fn of(record: &'a Record, field: Field) -> io::Result<Self> {
        let Some(value) = record.get(field) else {
            return Ok(Self::Empty);
        };
        Ok(match value {
            Value::Null | Value::Json(serde_json::Value::Null) => Self::Empty,
            Value::Text(text) => Self::Text(text),
            Value::Json(serde_json::Value::String(text)) => Self::Text(text.as_str().into()),
            Value::Base64(bytes) => Self::Ours(STANDARD.encode(&bytes.0)),
            Value::Bool(truth) => Self::Ours(truth.to_string()),
            Value::Int(number) => Self::Ours(number.to_string()),
            value @ (Value::Seconds(_)
            | Value::Json(_)
            | Value::Object(_)
            | Value::Headers(_)
            | Value::Texts(_)
            | Value::Exchanges(_)
            | Value::Failure(_)) => Self::Ours(json(&value)?),
        })
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Empty => "",
            Self::Ours(text) => text,
            Self::Text(text) => text,
        }
    }
}

fn json(value: &impl Serialize) -> io::Result<String> {
    let mut buffer = Vec::new();
    write_value(value, &mut buffer)?;
    Ok(String::from_utf8(buffer).expect("JSON is UTF-8"))
}
