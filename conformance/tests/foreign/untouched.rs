//! "Nothing has changed on the node": what the runtime itself says, and the kubelet's own files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};
use conformance::Lab;

/// Everything that can be told of a kubelet's pods, each answer and file by its name: the answers as
/// text with every field of CRI's messages (maps sorted), besides what the runtimes say beyond CRI,
/// such as the process id.
#[derive(Debug)]
pub(crate) struct Node(BTreeMap<String, String>);

impl Node {
    pub(crate) async fn of(lab: &Lab) -> Result<Self> {
        let cri = lab.runtime.cri()?;
        let mut said = BTreeMap::new();
        for listed in cri.list_pod_sandbox(None).await? {
            let id = &listed.id;
            let (status, info) = cri.pod_sandbox_status_verbose(id).await?;
            said.insert(format!("PodSandboxStatus {id}"), format!("{status:#?}"));
            said.insert(format!("verbose of sandbox {id}"), format!("{info:#?}"));
            said.insert(format!("ListPodSandbox {id}"), format!("{listed:#?}"));
        }
        for listed in cri.list_containers(None).await? {
            let id = &listed.id;
            let (status, info) = cri.container_status_verbose(id).await?;
            said.insert(format!("ContainerStatus {id}"), format!("{status:#?}"));
            said.insert(format!("verbose of container {id}"), format!("{info:#?}"));
            said.insert(format!("ListContainers {id}"), format!("{listed:#?}"));
        }
        for image in cri.list_images(None).await? {
            said.insert(format!("ListImages {}", image.id), format!("{image:#?}"));
        }
        for folder in ["pods", "var-lib-kubelet"] {
            files(&lab.host.dir().join("home").join(folder), &mut said)?;
        }
        Ok(Self(said))
    }

    /// Fails unless the other is the same, with the first lines that differ.
    pub(crate) fn is_still(&self, now: &Self) -> Result<()> {
        let names: BTreeSet<_> = self.0.keys().chain(now.0.keys()).collect();
        for name in names {
            let (then, now) = (self.0.get(name), now.0.get(name));
            ensure!(then == now, "{name}: {}", difference(then, now));
        }
        Ok(())
    }
}

fn difference(then: Option<&String>, now: Option<&String>) -> String {
    let (Some(then), Some(now)) = (then, now) else {
        let word = if then.is_none() { "new" } else { "gone" };
        return word.to_owned();
    };
    let pairs = then.lines().zip(now.lines());
    let differing = pairs.filter(|(then, now)| then != now);
    let lines: Vec<_> = differing
        .map(|(then, now)| format!("{then:?} was, {now:?} is"))
        .collect();
    match lines.is_empty() {
        true => format!("{then:?} was, {now:?} is"),
        false => lines.join("; "),
    }
}

/// Each file with its bytes and what changing it would change.
fn files(folder: &Path, said: &mut BTreeMap<String, String>) -> Result<()> {
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, about) = (entry.path(), entry.metadata()?);
            let written = (about.mtime(), about.mtime_nsec(), about.ctime_nsec());
            let owner = (about.uid(), about.gid(), about.mode(), about.ino());
            let bytes = match about.is_dir() {
                true => Vec::new(),
                false => fs::read(&path)?,
            };
            let text = format!("{written:?}\n{owner:?}\n{bytes:?}");
            said.insert(format!("file {}", path.display()), text);
            if about.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(())
}
