//! The configuration files of a private runtime, as text.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{Kind, host, paths::Paths, requirements::Programs};

/// What the configuration depends on.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) programs: &'a Programs,
    pub(crate) events: bool,
    pub(crate) second_handler: bool,
    pub(crate) guest_handler: bool,
    pub(crate) host: Host,
}

/// What the host says about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    /// May OOM scores be lowered here?
    sys_resource: bool,
    /// Does systemd manage cgroups here?
    systemd: bool,
}

impl Host {
    pub(crate) fn read() -> Self {
        Self {
            sys_resource: host::has_sys_resource(),
            systemd: host::has_systemd(),
        }
    }
}

/// A path as a TOML (and JSON) string.
fn quoted(path: impl AsRef<Path>) -> String {
    json!(path.as_ref().to_string_lossy()).to_string()
}

/// A path as a word of a shell.
fn in_shell(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

impl Setup<'_> {
    /// The runtime's own configuration.
    pub(crate) fn runtime(&self) -> String {
        match self.paths.kind {
            Kind::CriO => self.crio(),
            Kind::Containerd => self.containerd(),
        }
    }

    /// Names of the handlers, and where the OCI runtime of each keeps its state.
    fn handlers(&self) -> Vec<(&'static str, PathBuf)> {
        let mut all = vec![("runc", self.paths.oci_root())];
        if self.second_handler {
            all.push(("second", self.paths.second_oci_root()));
        }
        all
    }

    /// The program CRI-O starts containers with: runc, or the wrapper around it.
    fn oci(&self) -> std::path::PathBuf {
        if self.host.sys_resource {
            self.programs.oci.clone()
        } else {
            self.paths.wrapper()
        }
    }

    /// Version 2 is read by containerd 1.6 to 2.x.
    fn containerd(&self) -> String {
        let Self {
            paths, programs, ..
        } = self;
        let handlers: Vec<String> = self
            .handlers()
            .iter()
            .map(|(name, oci_root)| {
                format!(
                    r#"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}.options]
BinaryName = {oci}
Root = {oci_root}
SystemdCgroup = {systemd}
"#,
                    oci = quoted(&programs.oci),
                    oci_root = quoted(oci_root),
                    systemd = self.host.systemd,
                )
            })
            .collect();
        format!(
            r#"# Written by podman-cri: a private containerd, all of it under one folder.
version = 2
root = {root}
state = {state}
[grpc]
address = {socket}
[plugins."io.containerd.gc.v1.scheduler"]
deletion_threshold = 1      # a removed layer goes at once,
pause_threshold = 0.5       # and soon also after a collection that took long
[plugins."io.containerd.internal.v1.opt"]
path = {opt}
[plugins."io.containerd.nri.v1.nri"]
disable = true              # its socket would lie outside this folder
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:latest"
restrict_oom_score_adj = {restrict}
stream_server_address = "127.0.0.1"
stream_server_port = "0"
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = {registries}
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {cni}
conf_dir = {cni_config}
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
snapshotter = "overlayfs"
{handlers}"#,
            handlers = handlers.concat() + self.containerd_guests(),
            root = quoted(paths.storage()),
            state = quoted(paths.volatile()),
            socket = quoted(paths.socket()),
            opt = quoted(paths.dir.join("containerd/opt")),
            restrict = !self.host.sys_resource,
            registries = quoted(paths.dir.join("etc/certs.d")),
            cni = quoted(&programs.cni),
            cni_config = quoted(paths.cni_config()),
        )
    }

    /// The shim of the stand-in is found on PATH, by its type. It takes no options of Kata's.
    fn containerd_guests(&self) -> &'static str {
        match self.guest_handler {
            true => {
                r#"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]
runtime_type = "io.containerd.kata.v2"
pod_annotations = ["io.katacontainers.*"]
"#
            }
            false => "",
        }
    }

    fn crio(&self) -> String {
        [self.crio_storage(), self.crio_runtime(), self.crio_images()].concat()
    }

    fn crio_storage(&self) -> String {
        let paths = self.paths;
        let run = paths.run();
        format!(
            r#"# Written by podman-cri: a private CRI-O, all of it under one folder.
[crio]
root = {root}
runroot = {state}
storage_driver = "overlay"
log_dir = {log_dir}
version_file = {version}
version_file_persist = {version_persist}
clean_shutdown_file = {clean}
[crio.api]
listen = {socket}
stream_address = "127.0.0.1"
stream_port = "0"
"#,
            root = quoted(paths.storage()),
            state = quoted(paths.volatile()),
            log_dir = quoted(paths.dir.join("log/pods")),
            version = quoted(run.join("version")),
            version_persist = quoted(run.join("version-persist")),
            clean = quoted(run.join("clean.shutdown")),
            socket = quoted(paths.socket()),
        )
    }

    fn crio_runtime(&self) -> String {
        let run = self.paths.run();
        let mut text = format!(
            r#"[crio.runtime]
cgroup_manager = "{cgroups}"
conmon_cgroup = "pod"
default_runtime = "runc"
pinns_path = {pinns}
selinux = false
container_exits_dir = {exits}
container_attach_socket_dir = {attach}
namespaces_dir = {namespaces}
hooks_dir = []
irqbalance_config_restore_file = "disable"
enable_pod_events = {events}
"#,
            cgroups = if self.host.systemd {
                "systemd"
            } else {
                "cgroupfs"
            },
            pinns = quoted(&self.programs.pinns),
            exits = quoted(run.join("exits")),
            attach = quoted(run.join("attach")),
            namespaces = quoted(run.join("ns")),
            events = self.events,
        );
        for (name, oci_root) in self.handlers() {
            text.push_str(&self.crio_handler(name, &oci_root));
        }
        if self.guest_handler {
            text.push_str(&self.crio_guests());
        }
        text
    }

    fn crio_guests(&self) -> String {
        format!(
            r#"[crio.runtime.runtimes.kata]
runtime_path = {shim}
runtime_type = "vm"
runtime_root = {root}
"#,
            shim = quoted(self.paths.guest_shim()),
            root = quoted(self.paths.run().join("guests")),
        )
    }

    fn crio_handler(&self, name: &str, oci_root: &Path) -> String {
        format!(
            r#"[crio.runtime.runtimes.{name}]
runtime_path = {oci}
runtime_type = "oci"
runtime_root = {oci_root}
monitor_path = {conmon}
monitor_cgroup = "pod"
"#,
            oci = quoted(self.oci()),
            oci_root = quoted(oci_root),
            conmon = quoted(&self.programs.conmon),
        )
    }

    fn crio_images(&self) -> String {
        let paths = self.paths;
        let etc = paths.dir.join("etc");
        format!(
            r#"[crio.image]
pause_image = "localhost/pause:latest"
pause_command = "/pause"
signature_policy = {policy}
signature_policy_dir = {policies}
namespaced_auth_dir = {auth}
big_files_temporary_dir = {tmp}
[crio.nri]
enable_nri = false          # its socket would lie outside this folder
[crio.network]
network_dir = {cni_config}
plugin_dirs = [{cni}]
"#,
            policy = quoted(paths.policy()),
            policies = quoted(etc.join("policies")),
            auth = quoted(etc.join("auth")),
            tmp = quoted(paths.dir.join("tmp")),
            cni_config = quoted(paths.cni_config()),
            cni = quoted(&self.programs.cni),
        )
    }

    /// One bridge with addresses of its own. CRI-O publishes ports itself, containerd by a plugin.
    pub(crate) fn network(&self, third: u8, fourth: u8) -> String {
        let bridge = json!({
            "type": "bridge",
            "bridge": self.paths.bridge(),
            "isGateway": true,
            "ipMasq": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": self.paths.addresses(),
                "ranges": [[{ "subnet": format!("10.{third}.{fourth}.0/24") }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        });
        let mut plugins = vec![bridge];
        if self.paths.kind == Kind::Containerd {
            plugins.push(json!({ "type": "portmap", "capabilities": { "portMappings": true } }));
        }
        json!({ "cniVersion": "0.4.0", "name": self.paths.network(), "plugins": plugins })
            .to_string()
    }

    /// Signatures are not asked for: the images are made here or named by the user.
    pub(crate) fn policy() -> &'static str {
        "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}\n"
    }

    /// A stand-in for Kata's shim: containerd's shim for runc under another name. It takes no OCI runtime's path without options,
    /// and finds `runc` on PATH.
    pub(crate) fn guest_shim(&self, runc_shim: &Path) -> String {
        let oci = self.paths.guest_oci();
        let bin = oci.parent().unwrap_or(&oci);
        let [bin, shim] = [bin, runc_shim].map(in_shell);
        format!(
            "#!/bin/sh\n# Written by podman-cri.\nPATH={bin}:$PATH\nexport PATH\nexec {shim} \"$@\"\n"
        )
    }

    /// An OCI runtime for hosts without `CAP_SYS_RESOURCE`.
    pub(crate) fn wrapper(&self) -> String {
        let oci = in_shell(&self.programs.oci);
        format!(
            r#"#!/bin/sh
# Written by podman-cri. This host may not lower OOM scores or raise limits: take both wishes out
# of the OCI spec, then run the real OCI runtime.
wanted=
for word in "$@"; do
  spec=
  case $wanted in
    bundle) spec=$word/config.json ;;
    process) spec=$word ;;
  esac
  wanted=
  case $word in
    -b | --bundle) wanted=bundle ;;
    -p | --process) wanted=process ;;
    --bundle=*) spec=${{word#*=}}/config.json ;;
    --process=*) spec=${{word#*=}} ;;
  esac
  if [ -n "$spec" ] && [ -f "$spec" ]; then
    new=$(sed -E -e 's/("oomScoreAdj": *)-[0-9]+/\10/' \
      -e 's/"CAP_SYS_RESOURCE", *//g' -e 's/, *"CAP_SYS_RESOURCE"//g' "$spec") &&
      printf '%s\n' "$new" >"$spec" # not sed -i: it may be a file without a folder, in memory
  fi
done
exec {oci} "$@"
"#
        )
    }
}

