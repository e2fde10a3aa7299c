//! A container that keeps a record of its own runs, in its writable layer and outside of it: what
//! the layer loses or doubles shows as a difference between the two.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::eventually;
use crate::TestHost;

/// The demo image's full name.
pub const IMAGE: &str = "localhost/busybox:latest";

/// Written to `/kept` in the layer first, then to `runs` outside; then the layer's own account is
/// copied out. `$0` is what follows.
const SCRIPT: &str = "echo run >> /kept; echo run >> /out/runs; \
    cp /kept /out/.kept; mv /out/.kept /out/kept; ";

/// A new folder that is seen inside of a test at the same path, and no leak.
pub fn next_folder(host: &TestHost) -> Result<PathBuf> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let dir = host.dir().join("home").join(format!("out{number}"));
    fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// The outside of such a container.
#[derive(Debug, Clone)]
pub struct Witness {
    name: String,
    dir: PathBuf,
    then: String,
}

impl Witness {
    /// One that sleeps after it has noted its run.
    pub fn new(host: &TestHost, name: &str) -> Result<Self> {
        Self::then(host, name, "exec sleep 1000")
    }

    /// One that does this after it has noted its run; `/out` is [`Self::dir`].
    pub fn then(host: &TestHost, name: &str, then: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            dir: next_folder(host)?,
            then: then.to_owned(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder on the host, `/out` inside.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The libpod create body.
    pub fn body(&self) -> Value {
        json!({
            "name": self.name,
            "image": IMAGE,
            "command": ["sh", "-c", format!("{SCRIPT}{}", self.then)],
            "mounts": [self.mount()],
        })
    }

    /// The bind mount of its folder, for a create body of one's own.
    pub fn mount(&self) -> Value {
        json!({ "type": "bind", "source": self.dir, "destination": "/out", "options": ["rbind"] })
    }

    /// Lets go who waits for `/out/go`.
    pub fn go(&self) -> Result<()> {
        Ok(fs::write(self.dir.join("go"), "")?)
    }

    /// Forgets what a removed container of this name has done.
    pub fn begin_anew(&self) -> Result<()> {
        for file in ["runs", "kept", "go"] {
            match fs::remove_file(self.dir.join(file)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// How often it has run.
    pub fn runs(&self) -> usize {
        self.lines("runs")
    }

    fn lines(&self, file: &str) -> usize {
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        text.lines().count()
    }

    /// Waits until it has run more than `before` times and has said what its layer holds: all runs,
    /// none lost and none doubled.
    pub async fn has_run(&self, before: usize) -> Result<()> {
        eventually(
            format_args!("run {} of {}", before + 1, self.name),
            async || {
                let (runs, kept) = (self.runs(), self.lines("kept"));
                if runs > before && runs == kept {
                    return Ok(());
                }
                bail!("it has run {runs} times, and its layer says {kept}")
            },
        )
        .await
    }
}
