//! Containers and pods that were not made here: shown under their CRI ids, never changed.

use std::sync::Arc;

use model::Id;
use model::observed::{ContainerListed, CriState, SandboxListed};
use model::view::{ContainerBody, ContainerView, ForeignContainer, ForeignPod, State};

use super::Snapshot;
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
