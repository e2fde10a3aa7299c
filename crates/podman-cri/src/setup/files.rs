//! Files of setup's own: how they are known again, written and removed.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::host::Host;
use crate::config::HandlerAsked;

/// How each of them begins.
const MARK: &str = "# Written by podman-cri setup";
/// Before the handlers that were named.
const ASKED: &str = "# Handlers: ";
/// Everybody may read it, as the runtime's own.
const MODE: u32 = 0o644;

/// A file that is to be there, or is not to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnFile {
    pub(crate) path: PathBuf,
    /// What it is for.
    pub(crate) purpose: String,
    /// What is to stand in it; `None`: it is to go.
    pub(crate) text: Option<String>,
    pub(crate) known: Known,
}

/// How it is seen that setup wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// By its first line.
    Mark,
    /// By all of it: a file that others change becomes theirs.
    Text(String),
}

/// What is there under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Absent,
    /// Written by setup, with another text.
    Other,
    /// As it is to be.
    Same,
    /// Somebody else's.
    Foreign,
}

/// The first lines of a file: whose it is, what was asked for, and what else is to be known of it.
pub(crate) fn header(asked: &[HandlerAsked], more: &[String]) -> String {
    let mut lines = vec![format!(
        "{MARK}, which writes it anew; podman-cri setup --uninstall removes it. Changes here are lost."
    )];
    if !asked.is_empty() {
        let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
        lines.push(format!("{ASKED}{}", asked.join(" ")));
    }
    lines.extend(more.iter().map(|line| format!("# {line}")));
    lines.join("\n") + "\n"
}

/// The handlers that were named when a file was written; `None`: setup has not written it.
pub(crate) fn asked(text: &str) -> Option<Vec<HandlerAsked>> {
    if !text.starts_with(MARK) {
        return None;
    }
    let line = text.lines().find_map(|line| line.strip_prefix(ASKED));
    let words = line.unwrap_or_default().split_whitespace();
    Some(words.flat_map(HandlerAsked::parse).collect())
}

impl Known {
    fn is(&self, there: &str) -> bool {
        match self {
            Self::Mark => asked(there).is_some(),
            Self::Text(text) => there == text,
        }
    }
}

impl OwnFile {
    pub(crate) fn standing(&self, host: &Host) -> anyhow::Result<Standing> {
        let there = host.read(&self.path)?;
        Ok(match (&there, &self.text) {
            (None, None) => Standing::Same,
            (None, Some(_)) => Standing::Absent,
            (Some(there), Some(text)) if there == text => Standing::Same,
            (Some(there), _) if self.known.is(there) => Standing::Other,
            (Some(_), _) => Standing::Foreign,
        })
    }

    /// Brings it about: whole or not at all.
    pub(crate) fn settle(&self, host: &Host) -> anyhow::Result<()> {
        let path = host.at(&self.path);
        let shown = self.path.display();
        match &self.text {
            Some(text) => write(&path, text).with_context(|| format!("{shown} cannot be written")),
            None => {
                std::fs::remove_file(path).with_context(|| format!("{shown} cannot be removed"))
            }
        }
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("it is in no folder")?;
    std::fs::create_dir_all(folder)?;
    // containerd reads *.toml there, so that it never sees this name
    let mut file = tempfile::Builder::new()
        .prefix(".podman-cri-")
        .permissions(std::fs::Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    // the umask has its say in the mode of a new file
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(MODE))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_read_again() {
        let named = ["crun", "k=/s,config=/k.toml"].map(|text| HandlerAsked::parse(text).unwrap());
        let text = header(&named, &["more".to_owned()]);
        assert_eq!(asked(&text).unwrap(), named);
        assert_eq!(asked(&header(&[], &[])), Some(Vec::new()));
        assert_eq!(asked("# mine\n"), None);
        assert!(text.lines().all(|line| line.starts_with("# ")), "{text}");
    }

    #[test]
    fn only_what_setup_wrote_counts_as_its_own() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::new(root.path());
        let file = |text: Option<&str>| OwnFile {
            path: "/etc/a/b.conf".into(),
            purpose: String::new(),
            text: text.map(ToOwned::to_owned),
            known: Known::Mark,
        };
        let text = header(&[], &[]);
        let ours = file(Some(&text));
        assert_eq!(ours.standing(&host).unwrap(), Standing::Absent);
        ours.settle(&host).unwrap();
        assert_eq!(ours.standing(&host).unwrap(), Standing::Same);
        assert_eq!(file(Some("x")).standing(&host).unwrap(), Standing::Other);
        let path = root.path().join("etc/a/b.conf");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, MODE);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
        file(None).settle(&host).unwrap();
        assert_eq!(file(None).standing(&host).unwrap(), Standing::Same);
        std::fs::write(&path, "[crio]\n").unwrap();
        assert_eq!(ours.standing(&host).unwrap(), Standing::Foreign);
        assert_eq!(file(None).standing(&host).unwrap(), Standing::Foreign);
    }
}
