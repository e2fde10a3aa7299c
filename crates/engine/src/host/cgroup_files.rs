//! Limits by files of a container's control groups: those for which CRI has no field, and what an update tells of the others.
//!
//! They are written while the gate holds the container's command, at each start, and by an update at once. Which file is
//! which follows runc: <https://github.com/opencontainers/cgroups>, folders `fs` and `fs2`.

mod before;
mod which;

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use model::Error;
use model::cgroup::FileBefore;
use model::container::Resources;

use super::cgroup::{Groups, ROOT};
pub(super) use which::{limits, of_cri};

/// When limits are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the command: the runtime has set what CRI has a field for.
    Start,
    /// While it runs.
    Update,
}

/// One limit: the files that may carry it, of which the first that is there does, and what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) what: &'static str,
    /// Of cgroup v1; v2 has one folder for all.
    pub(super) controller: &'static str,
    /// Names and texts.
    pub(super) files: Vec<(String, String)>,
    /// The runtime has set it where there is a file: where there is none, nobody misses it.
    pub(super) optional: bool,
}

impl Limit {
    pub(super) fn new(
        what: &'static str,
        controller: &'static str,
        file: impl Into<String>,
        text: impl Display,
    ) -> Self {
        Self {
            what,
            controller,
            files: vec![(file.into(), text.to_string())],
            optional: false,
        }
    }

    fn or(mut self, file: &str, text: impl Display) -> Self {
        self.files.push((file.to_owned(), text.to_string()));
        self
    }

    /// The refusal of a limit that the kernel has no file for.
    pub(super) fn missing(&self) -> Error {
        let names: Vec<_> = self.files.iter().map(|(name, _)| name.as_str()).collect();
        let why = format!(
            "the control groups of this host have no file {}",
            names.join(" or ")
        );
        Error::unsupported(self.what, why)
    }

    pub(super) fn in_folder(&self, folder: &Path) -> Option<(PathBuf, &str)> {
        let there = |(name, _): &&(String, String)| folder.join(name).exists();
        let (name, text) = self.files.iter().find(there)?;
        Some((folder.join(name), text))
    }
}

/// The control groups of a container on this host.
pub(crate) struct Own {
    groups: Groups,
    cri_id: String,
    unified: bool,
}

impl Own {
    /// By one of its processes; `unified` says that the host's are v2.
    ///
    /// # Errors
    /// The process has ended.
    pub(crate) fn of(pid: i32, cri_id: &str, unified: bool) -> Result<Self, Error> {
        let groups = Groups::of(pid).ok_or_else(|| Error::internal("the process has ended"))?;
        Ok(Self {
            groups: groups.of_container(cri_id),
            cri_id: cri_id.to_owned(),
            unified,
        })
    }

    fn folder(&self, controller: &str) -> Option<PathBuf> {
        match self.unified {
            true => self.groups.v2(),
            false => self.groups.v1(controller),
        }
    }

    /// The processes in them, and in those that it made below.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let mut folders: Vec<_> = self.folder("pids").into_iter().collect();
        let mut all = Vec::new();
        while let Some(folder) = folders.pop() {
            let own = folder.to_string_lossy().contains(&self.cri_id);
            let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            all.extend(
                text.lines()
                    .filter(|_| own)
                    .filter_map(|pid| pid.parse::<i32>().ok()),
            );
            let below = fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(below.map(|entry| entry.path()).filter(|path| path.is_dir()));
        }
        all
    }

    /// Writes its limits.
    ///
    /// # Errors
    /// [`Error::Plain`] with the kernel's reason.
    pub(crate) fn write(&self, resources: &Resources, moment: Moment) -> Result<(), Error> {
        let all = limits(resources, self.unified, moment)?;
        all.iter().try_for_each(|limit| self.write_one(limit))
    }

    fn write_one(&self, limit: &Limit) -> Result<(), Error> {
        let folder = self.folder(limit.controller);
        match folder.as_deref().and_then(|folder| limit.in_folder(folder)) {
            Some((file, text)) => self.write_file(limit.what, &file, text),
            None if limit.optional => Ok(()),
            None => Err(failed(limit.what, "its control group has no file for it")),
        }
    }

    fn write_file(&self, what: &str, file: &Path, text: &str) -> Result<(), Error> {
        // another process may have its number by now
        if !file.to_string_lossy().contains(&self.cri_id) {
            return Err(failed(what, "the container's process has ended"));
        }
        fs::write(file, text).map_err(|error| {
            let why = format!("{} takes no {text:?}: {error}", file.display());
            failed(what, &why)
        })
    }

    /// What its files say now of all that an update to these limits may change.
    ///
    /// # Errors
    /// Podman's for what is no block device.
    pub(crate) fn before(&self, resources: &Resources) -> Result<Vec<FileBefore>, Error> {
        let update = limits(resources, self.unified, Moment::Update)?;
        let folder = |controller: &str| self.folder(controller);
        Ok(before::read(folder, &update, self.unified))
    }

    /// Makes its files say that again.
    ///
    /// # Errors
    /// [`Error::Plain`] with the kernel's reason.
    pub(crate) fn write_back(&self, before: &[FileBefore]) -> Result<(), Error> {
        let write = |one: &FileBefore| {
            let folder = self
                .folder(&one.controller)
                .ok_or_else(|| failed(&one.file, "its control group is gone"))?;
            self.write_file(&one.file, &folder.join(&one.file), &one.text)
        };
        // one may stand in the way of another: the limit of memory and that of memory and swap
        let _ = before.iter().map(write).filter(Result::is_err).count();
        before.iter().try_for_each(write)
    }
}

