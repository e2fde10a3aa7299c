//! A registry with one image, inside of the test.

use std::{fs, path::PathBuf, process::Child};

use anyhow::{Context, Result, bail};
use conformance::{Lab, scenario::eventually};
use private_runtime::{Image, host::find_program};

const ADDRESS: &str = "127.0.0.1:5000";
/// The image it has.
pub(crate) const PULLED: &str = "127.0.0.1:5000/pulled:latest";

/// A registry.
#[derive(Debug)]
pub(crate) struct Registry {
    child: Child,
    dir: PathBuf,
}

impl Registry {
    /// Starts one and fills it; none where its program or skopeo is missing.
    pub(crate) async fn start(lab: &mut Lab) -> Result<Option<Self>> {
        let missing = ["docker-registry", "skopeo"]
            .into_iter()
            .find(|program| find_program(None, program).is_none());
        if let Some(missing) = missing {
            println!("SKIPPED: pulling an image (no {missing} on PATH)");
            return Ok(None);
        }
        lab.host.allow_plain_registry(ADDRESS)?;
        lab.runtime.restart(false).await?; // CRI-O reads the configuration once
        let dir = lab.host.dir().join("home/registry");
        fs::create_dir_all(&dir)?;
        let config = dir.join("config.yml");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {ADDRESS}\n",
            dir.join("data").display()
        );
        fs::write(&config, text)?;
        let mut command = lab.host.command("docker-registry");
        let log = fs::File::create(dir.join("log"))?;
        command
            .arg("serve")
            .arg(&config)
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command.spawn().context("docker-registry")?;
        fill(lab, &dir).await?;
        Ok(Some(Self { child, dir }))
    }

    /// Ends it, and removes what it wrote.
    pub(crate) fn stop(mut self, lab: &Lab) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        fs::remove_dir_all(self.dir)?;
        lab.host
            .shell("rm -rf /etc/containers/registries.conf.d/127.0.0.1-5000.conf")
            .map(drop)
    }
}

async fn fill(lab: &Lab, dir: &std::path::Path) -> Result<()> {
    let image = Image {
        // the demo image's layer, so that it is on the runtime's disk already
        labels: [("pulled".to_owned(), "yes".to_owned())].into(),
        ..Image::busybox(&["localhost/pulled:latest"])?
    };
    let (_, archive) = image.archive()?;
    let file = dir.join("image.tar");
    fs::write(&file, archive)?;
    let line = format!(
        "skopeo --tmpdir {dir} --insecure-policy copy --quiet --dest-tls-verify=false docker-archive:{file} docker://{PULLED}",
        dir = dir.display(),
        file = file.display()
    );
    eventually("the registry", async || match lab.host.shell(&line) {
        Ok(_) => Ok(()),
        Err(error) => bail!("{error:#}"),
    })
    .await
}
