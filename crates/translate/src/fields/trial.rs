//! A request tried: the translation and the checks of a create, without a daemon.

use jiff::Timestamp;
use model::container::{ContainerRecord, ContainerSpec, Progress};
use model::observed::RuntimeFacts;
use model::pod::{PodSpec, Role, SandboxProgress, SandboxRecord};
use model::request::{NewContainer, NewPod, Userns};
use model::userns::{IdMappings, IdsWanted};
use model::{Error, Id, systemd};
use podman_api::container::compat::CreateContainer;
use podman_api::container::libpod::SpecGenerator;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::explain::Request;
use crate::container::{Host, compat_create, libpod_create};
use crate::cri;
use crate::decode::decode_body;
use crate::pod::pod_create;

/// Whether a create would be carried out, so far as the request alone tells; outside, that it cannot be read.
/// A missing image is another matter: see [`without_image`].
pub(super) fn trial(
    request: Request,
    body: &Value,
    host: Host,
    facts: &RuntimeFacts,
) -> Result<Result<(), Error>, Error> {
    Ok(match request {
        Request::Libpod => {
            let mut spec: SpecGenerator = read(body)?;
            stand_in(&mut spec.image);
            libpod_create(spec, &host).and_then(|new| check(&new, facts))
        }
        Request::Compat => {
            let mut body: CreateContainer = read(body)?;
            stand_in(&mut body.image);
            compat_create(body, None, &host).and_then(|new| check(&new, facts))
        }
        Request::Pod => {
            pod_create(read(body)?).and_then(|new| cri::check_pod(&pod_of(&new), facts))
        }
    })
}

fn read<T: DeserializeOwned + Serialize + Default>(body: &Value) -> Result<T, Error> {
    decode_body(body.to_string().as_bytes(), "decode()")
}

/// What a request is answered that names no image; a pod needs none.
pub(super) fn without_image(request: Request, host: Host) -> Option<Error> {
    match request {
        Request::Libpod => libpod_create(SpecGenerator::default(), &host).err(),
        Request::Compat => compat_create(CreateContainer::default(), None, &host).err(),
        Request::Pod => None,
    }
}

fn stand_in(image: &mut String) {
    if image.is_empty() {
        STAND_IN.clone_into(image);
    }
}

/// The id of a container that is not known.
const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The name of what has none here.
const STAND_IN: &str = "stand-in";

/// What would be asked of a pod.
pub(super) fn pod_of(new: &NewPod) -> PodSpec {
    PodSpec {
        id_mappings: ids_of(&new.userns),
        ..new.spec.clone()
    }
}

fn check(new: &NewContainer, facts: &RuntimeFacts) -> Result<(), Error> {
    let (record, sandbox) = records(new);
    cri::check_container(&record.spec, &sandbox, facts)
}

/// The records of a container that is not there, and of its sandbox.
pub(super) fn records(new: &NewContainer) -> (ContainerRecord, SandboxRecord) {
    let NewContainer {
        name,
        pod,
        spec,
        requires: _, // they are not known
        joins,
        userns,
        image_volumes: _, // the image is not known
        systemd,
        host_env: _, // nor the daemon's variables
        warnings: _, // of what the client sent beside
    } = new;
    let id = Id::generate();
    let name = name.as_deref().unwrap_or(STAND_IN);
    let mut spec = spec.clone();
    if let Some(profile) = &mut spec.seccomp {
        STAND_IN.clone_into(&mut profile.resolved); // its file is not read
    }
    spec.id_mappings = ids_of(userns);
    systemd::decide(&mut spec, *systemd);
    let sandbox = match pod {
        None => SandboxRecord::hidden(&id, name, &spec, Timestamp::UNIX_EPOCH),
        Some(pod) => sandbox(pod, PodSpec::default()),
    };
    let record = ContainerRecord {
        id,
        name: name.to_owned(),
        sandbox: sandbox.id.clone(),
        created_at: Timestamp::UNIX_EPOCH,
        spec: ContainerSpec {
            // they are not known: as if each were one
            joined: joins
                .try_map(|_, _| Id::parse(NOBODY).ok_or(()))
                .unwrap_or_default(),
            ..spec
        },
        progress: Progress::default(),
    };
    (record, sandbox)
}

/// The ids of a user namespace, but those that are chosen at the create.
pub(super) fn ids_of(asked: &Userns) -> Option<IdMappings> {
    match asked {
        Userns::Unset | Userns::Host => None,
        Userns::Given(ids) => Some(ids.clone()),
        Userns::Chosen(IdsWanted::Auto(auto)) => Some(auto.given.clone()),
        Userns::Chosen(IdsWanted::HostIds) => Some(IdMappings::default()),
    }
}

/// A pod that is not there.
fn sandbox(name: &str, spec: PodSpec) -> SandboxRecord {
    SandboxRecord {
        id: Id::generate(),
        role: Role::Pod { infra: None },
        name: name.to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        spec,
        progress: SandboxProgress::default(),
    }
}
