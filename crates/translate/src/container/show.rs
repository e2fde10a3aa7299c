//! What is shown of a container, whichever face asks.

use std::collections::BTreeMap;

use model::Id;
use model::argv::effective_argv;
use model::container::{ContainerRecord, ContainerSpec, Mount, MountKind, Wanted};
use model::gate;
use model::observed::ContainerVerbose;
use model::pod::{Role, SandboxRecord};
use model::view::{ContainerBody, ContainerDetail, ContainerView, State};

use super::mount_options::{other_options, shown_options};
use super::security;
use crate::cri::{DEFAULT_CAPABILITIES, KNOWN_CAPABILITIES, effective_capabilities, environment};
use crate::volume::LOCAL;

/// The record of one of ours.
pub(super) fn own(view: &ContainerView) -> Option<&ContainerRecord> {
    match &view.body {
        ContainerBody::Own(record) => Some(record),
        ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => None,
    }
}

/// What was asked of one of ours.
pub(crate) fn spec(view: &ContainerView) -> Option<&ContainerSpec> {
    own(view).map(|record| &record.spec)
}

/// The image's name; an infra container has none.
pub(super) fn image_name(view: &ContainerView) -> &str {
    match &view.body {
        ContainerBody::Own(record) => &record.spec.image.name,
        ContainerBody::Infra { .. } => "",
        ContainerBody::Foreign(foreign) => &foreign.image,
    }
}

