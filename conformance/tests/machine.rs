//! `machine/`: what of a Podman machine with peer pods can be told without one. The files are placed where they belong, once; units,
//! settings and the Containerfile name only what there is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use conformance::daemon;
use regex::Regex;
use tempfile::TempDir;

/// Variables that v0.21.1 of the adaptor reads: its common ones and those of the providers that `adaptor.env` has (cmd/cloud-api-adaptor
/// and the providers' manager.go). The last two are the unit's own.
const ADAPTOR_VARIABLES: &str = "
    REMOTE_HYPERVISOR_ENDPOINT PODS_DIR PAUSE_IMAGE FORWARDER_PORT CACERT_FILE CERT_FILE CERT_KEY TLS_SKIP_VERIFY PROXY_TIMEOUT
    TUNNEL_TYPE VXLAN_PORT INITDATA CLOUD_CONFIG_VERIFY PEERPODS_LIMIT_PER_NODE ENABLE_SCRATCH_SPACE EXTERNAL_NETWORK_VIA_PODVM
    POD_SUBNET_CIDRS
    AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_TENANT_ID AZURE_SUBSCRIPTION_ID AZURE_REGION AZURE_RESOURCE_GROUP AZURE_INSTANCE_SIZE
    AZURE_SUBNET_ID AZURE_NSG_ID AZURE_IMAGE_ID SSH_USERNAME DISABLECVM ENABLE_SECURE_BOOT USE_PUBLIC_IP ROOT_VOLUME_SIZE
    AZURE_INSTANCE_SIZES TAGS
    LIBVIRT_URI LIBVIRT_POOL LIBVIRT_NET LIBVIRT_VOL_NAME LIBVIRT_LAUNCH_SECURITY LIBVIRT_EFI_FIRMWARE LIBVIRT_CPU LIBVIRT_MEMORY
    LIBVIRT_CPUSET
    DOCKER_HOST DOCKER_API_VERSION DOCKER_CERT_PATH DOCKER_TLS_VERIFY DOCKER_PODVM_IMAGE DOCKER_NETWORK_NAME
    VM_POOL_IPS SSH_PUB_KEY_PATH SSH_PRIV_KEY_PATH POOL_NAMESPACE POOL_CONFIGMAP_NAME MAX_RANGE_IPS SSH_TIMEOUT
    SSH_HOST_KEY_ALLOWLIST_DIR
    CLOUD_PROVIDER ADAPTOR_FLAGS";

const UNITS: [&str; 2] = ["podman-cri.service", "cloud-api-adaptor.service"];

/// Where the repository is.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn machine(name: &str) -> PathBuf {
    repository().join("machine").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(machine(name)).unwrap()
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !there {
        println!("WITHOUT {program}: it is not installed, and this is not tried");
    }
    there
}