/// The two middle bytes of a subnet 10.x.y.0/24 that no route of this host covers: the first try
/// follows from the folder, so that it stays the same.
pub(crate) fn free_subnet(paths: &Paths, routes: &str) -> (u8, u8) {
    let seed = u32::from_str_radix(&paths.short_hash(), 16).unwrap_or_default();
    let candidate = |step: u32| {
        let [third, fourth, ..] = seed.wrapping_add(step).to_le_bytes();
        (200 + third % 50, fourth)
    };
    (0..256)
        .map(|step| candidate(step * 257))
        .find(|(third, fourth)| !is_routed(routes, [10, *third, *fourth, 0]))
        .unwrap_or_else(|| candidate(0))
}

/// The subnet of the network that is up already: containers have addresses of it.
pub(crate) fn recorded_subnet(paths: &Paths, routes: &str) -> Option<(u8, u8)> {
    let bridge = paths.bridge();
    let is_up = routes
        .lines()
        .any(|line| line.split_whitespace().next() == Some(&bridge));
    let prefix = address_prefix(paths).filter(|_| is_up)?;
    let mut bytes = prefix.split('.').skip(1).map(str::parse);
    Some((bytes.next()?.ok()?, bytes.next()?.ok()?))
}

/// The beginning of all addresses of the network as last written: `10.200.7.`
pub(crate) fn address_prefix(paths: &Paths) -> Option<String> {
    let text = fs::read_to_string(paths.network_file()).ok()?;
    let network: serde_json::Value = serde_json::from_str(&text).ok()?;
    let subnet = network
        .pointer("/plugins/0/ipam/ranges/0/0/subnet")?
        .as_str()?;
    subnet.strip_suffix("0/24").map(str::to_owned)
}

