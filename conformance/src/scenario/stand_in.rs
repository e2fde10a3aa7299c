//! A process that looks like a kubelet from outside.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{TestHost, scenario::eventually};

/// A process named `kubelet` with the flags of one, inside a test. It ends when it is dropped.
#[derive(Debug)]
pub struct KubeletStandIn(Child);

impl KubeletStandIn {
    /// Starts one that names this runtime.
    pub async fn start(host: &TestHost, runtime: &Path) -> Result<Self> {
        let program = host.dir().join("home/kubelet");
        if !program.exists() {
            symlink("/bin/sh", &program)?;
        }
        let child = host
            .command(&program)
            // it waits for the end of its input
            .args(["-c", "read -r _", "kubelet"])
            .arg(format!(
                "--container-runtime-endpoint=unix://{}",
                runtime.display()
            ))
            .stdin(Stdio::piped())
            .spawn()
            .context("the stand-in of a kubelet")?;
        let process = format!("/proc/{}", child.id());
        let started = Self(child);
        eventually("the stand-in of a kubelet", async || {
            let name = fs::read_to_string(format!("{process}/comm"))?;
            let arguments = fs::read_to_string(format!("{process}/cmdline"))?;
            ensure!(
                name.trim() == "kubelet" && !arguments.is_empty(),
                "it is still {name}"
            );
            Ok(())
        })
        .await?;
        Ok(started)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it.
    pub fn end(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for KubeletStandIn {
    fn drop(&mut self) {
        // both fail where it has ended already
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
