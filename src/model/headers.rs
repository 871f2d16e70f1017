//! Header fields as an object of arrays, names in lower case.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Header fields in JSON form: `{"name": ["value", …]}`, names in lower case, values in the order received.
///
/// A value that is not UTF-8 is read as ISO-8859-1, one character a byte, as the Fetch standard does ("isomorphic decode").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub HeaderMap);

impl Headers {
    /// The text of one value.
    pub fn text(value: &HeaderValue) -> Cow<'_, str> {
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(value.as_bytes().iter().map(|&byte| char::from(byte)).collect()),
        }
    }

    /// The text of the first value of `name`.
    pub fn get(&self, name: impl http::header::AsHeaderName) -> Option<Cow<'_, str>> {
        self.0.get(name).map(Self::text)
    }
}

/// The values of one name, as an array.
struct Values<'a>(http::header::GetAll<'a, HeaderValue>);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Headers::text))
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.keys_len()))?;
        for name in self.0.keys() {
            map.serialize_entry(name.as_str(), &Values(self.0.get_all(name)))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("header fields as an object of arrays")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some((name, values)) = map.next_entry::<String, Vec<String>>()? {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(A::Error::custom)?;
            for value in values {
                let value = HeaderValue::from_bytes(value.as_bytes()).map_err(A::Error::custom)?;
                headers.append(name.clone(), value);
            }
        }
        Ok(Headers(headers))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Headers {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        std::collections::BTreeMap::<String, Vec<String>>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_name_stand_together_and_odd_bytes_are_latin_1() {
        let mut headers = HeaderMap::new();
        headers.append("Set-Cookie", HeaderValue::from_static("a=1"));
        headers.append("x-odd", HeaderValue::from_bytes(b"caf\xe9").expect("a legal value"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        assert_eq!(
            serde_json::to_value(Headers(headers)).expect("headers are JSON"),
            serde_json::json!({"set-cookie": ["a=1", "b=2"], "x-odd": ["café"]})
        );
    }
}
