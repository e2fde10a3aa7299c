//! Where a source tree lies: in a folder, or in a git repository that has it at a revision.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A source tree.
#[derive(Debug, Clone)]
pub enum Source {
    /// A folder.
    Folder(PathBuf),
    /// A revision of a git repository, bare or not.
    Git {
        /// The repository.
        dir: PathBuf,
        /// The revision.
        revision: String,
    },
}

impl Source {
    /// The tree in a folder; where it has no such part, or a revision is named, that of its repository.
    ///
    /// # Errors
    /// It is neither.
    pub fn open(dir: &Path, revision: Option<String>, part: &str) -> Result<Self> {
        if revision.is_none() && dir.join(part).exists() {
            return Ok(Self::Folder(dir.to_owned()));
        }
        let source = Self::Git {
            dir: dir.to_owned(),
            revision: revision.unwrap_or_else(|| "HEAD".to_owned()),
        };
        let files = source.list(part).unwrap_or_default();
        if files.is_empty() {
            bail!(
                "{} has no {part}, in its folder or at the revision",
                dir.display()
            );
        }
        Ok(source)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(&self, path: &str) -> Result<String> {
        match self {
            Self::Folder(dir) => {
                std::fs::read_to_string(dir.join(path)).with_context(|| path.to_owned())
            }
            Self::Git { dir, revision } => git(dir, &["show", &format!("{revision}:{path}")]),
        }
    }

    /// The files of a folder, by their paths.
    ///
    /// # Errors
    /// It is not there.
    pub fn list(&self, folder: &str) -> Result<Vec<String>> {
        match self {
            Self::Folder(dir) => {
                let entries =
                    std::fs::read_dir(dir.join(folder)).with_context(|| folder.to_owned())?;
                let mut all = Vec::new();
                for entry in entries {
                    all.push(format!("{folder}/{}", entry?.file_name().to_string_lossy()));
                }
                all.sort();
                Ok(all)
            }
            Self::Git { dir, revision } => {
                let names = git(
                    dir,
                    &["ls-tree", "--name-only", revision, &format!("{folder}/")],
                )?;
                Ok(names.lines().map(str::to_owned).collect())
            }
        }
    }
}

fn git(dir: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .output()?;
    if !output.status.success() {
        bail!(
            "git {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