/// The root of a system on which the packages and programs are, by name.
fn system() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for program in [
        "usr/bin/podman-cri",
        "usr/bin/cloud-api-adaptor",
        "usr/bin/sh",
        "usr/libexec/cni/bridge",
        "usr/libexec/podman-cri/containerd-shim-kata-v2",
    ] {
        write(&root.path().join(program), "#!/bin/sh\n", 0o755);
    }
    symlink("usr/bin", root.path().join("bin")).unwrap();
    let crio = "[Service]\nExecStart=/usr/bin/sh\n[Install]\nWantedBy=multi-user.target\n";
    write(
        &root.path().join("usr/lib/systemd/system/crio.service"),
        crio,
        0o644,
    );
    root
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs `install.sh --files` on a root.
fn place(root: &Path, flags: &[&str]) -> String {
    let output = Command::new(machine("install.sh"))
        .args(["--files", "--root"])
        .arg(root)
        .args(flags)
        .output()
        .unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    said
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn files_are_placed_once_and_settings_are_kept() {
    if !is_installed("systemctl") {
        return;
    }
    let root = system();
    let settings = root.path().join("etc/peerpods/adaptor.env");
    let shown = place(root.path(), &["--dry-run"]);
    assert!(
        shown.contains("would write") && shown.contains("would run: systemctl"),
        "{shown}"
    );
    assert!(!root.path().join("etc").exists(), "only shown");
    place(root.path(), &[]);
    for placed in [
        "usr/lib/systemd/system/podman-cri.service",
        "usr/lib/systemd/system/cloud-api-adaptor.service",
        "etc/crio/crio.conf.d/60-kata-remote.conf",
        "etc/cni/net.d/10-podman-cri.conflist",
        "etc/peerpods/kata/configuration-remote.toml",
        "usr/share/doc/podman-cri/machine.md",
        "etc/systemd/system/multi-user.target.wants/podman-cri.service",
    ] {
        assert!(
            root.path().join(placed).symlink_metadata().is_ok(),
            "{placed}"
        );
    }
    let mode = fs::metadata(&settings).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it has credentials");
    let plugins =
        fs::read_to_string(root.path().join("etc/crio/crio.conf.d/60-plugins.conf")).unwrap();
    assert!(
        plugins.contains(r#"plugin_dirs = ["/usr/libexec/cni"]"#),
        "{plugins}"
    );
    // the local handler only where its shim is, the adaptor only by hand
    for absent in [
        "etc/crio/crio.conf.d/60-kata.conf",
        "etc/systemd/system/multi-user.target.wants/cloud-api-adaptor.service",
    ] {
        assert!(
            root.path().join(absent).symlink_metadata().is_err(),
            "{absent}"
        );
    }
    fs::write(&settings, "CLOUD_PROVIDER=libvirt\n").unwrap();
    let again = place(root.path(), &[]);
    assert!(!again.contains("wrote"), "{again}");
    assert_eq!(
        fs::read_to_string(&settings).unwrap(),
        "CLOUD_PROVIDER=libvirt\n"
    );
}

#[test]
fn a_network_and_a_local_kata_that_are_there_are_seen() {
    if !is_installed("systemctl") {
        return;
    }
    let root = system();
    write(
        &root.path().join("etc/cni/net.d/100-crio-bridge.conflist"),
        "{}",
        0o644,
    );
    write(
        &root.path().join("usr/bin/containerd-shim-kata-v2"),
        "",
        0o755,
    );
    place(root.path(), &[]);
    let network = root.path().join("etc/cni/net.d/10-podman-cri.conflist");
    assert!(!network.exists());
    let handler = root.path().join("etc/crio/crio.conf.d/60-kata.conf");
    assert!(handler.exists());
    // a package of Kata's brings the handler itself
    fs::remove_file(&handler).unwrap();
    let theirs = "[crio.runtime.runtimes.kata]\nruntime_type = \"vm\"\n";
    write(&handler.with_file_name("50-kata"), theirs, 0o644);
    place(root.path(), &[]);
    assert!(!handler.exists());
}

#[test]
fn the_units_are_systemds() {
    if !is_installed("systemd-analyze") || !is_installed("systemctl") {
        return;
    }
    let root = system();
    place(root.path(), &[]);
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .arg(format!("--root={}", root.path().display()))
        .args(["--man=no", "--recursive-errors=no"])
        .args(UNITS)
        .output()
        .unwrap();
    // an unknown setting is told, and is no failure to it
    let said = said(&output);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// The words of a unit's command.
fn command_of(unit: &str) -> Vec<String> {
    let unit = text(&format!("units/{unit}")).replace("\\\n", " ");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_daemon_takes_the_units_flags() {
    let words = command_of(UNITS[0]);
    assert_eq!(words[..2], ["/usr/bin/podman-cri", "serve"]);
    let run = |more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_str().unwrap();
        let words = words[1..]
            .iter()
            .map(|word| word.replace("unix:///run", &format!("unix://{here}")));
        Command::new(daemon::program().unwrap())
            .args(words)
            .arg("--state-dir")
            .arg(folder.path().join("state"))
            .args(more)
            .env_clear()
            .output()
            .unwrap()
    };
    // a folder that cannot be made ends it as soon as its flags are understood
    let output = run(&["--listen", "unix:///proc/none/podman.sock"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let output = run(&["--listen", "unix:///proc/none/podman.sock,handlr=x"]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}

fn toml_of(name: &str) -> toml::Table {
    text(name).parse().unwrap()
}

#[test]
fn the_inner_limits_of_a_start_end_first() {
    let crio = toml_of("crio/60-kata-remote.conf");
    let handler = &crio["crio"]["runtime"]["runtimes"]["kata-remote"];
    let kata = toml_of("kata/configuration-remote.toml");
    let seconds = |value: &toml::Value| u64::try_from(value.as_integer().unwrap()).unwrap();
    let runtime = seconds(&handler["container_create_timeout"]);
    for inner in [
        &kata["hypervisor"]["remote"]["remote_hypervisor_timeout"],
        &kata["runtime"]["create_container_timeout"],
    ] {
        assert!(seconds(inner) < runtime, "{inner} < {runtime}");
    }
    assert!(runtime < cri_client::deadline::START.as_secs());
}

#[test]
fn the_settings_name_one_another() {
    let crio = toml_of("crio/60-kata-remote.conf");
    let handlers = &crio["crio"]["runtime"]["runtimes"];
    let name = handlers.as_table().unwrap().keys().next().unwrap();
    let serve = command_of(UNITS[0]).join(" ");
    assert!(serve.contains(&format!("handler={name}")), "{serve}");
    let configuration = handlers[name]["runtime_config_path"].as_str().unwrap();
    let installer = text("install.sh");
    assert!(installer.contains(&format!("place {configuration} ")));
    let kata = toml_of("kata/configuration-remote.toml");
    let socket = kata["hypervisor"]["remote"]["remote_hypervisor_socket"]
        .as_str()
        .unwrap();
    let unit = text("units/cloud-api-adaptor.service");
    let folder = Regex::new("(?m)^RuntimeDirectory=(.*)$").unwrap();
    let folder = &folder.captures(&unit).unwrap()[1];
    assert_eq!(socket, format!("/run/{folder}/hypervisor.sock"));
    let local = toml_of("crio/60-kata.conf");
    assert!(local["crio"]["runtime"]["runtimes"]["kata"].is_table());
    let network: serde_json::Value =
        serde_json::from_str(&text("cni/10-podman-cri.conflist")).unwrap();
    assert_eq!(network["plugins"][0]["type"], "bridge");
}

#[test]
fn the_adaptors_settings_are_those_it_reads() {
    let known: BTreeSet<_> = ADAPTOR_VARIABLES.split_whitespace().collect();
    let settings = text("adaptor.env");
    let assignment = Regex::new("(?m)^(?:# )?([A-Z][A-Z_]*)=").unwrap();
    let named: BTreeSet<_> = assignment
        .captures_iter(&settings)
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), [&""; 0]);
    // what systemd would not take for a comment or a setting
    let line = Regex::new("^(#.*|[A-Z][A-Z_]*=[^ \"']*|)$").unwrap();
    let wrong: Vec<_> = settings
        .lines()
        .filter(|text| !line.is_match(text))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let unit = text("units/cloud-api-adaptor.service");
    let used = Regex::new(r"\$([A-Z_]+)").unwrap();
    for variable in used.captures_iter(&unit) {
        assert!(named.contains(&variable[1]), "{}", &variable[1]);
    }
}

#[test]
fn the_containerfile_copies_what_there_is() {
    let file = text("Containerfile");
    let copied = Regex::new("(?m)^COPY ([^-].*) [^ ]+$").unwrap();
    let mounted = Regex::new("source=([^, ]+)").unwrap();
    let mut sources: Vec<_> = copied
        .captures_iter(&file)
        .flat_map(|found| found[1].split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    sources.extend(
        mounted
            .captures_iter(&file)
            .map(|found| found[1].to_owned()),
    );
    assert!(sources.contains(&"crates".to_owned()) && sources.contains(&"machine".to_owned()));
    for source in sources {
        assert!(repository().join(&source).exists(), "{source}");
    }
    let stage = Regex::new("--from=([a-z]+)").unwrap();
    for found in stage.captures_iter(&file) {
        assert!(
            file.contains(&format!(" AS {}\n", &found[1])),
            "{}",
            &found[1]
        );
    }
    // the same images on both ways
    let installer = text("install.sh");
    let image = Regex::new("(?m)^ARG ((?:KATA|CAA)_IMAGE|CRIO_PACKAGE)=(.*)$").unwrap();
    assert_eq!(image.captures_iter(&file).count(), 3);
    for found in image.captures_iter(&file) {
        assert!(
            installer.contains(&format!("{}:={}", &found[1], &found[2])),
            "{}",
            &found[1]
        );
    }
}
