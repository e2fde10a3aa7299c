//! YAML, read into the objects that it has.

use std::collections::BTreeSet;

use model::Error;
use podman_api::kube::{ConfigMap, Deployment, KubeContainer, Metadata, Pod, Secret, VolumeClaim};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::left;
use crate::decode;
use crate::fields::NOT_YET;

/// Kinds that would make pods. Others (a Service) are told of.
const MAKERS: [&str; 6] = [
    "CronJob",
    "DaemonSet",
    "Job",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];
/// Why there is one pod of a deployment.
const ONE: &str =
    "a pod here has one sandbox with its ports and its name; play it under other names";

/// The objects of a YAML, each kind in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Documents {
    /// Pods, and those of deployments.
    pub(super) pods: Vec<Pod>,
    pub(super) config_maps: Vec<ConfigMap>,
    pub(super) secrets: Vec<Secret>,
    pub(super) claims: Vec<VolumeClaim>,
    /// What is told of objects of other kinds.
    pub(super) left_out: Vec<String>,
}

/// Reads a YAML of one document or several.
///
/// # Errors
/// One that cannot be read, an object without a name, two pods of one name, a kind that would make pods and is not carried out.
pub fn read(text: &[u8]) -> Result<Documents, Error> {
    let text = std::str::from_utf8(text).map_err(|error| unreadable(&error))?;
    let all: Vec<Value> = serde_saphyr::from_multiple_with_options(text, yaml())
        .map_err(|error| unreadable(&error.without_snippet()))?;
    let mut documents = Documents::default();
    for document in all {
        documents.take(document)?;
    }
    let mut names = BTreeSet::new();
    let mut pods = documents.pods.iter().map(|pod| &pod.metadata.name);
    match pods.find(|name| !names.insert(*name)) {
        Some(name) => Err(Error::Plain(format!("two pods are called {name}"))),
        None => Ok(documents),
    }
}

impl Documents {
    /// Names of secrets that its containers take values of, and that it does not have itself.
    pub fn secrets_of_the_store(&self) -> BTreeSet<String> {
        let containers = self.pods.iter().flat_map(|pod| {
            let spec = &pod.spec;
            spec.init_containers.iter().chain(&spec.containers)
        });
        let mut names: BTreeSet<_> = containers.flat_map(secrets_of).collect();
        for secret in &self.secrets {
            names.remove(&secret.metadata.name);
        }
        names
    }

    fn take(&mut self, document: Value) -> Result<(), Error> {
        let kind = document
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        match kind.as_str() {
            "Pod" => self.pods.push(named(
                object(document, "Pod")?,
                |pod: &Pod| &pod.metadata,
                "pod",
            )?),
            "Deployment" => self.pods.push(pod_of(object(document, "Deployment")?)?),
            "ConfigMap" => {
                let map = object(document, "ConfigMap")?;
                self.config_maps
                    .push(named(map, |map: &ConfigMap| &map.metadata, "ConfigMap")?);
            }
            "Secret" => {
                let secret = object(document, "Secret")?;
                self.secrets
                    .push(named(secret, |secret: &Secret| &secret.metadata, "Secret")?);
            }
            "PersistentVolumeClaim" => {
                let claim = object(document, "PersistentVolumeClaim")?;
                let claim = named(
                    claim,
                    |claim: &VolumeClaim| &claim.metadata,
                    "persistent volume claim",
                )?;
                self.claims.push(claim);
            }
            "List" => {
                let Some(Value::Array(items)) = document.get("items") else {
                    return Ok(());
                };
                for item in items.clone() {
                    self.take(item)?;
                }
            }
            "" => {}
            maker if MAKERS.contains(&maker) => {
                return Err(Error::unsupported(format!("kind {maker}"), NOT_YET));
            }
            other => {
                let name = document.pointer("/metadata/name").and_then(Value::as_str);
                let name = name.unwrap_or_default();
                self.left_out.push(format!(
                    "{other} {name} is left out: this kind is not carried out\n"
                ));
            }
        }
        Ok(())
    }
}

/// The data of a secret of the store, which has to be an object as this module keeps it, or Podman.
pub(super) fn stored_secret(name: &str, data: &[u8]) -> Result<Secret, Error> {
    let text = String::from_utf8_lossy(data);
    let value: Value =
        serde_saphyr::from_str_with_options(&text, yaml()).map_err(|_| no_object(name))?;
    if !value.is_object() {
        return Err(no_object(name));
    }
    object(value, "Secret")
}

fn no_object(name: &str) -> Error {
    Error::Plain(format!(
        "secret {name} is not valid JSON/YAML: of a secret of the store that is no Kubernetes Secret no key can be taken"
    ))
}

/// The one pod of a deployment.
fn pod_of(deployment: Deployment) -> Result<Pod, Error> {
    let Deployment {
        metadata,
        spec,
        rest,
    } = named(
        deployment,
        |deployment: &Deployment| &deployment.metadata,
        "deployment",
    )?;
    let at = format!("Deployment {}", metadata.name);
    left::check(&at, &rest, left::IDLE_OF_OBJECTS)?;
    left::check(&format!("{at} spec"), &spec.rest, left::IDLE_OF_DEPLOYMENTS)?;
    if spec.replicas.is_some_and(|count| count != 1) {
        return Err(Error::unsupported(
            format!("{at} spec.replicas other than 1"),
            ONE,
        ));
    }
    left::check(
        &format!("{at} metadata"),
        &metadata.rest,
        left::IDLE_OF_METADATA,
    )?;
    let mut pod = spec.template;
    pod.metadata.name = format!("{}-pod", metadata.name); // Podman's name
    for (name, value) in metadata.annotations {
        pod.metadata.annotations.entry(name).or_insert(value);
    }
    Ok(pod)
}

fn named<T>(object: T, metadata: fn(&T) -> &Metadata, kind: &str) -> Result<T, Error> {
    match metadata(&object).name.is_empty() {
        true => Err(Error::Plain(format!("{kind} does not have a name"))),
        false => Ok(object),
    }
}

fn object<T: DeserializeOwned + Serialize + Default>(value: Value, kind: &str) -> Result<T, Error> {
    decode::decode_value(value).map_err(|cause| Error::Failed {
        message: format!("unable to read YAML as Kube {kind}: {cause}"),
        cause,
    })
}

/// Words such as `N` and `on` are texts: as values of variables they are meant so.
fn yaml() -> serde_saphyr::Options {
    serde_saphyr::options! { strict_booleans: true }
}

fn unreadable(error: &dyn std::fmt::Display) -> Error {
    let cause = format!("yaml: {error}");
    Error::Failed {
        message: format!("multi doc yaml could not be split: {cause}"),
        cause,
    }
}

fn secrets_of(container: &KubeContainer) -> Vec<String> {
    let keys = container
        .env
        .iter()
        .filter_map(|one| one.value_from.as_ref()?.secret_key_ref.as_ref());
    let whole = container
        .env_from
        .iter()
        .filter_map(|one| one.secret_ref.as_ref());
    let names = keys
        .map(|key| &key.name)
        .chain(whole.map(|secret| &secret.name));
    names.cloned().collect()
}
