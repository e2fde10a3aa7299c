//! Containers and pods that were not made here: shown under their CRI ids, never changed.

use std::sync::Arc;

use model::Id;
use model::observed::{ContainerListed, CriState, SandboxListed};
use model::view::{ContainerBody, ContainerView, ForeignContainer, ForeignPod, PodState, State};

use super::{Snapshot, state_from};
use crate::observe::ContainerFacts;

impl Snapshot {
    pub(super) fn foreign(&self, listed: &ContainerListed) -> ContainerView {
        let sandbox = self.seen.sandbox(&listed.sandbox_cri_id);
        let facts = self.facts.get(&listed.cri_id);
        let state = match listed.state {
            CriState::Created => State::Created,
            CriState::Running if facts.is_some_and(|facts| facts.paused()) => State::Paused,
            CriState::Running => State::Running,
            CriState::Exited => State::Exited,
            CriState::Unknown => State::Unknown,
        };
        let sandbox_facts = self
            .sandbox_facts
            .get(&listed.sandbox_cri_id)
            .filter(|_| state.is_up());
        ContainerView {
            state,
            run: facts.map(|facts| facts.run.clone()).unwrap_or_default(),
            pid: facts.and_then(|facts| facts.pid),
            pod: sandbox.and_then(|s| Some((Id::parse(&s.cri_id)?, foreign_pod_name(s)))),
            network: sandbox_facts
                .map(|facts| facts.network.clone())
                .unwrap_or_default(),
            ports: Vec::new(), // CRI does not say
            size: None,
            namespaces: None,
            body: ContainerBody::Foreign(Arc::new(foreign_container(
                listed,
                sandbox,
                facts.map(Arc::as_ref),
            ))),
        }
    }

    pub(super) fn foreign_pod(&self, listed: &SandboxListed) -> ForeignPod {
        ForeignPod {
            id: listed.cri_id.clone(),
            name: foreign_pod_name(listed),
            namespace: listed.namespace.clone(),
            created_at: listed.created_at,
            labels: listed.labels.clone(),
            handler: listed.handler.clone(),
            host_network: self
                .sandbox_facts
                .get(&listed.cri_id)
                .is_some_and(|facts| facts.network.host),
        }
    }
}

/// `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`, as dockershim named them.
pub(crate) fn foreign_container(
    listed: &ContainerListed,
    sandbox: Option<&SandboxListed>,
    facts: Option<&ContainerFacts>,
) -> ForeignContainer {
    let (pod, namespace, uid) = sandbox.map_or(("", "", ""), |s| (&s.name, &s.namespace, &s.uid));
    let mut labels = listed.labels.clone();
    let known = [("name", pod), ("namespace", namespace), ("uid", uid)];
    for (key, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
        labels
            .entry(format!("io.kubernetes.pod.{key}"))
            .or_insert_with(|| value.to_owned());
    }
    let image_id = match listed.image_ref.rsplit_once("sha256:") {
        Some((_, digest)) if facts.is_none_or(|facts| facts.image_id.is_empty()) => {
            digest.to_owned()
        }
        _ => facts.map_or_else(|| listed.image_ref.clone(), |facts| facts.image_id.clone()),
    };
    ForeignContainer {
        id: listed.cri_id.clone(),
        name: format!(
            "k8s_{}_{pod}_{namespace}_{uid}_{}",
            listed.name, listed.attempt
        ),
        created_at: listed.created_at,
        image: listed.image.clone(),
        image_id,
        labels,
        annotations: listed.annotations.clone(),
        sandbox: listed.sandbox_cri_id.clone(),
        attempt: listed.attempt,
        command: Vec::new(),
        infra: false,
    }
}

fn foreign_pod_name(listed: &SandboxListed) -> String {
    listed.name.clone()
}

/// What a kubelet notes of an init container, since Kubernetes 1.33.
const INIT: (&str, &str) = ("io.kubernetes.container.type", "init");

/// A pod's state from its containers, less those that have done their part: a run before the last, which a
/// kubelet keeps for its log, and an init container that has succeeded. Without them a healthy pod would
/// read as degraded.
pub(super) fn pod_state(members: &[ContainerView], ready: bool) -> PodState {
    let mut counting = members
        .iter()
        .filter(|view| !is_done(view, members))
        .map(|view| view.state)
        .peekable();
    match (counting.peek(), ready) {
        (None, true) => PodState::Running,
        (None, false) => PodState::Exited,
        (Some(_), _) => state_from(counting),
    }
}

fn is_done(view: &ContainerView, members: &[ContainerView]) -> bool {
    let ContainerBody::Foreign(foreign) = &view.body else {
        return false;
    };
    let is_init = foreign.annotations.get(INIT.0).map(String::as_str) == Some(INIT.1);
    let later = |other: &ContainerView| match &other.body {
        ContainerBody::Foreign(other) => {
            other.attempt > foreign.attempt && same_container(&other.name, &foreign.name)
        }
        ContainerBody::Own(_) | ContainerBody::Infra { .. } => false,
    };
    view.state == State::Exited
        && ((is_init && view.run.exit_code == 0) || members.iter().any(later))
}

/// All but the attempt, the end of a name, is the same.
fn same_container(one: &str, other: &str) -> bool {
    one.rsplit_once('_').map(|(all, _)| all) == other.rsplit_once('_').map(|(all, _)| all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::container::Run;
    use model::view::NetworkView;

    fn member(name: &str, attempt: u32, state: State, exit_code: i32, kind: &str) -> ContainerView {
        ContainerView {
            state,
            run: Run {
                exit_code,
                ..Run::default()
            },
            pid: None,
            pod: None,
            network: NetworkView::default(),
            ports: Vec::new(),
            size: None,
            namespaces: None,
            body: ContainerBody::Foreign(Arc::new(ForeignContainer {
                name: format!("k8s_{name}_p_default_uid_{attempt}"),
                attempt,
                annotations: [(INIT.0.to_owned(), kind.to_owned())].into(),
                ..ForeignContainer::default()
            })),
        }
    }

    #[test]
    fn a_kubelets_pod_is_what_its_containers_are_now() {
        let init = |code| member("init", 0, State::Exited, code, "init");
        let sidecar = |state| member("side", 0, state, 0, "init");
        let app = |attempt, state| member("app", attempt, state, 0, "container");
        let (up, down) = (State::Running, State::Exited);
        for (members, wanted) in [
            (vec![], PodState::Running),
            (vec![init(0)], PodState::Running),
            (vec![init(0), app(0, up)], PodState::Running),
            (vec![init(1)], PodState::Exited),
            (vec![init(1), sidecar(up)], PodState::Degraded),
            (vec![sidecar(up), app(0, down)], PodState::Degraded),
            (
                vec![sidecar(up), app(0, down), app(1, up)],
                PodState::Running,
            ),
            (
                vec![app(0, down), app(1, down), app(2, up)],
                PodState::Running,
            ),
            (vec![init(0), app(0, down)], PodState::Exited),
            (vec![app(0, up), app(1, up)], PodState::Running),
        ] {
            assert_eq!(pod_state(&members, true), wanted, "{members:?}");
        }
        assert_eq!(pod_state(&[init(0)], false), PodState::Exited);
    }
}
