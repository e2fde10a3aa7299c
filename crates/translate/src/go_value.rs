//! A JSON value read by Go's rules, for serde.

use std::fmt;

use serde::de::{self, DeserializeSeed, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Value};

/// Go's word for the kind of a JSON value.
pub(crate) fn go_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A JSON value that is read by Go's rules.
pub(crate) struct Go(pub(crate) Value);

/// Why a value could not be read, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    root: &'static str,
    path: Vec<String>,
    what: What,
}

#[derive(Debug)]
enum What {
    Mismatch { found: String, expected: String },
    Other(String),
}

impl Fault {
    fn new(what: What) -> Self {
        Self {
            root: "",
            path: Vec::new(),
            what,
        }
    }

    fn within(mut self, step: impl Into<String>) -> Self {
        self.path.insert(0, step.into());
        self
    }

    pub(crate) fn in_struct(mut self, name: &'static str) -> Self {
        self.root = name;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut place = self.path.join(".");
        if !self.root.is_empty() && !place.is_empty() {
            place = format!("{}.{place}", self.root);
        }
        match (&self.what, place.as_str()) {
            (What::Mismatch { found, expected }, "") => {
                write!(
                    f,
                    "json: cannot unmarshal {found} into Go value of type {expected}"
                )
            }
            (What::Mismatch { found, expected }, place) => {
                write!(
                    f,
                    "json: cannot unmarshal {found} into Go struct field {place} of type {expected}"
                )
            }
            (What::Other(text), "") => f.write_str(text),
            (What::Other(text), place) => write!(f, "{text} in field {place}"),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Other(message.to_string()))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = go_type(&expected.to_string());
        Self::new(What::Mismatch {
            found: go_found(found, &expected),
            expected,
        })
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

/// What was found: Go names a number's value where a number was wanted.
fn go_found(found: de::Unexpected<'_>, expected: &str) -> String {
    let number = ["int", "uint", "float"]
        .iter()
        .any(|kind| expected.starts_with(kind));
    match found {
        de::Unexpected::Bool(_) => "bool".to_owned(),
        de::Unexpected::Unsigned(value) if number => format!("number {value}"),
        de::Unexpected::Signed(value) if number => format!("number {value}"),
        de::Unexpected::Float(value) if number => format!("number {value}"),
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) | de::Unexpected::Float(_) => {
            "number".to_owned()
        }
        de::Unexpected::Str(_) | de::Unexpected::Char(_) => "string".to_owned(),
        de::Unexpected::Seq => "array".to_owned(),
        de::Unexpected::Map => "object".to_owned(),
        de::Unexpected::Unit | de::Unexpected::Option => "null".to_owned(),
        other => other.to_string(),
    }
}

/// Go's name of a type from serde's description of what it expected.
fn go_type(expected: &str) -> String {
    let known = match expected {
        "u8" => "uint8",
        "u16" => "uint16",
        "u32" => "uint32",
        "u64" | "usize" => "uint64",
        "i8" => "int8",
        "i16" => "int16",
        "i32" => "int32",
        "i64" | "isize" => "int64",
        "f32" => "float32",
        "f64" => "float64",
        "a string" => "string",
        "a boolean" => "bool",
        "a sequence" => "[]string",
        "a map" => "map[string]string",
        other => other.strip_prefix("struct ").unwrap_or(other),
    };
    known.to_owned()
}

fn unexpected(value: &Value) -> de::Unexpected<'_> {
    match value {
        Value::Null => de::Unexpected::Unit,
        Value::Bool(value) => de::Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => de::Unexpected::Unsigned(value),
            (None, Some(value)) => de::Unexpected::Signed(value),
            (None, None) => de::Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => de::Unexpected::Str(text),
        Value::Array(_) => de::Unexpected::Seq,
        Value::Object(_) => de::Unexpected::Map,
    }
}

fn sequence<'de, V: Visitor<'de>>(items: Vec<Value>, visitor: V) -> Result<V::Value, Fault> {
    visitor.visit_seq(Steps {
        items: items.into_iter().enumerate(),
    })
}

fn mapping<'de, V: Visitor<'de>>(map: Map<String, Value>, visitor: V) -> Result<V::Value, Fault> {
    visitor.visit_map(Entries {
        entries: map.into_iter(),
        value: None,
    })
}

/// Reads `$value` as `$visit`, and a null as Go's zero value.
macro_rules! zero_for_null {
    ($($method:ident => $visit:ident($zero:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.0 {
                Value::Null => visitor.$visit($zero),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Go {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => sequence(items, visitor),
            Value::Object(map) => mapping(map, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => sequence(Vec::new(), visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => mapping(Map::new(), visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let map = match self.0 {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            other => return Err(de::Error::invalid_type(unexpected(&other), &visitor)),
        };
        mapping(matched(map, fields), visitor).map_err(|fault| fault.in_struct(name))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.0
            .deserialize_enum(name, variants, visitor)
            .map_err(de::Error::custom)
    }

    zero_for_null! {
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i64(0);
        deserialize_i16 => visit_i64(0);
        deserialize_i32 => visit_i64(0);
        deserialize_i64 => visit_i64(0);
        deserialize_u8 => visit_u64(0);
        deserialize_u16 => visit_u64(0);
        deserialize_u32 => visit_u64(0);
        deserialize_u64 => visit_u64(0);
        deserialize_f32 => visit_f64(0.0);
        deserialize_f64 => visit_f64(0.0);
        deserialize_str => visit_str("");
        deserialize_string => visit_str("");
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The entries under the names the struct has, whatever their case; nulls are left out.
fn matched(map: Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let mut out = Map::new();
    let mut folded = Vec::new();
    for (key, value) in map {
        if value.is_null() {
            continue;
        }
        if fields.contains(&key.as_str()) {
            out.insert(key, value);
        } else if let Some(field) = fields.iter().find(|field| field.eq_ignore_ascii_case(&key)) {
            folded.push(((*field).to_owned(), value));
        } else {
            out.insert(key, value);
        }
    }
    for (field, value) in folded {
        out.entry(field).or_insert(value);
    }
    out
}

struct Steps {
    items: std::iter::Enumerate<std::vec::IntoIter<Value>>,
}

impl<'de> de::SeqAccess<'de> for Steps {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.items.next() else {
            return Ok(None);
        };
        seed.deserialize(Go(value))
            .map(Some)
            .map_err(|fault| fault.within(index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries {
    entries: serde_json::map::IntoIter,
    value: Option<(String, Value)>,
}

impl<'de> de::MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key.clone(), value));
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let (key, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Go(value))
            .map_err(|fault| fault.within(key))
    }
}

/// A map's key: a string, or a number where the map's keys are numbers.
struct Key(String);

impl<'de> Deserializer<'de> for Key {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_string(self.0)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.parse() {
            Ok(number) => visitor.visit_u16(number),
            Err(_) => visitor.visit_string(self.0),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
