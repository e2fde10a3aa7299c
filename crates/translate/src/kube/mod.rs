//! Kubernetes' YAML as Podman plays it (`kube play`): objects that become pods, containers, volumes and secrets of the engine.
//!
//! Pods and containers go by the libpod create bodies, so that a field means the same whichever way it came. Unlike Podman,
//! which leaves out what it does not know, every field is carried out, or refused by its path; a few ask for nothing on one
//! host ([`left::IDLE_OF_PODS`] and its sisters).

mod container;
mod documents;
mod env;
mod left;
mod pod;
mod probes;
mod quantity;
mod report;
mod security;
#[cfg(test)]
mod tests;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};

use model::kube::{Play, ToTakeDown};
use model::secret::{NewSecret, SecretData};
use model::volume::VolumeSpec;
use model::{Error, Id};
use podman_api::kube::{ConfigMap, Secret, VolumeClaim};
use serde_json::json;

use crate::container::Host;

pub use documents::{Documents, read};
pub use report::{play_report, taken_down_report};

/// Podman's text where there is nothing to play.
const NOTHING: &str = "YAML document does not contain any supported kube kind";

/// What the query of a play asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the switches of a request")]
pub struct Options {
    /// `bridge`, `host`, `none`, a network's name; empty is the default.
    pub network: String,
    /// As of `--userns`.
    pub userns: String,
    /// The log driver; empty is the default.
    pub log_driver: String,
    /// Its options.
    pub log_options: BTreeMap<String, String>,
    /// For all objects.
    pub annotations: BTreeMap<String, String>,
    /// No entries in `/etc/hosts`.
    pub no_hosts: bool,
    /// The image's `/etc/hostname`.
    pub no_hostname: bool,
    /// Containers are named without their pod.
    pub no_pod_prefix: bool,
    /// Ports without one of the host are published too, at the same number.
    pub publish_all: bool,
    /// The pods of the same names go first.
    pub replace: bool,
    /// The pods are started.
    pub start: bool,
}

/// What is known beside the YAML.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What a create must know of the host.
    pub host: Host,
    /// Makes ids.
    pub fresh: fn() -> Id,
}

/// Keys and values of one object.
type Values = BTreeMap<String, Vec<u8>>;

/// What keys can be taken from.
struct Sources {
    config_maps: BTreeMap<String, Values>,
    secrets: BTreeMap<String, Values>,
}

/// What a YAML asks to be made. `stored` is the data of secrets of the store, by name, as far as they are there: see
/// [`Documents::secrets_of_the_store`].
///
/// # Errors
/// [`Error::Unsupported`] for a field that is not carried out, by its path; else Podman's text.
pub fn play(
    documents: Documents,
    options: &Options,
    stored: BTreeMap<String, Vec<u8>>,
    known: Known,
) -> Result<Play, Error> {
    let Documents {
        pods,
        config_maps,
        secrets,
        claims,
        left_out,
    } = documents;
    let is_empty = pods.is_empty() && secrets.is_empty() && claims.is_empty();
    if is_empty && config_maps.is_empty() {
        return Err(Error::Plain(NOTHING.to_owned()));
    }
    if is_empty {
        return Err(Error::Plain(
            "ConfigMaps in podman are not a standalone object and must be used in a container"
                .to_owned(),
        ));
    }
    let sources = sources(config_maps, &secrets, stored)?;
    let mut played = Vec::new();
    for pod in pods {
        played.push(pod::pod(pod, options, &sources, known)?);
    }
    if let Some(first) = played.first_mut() {
        first.told.extend(left_out);
    }
    Ok(Play {
        volumes: claims.into_iter().map(volume).collect::<Result<_, _>>()?,
        secrets: secrets.into_iter().map(secret).collect::<Result<_, _>>()?,
        pods: played,
        replace: options.replace,
        start: options.start,
    })
}

