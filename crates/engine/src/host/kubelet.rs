//! Is there a kubelet that serves this runtime?
//!
//! The evidence is a process that is a kubelet, or holds one, and whose runtime endpoint is *this socket*:
//! the same inode, looked up in the root of that process. So a kubelet of another runtime on the same
//! machine, one in a container of kind or minikube with a socket of its own, and pods that a kubelet left
//! behind are no alarm.

mod program;

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, stat};

use super::inside::{Identity, Inside};
use super::proc::arguments;
use program::{Program, Source};

/// Processes looked at; as many as a kernel allows without being told otherwise on large machines.
const MAX_PROCESSES: usize = 1 << 17;
/// Files read of a folder of drop-ins.
const MAX_DROP_INS: usize = 256;

/// A kubelet that serves the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubelet {
    /// Its process.
    pub pid: i32,
    /// The program's name: `kubelet`, `k3s-server`.
    pub program: String,
    /// Its runtime endpoint, as it has it.
    pub endpoint: String,
    /// Where that stands: "its --container-runtime-endpoint", "/var/lib/kubelet/config.yaml".
    pub how: String,
}

impl fmt::Display for Kubelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            program,
            endpoint,
            how,
        } = self;
        write!(f, "{program} (process {pid}; {how}: {endpoint})")
    }
}

/// The kubelet that serves the runtime behind this socket, as `/proc` has it now. Some milliseconds for a
/// thousand processes. `None` where the socket is not there.
///
/// # Errors
/// `/proc` cannot be read.
pub fn serving(socket: &Path) -> io::Result<Option<Kubelet>> {
    let Ok(ours) = stat(socket) else {
        return Ok(None);
    };
    let ours = (ours.st_dev, ours.st_ino);
    for entry in fs::read_dir("/proc")?.take(MAX_PROCESSES) {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that ends while it is looked at is none.
        if let Some(kubelet) = kubelet_of(pid, ours) {
            return Ok(Some(kubelet));
        }
    }
    Ok(None)
}

/// The kubelet in a process, where it uses the socket.
fn kubelet_of(pid: i32, socket: Identity) -> Option<Kubelet> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let comm = fs::read(folder.join("comm")).ok()?;
    let comm = String::from_utf8_lossy(comm.trim_ascii_end());
    let sources = Program::of(&comm)?.sources(&arguments(&folder)?);
    let inside = Inside::of(&folder)?;
    let (endpoint, how) = sources.into_iter().find_map(|source| inside.read(source))?;
    let path = program::socket_path(&endpoint)?;
    (inside.identity(Path::new(path))? == socket).then(|| Kubelet {
        pid,
        program: comm.into_owned(),
        endpoint,
        how,
    })
}

impl Inside {
    /// What a source says: an endpoint, and where it stands.
    fn read(&self, source: Source) -> Option<(String, String)> {
        let (endpoint, path) = match source {
            Source::Said { endpoint, how } => return Some((endpoint, how)),
            Source::DropIns(folder) => return self.read_drop_ins(Path::new(&folder)),
            Source::Config(path) => (program::in_config(&self.text(path.as_ref())?), path),
            Source::K3sConfig(path) => (program::in_k3s_config(&self.text(path.as_ref())?), path),
            Source::Flags(path) => (program::in_flags(&self.text(path.as_ref())?), path),
        };
        Some((endpoint?, path))
    }

    /// The last that names an endpoint, in the order of names; those that end in `.conf` count.
    fn read_drop_ins(&self, folder: &Path) -> Option<(String, String)> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = self.open(folder, flags).ok()?;
        let entries = rustix::fs::Dir::read_from(opened).ok()?;
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().to_string_lossy().into_owned();
            (Path::new(&name).extension() == Some(OsStr::new("conf"))).then_some(name)
        });
        let mut names: Vec<String> = names.take(MAX_DROP_INS).collect();
        names.sort_unstable();
        names.iter().rev().find_map(|name| {
            let path = folder.join(name);
            let endpoint = program::in_config(&self.text(&path)?)?;
            Some((endpoint, path.display().to_string()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::process::{Child, Command};

    /// A process named `kubelet` with these arguments; it ends with its guard.
    struct StandIn(Child);

    impl StandIn {
        fn new(folder: &Path, arguments: &[String]) -> Self {
            let program = folder.join("kubelet");
            // the name is the link's: `sh` is found by it and reads what it is to do from -c
            std::os::unix::fs::symlink("/bin/sh", &program).ok();
            let child = Command::new(&program)
                .args(["-c", "read -r _", "kubelet"])
                .args(arguments)
                .stdin(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            Self(child)
        }

        fn found(&self, socket: &Path) -> Option<Kubelet> {
            let ours = stat(socket).unwrap();
            // between fork and exec it has its parent's name, and then for a moment no arguments
            let process = PathBuf::from(format!("/proc/{}", self.0.id()));
            for _ in 0..200 {
                let comm = fs::read_to_string(process.join("comm")).unwrap();
                if comm.trim() == "kubelet"
                    && arguments(&process).is_some_and(|all| !all.is_empty())
                {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let pid = i32::try_from(self.0.id()).unwrap();
            kubelet_of(pid, (ours.st_dev, ours.st_ino))
        }
    }

    impl Drop for StandIn {
        fn drop(&mut self) {
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }

    #[test]
    fn a_kubelet_is_one_of_this_socket_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (ours, other) = (at("ours.sock"), at("other.sock"));
        let _listening = [&ours, &other].map(|path| UnixListener::bind(path).unwrap());
        std::os::unix::fs::symlink(folder.path(), at("link")).unwrap();
        let config = at("config.yaml");
        let endpoint =
            |path: &Path| format!("containerRuntimeEndpoint: unix://{}\n", path.display());
        fs::write(&config, endpoint(&other)).unwrap();
        fs::create_dir(at("drop-ins")).unwrap();
        fs::write(at("drop-ins/10-a.conf"), endpoint(&ours)).unwrap();
        fs::write(at("drop-ins/20-b.txt"), endpoint(&other)).unwrap();
        let flag = |path: &Path| format!("--container-runtime-endpoint=unix://{}", path.display());
        let by_config = format!("--config={}", config.display());
        let by_folder = format!("--config-dir={}", at("drop-ins").display());
        let rows = [
            (vec![flag(&ours)], true),
            (vec![flag(&at("link/ours.sock"))], true),
            (vec![flag(&other)], false),
            (vec![flag(&at("absent.sock"))], false),
            (vec![], false),
            (vec![by_config.clone()], false),
            (vec![by_config.clone(), by_folder], true),
            (vec![by_config, flag(&ours)], true),
        ];
        for (arguments, wanted) in rows {
            let stand_in = StandIn::new(folder.path(), &arguments);
            let found = stand_in.found(&ours);
            assert_eq!(found.is_some(), wanted, "{arguments:?}: {found:?}");
        }
    }

    #[test]
    fn without_the_socket_or_a_kubelet_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("ours.sock");
        assert_eq!(serving(&socket).unwrap(), None);
        let _listening = UnixListener::bind(&socket).unwrap();
        assert_eq!(serving(&socket).unwrap(), None);
    }
}
