//! What watches over a container, and with which OCI runtime.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::host::inside::text_of;

/// What the parent process of a container's own says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The OCI runtime's program.
    pub(super) program: PathBuf,
    /// Its options before a command.
    pub(super) options: Vec<String>,
    /// Its folder of states.
    pub(super) root: PathBuf,
    /// The container's bundle.
    pub(super) bundle: PathBuf,
}

impl Found {
    /// By a process' arguments and its folder below `/proc`.
    ///
    /// # Errors
    /// Why not, as the end of a sentence.
    pub(super) fn of(words: &[String], cri_id: &str, process: &Path) -> Result<Self, String> {
        let name = words.first().map(String::as_str).unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        match name {
            "conmon" => of_conmon(words, cri_id),
            // containerd's own for runc, crun and whatever has runc's command line
            "containerd-shim-runc-v1" | "containerd-shim-runc-v2" => {
                of_shim(words, cri_id, process)
            }
            _ => Err(format!(
                "it was not started by conmon or containerd-shim-runc-v2 but by {name:?}"
            )),
        }
    }
}

/// CRI-O's: `conmon -b BUNDLE -c ID -r PROGRAM --runtime-arg --root=ROOT [-s] …`.
fn of_conmon(words: &[String], cri_id: &str) -> Result<Found, String> {
    let value = |names: &[&str]| value_of(words, names);
    let missing = |what: &str| format!("conmon's command line has no {what}");
    if value(&["-c", "--cid"]) != Some(cri_id) {
        return Err(missing("such container"));
    }
    let mut options: Vec<String> = words
        .windows(2)
        .filter_map(|pair| match pair {
            [name, value] if name == "--runtime-arg" => Some(value.clone()),
            _ => None,
        })
        .collect();
    let root = options
        .iter()
        .find_map(|option| option.strip_prefix("--root="))
        .map(PathBuf::from)
        .ok_or_else(|| missing("root"))?;
    if words
        .iter()
        .any(|word| word == "-s" || word == "--systemd-cgroup")
    {
        options.push("--systemd-cgroup".to_owned());
    }
    Ok(Found {
        program: value(&["-r", "--runtime"])
            .ok_or_else(|| missing("runtime"))?
            .into(),
        bundle: value(&["-b", "--bundle"])
            .ok_or_else(|| missing("bundle"))?
            .into(),
        options,
        root,
    })
}

/// Where runc keeps its states under containerd, unless it is told another place.
const SHIM_ROOT: &str = "/run/containerd/runc";

/// What a shim was told of the OCI runtime; it writes that into each bundle.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShimOptions {
    binary_name: String,
    root: String,
    systemd_cgroup: bool,
}

/// containerd's: `containerd-shim-runc-v2 -namespace k8s.io -id SANDBOX …`, which stands in its sandbox' bundle. Those of
/// the sandbox' containers lie beside it.
fn of_shim(words: &[String], cri_id: &str, process: &Path) -> Result<Found, String> {
    let namespace = value_of(words, &["-namespace", "--namespace"])
        .ok_or("its shim's command line has no namespace")?;
    let cwd = fs::read_link(process.join("cwd")).map_err(|error| format!("its shim: {error}"))?;
    let bundle = cwd
        .parent()
        .ok_or("its shim stands in no bundle")?
        .join(cri_id);
    let said = |name: &str| {
        let file = fs::File::open(bundle.join(name)).ok();
        file.and_then(text_of).filter(|text| !text.is_empty())
    };
    let options = match said("options.json") {
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| format!("{}/options.json: {error}", bundle.display()))?,
        None => ShimOptions::default(),
    };
    let or = |text: String, default: &str| match text.is_empty() {
        true => default.to_owned(),
        false => text,
    };
    let name = or(
        said("runtime").unwrap_or_else(|| options.binary_name.clone()),
        "runc",
    );
    let root = PathBuf::from(or(options.root, SHIM_ROOT)).join(namespace);
    let mut globals = vec!["--root".to_owned(), root.display().to_string()];
    globals.extend(
        options
            .systemd_cgroup
            .then(|| "--systemd-cgroup".to_owned()),
    );
    Ok(Found {
        program: in_path(&name, process)?,
        options: globals,
        root,
        bundle,
    })
}

