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
    pub(crate) fn new(said: &ContainerVerbose) -> Option<Self> {
        let mut env = said.env.iter().rev();
        let search = env.find_map(|pair| pair.strip_prefix("PATH="));
        Some(Self {
            program: said.args.first()?.clone(),
            search: search.unwrap_or_default().to_owned(),
            dir: said.cwd.clone(),
            mounts: said.mount_destinations.clone(),
        })
    }

    /// Looks for it below `root`, a tree that nothing changes meanwhile.
    ///
    /// # Errors
    /// [`Error::CommandNotFound`] or [`Error::CommandNotExecutable`], where that is certain.
    pub(crate) fn check(&self, root: &Path) -> Result<(), Error> {
        let mounts: Vec<_> = self
            .mounts
            .iter()
            .map(|mount| resolved(root, mount))
            .collect();
        let mut seen = Found::Nothing;
        for candidate in self.candidates() {
            match look(root, &candidate, &mounts) {
                Found::Executable | Found::Unknown => return Ok(()),
                Found::Other => seen = Found::Other,
                Found::Nothing => {}
            }
        }
        // As runc looks: what stands in PATH and is no program is not found there.
        Err(match seen {
            Found::Other if self.program.contains('/') => self.not_executable(),
            _ => self.not_found(),
        })
    }

    /// It is not there, in runc's words.
    pub(crate) fn not_found(&self) -> Error {
        let program = &self.program;
        let text = match program.contains('/') {
            true => format!("stat {program}: no such file or directory"),
            false => "executable file not found in $PATH".to_owned(),
        };
        Error::command_not_found(format!("exec: \"{program}\": {text}"))
    }

    /// It is there, and no program.
    pub(crate) fn not_executable(&self) -> Error {
        let program = &self.program;
        Error::command_not_executable(format!("exec: \"{program}\": permission denied"))
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
}

/// What lies at a path of the container's.
fn look(root: &Path, path: &Path, mounts: &[PathBuf]) -> Found {
    let mut walk = Walk::to(path);
    let mut found = Found::Other; // `/`
    while let Some(step) = walk.step(root) {
        if mounts.iter().any(|mount| walk.here.starts_with(mount)) {
            return Found::Unknown;
        }
        found = match step {
            Step::Unknown => return Found::Unknown,
            Step::Folder | Step::Link => Found::Other,
            Step::File { executable: true } if walk.todo.is_empty() => Found::Executable,
            Step::File { .. } if walk.todo.is_empty() => Found::Other,
            Step::File { .. } | Step::Nothing => return Found::Nothing,
        };
    }
    found
}

/// A path as it is without symbolic links, so far as it exists.
fn resolved(root: &Path, path: &Path) -> PathBuf {
    let mut walk = Walk::to(path);
    while let Some(step) = walk.step(root) {
        match step {
            Step::Folder | Step::Link => {}
            Step::File { .. } | Step::Nothing | Step::Unknown => break,
        }
    }
    let rest = walk.todo.into_iter().rev();
    rest.fold(walk.here, |path, name| path.join(name))
}

/// A way to a path one name at a time, as the container would go it, never out of its root.
struct Walk {
    /// As far as it has come.
    here: PathBuf,
    /// The names to come, the next one last.
    todo: Vec<PathBuf>,
    links: usize,
}

/// What lies where a walk has come to.
enum Step {
    Folder,
    /// Followed already.
    Link,
    File {
        executable: bool,
    },
    Nothing,
    /// Not to be read, or links without an end.
    Unknown,
}

impl Walk {
    fn to(path: &Path) -> Self {
        Self {
            here: PathBuf::from("/"),
            todo: components(path),
            links: 0,
        }
    }

    fn step(&mut self, root: &Path) -> Option<Step> {
        let next = self.todo.pop()?;
        if next == Path::new("..") {
            self.here.pop();
            return Some(Step::Folder);
        }
        self.here.push(next);
        let inside = inside(root, &self.here);
        let found = match statat(CWD, &inside, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT | Errno::NOTDIR) => return Some(Step::Nothing),
            Err(_) => return Some(Step::Unknown),
        };
        Some(match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => self.follow(&inside),
            FileType::Directory => Step::Folder,
            kind => Step::File {
                executable: kind == FileType::RegularFile && found.st_mode & 0o111 != 0,
            },
        })
    }

    fn follow(&mut self, link: &Path) -> Step {
        self.links += 1;
        let Some(target) = target_of(link).filter(|_| self.links <= MAX_LINKS) else {
            return Step::Unknown;
        };
        self.here.pop();
        if target.is_absolute() {
            self.here = PathBuf::from("/");
        }
        self.todo.extend(components(&target));
        Step::Link
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

fn target_of(path: &Path) -> Option<PathBuf> {
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
        symlink("/data/deep/tool", at("usr/bin/mounted")).unwrap();
        symlink("round", at("usr/bin/round")).unwrap();
        symlink("/data", at("linked")).unwrap();
        root
    }

    fn check(program: &str) -> Result<(), Error> {
        let command = Command {
            program: program.to_owned(),
            search: "/usr/bin:/bin".to_owned(),
            dir: "/work".to_owned(),
            mounts: vec![PathBuf::from("/linked/deep")],
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
            "/data/deep/whatever",
            "/linked/deep/whatever",
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
            ("/data/whatever", "no such file or directory"),
            ("run", "executable file not found in $PATH"),
            ("text", "executable file not found in $PATH"),
        ] {
            let error = check(program).unwrap_err();
            assert_eq!(error.cause(), words, "{program}");
            assert!(error.to_string().contains(text), "{program}: {error}");
        }
        for program in ["/bin/text", "/bin", "/usr/bin/", "/"] {
            let error = check(program).unwrap_err();
            assert_eq!(error.cause(), "OCI permission denied", "{program}");
        }
    }
}
