//! Fields that are not read: those that ask for nothing on one host, and the refusal of all others by their path.

use std::collections::BTreeMap;

use model::Error;
use serde_json::Value;

use crate::fields::NOT_YET;

/// Of every object: written by a cluster, or for it.
pub(super) const IDLE_OF_OBJECTS: &[&str] = &["apiVersion", "kind", "status"];
/// Of metadata: the same.
pub(super) const IDLE_OF_METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
];
/// Of `ConfigMap`s, which are kept nowhere and give no variables of what is binary.
pub(super) const IDLE_OF_DATA: &[&str] = &["apiVersion", "kind", "immutable", "binaryData"];
/// Of Secrets: the type says which keys a cluster checks.
pub(super) const IDLE_OF_SECRETS: &[&str] = &["apiVersion", "kind", "type"];
/// Of claims: which storage of a cluster is meant.
pub(super) const IDLE_OF_CLAIMS: &[&str] = &["apiVersion", "kind", "status", "spec"];
/// Of deployments: how pods are found and exchanged.
pub(super) const IDLE_OF_DEPLOYMENTS: &[&str] = &[
    "minReadySeconds",
    "progressDeadlineSeconds",
    "revisionHistoryLimit",
    "selector",
    "strategy",
];
/// Of pods: where a scheduler places them, and what they are to a cluster's API.
pub(super) const IDLE_OF_PODS: &[&str] = &[
    "affinity",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "imagePullSecrets", // credentials come with the request
    "nodeName",
    "nodeSelector",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "schedulerName",
    "schedulingGates",
    "serviceAccount",
    "serviceAccountName",
    "tolerations",
    "topologySpreadConstraints",
];
/// Of containers: no service waits for one to be ready, and nobody reads what it leaves.
pub(super) const IDLE_OF_CONTAINERS: &[&str] = &[
    "readinessProbe",
    "resizePolicy",
    "terminationMessagePath",
    "terminationMessagePolicy",
];

/// How the names of annotations begin that ask for something.
const ASKING: [&str; 5] = [
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "io.podman.annotations.",
    "seccomp.security.alpha.kubernetes.io/",
    "volume.podman.io/",
];
/// What `kube generate` writes of each health check, and of a pod without a user namespace.
const HEALTH: &str = "io.podman.annotations.kube.health.check";
const USERNS: &str = "io.podman.annotations.userns";

/// Refuses what asks for something among fields that are not read.
///
/// # Errors
/// [`Error::Unsupported`] with the path.
pub(super) fn check(at: &str, rest: &BTreeMap<String, Value>, idle: &[&str]) -> Result<(), Error> {
    let asks = |(name, value): &(&String, &Value)| !idle.contains(&name.as_str()) && !unset(value);
    match rest.iter().find(asks) {
        Some((name, _)) => Err(Error::unsupported(format!("{at}.{name}"), NOT_YET)),
        None => Ok(()),
    }
}

/// Refuses annotations that ask Podman, or a kubelet before it had fields for them, for something.
pub(super) fn check_annotations(
    at: &str,
    annotations: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let asks = |(key, value): &(&String, &String)| {
        let idle = key.starts_with(HEALTH) || (*key == USERNS && *value == "host");
        !idle && ASKING.iter().any(|prefix| key.starts_with(prefix))
    };
    match annotations.iter().find(asks) {
        Some((key, _)) => Err(Error::unsupported(
            format!("{at}: annotation {key}"),
            NOT_YET,
        )),
        None => Ok(()),
    }
}

fn unset(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.values().all(unset),
    }
}
