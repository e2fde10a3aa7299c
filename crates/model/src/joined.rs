//! Namespaces of other containers: `--network container:X` and its sisters.

use serde::{Deserialize, Serialize};

/// The containers whose namespaces a container is in, by name or id as asked for, or by id as found; none for its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined<T> {
    /// Whose processes it sees.
    pub pid: Option<T>,
    /// Whose shared memory and message queues it has.
    pub ipc: Option<T>,
    /// Whose host name it has.
    pub uts: Option<T>,
    /// Whose network it is on.
    pub network: Option<T>,
    /// Whose user namespace it is in.
    pub user: Option<T>,
}

impl<T> Default for Joined<T> {
    fn default() -> Self {
        Self {
            pid: None,
            ipc: None,
            uts: None,
            network: None,
            user: None,
        }
    }
}

impl<T> Joined<T> {
    /// Each with Podman's word for its kind, in the order in which Podman looks them up.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &T)> {
        let Self {
            pid,
            ipc,
            uts,
            network,
            user,
        } = self;
        let all = [
            ("pid", pid),
            ("ipc", ipc),
            ("uts", uts),
            ("user", user),
            ("net", network),
        ];
        all.into_iter()
            .filter_map(|(kind, joined)| Some((kind, joined.as_ref()?)))
    }

    /// Whether there is some.
    pub fn any(&self) -> bool {
        self.all().next().is_some()
    }

    /// The same with others in their place.
    ///
    /// # Errors
    /// The first of `change`.
    pub fn try_map<U, E>(
        &self,
        mut change: impl FnMut(&'static str, &T) -> Result<U, E>,
    ) -> Result<Joined<U>, E> {
        let Self {
            pid,
            ipc,
            uts,
            network,
            user,
        } = self;
        let mut of = |kind, joined: &Option<T>| match joined {
            Some(joined) => change(kind, joined).map(Some),
            None => Ok(None),
        };
        Ok(Joined {
            pid: of("pid", pid)?,
            ipc: of("ipc", ipc)?,
            uts: of("uts", uts)?,
            user: of("user", user)?,
            network: of("net", network)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_before_there_were_any_is_none() {
        let none: Joined<String> = serde_json::from_str("{}").unwrap();
        assert_eq!(none, Joined::default());
        assert!(!none.any());
        let some: Joined<String> = serde_json::from_str(r#"{"network": "x"}"#).unwrap();
        assert_eq!(some.all().collect::<Vec<_>>(), [("net", &"x".to_owned())]);
    }
}
