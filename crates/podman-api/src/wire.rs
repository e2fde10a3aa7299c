//! How Go reads and writes JSON, where that is not what serde does by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::{Error as _, IgnoredAny};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of names, on the wire an object whose values are `{}`: ports as `80/tcp`, destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(pub BTreeSet<String>);

impl KeySet {
    /// Whether there is no name in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<String> for KeySet {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Serialize for KeySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Empty {}
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for name in &self.0 {
            map.serialize_entry(name, &Empty {})?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for KeySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, IgnoredAny>::deserialize(deserializer)?;
        Ok(map.into_keys().collect())
    }
}

/// Null counts as the default value, as with Go's decoder.
pub(crate) fn null_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Go writes a float without a fraction as an integer.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(crate) fn go_float<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// From here on not every integer is a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value.fract() == 0.0 && value.abs() < EXACT {
        #[allow(clippy::cast_possible_truncation, reason = "looked at before")]
        true => serializer.serialize_i64(*value as i64),
        false => serializer.serialize_f64(*value),
    }
}

/// Docker's `StrSlice`: a list, or one string that counts as a list of one.
pub(crate) fn string_or_list<'de, D>(deserializer: D) -> Result<Option<Vec<String>>, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
        None => None,
        Some(OneOrMany::One(word)) => Some(vec![word]),
        Some(OneOrMany::Many(words)) => Some(words),
    })
}

/// Text for which some clients send a number: ports and signals of the compat face.
pub(crate) fn string_or_number<'de, D>(deserializer: D) -> Result<String, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum TextOrNumber {
        Text(String),
        Number(i64),
    }
    Ok(match Option::<TextOrNumber>::deserialize(deserializer)? {
        None => String::new(),
        Some(TextOrNumber::Text(text)) => text,
        Some(TextOrNumber::Number(number)) => number.to_string(),
    })
}

/// A limit that may be -1 for unlimited, which is `u64::MAX`.
pub(crate) fn u64_or_minus_one<'de, D>(deserializer: D) -> Result<u64, D::Error>
where
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Limit {
        Unsigned(u64),
        Signed(i64),
    }
    match Option::<Limit>::deserialize(deserializer)? {
        None => Ok(0),
        Some(Limit::Unsigned(limit)) => Ok(limit),
        Some(Limit::Signed(-1)) => Ok(u64::MAX),
        Some(Limit::Signed(limit)) => Err(D::Error::custom(format!("invalid limit: {limit}"))),
    }
}

/// For `skip_serializing_if`, where Go says `omitempty`.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

/// For `skip_serializing_if`, where Go says `omitempty`.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use crate::container::Signal;
    use crate::container::compat::CreateContainer;
    use crate::container::libpod::SpecGenerator;

    #[test]
    fn compat_words_may_be_one_string() {
        let body: CreateContainer = serde_json::from_str(
            r#"{"Cmd":"echo hi","Entrypoint":[],"StopSignal":9,"HostConfig":{"CapAdd":"ALL",
                "PortBindings":{"80/tcp":[{"HostPort":8080}],"81/tcp":null}}}"#,
        )
        .expect("parses");
        assert_eq!(body.cmd, Some(vec!["echo hi".to_owned()]));
        assert_eq!(body.entrypoint, Some(Vec::new()));
        assert_eq!(body.stop_signal, "9");
        assert_eq!(body.host_config.cap_add, Some(vec!["ALL".to_owned()]));
        let bindings = &body.host_config.port_bindings;
        let first = bindings.get("80/tcp").cloned().flatten().expect("bound");
        assert_eq!(first.first().map(|it| it.host_port.as_str()), Some("8080"));
        assert_eq!(bindings.get("81/tcp"), Some(&None));
    }

    #[test]
    fn signals_and_limits_have_two_forms() {
        let body: SpecGenerator = serde_json::from_str(
            r#"{"stop_signal":"SIGUSR1","r_limits":[{"type":"core","hard":-1,"soft":18446744073709551615}]}"#,
        )
        .expect("parses");
        assert_eq!(body.stop_signal, Some(Signal::Name("SIGUSR1".into())));
        let limit = body.rlimits.first().expect("one limit");
        assert_eq!((limit.hard, limit.soft), (u64::MAX, u64::MAX));
        let bad = r#"{"r_limits":[{"type":"core","hard":-2}]}"#;
        assert!(serde_json::from_str::<SpecGenerator>(bad).is_err());
    }
}
