//! One test's whole surroundings: host, runtime, daemon; and the checks at its end.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use cri_api::v1::ImageSpec;
use private_runtime::{Image, process::Process};

use crate::{
    Daemon, DaemonOptions, Http, Runtime, TestHost, Variant,
    host::report,
    leaks,
    observe::{Snapshot, snapshot},
};

/// What a test wants.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The runtime.
    pub variant: Variant,
    /// Images beside the demo image.
    pub images: Vec<Image>,
    /// A runtime handler `kata` besides, whose containers pass for those of a virtual machine.
    pub guests: bool,
    /// How the daemon is started; none: the test has none, or starts it itself.
    pub daemon: Option<DaemonOptions>,
}

impl Setup {
    /// A runtime and a daemon without further wishes.
    pub fn new(variant: Variant) -> Self {
        Self {
            variant,
            images: Vec::new(),
            guests: false,
            daemon: Some(DaemonOptions::default()),
        }
    }
}

/// A test's surroundings. [`Lab::finish`] must end it: without it nothing is checked.
#[derive(Debug)]
pub struct Lab {
    /// The namespaces and the folder.
    pub host: TestHost,
    /// The runtime.
    pub runtime: Runtime,
    /// The daemon, if the test has one.
    pub daemon: Option<Daemon>,
    variant: Variant,
    /// Before the runtime started.
    bare: Snapshot,
    /// Before the test itself began.
    before: Snapshot,
    /// Ids of the images that were there then.
    images: BTreeSet<String>,
}

impl Lab {
    /// Starts everything.
    pub async fn start(setup: Setup) -> Result<Self> {
        let host = TestHost::new()?;
        let bare = snapshot(&host, None, &BTreeSet::new()).await?;
        let runtime = Runtime::start(&host, &setup).await?;
        let mut lab = Self {
            before: Snapshot::new(),
            variant: setup.variant,
            daemon: None,
            host,
            runtime,
            bare,
            images: BTreeSet::new(),
        };
        lab.images = lab.image_ids().await?;
        lab.mark().await?;
        if let Some(options) = setup.daemon {
            lab.daemon = Some(Daemon::start(&lab.host, &lab.runtime, &options).await?);
            lab.mark().await?;
        }
        Ok(lab)
    }

    /// A client of the daemon.
    pub fn http(&self) -> Http {
        let socket = self
            .daemon
            .as_ref()
            .map_or("/nonexistent".into(), |d| d.socket().to_owned());
        Http::new(socket)
    }

    async fn image_ids(&self) -> Result<BTreeSet<String>> {
        let images = self.runtime.cri()?.list_images(None).await?;
        Ok(images.into_iter().map(|image| image.id).collect())
    }

    /// Takes the images away from the runtime that the test has made.
    pub async fn forget_new_images(&self) -> Result<()> {
        let cri = self.runtime.cri()?;
        for image in self.image_ids().await?.difference(&self.images) {
            let image = ImageSpec {
                image: image.clone(),
                ..ImageSpec::default()
            };
            cri.remove_image(image).await?;
        }
        Ok(())
    }

    /// From now on, what exists at this moment counts as no leak.
    pub async fn mark(&mut self) -> Result<()> {
        self.before = snapshot(&self.host, Some(&self.runtime), &self.own()).await?;
        Ok(())
    }

    /// The processes that are no leak: the runtime and the daemon as they run now.
    fn own(&self) -> BTreeSet<Process> {
        let daemon = self.daemon.as_ref().map(Daemon::process);
        [self.runtime.private().process()]
            .into_iter()
            .chain(daemon)
            .collect()
    }

    /// Kills the daemon and starts it again on the same folder.
    pub async fn crash_daemon(&mut self, options: &DaemonOptions) -> Result<()> {
        let daemon = self.daemon.as_mut().context("this test has no daemon")?;
        daemon.kill9().await?;
        daemon.start_again(&self.host, options).await
    }

    /// Checks for leaks while everything runs.
    pub async fn check_leaks(&self) -> Result<()> {
        leaks::check(&self.host, &self.runtime, &self.own(), &self.before)
            .await
            .with_context(|| format!("on {}", self.variant.name()))
    }

    /// Checks for leaks, stops daemon and runtime, takes everything down, and checks after each of
    /// these steps that nothing is left. All steps are taken, whichever fails.
    pub async fn finish(mut self) -> Result<()> {
        let mut problems = Vec::new();
        let mut note = |result: Result<()>| {
            if let Err(error) = result {
                problems.push(format!("{error:#}"));
            }
        };
        if let Some(mut daemon) = self.daemon.take() {
            note(daemon.stop().await);
        }
        note(self.check_leaks().await);
        note(self.runtime.empty().await);
        let kind = self.runtime.kind();
        let log = self.runtime.private().paths().log();
        let left = self.runtime.stop();
        note(nothing_left(&left));
        note(leaks::check_stopped(&self.host, kind, &self.bare).await);
        let log = std::fs::read_to_string(log).unwrap_or_default();
        note(nothing_left(&self.host.finish()));
        if problems.is_empty() {
            return Ok(());
        }
        report(&format!("end of the runtime's log:\n{}", tail(&log)));
        bail!("on {}: {}", self.variant.name(), problems.join("\n"))
    }
}

/// The last lines of a log, the long ones cut.
fn tail(log: &str) -> String {
    const LINES: usize = 10;
    const WIDTH: usize = 300;
    let lines: Vec<_> = log.lines().collect();
    let last = lines
        .get(lines.len().saturating_sub(LINES)..)
        .unwrap_or_default();
    let cut = last
        .iter()
        .map(|line| line.chars().take(WIDTH).collect::<String>());
    cut.collect::<Vec<_>>().join("\n")
}

fn nothing_left(left: &[String]) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    bail!("not taken down:\n  {}", left.join("\n  "))
}