/// What a YAML names, to be taken down. With `volumes` those of claims go too, its own and those that its pods name, as with
/// Podman.
pub fn to_take_down(documents: Documents, volumes: bool) -> ToTakeDown {
    let Documents {
        pods,
        secrets,
        claims,
        config_maps: _, // kept nowhere
        left_out: _,
    } = documents;
    let of_pods = pods.iter().flat_map(|pod| &pod.spec.volumes);
    let of_pods = of_pods.filter_map(|volume| volume.persistent_volume_claim.as_ref());
    let claimed = of_pods.map(|claim| claim.claim_name.clone());
    let own = claims.into_iter().map(|claim| claim.metadata.name);
    let names: BTreeSet<_> = own.chain(claimed).collect();
    let secrets = secrets.into_iter();
    ToTakeDown {
        secrets: secrets.map(|secret| secret.metadata.name).collect(),
        volumes: volumes.then(|| names.into_iter().collect()),
        pods: pods.into_iter().map(|pod| pod.metadata.name).collect(),
    }
}

fn sources(
    config_maps: Vec<ConfigMap>,
    secrets: &[Secret],
    stored: BTreeMap<String, Vec<u8>>,
) -> Result<Sources, Error> {
    let mut all = Sources {
        config_maps: BTreeMap::new(),
        secrets: BTreeMap::new(),
    };
    for map in config_maps {
        let at = format!("ConfigMap {}", map.metadata.name);
        left::check(&at, &map.rest, left::IDLE_OF_DATA)?;
        // as for a kubelet, what is binary is no variable
        all.config_maps
            .insert(map.metadata.name, plain(map.data).collect());
    }
    for (name, data) in stored {
        let secret = documents::stored_secret(&name, &data)?;
        all.secrets.insert(name, values_of(&secret)?);
    }
    for secret in secrets {
        let values = values_of(secret)?;
        all.secrets.insert(secret.metadata.name.clone(), values);
    }
    Ok(all)
}

fn values_of(secret: &Secret) -> Result<Values, Error> {
    let at = format!("Secret {}", secret.metadata.name);
    left::check(&at, &secret.rest, left::IDLE_OF_SECRETS)?;
    let mut values = decoded(&at, &secret.data)?;
    values.extend(plain(secret.string_data.clone()));
    Ok(values)
}

fn plain(data: BTreeMap<String, String>) -> impl Iterator<Item = (String, Vec<u8>)> {
    data.into_iter()
        .map(|(key, value)| (key, value.into_bytes()))
}

fn decoded(at: &str, data: &BTreeMap<String, String>) -> Result<Values, Error> {
    use base64::Engine as _;
    let decode = |(key, value): (&String, &String)| {
        // YAML's block texts end in a newline
        let text: String = value.split_whitespace().collect();
        let bytes = base64::prelude::BASE64_STANDARD.decode(text);
        let bytes = bytes
            .map_err(|error| Error::Plain(format!("{at}: data.{key} is no base64: {error}")))?;
        Ok((key.clone(), bytes))
    };
    data.iter().map(decode).collect()
}

/// A claim's volume. Podman's annotations for one of another kind are not carried out.
fn volume(claim: VolumeClaim) -> Result<VolumeSpec, Error> {
    let at = format!("PersistentVolumeClaim {}", claim.metadata.name);
    left::check(&at, &claim.rest, left::IDLE_OF_CLAIMS)?;
    left::check_annotations(&at, &claim.metadata.annotations)?;
    Ok(VolumeSpec {
        name: Some(claim.metadata.name),
        labels: claim.metadata.labels,
        ignore_if_exists: true,
        ..VolumeSpec::default()
    })
}

/// A secret as Podman keeps it: the object itself, of which a container's variables take keys.
fn secret(secret: Secret) -> Result<NewSecret, Error> {
    let Secret {
        metadata,
        data,
        string_data,
        rest: _, // looked at with its values
    } = secret;
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": metadata.name},
        "data": data,
        "stringData": string_data,
    });
    Ok(NewSecret {
        name: metadata.name,
        data: SecretData(serde_json::to_vec(&object).map_err(Error::internal)?),
        labels: metadata.labels,
        replace: true,
        ..NewSecret::default()
    })
}
