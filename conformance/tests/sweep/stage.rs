//! The daemon's lives on one runtime: unarmed, and armed with a crash point.

use std::{ffi::OsString, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};
use conformance::{
    Daemon, DaemonOptions, Http, Lab, Setup, Variant,
    scenario::{self, Api, Objects, eventually},
};
use cri_client::Client;
use regex::Regex;

/// Where the daemon is to die.
const CRASH_AT: &str = "PODMAN_CRI_CRASH_AT";
/// What it logs: each crash point passed.
const LOG: &str = "PODMAN_CRI_LOG";

/// One runtime, and one state folder at a time.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    pub(crate) cri: Client,
    /// Name of the state folder; a new one after a step that failed.
    generation: u32,
}

impl Stage {
    pub(crate) async fn new(variant: Variant) -> Result<Self> {
        let setup = Setup {
            daemon: None,
            ..Setup::new(variant)
        };
        let lab = Lab::start(setup).await?;
        let cri = lab.runtime.cri()?;
        let mut stage = Self {
            lab,
            cri,
            generation: 0,
        };
        stage.start().await?;
        stage.lab.mark().await?;
        Ok(stage)
    }

    fn options(&self, arm: Option<&str>) -> DaemonOptions {
        let mut env = vec![(LOG.to_owned(), "info,crash=trace".to_owned())];
        env.extend(arm.map(|arm| (CRASH_AT.to_owned(), arm.to_owned())));
        DaemonOptions {
            env,
            name: Some(self.name()),
            ..DaemonOptions::default()
        }
    }

    fn name(&self) -> String {
        format!("daemon{}", self.generation)
    }

    /// The daemon's state folder.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.lab.host.dir().join(self.name())
    }

    /// What looks at the daemon of this state folder, whichever it is at the moment.
    pub(crate) fn eyes(&self) -> Eyes {
        let socket = self.lab.host.dir().join(format!("{}.sock", self.name()));
        Eyes {
            api: Api::new(Http::new(socket)),
            cri: self.cri.clone(),
            state_dir: self.state_dir(),
            enter: self.lab.host.prefix(),
        }
    }

    /// Starts the daemon unarmed, unless one runs.
    pub(crate) async fn start(&mut self) -> Result<()> {
        if self.lab.daemon.is_none() {
            let options = self.options(None);
            let daemon = Daemon::start(&self.lab.host, &self.lab.runtime, &options).await?;
            self.lab.daemon = Some(daemon);
        }
        Ok(())
    }

    /// Ends the daemon the regular way.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match self.lab.daemon.take() {
            Some(mut daemon) => daemon.stop().await,
            None => Ok(()),
        }
    }

    /// Kills the daemon, and waits for its end.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        match self.lab.daemon.take() {
            Some(mut daemon) => daemon.kill9().await,
            None => Ok(()),
        }
    }

    /// Starts an armed daemon in place of the one that runs; `false` when it died before it served.
    pub(crate) async fn arm(&mut self, arm: &str) -> Result<(Armed, bool)> {
        self.stop().await?;
        let options = self.options(Some(arm));
        let socket = self.lab.runtime.socket();
        let mut daemon = Daemon::spawn(&self.lab.host, &socket, &options)?;
        let armed = Armed {
            log_from: daemon.log().len(),
        };
        let served = daemon.wait_ready().await.is_ok();
        self.lab.daemon = Some(daemon);
        Ok((armed, served))
    }

    /// Waits until the armed daemon has died, or until what it does is `over`: then it is ended, and
    /// may still die on that way. What it passed, and whether it survived.
    pub(crate) async fn outcome(
        &mut self,
        armed: &Armed,
        over: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Outcome> {
        let daemon = self.lab.daemon.as_mut().context("an armed daemon")?;
        let status = tokio::select! {
            status = daemon.wait() => status?,
            over = eventually("the operation to be over", over) => {
                over?;
                daemon.process().signal(rustix::process::Signal::TERM);
                daemon.wait().await?
            }
        };
        let log = daemon.log();
        self.lab.daemon = None;
        let passed = points(log.get(armed.log_from..).unwrap_or_default())?;
        let died = log.contains("armed crash point") && !status.success();
        if !died && !status.success() {
            bail!("the armed daemon ended with {status} for another reason:\n{log}");
        }
        Ok(Outcome {
            passed,
            survived: status.success(),
        })
    }

    /// After a step that failed: all that is there goes, by force, and the next step begins with a
    /// new state folder.
    pub(crate) async fn begin_anew(&mut self) -> Result<()> {
        self.kill().await?;
        self.lab.runtime.empty().await?;
        let dir = self.state_dir();
        // files that a container had mounted
        self.lab.host.shell(&format!(
            "grep -o '{0}/[^ ]*' /proc/self/mounts | sort -r | while read -r m; do umount -l $m; done; rm -rf {0}",
            dir.display()
        ))?;
        self.generation += 1;
        self.start().await?;
        self.lab.mark().await
    }

    /// Ends the test, with all its checks.
    pub(crate) async fn finish(self) -> Result<()> {
        scenario::finish(self.lab).await
    }

    /// The end of the daemon's log.
    pub(crate) fn log_tail(&self) -> String {
        const LINES: usize = 40;
        let file = self.lab.host.dir().join(format!("{}.log", self.name()));
        let log = std::fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<_> = log
            .lines()
            .filter(|l| !l.contains("crash: passed"))
            .collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// Looks from outside, at the daemon and at the runtime.
#[derive(Debug, Clone)]
pub(crate) struct Eyes {
    pub(crate) api: Api,
    pub(crate) cri: Client,
    pub(crate) state_dir: PathBuf,
    /// The words before a command that looks inside the test's host.
    enter: Vec<OsString>,
}

impl Eyes {
    /// Whether ports are published.
    pub(crate) fn publishes(&self) -> Result<bool> {
        let mut words = self.enter.iter();
        let output = Command::new(words.next().context("a command")?)
            .args(words)
            .args(["nft", "list", "tables"])
            .output()?;
        let tables = String::from_utf8_lossy(&output.stdout);
        Ok(tables.contains("podman_cri"))
    }

    pub(crate) async fn objects(&self) -> Result<Objects> {
        Objects::of(&self.cri).await
    }
}

/// An armed daemon.
#[derive(Debug)]
pub(crate) struct Armed {
    log_from: usize,
}

/// What became of an armed daemon.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The points it passed, the one it died at included.
    pub(crate) passed: Vec<String>,
    /// It did not die.
    pub(crate) survived: bool,
}

fn points(log: &str) -> Result<Vec<String>> {
    let line = Regex::new(r"crash: passed point=(\S+)")?;
    let found = line.captures_iter(log);
    Ok(found.map(|captures| captures[1].to_owned()).collect())
}