/// The image's id without `sha256:`.
pub(super) fn image_id(view: &ContainerView) -> &str {
    let id = match &view.body {
        ContainerBody::Own(record) => &record.spec.image.id,
        ContainerBody::Infra { .. } => "",
        ContainerBody::Foreign(foreign) => foreign.image_id.as_str(),
    };
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// The labels, with the image's below those asked for.
pub(super) fn labels(view: &ContainerView) -> BTreeMap<String, String> {
    let mut all = spec(view)
        .map(|spec| spec.image.config.labels.clone())
        .unwrap_or_default();
    all.extend(
        view.labels()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    all
}

/// The annotations asked for, and those by which Podman shows what it has no field for.
pub(super) fn annotations(view: &ContainerView) -> BTreeMap<String, String> {
    let mut all = match &view.body {
        ContainerBody::Own(record) => record.spec.annotations.clone(),
        ContainerBody::Infra { pod, .. } => pod.spec.annotations.clone(),
        ContainerBody::Foreign(foreign) => foreign.annotations.clone(),
    };
    if let Some(spec) = spec(view) {
        for (name, on) in [
            ("autoremove", spec.remove),
            ("autoremove-image", spec.remove_image),
            ("privileged", spec.privileged),
        ] {
            if on {
                all.insert(format!("io.podman.annotations.{name}"), "TRUE".to_owned());
            }
        }
        for (name, value) in [
            ("seccomp", seccomp(spec)),
            ("apparmor", apparmor(spec)),
            ("label", label_options(spec)),
        ] {
            all.extend(value.map(|value| (format!("io.podman.annotations.{name}"), value)));
        }
    }
    all
}

/// Its seccomp profile as asked for.
pub(super) fn seccomp(spec: &ContainerSpec) -> Option<String> {
    let own = spec.seccomp.as_ref().map(|profile| profile.asked.clone());
    let own = own.filter(|asked| !asked.is_empty()); // of the image's nothing is shown
    own.or_else(|| unconfined(spec.seccomp_unconfined))
}

/// Its `AppArmor` profile as asked for.
pub(super) fn apparmor(spec: &ContainerSpec) -> Option<String> {
    let own = spec.apparmor.clone();
    own.or_else(|| unconfined(spec.apparmor_unconfined))
}

/// The profile of its process, so far as it is known: the runtime does not tell the name of its own.
pub(super) fn apparmor_by_name(view: &ContainerView) -> String {
    let named = spec(view).and_then(|spec| spec.apparmor.clone());
    named.unwrap_or_default()
}

fn unconfined(on: bool) -> Option<String> {
    on.then(|| security::UNCONFINED.to_owned())
}

/// Options of its `SELinux` label, as Podman writes them behind `label=`.
pub(super) fn label_options(spec: &ContainerSpec) -> Option<String> {
    (!spec.selinux.is_empty()).then(|| spec.selinux.join(",label="))
}

/// Podman's Cmd: what was asked, else the image's where no entry point was asked for either.
pub(super) fn cmd(view: &ContainerView) -> Option<Vec<String>> {
    match &view.body {
        ContainerBody::Own(record) => {
            let spec = &record.spec;
            let image = || {
                spec.entrypoint
                    .is_none()
                    .then(|| spec.image.config.cmd.clone())
            };
            spec.command.clone().or_else(image)
        }
        ContainerBody::Infra { .. } => None,
        ContainerBody::Foreign(foreign) => Some(foreign.command.clone()),
    }
    .filter(|words| !words.is_empty())
}

/// Podman's Entrypoint: what was asked, else the image's.
pub(super) fn entrypoint(view: &ContainerView) -> Option<Vec<String>> {
    let spec = spec(view)?;
    let words = spec
        .entrypoint
        .as_ref()
        .unwrap_or(&spec.image.config.entrypoint);
    Some(words.clone()).filter(|words| !words.is_empty())
}

/// What is executed: the runtime's word where it has one.
pub(super) fn argv(detail: &ContainerDetail) -> Vec<String> {
    let from_runtime = verbose(detail)
        .map(|verbose| verbose.args.clone())
        .filter(|args| !args.is_empty());
    let argv = from_runtime.unwrap_or_else(|| match &detail.view.body {
        ContainerBody::Own(record) => effective_argv(&record.spec).all(),
        ContainerBody::Infra { .. } => Vec::new(),
        ContainerBody::Foreign(foreign) => foreign.command.clone(),
    });
    let init = spec(&detail.view).is_some_and(|spec| spec.init);
    let is_there = argv.first().is_some_and(|program| program == gate::INIT);
    let before = [gate::INIT, "--"].into_iter().filter(|_| init && !is_there);
    before.map(str::to_owned).chain(argv).collect()
}

/// The verbose part of the runtime's status.
pub(super) fn verbose(detail: &ContainerDetail) -> Option<&ContainerVerbose> {
    detail.status.as_ref().map(|status| &status.verbose)
}

/// The environment: the runtime's word where it has one, else what it will be, as far as known.
pub(super) fn env(detail: &ContainerDetail) -> Option<Vec<String>> {
    // the gate takes away what the runtime sets
    let stays = |pair: &String| {
        let name = pair.split('=').next().unwrap_or_default();
        !spec(&detail.view).is_some_and(|spec| spec.takes_away(name))
    };
    let from_runtime = verbose(detail)
        .map(|verbose| {
            let pairs = verbose.env.iter().filter(|pair| stays(pair));
            pairs.map(|pair| without_secret(spec(&detail.view), pair))
        })
        .map(Vec::from_iter)
        .filter(|env| !env.is_empty());
    from_runtime.or_else(|| {
        let spec = spec(&detail.view)?;
        let all = environment(spec, "").into_iter();
        // Podman shows HOSTNAME from the first start on, unless it was asked for
        let shown = all.filter(|(key, _)| key != "HOSTNAME" || spec.env.contains_key(key));
        let pairs = shown.map(|(key, value)| format!("{key}={value}"));
        let pairs = pairs.map(|pair| without_secret(Some(spec), &pair));
        Some(pairs.collect())
    })
}

/// A variable, with that of a secret as Podman shows it: by the secret's name, without its data.
fn without_secret(spec: Option<&ContainerSpec>, pair: &str) -> String {
    let name = pair.split('=').next().unwrap_or_default();
    match spec.and_then(|spec| spec.secret_env.get(name)) {
        Some(secret) => format!("{secret}=*******"),
        None => pair.to_owned(),
    }
}

/// The working directory.
pub(crate) fn work_dir(detail: &ContainerDetail) -> String {
    let from_runtime = verbose(detail)
        .map(|verbose| verbose.cwd.clone())
        .unwrap_or_default();
    let asked = spec(&detail.view).map(|spec| {
        spec.work_dir
            .clone()
            .unwrap_or(spec.image.config.work_dir.clone())
    });
    [from_runtime, asked.unwrap_or_default()]
        .into_iter()
        .find(|dir| !dir.is_empty())
        .unwrap_or("/".to_owned())
}

/// The user asked for, else the image's.
pub(crate) fn user(view: &ContainerView) -> String {
    spec(view)
        .map(|spec| spec.user.clone().unwrap_or(spec.image.config.user.clone()))
        .unwrap_or_default()
}

/// The host name: the runtime's word where it has one; "" where only the host knows it.
pub(super) fn hostname(detail: &ContainerDetail) -> String {
    if let Some(name) = verbose(detail)
        .map(|verbose| &verbose.hostname)
        .filter(|name| !name.is_empty())
    {
        return name.clone();
    }
    if let Some(pod) = pod(detail) {
        return pod
            .spec
            .hostname
            .clone()
            .unwrap_or_else(|| pod.name.clone());
    }
    let Some(record) = own(&detail.view) else {
        return String::new();
    };
    if record.spec.joined.any() {
        let of_sandbox = detail.sandbox.as_deref();
        let of_sandbox = of_sandbox.and_then(|sandbox| sandbox.spec.hostname.clone());
        return of_sandbox.unwrap_or_default();
    }
    match (&record.spec.hostname, detail.view.network.host) {
        (Some(name), _) => name.clone(),
        (None, false) => record.id.short().to_owned(),
        (None, true) => String::new(),
    }
}

/// The pod's sandbox record, for a container in a pod and for an infra container.
pub(super) fn pod(detail: &ContainerDetail) -> Option<&SandboxRecord> {
    match &detail.view.body {
        ContainerBody::Infra { pod, .. } => Some(pod),
        ContainerBody::Own(_) => detail
            .sandbox
            .as_deref()
            .filter(|sandbox| sandbox.role != Role::Hidden),
        ContainerBody::Foreign(_) => None,
    }
}

/// Ids of its exec sessions.
pub(super) fn exec_ids(detail: &ContainerDetail) -> Vec<String> {
    detail.execs.iter().map(ToString::to_string).collect()
}

/// The containers that run before it.
pub(super) fn requires(view: &ContainerView) -> impl Iterator<Item = String> {
    let record = match &view.body {
        ContainerBody::Own(record) => Some(record),
        ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => None,
    };
    let ids = record.into_iter().flat_map(|record| &record.spec.requires);
    ids.map(ToString::to_string)
}

/// The infra container that a container in a pod shares its namespaces with.
pub(super) fn infra_of(detail: &ContainerDetail) -> Option<&Id> {
    if detail.view.is_infra() {
        return None;
    }
    match &pod(detail)?.role {
        Role::Pod { infra } => infra.as_ref(),
        Role::Hidden => None,
    }
}

/// Restarts by policy; a foreign one's attempts.
pub(crate) fn restarts(view: &ContainerView) -> u32 {
    match &view.body {
        ContainerBody::Own(record) => record.progress.restarts,
        ContainerBody::Infra { .. } => 0,
        ContainerBody::Foreign(foreign) => foreign.attempt,
    }
}

/// Process id; 0 while it does not run.
pub(super) fn pid(view: &ContainerView) -> i64 {
    view.pid.filter(|_| view.state.is_up()).map_or(0, i64::from)
}

/// Exit code of the last run; 0 while it runs.
pub(super) fn exit_code(view: &ContainerView) -> i32 {
    if view.state.is_up() {
        0
    } else {
        view.run.exit_code
    }
}

/// A user stopped it.
pub(super) fn stopped_by_user(view: &ContainerView) -> bool {
    view.state == State::Exited
        && own(view).is_some_and(|record| record.progress.wanted == Wanted::Stopped)
}

/// Why the last start failed, else what the runtime has lost, else the runtime's text.
pub(super) fn error(detail: &ContainerDetail) -> String {
    let progress = own(&detail.view).map(|record| &record.progress);
    let stored = progress.and_then(|progress| progress.error.clone());
    let lost = progress.and_then(|progress| progress.lost);
    stored
        .or_else(|| lost.map(|loss| loss.to_string()))
        .or_else(|| detail.status.as_ref().map(|status| status.message.clone()))
        .unwrap_or_default()
}

/// One mount as both faces show it; tmpfs are not among them.
#[derive(Default)]
pub(super) struct ShownMount {
    pub(super) kind: MountKind,
    /// The part of a volume or an image.
    pub(super) sub_path: String,
    /// The name of a volume, else empty.
    pub(super) volume: String,
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) mode: String,
    pub(super) options: Vec<String>,
    pub(super) rw: bool,
    pub(super) propagation: String,
}

impl ShownMount {
    /// Podman's words for its type and its driver.
    pub(super) fn type_and_driver(&self) -> (&'static str, &'static str) {
        match (self.kind, self.volume.is_empty()) {
            (MountKind::Image, _) => ("image", ""),
            (_, true) => ("bind", ""),
            (_, false) => ("volume", LOCAL),
        }
    }
}

/// The bind mounts and volumes asked for; a foreign one's mounts as the runtime reports them.
pub(super) fn mounts(view: &ContainerView, detail: Option<&ContainerDetail>) -> Vec<ShownMount> {
    if let Some(spec) = spec(view) {
        return mounts_of(spec);
    }
    let reported = detail
        .and_then(|detail| detail.status.as_ref())
        .map(|status| status.mounts.as_slice());
    let reported = reported.unwrap_or_default().iter().map(|mount| ShownMount {
        kind: MountKind::Bind, // CRI does not know others
        volume: String::new(),
        sub_path: String::new(),
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        mode: String::new(),
        options: Vec::new(),
        rw: !mount.read_only,
        propagation: String::new(),
    });
    reported.collect()
}

/// The bind mounts, volumes and images that were asked for.
pub(super) fn mounts_of(spec: &ContainerSpec) -> Vec<ShownMount> {
    let mut all: Vec<_> = binds(spec).map(shown_mount).collect();
    all.sort_by_key(|mount| mount.volume.is_empty()); // volumes first, as Podman
    all
}

fn shown_mount(mount: &Mount) -> ShownMount {
    let options = shown_options(mount);
    let word = |words: &[&str]| {
        options
            .iter()
            .find(|word| words.contains(&word.as_str()))
            .cloned()
    };
    if mount.kind == MountKind::Image {
        return ShownMount {
            kind: mount.kind,
            source: mount.source.clone(),
            destination: mount.destination.clone(),
            rw: !mount.read_only,
            sub_path: mount.sub_path.clone(),
            ..ShownMount::default()
        };
    }
    ShownMount {
        kind: mount.kind,
        sub_path: mount.sub_path.clone(),
        volume: mount.volume.clone(),
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        mode: word(&["z", "Z"]).unwrap_or_default(),
        options: other_options(&options),
        rw: !mount.read_only,
        propagation: mount
            .propagation
            .clone()
            .unwrap_or_else(|| word(&["private", "rprivate"]).unwrap_or_default()),
    }
}

/// The bind mounts, volumes and images of a spec.
pub(super) fn binds(spec: &ContainerSpec) -> impl Iterator<Item = &Mount> {
    spec.mounts
        .iter()
        .filter(|mount| mount.kind != MountKind::Tmpfs)
}

/// Bounding and effective capabilities, with `CAP_` and sorted; `None` where nobody says.
pub(super) struct Caps {
    pub(super) bounding: Option<Vec<String>>,
    pub(super) effective: Option<Vec<String>>,
}

/// The runtime's word where it has one, else what the container will have.
pub(super) fn caps(detail: &ContainerDetail) -> Caps {
    if let Some(verbose) = verbose(detail).filter(|verbose| !verbose.oci_version.is_empty()) {
        let effective = Some(with_prefix(&verbose.effective_caps));
        return Caps {
            bounding: Some(with_prefix(&verbose.bounding_caps)),
            effective,
        };
    }
    let Some(spec) = spec(&detail.view) else {
        return Caps {
            bounding: None,
            effective: None,
        };
    };
    let bounding = effective_capabilities(spec)
        .ok()
        .map(|names| with_prefix(&names));
    let root =
        ["", "0", "root"].contains(&user(&detail.view).split(':').next().unwrap_or_default());
    let effective = if root || spec.privileged {
        bounding.clone()
    } else {
        Some(with_prefix(&spec.cap_add))
    };
    Caps {
        bounding,
        effective,
    }
}

/// What was added to Podman's default set and taken from it, as Podman's inspect computes it.
pub(super) fn cap_changes(
    bounding: Option<&[String]>,
    privileged: bool,
) -> (Vec<String>, Vec<String>) {
    let Some(bounding) = bounding else {
        return (Vec::new(), Vec::new());
    };
    let base = if privileged {
        KNOWN_CAPABILITIES
    } else {
        DEFAULT_CAPABILITIES
    };
    let base: Vec<String> = base.iter().map(|name| format!("CAP_{name}")).collect();
    let without = |all: &[String], other: &[String]| {
        all.iter()
            .filter(|name| !other.contains(name))
            .cloned()
            .collect()
    };
    (without(bounding, &base), without(&base, bounding))
}

fn with_prefix(names: &[String]) -> Vec<String> {
    let full = |name: &String| {
        let upper = name.to_uppercase();
        if upper.starts_with("CAP_") {
            upper
        } else {
            format!("CAP_{upper}")
        }
    };
    let mut all: Vec<String> = names.iter().map(full).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Where the layers lie: Podman's four words; `None` where the container has none yet or the
/// runtime does not say.
pub(super) fn layers(detail: &ContainerDetail) -> Option<BTreeMap<String, String>> {
    let layer = verbose(detail)?.layer.as_ref()?;
    let text = |path: &std::path::Path| path.display().to_string();
    let mut data = BTreeMap::from([("UpperDir".to_owned(), text(&layer.upper))]);
    if let Some(work) = &layer.work {
        data.insert("WorkDir".to_owned(), text(work));
    }
    if let Some(merged) = layer.merged.as_ref().filter(|_| detail.view.state.is_up()) {
        data.insert("MergedDir".to_owned(), text(merged));
    }
    if !layer.lower.is_empty() {
        let lower: Vec<String> = layer.lower.iter().map(|path| text(path)).collect();
        data.insert("LowerDir".to_owned(), lower.join(":"));
    }
    Some(data)
}