/// Whether the host can carry the limits out: its devices are there, and the files of control groups.
///
/// # Errors
/// Podman's for what is no block device, and for files of cgroup v2 on v1; [`Error::Unsupported`] for a limit whose file the
/// kernel does not have.
pub(crate) fn check_limits(resources: &Resources, unified: bool) -> Result<(), Error> {
    check_version(resources, unified)?;
    for limit in limits(resources, unified, Moment::Update)? {
        if !limit.optional && !exists(&limit, unified) {
            return Err(limit.missing());
        }
    }
    Ok(())
}

/// What the host's version of control groups has not at all.
///
/// # Errors
/// Podman's for files of cgroup v2 on v1; [`Error::Unsupported`] for rules of devices on v2.
pub(super) fn check_version(resources: &Resources, unified: bool) -> Result<(), Error> {
    if !unified && !resources.by_cgroup.unified.is_empty() {
        let text = "cannot use --cgroup-conf without cgroup v2".to_owned();
        return Err(Error::Plain(text));
    }
    if unified && !resources.by_cgroup.device_rules.is_empty() {
        return Err(Error::unsupported("rules of devices", DEVICES_V2));
    }
    Ok(())
}

/// Why there are no rules of devices with cgroup v2.
const DEVICES_V2: &str = "with cgroup v2 it is a program in the kernel (eBPF) that allows devices, which the OCI runtime makes, and CRI has no \
                          field for rules: name the device";

/// The refusal for a container whose process, and so its control groups, are not on this host.
pub(crate) fn no_control_groups() -> Error {
    let why = "CRI has no field for it, and the container's control groups are not on this host";
    Error::unsupported("a limit by control groups", why)
}

fn failed(what: &str, why: &str) -> Error {
    Error::Plain(format!("setting {what}: {why}"))
}

/// A file of this name is in a group of the controller: the uppermost one has not all of them.
pub(super) fn exists(limit: &Limit, unified: bool) -> bool {
    let root = match unified {
        true => PathBuf::from(ROOT),
        false => Path::new(ROOT).join(limit.controller),
    };
    let below = fs::read_dir(&root).into_iter().flatten().flatten();
    let below = below.map(|entry| entry.path());
    std::iter::once(root)
        .chain(below)
        .any(|folder| limit.in_folder(&folder).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_that_is_there_counts() {
        let folder = tempfile::tempdir().unwrap();
        let limit = Limit::new("x", "c", "a", 1).or("b", 2);
        assert_eq!(limit.in_folder(folder.path()), None);
        fs::write(folder.path().join("b"), "").unwrap();
        assert_eq!(limit.in_folder(folder.path()).unwrap().1, "2");
        fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(limit.in_folder(folder.path()).unwrap().1, "1");
    }

    #[test]
    fn what_the_host_has_no_file_for_is_refused_by_name() {
        let resources = |by_cgroup| Resources {
            by_cgroup,
            ..Resources::default()
        };
        let pages = model::cgroup::ByCgroup {
            hugepages: [("3MB".to_owned(), 1)].into(),
            ..model::cgroup::ByCgroup::default()
        };
        for (unified, file) in [
            (true, "hugetlb.3MB.max"),
            (false, "hugetlb.3MB.limit_in_bytes"),
        ] {
            let error = check_limits(&resources(pages.clone()), unified).unwrap_err();
            let text = format!(
                "huge pages is not supported: the control groups of this host have no file {file}"
            );
            assert_eq!(error.to_string(), text);
        }
        let files = model::cgroup::ByCgroup {
            unified: [("memory.high".to_owned(), "1".to_owned())].into(),
            ..model::cgroup::ByCgroup::default()
        };
        assert_eq!(
            check_limits(&resources(files), false)
                .unwrap_err()
                .to_string(),
            "cannot use --cgroup-conf without cgroup v2"
        );
    }
}
