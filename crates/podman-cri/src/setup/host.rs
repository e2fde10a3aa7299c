//! The host's files: of this one, or of an image that is being made.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toml::Table;

/// Folders of OCI runtimes; the last is where CRI-O's packages put theirs.
const OCI: [&str; 5] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/usr/libexec/crio",
];
/// Folders of Kata's shim.
const SHIM: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/opt/kata/bin"];

/// A tree of files.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    root: PathBuf,
}

impl Host {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// Where a path of the host lies as seen from here.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The other way round.
    pub(crate) fn of(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.root) {
            Ok(rest) => Path::new("/").join(rest),
            Err(_) => path.to_path_buf(),
        }
    }

    /// `None` where there is no such file.
    pub(crate) fn read(&self, path: &Path) -> anyhow::Result<Option<String>> {
        match std::fs::read_to_string(self.at(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// The same, as TOML.
    pub(crate) fn table(&self, path: &Path) -> anyhow::Result<Option<Table>> {
        let text = self.read(path)?;
        let parsed = text.map(|text| text.parse());
        parsed.transpose().with_context(|| {
            format!(
                "{} is no TOML: mend it first, the runtime does not start with it either",
                path.display()
            )
        })
    }

    /// The files of a folder and the folders in it, in the order of their names; none where it is not there.
    pub(crate) fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.at(folder)).into_iter().flatten();
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        let paths = names.iter().map(|name| folder.join(name));
        let files = paths.flat_map(|path| match self.at(&path).is_dir() {
            true => self.files(&path),
            false => vec![path],
        });
        files.collect()
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.at(path).exists()
    }

    /// An OCI runtime by its name.
    pub(crate) fn oci(&self, name: &str) -> Option<PathBuf> {
        self.program(&OCI, name)
    }

    /// Kata's shim.
    pub(crate) fn shim(&self) -> Option<PathBuf> {
        self.program(&SHIM, "containerd-shim-kata-v2")
    }

    fn program(&self, folders: &[&str], name: &str) -> Option<PathBuf> {
        let mut places = folders.iter().map(|folder| Path::new(folder).join(name));
        places.find(|path| self.runs(path))
    }

    /// Whether it is a file that may be executed.
    pub(crate) fn runs(&self, path: &Path) -> bool {
        let found = std::fs::metadata(self.at(path));
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    }
}
