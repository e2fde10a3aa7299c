//! Finding a command, as runc finds it: Go's `exec.LookPath` with the container's own `PATH`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, eaccess};

use crate::failure::{self, Failure};

/// The path of `argv[0]` by this process' `PATH`.
pub(crate) fn find_here(argv: &[OsString]) -> Result<PathBuf, Failure> {
    find(argv, env::var_os("PATH").as_deref())
}

/// The path of `argv[0]`. What lies in a folder of `search` and cannot be executed is passed over.
pub(crate) fn find(argv: &[OsString], search: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let name = argv.first().map_or(OsStr::new(""), OsString::as_os_str);
    let shown = name.display();
    if name.as_encoded_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match check(&path) {
            Ok(()) => Ok(path),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Err(Failure::not_found(format!(
                "exec: \"{shown}\": stat {shown}: no such file or directory"
            ))),
            Err(errno) => {
                let why = failure::words(errno);
                Err(Failure::not_executable(format!("exec: \"{shown}\": {why}")))
            }
        };
    }
    // A folder that is not absolute would make the command depend on where one stands: Go refuses what lies there.
    let folders = search.into_iter().flat_map(env::split_paths);
    let folders = folders.filter(|folder| folder.is_absolute());
    let mut candidates = folders.map(|folder| folder.join(name));
    let found = candidates.find(|path| !name.is_empty() && check(path).is_ok());
    found.ok_or_else(|| {
        Failure::not_found(format!(
            "exec: \"{shown}\": executable file not found in $PATH"
        ))
    })
}

/// Whether this process may execute it.
fn check(path: &Path) -> Result<(), Errno> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or_default());
    match path.metadata().map_err(errno)?.is_dir() {
        true => Err(Errno::EISDIR),
        false => eaccess(path, AccessFlags::X_OK),
    }
}