/// Whether a route of `/proc/net/route`, other than the default one, covers the address.
fn is_routed(routes: &str, address: [u8; 4]) -> bool {
    let address = u32::from_le_bytes(address); // the file shows bytes as they lie in memory
    routes.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace();
        let mut number = |n| {
            let field: Option<&str> = fields.nth(n);
            field.and_then(|f| u32::from_str_radix(f, 16).ok())
        };
        let (Some(to), Some(mask)) = (number(1), number(5)) else {
            return false;
        };
        mask != 0 && address & mask == to
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_up_keeps_its_subnet() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path(), Kind::CriO).unwrap();
        let network =
            json!({ "plugins": [{ "ipam": { "ranges": [[{ "subnet": "10.201.7.0/24" }]] } }] });
        fs::create_dir_all(paths.cni_config()).unwrap();
        fs::write(paths.network_file(), network.to_string()).unwrap();
        let routes = format!(
            "Iface\n{} 0007C90A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n",
            paths.bridge()
        );
        assert_eq!(recorded_subnet(&paths, &routes), Some((201, 7)));
        assert_eq!(recorded_subnet(&paths, "Iface\n"), None);
    }

    #[test]
    fn a_routed_subnet_is_left_alone() {
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask\n\
                      eth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0\n\
                      br0 0005C80A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        assert!(is_routed(routes, [10, 200, 5, 0]));
        assert!(!is_routed(routes, [10, 200, 6, 0]));
    }
}
