//! Which CRI containers have a kernel of their own.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use cri_client::verbose::{ContainerInfo, is_kernel_separated};
use model::observed::RuntimeFacts;
use model::record::HANDLER;

/// The handlers that give them one, as the runtime last told.
#[derive(Clone, Debug, Default)]
pub(super) struct Guests(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    handlers: HashSet<String>,
    /// The runtime's default is among them.
    by_default: bool,
}

impl Guests {
    pub(super) fn learn(&self, facts: &RuntimeFacts) {
        let separate = facts.handlers.iter().filter(|one| one.guest.is_some());
        let known = Known {
            handlers: separate.map(|one| one.name.clone()).collect(),
            by_default: facts.guest_of("").is_some(),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Whether a container is in one. containerd names its shim; CRI-O says nothing of a container's handler, which is among
    /// our annotations.
    pub(super) fn has(&self, info: &ContainerInfo) -> bool {
        if !info.runtime_type.is_empty() {
            return is_kernel_separated(&info.runtime_type);
        }
        let handler = info.runtime_spec.annotations.get(HANDLER);
        self.are_of(handler.map(String::as_str).unwrap_or_default())
    }

    /// Whether a handler gives them one; the empty text is the runtime's default.
    pub(super) fn are_of(&self, handler: &str) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match handler {
            "" => known.by_default,
            handler => known.handlers.contains(handler),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::handler::{Guest, Handler};

    #[test]
    fn a_containers_handler_tells_or_its_shim() {
        let guests = Guests::default();
        let kata = Handler {
            guest: Some(Guest::default()),
            ..Handler::named("kata")
        };
        let mut facts = RuntimeFacts {
            handlers: vec![kata, Handler::named("runc")],
            default_handler: "runc".to_owned(),
            ..RuntimeFacts::default()
        };
        guests.learn(&facts);
        let on = |handler: Option<&str>| {
            let mut info = ContainerInfo::default();
            let named = handler.map(|name| (HANDLER.to_owned(), name.to_owned()));
            info.runtime_spec.annotations.extend(named);
            info
        };
        assert!(guests.has(&on(Some("kata"))));
        assert!(!guests.has(&on(Some("runc"))) && !guests.has(&on(None)));
        facts.default_handler = "kata".to_owned();
        guests.learn(&facts);
        assert!(guests.has(&on(None)));
        let by = |shim: &str| ContainerInfo {
            runtime_type: shim.to_owned(),
            ..ContainerInfo::default()
        };
        assert!(guests.has(&by("io.containerd.kata-remote.v2")));
        assert!(!guests.has(&by("io.containerd.runc.v2")));
    }
}
