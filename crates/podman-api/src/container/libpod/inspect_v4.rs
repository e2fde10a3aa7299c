//! The two fields of `Config` that clients below API 5.0.0 read in another form.

use serde::{Deserialize, Serialize};

use super::InspectConfig;

/// `Config.Entrypoint` of libpod's inspect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entrypoint {
    /// From 5.0.0 on.
    Words(Option<Vec<String>>),
    /// Below 5.0.0: the words joined with spaces, `""` where there is none.
    Joined(String),
}

impl Default for Entrypoint {
    fn default() -> Self {
        Self::Words(None)
    }
}

/// `Config.StopSignal` of libpod's inspect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StopSignal {
    /// From 5.0.0 on: `SIGTERM`.
    Name(String),
    /// Below 5.0.0.
    Number(u32),
}

impl Default for StopSignal {
    fn default() -> Self {
        Self::Name(String::new())
    }
}

impl InspectConfig {
    /// The form for clients that speak libpod below 5.0.0, such as podman-remote 4.3; `stop_signal`
    /// is the number of the one named here.
    #[must_use]
    pub fn into_v4(mut self, stop_signal: u32) -> Self {
        if let Entrypoint::Words(words) = self.entrypoint {
            self.entrypoint = Entrypoint::Joined(words.unwrap_or_default().join(" "));
        }
        self.stop_signal = StopSignal::Number(stop_signal);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_clients_get_text_and_a_number() {
        let config = InspectConfig {
            entrypoint: Entrypoint::Words(Some(vec!["/catatonit".into(), "-P".into()])),
            stop_signal: StopSignal::Name("SIGTERM".into()),
            ..InspectConfig::default()
        };
        let value = serde_json::to_value(config.into_v4(15)).expect("serialises");
        assert_eq!(value.get("Entrypoint"), Some(&"/catatonit -P".into()));
        assert_eq!(value.get("StopSignal"), Some(&15.into()));
        let value = serde_json::to_value(InspectConfig::default().into_v4(9)).expect("serialises");
        assert_eq!(value.get("Entrypoint"), Some(&"".into()));
    }
}
