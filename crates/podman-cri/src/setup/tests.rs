//! Plans and files, on hosts of temporary folders.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;
use toml::Table;

use super::imports::{DROP_IN, MAIN};
use super::plan::down;
use super::*;

const REMOTE: &str = "/etc/kata-containers/configuration-remote.toml";
const CRI: &str = "io.containerd.grpc.v1.cri";
const IMPORTS: &str = "imports = [\"/etc/containerd/conf.d/*.toml\"]\n";

struct Site {
    root: TempDir,
    host: Host,
}

impl Site {
    /// A host with the programs of these handlers.
    fn with(programs: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let host = Host::new(root.path());
        let site = Self { root, host };
        for program in programs {
            site.put(program, "");
            let path = site.host.at(Path::new(program));
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        site
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.host.at(Path::new(path));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> Option<String> {
        self.host.read(Path::new(path)).unwrap()
    }

    fn table(&self, path: &str) -> Table {
        self.text(path).unwrap().parse().unwrap()
    }

    fn config(&self, does: Does, runtime: DevRuntime, handlers: &[&str]) -> Setup {
        let handlers = handlers.iter();
        Setup {
            does,
            handlers: handlers
                .map(|one| HandlerAsked::parse(one).unwrap())
                .collect(),
            runtime: Some(runtime),
            root: self.root.path().to_path_buf(),
        }
    }

    /// What is said, and whether nothing is left to the user.
    fn write(&self, runtime: DevRuntime, handlers: &[&str]) -> (String, bool) {
        write(&self.host, &self.config(Does::Write, runtime, handlers)).unwrap()
    }

    fn refuses(&self, runtime: DevRuntime, handlers: &[&str], words: &str) {
        let error = write(&self.host, &self.config(Does::Write, runtime, handlers)).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(words), "{error}");
    }

    /// The handlers of a drop-in of CRI-O's.
    fn crio(&self) -> Table {
        let table = self.table(crio::DROP_IN);
        down(&table, &["crio", "runtime", "runtimes"])
            .unwrap()
            .clone()
    }

    fn section(&self, path: &str) -> Table {
        down(&self.table(path), &["plugins", CRI]).unwrap().clone()
    }
}

const SHIM: &str = "/opt/kata/bin/containerd-shim-kata-v2";
const CRUN: &str = "/usr/bin/crun";
const CRIO: DevRuntime = DevRuntime::Crio;
const CONTAINERD: DevRuntime = DevRuntime::Containerd;

#[test]
fn crio_has_what_is_installed() {
    let site = Site::with(&[SHIM, CRUN]);
    site.put(REMOTE, "[hypervisor.remote]\nremote_hypervisor_timeout = 700\n[runtime]\ncreate_container_timeout = 100\n");
    let (said, complete) = site.write(CRIO, &[]);
    assert!(complete, "{said}");
    for words in [
        "peer pods",
        "no OCI runtime runc",
        "written",
        "systemctl restart crio",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let wanted = "[crun]\nruntime_path = \"/usr/bin/crun\"\nruntime_root = \"/run/crun\"\nruntime_type = \"oci\"\n\
        [kata]\nruntime_path = \"/opt/kata/bin/containerd-shim-kata-v2\"\nruntime_type = \"vm\"\nruntime_root = \"/run/vc\"\n\
        privileged_without_host_devices = true\n\
        [kata-remote]\nruntime_path = \"/opt/kata/bin/containerd-shim-kata-v2\"\nruntime_type = \"vm\"\n\
        runtime_root = \"/run/vc\"\nprivileged_without_host_devices = true\nruntime_pull_image = true\n\
        runtime_config_path = \"/etc/kata-containers/configuration-remote.toml\"\ncontainer_create_timeout = 860\n";
    assert_eq!(site.crio(), wanted.parse::<Table>().unwrap());
}

#[test]
fn what_the_user_has_is_left_alone_and_lends_its_monitor() {
    let site = Site::with(&[CRUN, "/usr/local/bin/youki"]);
    let users = "[crio.runtime]\ndefault_runtime = \"crun\"\n[crio.runtime.runtimes.crun]\nmonitor_path = \"/m/conmon\"\n\
        monitor_cgroup = \"pod\"\nallowed_annotations = []\n";
    site.put("/etc/crio/crio.conf.d/10-crio.conf", users);
    let (said, _) = site.write(CRIO, &[]);
    assert!(
        said.contains("left alone: /etc/crio/crio.conf.d/10-crio.conf has it"),
        "{said}"
    );
    let wanted = "[youki]\nruntime_path = \"/usr/local/bin/youki\"\nruntime_root = \"/run/youki\"\nruntime_type = \"oci\"\n\
        monitor_path = \"/m/conmon\"\nmonitor_cgroup = \"pod\"\n";
    assert_eq!(site.crio(), wanted.parse::<Table>().unwrap());
    assert_eq!(
        site.text("/etc/crio/crio.conf.d/10-crio.conf").unwrap(),
        users
    );
}

#[test]
fn a_second_time_changes_nothing_and_what_is_gone_goes() {
    let site = Site::with(&[CRUN]);
    site.write(CRIO, &[]);
    let first = site.text(crio::DROP_IN);
    let (said, complete) = site.write(CRIO, &[]);
    assert!(complete && said.contains("nothing has changed"), "{said}");
    assert_eq!(site.text(crio::DROP_IN), first);
    std::fs::remove_file(site.host.at(Path::new(CRUN))).unwrap();
    let (said, _) = site.write(CRIO, &[]);
    assert!(said.contains("removed"), "{said}");
    assert_eq!(site.text(crio::DROP_IN), None);
}

#[test]
fn a_dry_run_shows_all_and_writes_nothing() {
    let site = Site::with(&[CRUN]);
    for runtime in BOTH {
        let config = site.config(Does::Show, runtime, &[]);
        let (said, _) = write(&site.host, &config).unwrap();
        assert!(
            said.contains("would be written")
                && said.contains("    version = 2") == (runtime == CONTAINERD),
            "{said}"
        );
    }
    assert_eq!(
        site.host.files(Path::new("/etc")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn what_is_somebody_elses_is_refused_before_anything_is_written() {
    let site = Site::with(&[CRUN]);
    site.put(crio::DROP_IN, "# mine\n");
    site.refuses(CRIO, &[], "setup has not written it");
    site.refuses(CRIO, &["youki"], "no OCI runtime youki");
    site.refuses(CRIO, &["x=/no"], "/no is no program");
    site.refuses(CRIO, &["kata-remote=/usr/bin/crun,config=/k"], "not Kata's");
    assert_eq!(site.text(crio::DROP_IN).unwrap(), "# mine\n");
    let gone = remove(&site.host, None).unwrap();
    assert_eq!(gone, "nothing of setup's is there\n");
    assert!(site.text(crio::DROP_IN).is_some());
    site.put("/etc/crio/crio.conf.d/x", "no toml [");
    site.refuses(CRIO, &[], "is no TOML");
}

#[test]
fn a_configuration_that_is_not_remote_is_no_peer_pod() {
    let site = Site::with(&[SHIM]);
    site.put(REMOTE, "[hypervisor.qemu]\n");
    site.refuses(CRIO, &["kata-remote"], "no [hypervisor.remote]");
    let (said, complete) = site.write(CRIO, &[]);
    assert!(
        complete && said.contains("no [hypervisor.remote]"),
        "{said}"
    );
}

#[test]
fn without_a_configuration_containerd_has_one_of_setups() {
    let site = Site::with(&[CRUN]);
    let (said, complete) = site.write(CONTAINERD, &[]);
    assert!(complete, "{said}");
    assert_eq!(site.text(MAIN).unwrap(), containerd::main_text());
    let section = site.section(DROP_IN);
    let names: Vec<_> = down(&section, &["containerd", "runtimes"])
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        names,
        ["crun", "runc"],
        "without the default one the plugin does not start"
    );
    assert!(
        site.write(CONTAINERD, &[])
            .0
            .contains("nothing has changed")
    );
    let said = remove(&site.host, None).unwrap();
    assert!(said.contains("systemctl restart containerd"), "{said}");
    assert_eq!((site.text(MAIN), site.text(DROP_IN)), (None, None));
}

#[test]
fn a_configuration_that_others_changed_is_theirs() {
    let site = Site::with(&[CRUN]);
    site.write(CONTAINERD, &[]);
    let changed = containerd::main_text() + "[debug]\nlevel = \"debug\"\n";
    site.put(MAIN, &changed);
    site.write(CONTAINERD, &["crun"]);
    remove(&site.host, Some(CONTAINERD)).unwrap();
    assert_eq!(site.text(MAIN).unwrap(), changed);
    assert_eq!(site.text(DROP_IN), None);
}

#[test]
fn what_imports_nothing_is_told_which_line_to_add() {
    let site = Site::with(&[CRUN]);
    let users = "version = 2\n";
    site.put(MAIN, users);
    let (said, complete) = site.write(CONTAINERD, &[]);
    assert!(
        !complete && said.contains(&format!("before its first table: {}", IMPORTS.trim())),
        "{said}"
    );
    site.put(MAIN, "version = 2\nimports = [\"/x.toml\"]\n");
    let (said, complete) = site.write(CONTAINERD, &[]);
    assert!(
        !complete && said.contains("add \"/etc/containerd/conf.d/*.toml\" to imports"),
        "{said}"
    );
    site.put(MAIN, &format!("version = 2\n{IMPORTS}"));
    assert!(site.write(CONTAINERD, &[]).1);
}

#[test]
fn containerd_1_keeps_the_users_section() {
    let site = Site::with(&[CRUN, SHIM]);
    site.put(
        MAIN,
        &format!(
            "version = 2\nimports = [\"more/*.toml\"]\n[plugins.\"{CRI}\"]\nsandbox_image = \"old\"\n"
        ),
    );
    let users = format!(
        "version = 2\n[plugins.\"{CRI}\"]\nsandbox_image = \"p\"\n[plugins.\"{CRI}\".containerd]\ndefault_runtime_name = \"mine\"\n\
         [plugins.\"{CRI}\".containerd.runtimes.mine.options]\nSystemdCgroup = true\n"
    );
    site.put("/etc/containerd/more/10.toml", &users);
    let (said, complete) = site.write(CONTAINERD, &["crun", "kata", "mine"]);
    assert!(
        complete && said.contains("left alone: /etc/containerd/more/10.toml"),
        "{said}"
    );
    let section = site.section("/etc/containerd/more/90-podman-cri.toml");
    assert_eq!(section["sandbox_image"].as_str(), Some("p"));
    let handlers = down(&section, &["containerd", "runtimes"]).unwrap();
    let names: Vec<_> = handlers.keys().collect();
    assert_eq!(names, ["crun", "kata", "mine"]);
    let crun = "runtime_type = \"io.containerd.runc.v2\"\n[options]\nBinaryName = \"/usr/bin/crun\"\n\
                Root = \"/run/containerd/crun\"\nSystemdCgroup = true\n";
    assert_eq!(
        handlers["crun"].as_table().unwrap(),
        &crun.parse::<Table>().unwrap()
    );
    let kata = "runtime_type = \"io.containerd.kata.v2\"\nruntime_path = \"/opt/kata/bin/containerd-shim-kata-v2\"\n\
                privileged_without_host_devices = true\npod_annotations = [\"io.katacontainers.*\"]\n";
    assert_eq!(
        handlers["kata"].as_table().unwrap(),
        &kata.parse::<Table>().unwrap()
    );
    site.put("/etc/containerd/more/95.toml", &users);
    let (said, complete) = site.write(CONTAINERD, &["crun"]);
    assert!(
        !complete && said.contains("95.toml is read after"),
        "{said}"
    );
}

#[test]
fn version_3_is_merged_and_version_1_left_alone() {
    let site = Site::with(&[SHIM]);
    site.put(REMOTE, "[hypervisor.remote]\n");
    let plugin = "io.containerd.cri.v1.runtime";
    let users =
        format!("version = 3\n{IMPORTS}[plugins.\"{plugin}\"]\nmax_container_log_line_size = 1\n");
    site.put(MAIN, &users);
    let (said, complete) = site.write(CONTAINERD, &[]);
    assert!(
        complete && said.contains("experimental_force_guest_pull"),
        "{said}"
    );
    let table = site.table(DROP_IN);
    let section = down(&table, &["plugins", plugin]).unwrap();
    assert_eq!(section.keys().collect::<Vec<_>>(), ["containerd"]);
    let remote = down(section, &["containerd", "runtimes", "kata-remote"]).unwrap();
    assert_eq!(
        remote["runtime_type"].as_str(),
        Some("io.containerd.kata-remote.v2")
    );
    assert_eq!(remote["options"]["ConfigPath"].as_str(), Some(REMOTE));
    for (text, words) in [
        ("root = \"/r\"\n", "containerd config dump"),
        (
            "version = 2\ndisabled_plugins = [\"cri\"]\n",
            "switches the CRI plugin off",
        ),
    ] {
        site.put(MAIN, text);
        let (said, complete) = site.write(CONTAINERD, &[]);
        assert!(!complete && said.contains(words), "{said}");
    }
}

#[test]
fn files_that_setup_has_read_count_from_the_first_time_on() {
    let site = Site::with(&[CRUN]);
    let users = format!("version = 2\n[plugins.\"{CRI}\"]\nsandbox_image = \"p\"\n");
    site.put("/etc/containerd/conf.d/10-user.toml", &users);
    assert!(site.write(CONTAINERD, &[]).1);
    let section = site.section(DROP_IN);
    assert_eq!(section["sandbox_image"].as_str(), Some("p"));
    let (said, _) = site.write(CONTAINERD, &[]);
    assert!(said.contains("nothing has changed"), "{said}");
    remove(&site.host, Some(CONTAINERD)).unwrap();
    site.put("/etc/containerd/conf.d/10-user.toml", "version = 3\n");
    let (said, complete) = site.write(CONTAINERD, &[]);
    assert!(
        !complete && said.contains("with version = 3 and imports"),
        "{said}"
    );
    assert_eq!(site.text(MAIN), None);
}

#[test]
fn beside_files_of_two_versions_nothing_is_written() {
    const USERS: &str = "/etc/containerd/conf.d/10-user.toml";
    let site = Site::with(&[CRUN]);
    for (main, other, refused) in [
        (3, "version = 2\n", true),
        (2, "version = 3\n", true),
        (4, "version = 2\n", true),
        (4, "version = 3\n", false),
        (2, "version = 2\n", false),
        (3, "", false),
    ] {
        site.put(MAIN, &format!("version = {main}\n{IMPORTS}"));
        site.put(USERS, other);
        let (said, complete) = site.write(CONTAINERD, &[]);
        let told = said.contains(&format!("{USERS} is of {}", other.trim().replace(" =", "")));
        assert_eq!(
            (told, complete),
            (refused, !refused),
            "{main} {other} {said}"
        );
        assert_eq!(site.text(DROP_IN).is_none(), refused, "{main} {other}");
        remove(&site.host, Some(CONTAINERD)).unwrap();
    }
}

#[test]
fn each_runtime_that_is_installed_is_configured() {
    let site = Site::with(&[CRUN]);
    let all = Setup {
        runtime: None,
        ..site.config(Does::Write, CRIO, &[])
    };
    let error = write(&site.host, &all).unwrap_err();
    assert!(error.to_string().contains("neither CRI-O nor"));
    site.put("/etc/crio/crio.conf", "");
    site.put(MAIN, "disabled_plugins = [\"cri\"]\n");
    write(&site.host, &all).unwrap();
    assert_eq!(
        site.text(DROP_IN),
        None,
        "Docker's containerd is no runtime"
    );
    std::fs::remove_file(site.host.at(Path::new(MAIN))).unwrap();
    site.put("/usr/bin/containerd", "");
    write(&site.host, &all).unwrap();
    assert!(site.text(crio::DROP_IN).is_some() && site.text(DROP_IN).is_some());
}
