//! What a container sees from inside: the files under `/etc`, its name, and what it may do.
//!
//! The table says what Podman 5.8 shows; it is proven on a real one where `PODMAN_CRI_PODMAN_SOCKET`
//! names its socket, and holds on both runtimes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

mod expected;
mod joined;
mod look;
mod no_network;
mod pod;

use anyhow::{Context, Result, bail, ensure};
use conformance::{
    Http, Lab, Setup, Variant,
    runner::Podman,
    scenario::{self, BOTH, next_folder, on_each},
};
use expected::{LOOKS, Look};
use look::Place;
use private_runtime::Kind;
use serde_json::json;

/// The pod that lookers are made in.
const POD: &str = "nest";

/// Takes all looks at a place; fails with every difference.
async fn look_around(place: &Place<'_>, runtime: Option<Kind>) -> Result<()> {
    let api = place.api();
    api.remove_pod(POD).await?;
    let pod = api.create_pod(&json!({ "name": POD })).await?;
    let mut problems = Vec::new();
    for look in LOOKS {
        let differences = one_look(place, look, &pod, runtime).await;
        let differences = differences.with_context(|| look.name.to_owned());
        match differences {
            Ok(found) => problems.extend(found),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    api.remove_pod(POD).await?;
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("{}", problems.join("\n")),
    }
}

async fn one_look(
    place: &Place<'_>,
    look: &Look,
    pod: &str,
    runtime: Option<Kind>,
) -> Result<Vec<String>> {
    let fields = serde_json::from_str(look.fields)?;
    let (id, seen) = place.look(look.name, &fields).await?;
    Ok(look.differences(&id, pod, &seen, runtime))
}

async fn as_in_podman(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    look_around(&Place::Here(&lab), Some(variant.kind)).await?;
    scenario::finish(lab).await
}

/// CRI-O gives the capabilities of a privileged container to every user: Podman does not, so it is
/// refused there.
async fn nobody_but_root_is_privileged(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let place = Place::Here(&lab);
    let fields = json!({ "privileged": true, "user": "1000" });
    let looked = place.look("looker", &fields).await;
    match (variant.kind, looked) {
        (Kind::Containerd, Ok((_, seen)))
            if seen["process"].contains("CapEff: 0000000000000000") => {}
        (Kind::CriO, Err(error)) if format!("{error:#}").contains("privileged with a user") => {}
        (_, looked) => bail!("{looked:?}"),
    }
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_container_sees_what_it_sees_with_podman() {
    on_each(BOTH, as_in_podman).await.unwrap();
}

/// The cgroup stays when the container is removed, as with Podman.
async fn in_a_cgroup_of_its_own(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Place::Here(&lab).api();
    let body = json!({
        "name": "placed", "image": scenario::IMAGE, "command": ["sleep", "1000"],
        "cgroup_parent": "podman-cri-parent",
    });
    api.create(&body).await?;
    api.start("placed").await?;
    let found = api.inspect("placed").await?.context("it is gone")?;
    let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", found["State"]["Pid"]))?;
    let inside = |line: &str| line.contains("/podman-cri-parent/");
    ensure!(cgroups.lines().any(inside), "{cgroups}");
    api.remove("placed").await?;
    let pod = json!({ "name": "nest", "cgroup_parent": "podman-cri-parent" });
    api.create_pod(&pod).await?;
    let member = json!({
        "name": "member", "image": scenario::IMAGE, "command": ["sleep", "1000"], "pod": "nest",
    });
    api.create(&member).await?;
    api.start("member").await?;
    let found = api.inspect("member").await?.context("it is gone")?;
    let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", found["State"]["Pid"]))?;
    ensure!(cgroups.lines().any(inside), "{cgroups}");
    api.remove_pod("nest").await?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_container_lies_in_the_cgroup_that_it_was_given() {
    on_each(BOTH, in_a_cgroup_of_its_own).await.unwrap();
}

/// What it does on Podman 5.8.6 too: one rule counts, and two do not by their conditions.
const PROFILE: &str = r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [], "syscalls": [
    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errno": "ENOSYS"},
    {"names": ["chdir"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_CHOWN"]}}]}"#;

/// The file is read at the create; what becomes of it then does not matter, at a second start neither.
async fn held_by_its_profile(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Place::Here(&lab).api();
    let file = next_folder(&lab.host)?.join("profile.json");
    std::fs::write(&file, PROFILE)?;
    let script = "cd /tmp && chmod 700 /tmp && echo fine; mkdir /made 2>&1; grep ^Seccomp: /proc/self/status";
    api.create(&json!({
        "name": "held", "image": scenario::IMAGE, "command": ["sh", "-c", script],
        "seccomp_profile_path": file,
    }))
    .await?;
    std::fs::remove_file(&file)?;
    let found = api.inspect("held").await?.context("it is gone")?;
    let wanted = json!([format!("seccomp={}", file.display())]);
    ensure!(found["HostConfig"]["SecurityOpt"] == wanted, "{found}");
    let wanted = [
        "fine\n",
        "mkdir: can't create directory '/made': Function not implemented\n",
        "Seccomp:\t2\n",
    ];
    for runs in 1..=2 {
        api.start("held").await?;
        api.wait("held").await?;
        let logs = api.get("/containers/held/logs?stdout=true").await?.text();
        let each = |line: &&str| logs.matches(*line).count() == runs;
        ensure!(wanted.iter().all(each), "{logs:?}");
    }
    api.remove("held").await?;
    scenario::finish(lab).await
}

/// What a device of the Container Device Interface is, on the host.
const CDI_SPEC: &str = r#"{ "cdiVersion": "0.6.0", "kind": "podman-cri.test/dev", "devices": [{ "name": "one", "containerEdits":
    { "env": ["CDI=yes"], "deviceNodes": [{ "path": "/dev/cdi-null", "hostPath": "/dev/null", "type": "c", "major": 1, "minor": 3 }] } }] }"#;

/// CRI-O makes of it what it says; containerd 1.6 would leave it out.
async fn with_a_cdi_device(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let write = format!("mkdir -p /etc/cdi && cat >/etc/cdi/test.json <<'END'\n{CDI_SPEC}\nEND");
    lab.host.shell(&write)?;
    let api = Place::Here(&lab).api();
    let body = json!({
        "name": "cdi", "image": scenario::IMAGE, "devices": [{ "path": "podman-cri.test/dev=one" }],
        "command": ["sh", "-c", "test -c /dev/cdi-null && test $CDI = yes && echo x >/dev/cdi-null"],
    });
    match (variant.kind, api.create(&body).await) {
        (Kind::Containerd, Err(error)) if format!("{error:#}").contains("Container Device") => {}
        (Kind::CriO, Ok(_)) => {
            api.start("cdi").await?;
            let ended = api.post("/containers/cdi/wait").await?.expect(200)?.text();
            ensure!(ended.trim() == "0", "{ended}");
            api.remove("cdi").await?;
        }
        (_, made) => bail!("{made:?}"),
    }
    lab.host.shell("rm -r /etc/cdi")?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_container_is_held_by_the_seccomp_profile_that_it_was_given() {
    on_each(BOTH, held_by_its_profile).await.unwrap();
}

#[tokio::test]
async fn a_cdi_device_reaches_a_container() {
    on_each(BOTH, with_a_cdi_device).await.unwrap();
}

#[tokio::test]
async fn containers_of_a_pod_find_each_other_by_name() {
    on_each(BOTH, pod::members_find_each_other).await.unwrap();
}

#[tokio::test]
async fn a_container_without_a_network_has_none_though_the_daemon_died() {
    on_each(BOTH, no_network::a_daemon_that_dies_on_the_way)
        .await
        .unwrap();
}

#[tokio::test]
async fn containers_on_one_network_are_whole_though_the_daemon_died() {
    on_each(BOTH, joined::a_daemon_that_dies_on_the_way)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_network_stays_for_the_last_container_on_it() {
    on_each(BOTH, joined::the_network_stays_for_the_last)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_privileged_user_other_than_root_has_no_capabilities() {
    on_each(BOTH, nobody_but_root_is_privileged).await.unwrap();
}

#[tokio::test]
async fn the_table_is_podmans() {
    let Some(podman) = Podman::given() else {
        println!("SKIPPED: PODMAN_CRI_PODMAN_SOCKET names no Podman service");
        return;
    };
    let target = podman.target().await.unwrap();
    if target.version != (5, 8) {
        println!(
            "SKIPPED: the table is of Podman 5.8, not of {}",
            target.name
        );
        return;
    }
    let socket = std::env::var_os("PODMAN_CRI_PODMAN_SOCKET").unwrap();
    look_around(&Place::Podman(&Http::new(socket)), None)
        .await
        .unwrap();
}