/// A program as a process finds it by its own `PATH`.
fn in_path(name: &str, process: &Path) -> Result<PathBuf, String> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let env = fs::File::open(process.join("environ"))
        .ok()
        .and_then(text_of);
    let env = env.unwrap_or_default();
    let path = env
        .split('\0')
        .find_map(|pair| pair.strip_prefix("PATH="))
        .unwrap_or_default();
    let mut candidates = path
        .split(':')
        .map(|folder| Path::new(folder).join(name))
        .filter(|path| path.is_absolute());
    candidates
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not in its shim's PATH"))
}

/// The word behind an option.
fn value_of<'a>(words: &'a [String], names: &[&str]) -> Option<&'a str> {
    let at = words
        .iter()
        .position(|word| names.contains(&word.as_str()))?;
    words.get(at + 1).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(ToOwned::to_owned).collect()
    }

    /// A process that stands in `cwd`.
    fn process(cwd: &Path, environ: &str) -> tempfile::TempDir {
        let process = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(cwd, process.path().join("cwd")).unwrap();
        fs::write(process.path().join("environ"), environ).unwrap();
        process
    }

    #[test]
    fn conmon_says_it_on_its_command_line() {
        let line = "/usr/bin/conmon -b /run/c/userdata -c abc --exit-dir /run/exits -n k8s_x -r /usr/bin/crun \
            --runtime-arg --root=/run/crun --socket-dir-path /run/crio -u abc";
        let found = |line: &str, id: &str| Found::of(&words(line), id, Path::new("/nosuch"));
        let wanted = |options: &[&str]| Found {
            program: "/usr/bin/crun".into(),
            options: options.iter().map(ToString::to_string).collect(),
            root: "/run/crun".into(),
            bundle: "/run/c/userdata".into(),
        };
        assert_eq!(found(line, "abc"), Ok(wanted(&["--root=/run/crun"])));
        let systemd = format!("{line} -s");
        let both = wanted(&["--root=/run/crun", "--systemd-cgroup"]);
        assert_eq!(found(&systemd, "abc"), Ok(both));
        assert!(found(line, "abcd").is_err());
        let rootless = line.replace("--runtime-arg --root=/run/crun", "");
        assert!(found(&rootless, "abc").unwrap_err().contains("root"));
    }

    #[test]
    fn a_shim_writes_it_into_each_bundle() {
        let tasks = tempfile::tempdir().unwrap();
        let at = |path: &str| tasks.path().join(path);
        for folder in ["sandbox", "ctr", "old", "bin"] {
            fs::create_dir(at(folder)).unwrap();
        }
        fs::write(at("bin/runc"), "").unwrap();
        fs::write(at("ctr/runtime"), "/opt/runc").unwrap();
        let options = r#"{"binary_name":"/opt/runc","root":"/run/oci","systemd_cgroup":true}"#;
        fs::write(at("ctr/options.json"), options).unwrap();
        let path = format!("A=b\0PATH=:/nosuch:{}\0", at("bin").display());
        let process = process(&at("sandbox"), &path);
        let line = words("/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id sandbox");
        let found = |id: &str| Found::of(&line, id, process.path());
        let root = ["--root", "/run/oci/k8s.io", "--systemd-cgroup"];
        assert_eq!(
            found("ctr"),
            Ok(Found {
                program: "/opt/runc".into(),
                options: root.map(ToOwned::to_owned).into(),
                root: "/run/oci/k8s.io".into(),
                bundle: at("ctr"),
            })
        );
        let old = found("old").unwrap();
        assert_eq!(old.program, at("bin/runc"));
        assert_eq!(old.root, Path::new("/run/containerd/runc/k8s.io"));
        fs::remove_file(at("bin/runc")).unwrap();
        assert!(found("old").unwrap_err().contains("PATH"));
        fs::write(at("ctr/options.json"), "{").unwrap();
        assert!(found("ctr").unwrap_err().contains("options.json"));
    }

    #[test]
    fn who_else_started_it_is_named() {
        let line = words("/opt/kata/bin/containerd-shim-kata-v2 -namespace k8s.io -id abc");
        let why = Found::of(&line, "abc", Path::new("/nosuch")).unwrap_err();
        assert!(why.contains("\"containerd-shim-kata-v2\""), "{why}");
        assert!(Found::of(&[], "abc", Path::new("/nosuch")).is_err());
    }
}
