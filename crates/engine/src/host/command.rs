//! Whether a container's command is there, seen in its root file system before it starts.
//!
//! An OCI runtime looks at `create`. CRI-O's containers get the layer of the attempt before only
//! after that, so what the container itself has deleted would be found by nobody: `start` succeeds, and
//! the process ends at once. Here it is found, and refused in the OCI runtime's words.

use std::path::{Component, Path, PathBuf};

use model::Error;
use model::observed::ContainerVerbose;
use rustix::fs::{AtFlags, CWD, FileType, readlinkat, statat};
use rustix::io::Errno;

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// What the command is looked for with, as the runtime will.
#[derive(Debug)]
pub(crate) struct Command {
    /// `argv[0]`.
    program: String,
    /// `PATH` of the container's environment.
    search: String,
    /// The working directory.
    dir: String,
    /// What is mounted over the root file system: nothing is known of what lies there.
    mounts: Vec<PathBuf>,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Executable,
    Other,
    Nothing,
    /// Below a mount, or not to be read.
    Unknown,
}

impl Command {
    /// That of a container, as the runtime has put it together; `None` where it does not say.
    pub(crate) fn new(said: &ContainerVerbose, mounts: &[String]) -> Option<Self> {
        let mut env = said.env.iter().rev();
        let search = env.find_map(|pair| pair.strip_prefix("PATH="));
        Some(Self {
            program: said.args.first()?.clone(),
            search: search.unwrap_or_default().to_owned(),
            dir: said.cwd.clone(),
            mounts: mounts.iter().map(PathBuf::from).collect(),
        })
    }

    /// Looks for it below `root`, a tree that nothing changes meanwhile.
    ///
    /// # Errors
    /// [`Error::CommandNotFound`] or [`Error::CommandNotExecutable`], where that is certain.
    pub(crate) fn check(&self, root: &Path) -> Result<(), Error> {
        let program = &self.program;
        let mut seen = Found::Nothing;
        for candidate in self.candidates() {
            match self.look(root, &candidate) {
                Found::Executable | Found::Unknown => return Ok(()),
                Found::Other => seen = Found::Other,
                Found::Nothing => {}
            }
        }
        match seen {
            Found::Other => Err(Error::command_not_executable(format!(
                "exec: \"{program}\": permission denied"
            ))),
            _ if program.contains('/') => Err(Error::command_not_found(format!(
                "exec: \"{program}\": stat {program}: no such file or directory"
            ))),
            _ => Err(Error::command_not_found(format!(
                "exec: \"{program}\": executable file not found in $PATH"
            ))),
        }
    }

    /// Where it may lie, absolute paths.
    fn candidates(&self) -> Vec<PathBuf> {
        let dir = Path::new("/").join(&self.dir);
        if self.program.contains('/') {
            return vec![dir.join(&self.program)];
        }
        let folders = self.search.split(':');
        folders
            .map(|folder| dir.join(folder).join(&self.program))
            .collect()
    }

    /// Walks to a path one component at a time, as the container would, never out of `root`.
    fn look(&self, root: &Path, path: &Path) -> Found {
        let mut todo: Vec<PathBuf> = components(path);
        let mut here = PathBuf::from("/");
        let mut links = 0;
        while let Some(next) = todo.pop() {
            if next == Path::new("..") {
                here.pop();
                continue;
            }
            here.push(next);
            if self.mounts.iter().any(|mount| here.starts_with(mount)) {
                return Found::Unknown;
            }
            let inside = inside(root, &here);
            let found = match statat(CWD, &inside, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(Errno::NOENT | Errno::NOTDIR) => return Found::Nothing,
                Err(_) => return Found::Unknown,
            };
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Symlink => {
                    links += 1;
                    let Some(target) = link(&inside).filter(|_| links <= MAX_LINKS) else {
                        return Found::Unknown;
                    };
                    here.pop();
                    if target.is_absolute() {
                        here = PathBuf::from("/");
                    }
                    todo.extend(components(&target));
                }
                FileType::Directory => {}
                FileType::RegularFile if todo.is_empty() && found.st_mode & 0o111 != 0 => {
                    return Found::Executable;
                }
                _ if todo.is_empty() => return Found::Other,
                _ => return Found::Nothing,
            }
        }
        Found::Other // a folder
    }
}

/// The names in a path, the last one first, `.` and `/` left out.
fn components(path: &Path) -> Vec<PathBuf> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.rev().collect()
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn link(path: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let target = readlinkat(CWD, path, Vec::new()).ok()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(
        target.into_bytes(),
    )))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for dir in ["bin", "usr/bin", "work", "data"] {
            fs::create_dir_all(at(dir)).unwrap();
        }
        for (file, mode) in [("bin/sh", 0o755), ("bin/text", 0o644), ("work/run", 0o700)] {
            fs::write(at(file), "x").unwrap();
            fs::set_permissions(at(file), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("/bin/sh", at("usr/bin/absolute")).unwrap();
        symlink("../../bin/sh", at("usr/bin/relative")).unwrap();
        symlink("../../../../../../../bin/sh", at("usr/bin/above")).unwrap();
        symlink("/bin/gone", at("usr/bin/dangling")).unwrap();
        symlink("/data/tool", at("usr/bin/mounted")).unwrap();
        symlink("round", at("usr/bin/round")).unwrap();
        root
    }

    fn check(program: &str) -> Result<(), Error> {
        let command = Command {
            program: program.to_owned(),
            search: "/usr/bin:/bin".to_owned(),
            dir: "/work".to_owned(),
            mounts: vec![PathBuf::from("/data")],
        };
        command.check(root().path())
    }

    #[test]
    fn what_can_be_executed_passes_and_so_does_what_cannot_be_known() {
        let fine = [
            "sh",
            "/bin/sh",
            "./run",
            "../bin/sh",
            "absolute",
            "relative",
            "above", // the container's own root ends the way up
            "mounted",
            "/data/whatever",
            "/usr/bin/round",
        ];
        for program in fine {
            assert!(check(program).is_ok(), "{program}");
        }
    }

    #[test]
    fn what_is_missing_or_no_program_is_refused_in_podmans_words() {
        let words = "OCI runtime attempted to invoke a command that was not found";
        for (program, text) in [
            ("gone", "executable file not found in $PATH"),
            ("/bin/gone", "stat /bin/gone: no such file or directory"),
            ("/usr/bin/dangling", "no such file or directory"),
            ("/bin/sh/below", "no such file or directory"),
            ("run", "executable file not found in $PATH"),
        ] {
            let error = check(program).unwrap_err();
            assert_eq!(error.cause(), words, "{program}");
            assert!(error.to_string().contains(text), "{program}: {error}");
        }
        for program in ["text", "/bin/text", "/bin", "/usr/bin/"] {
            let error = check(program).unwrap_err();
            assert_eq!(error.cause(), "OCI permission denied", "{program}");
        }
    }
}
