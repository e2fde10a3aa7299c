//! A registry with one image, inside of a test.

use std::{fs, path::PathBuf, process::Child};

use anyhow::{Context, Result, bail};
use cri_api::v1::ImageSpec;
use private_runtime::{Image, host::find_program};

use super::eventually;
use crate::{Lab, host::report};

/// Who a registry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// [`USER`] with [`PASSWORD`].
    Closed,
}

/// Who may use a closed registry.
pub const USER: &str = "ali";
/// Its password.
pub const PASSWORD: &str = "open-sesame";
/// The same as a registry wants it.
const HTPASSWD: &str = "$2y$04$dxiHnHZrOmnfVDUkGMqRse7PZFY281wre0C476q9WIwghKu.zPppa";

impl Access {
    fn address(self) -> &'static str {
        match self {
            Self::Open => "127.0.0.1:5000",
            Self::Closed => "127.0.0.1:5001",
        }
    }
}

/// A registry.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    dir: PathBuf,
    access: Access,
}

impl Registry {
    /// Starts one and fills it; none where its program or skopeo is missing.
    pub async fn start(lab: &mut Lab, access: Access) -> Result<Option<Self>> {
        if program().is_none() || find_program(None, "skopeo").is_none() {
            report("SKIPPED: pulling an image (docker-registry or skopeo is not on PATH)");
            return Ok(None);
        }
        lab.host.allow_plain_registry(access.address())?;
        lab.runtime.restart(false).await?; // CRI-O reads the configuration once
        let dir = lab.host.dir().join(format!("home/registry-{access:?}"));
        fs::create_dir_all(&dir)?;
        let registry = Self {
            child: serve(lab, &dir, access)?,
            dir,
            access,
        };
        registry.fill(lab).await?;
        Ok(Some(registry))
    }

    /// The image it has.
    pub fn image(&self) -> String {
        format!("{}/pulled:latest", self.access.address())
    }

    /// Who it is for.
    pub fn access(&self) -> Access {
        self.access
    }

    /// A name of which it has no image.
    pub fn no_image(&self) -> String {
        format!("{}/pulled:no-such-tag", self.access.address())
    }

    /// Takes the pulled image away from the runtime.
    pub async fn forget_pulled(&self, lab: &Lab) -> Result<()> {
        let image = ImageSpec {
            image: self.image(),
            ..ImageSpec::default()
        };
        Ok(lab.runtime.cri()?.remove_image(image).await?)
    }

    /// Ends it, and removes what it wrote.
    pub fn stop(mut self, lab: &Lab) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        fs::remove_dir_all(self.dir)?;
        let name = self.access.address().replace(':', "-");
        let file = format!("/etc/containers/registries.conf.d/{name}.conf");
        lab.host.shell(&format!("rm -f {file}")).map(drop)
    }

    async fn fill(&self, lab: &Lab) -> Result<()> {
        let image = Image {
            // the demo image's layer, so that it is on the runtime's disk already
            labels: [("pulled".to_owned(), "yes".to_owned())].into(),
            ..Image::busybox(&["localhost/pulled:latest"])?
        };
        let (_, archive) = image.archive()?;
        let file = self.dir.join("image.tar");
        fs::write(&file, archive)?;
        let credentials = match self.access {
            Access::Open => String::new(),
            Access::Closed => format!("--dest-creds {USER}:{PASSWORD}"),
        };
        let line = format!(
            "skopeo --tmpdir {dir} --insecure-policy copy --quiet --dest-tls-verify=false {credentials} \
             docker-archive:{file} docker://{image}",
            dir = self.dir.display(),
            file = file.display(),
            image = self.image(),
        );
        eventually("the registry", async || match lab.host.shell(&line) {
            Ok(_) => Ok(()),
            Err(error) => bail!("{error:#}"),
        })
        .await
    }
}

/// Debian's name of the program, and Fedora's.
fn program() -> Option<PathBuf> {
    let names = ["docker-registry", "registry"];
    names.iter().find_map(|name| find_program(None, name))
}

fn serve(lab: &Lab, dir: &std::path::Path, access: Access) -> Result<Child> {
    let mut config = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {}\n",
        dir.join("data").display(),
        access.address(),
    );
    if access == Access::Closed {
        let passwords = dir.join("htpasswd");
        fs::write(&passwords, format!("{USER}:{HTPASSWD}\n"))?;
        config += &format!(
            "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            passwords.display()
        );
    }
    let file = dir.join("config.yml");
    fs::write(&file, config)?;
    let log = fs::File::create(dir.join("log"))?;
    let mut command = lab.host.command(program().context("a registry")?);
    command.arg("serve").arg(&file);
    command.stdout(log.try_clone()?).stderr(log);
    command.spawn().context("the registry")
}
