//! `podman-cri setup` on real runtimes: a handler that it writes is there, runs a container, and goes again; what the
//! user has configured stays.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

use anyhow::{Context, Result, ensure};
use conformance::scenario::{self, Api, BOTH, IMAGE, Objects, on_each};
use conformance::{Daemon, DaemonOptions, Lab, Setup, Variant, daemon};
use private_runtime::Kind;
use private_runtime::host::find_program;
use serde_json::{Value, json};

const CONTAINERD: &str = "/etc/containerd/config.toml";
const CRIO_DROP_IN: &str = "/etc/crio/crio.conf.d/90-podman-cri.conf";
const IMPORTS: &str = "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n";

/// A runtime whose own configuration stands where setup looks for the user's.
struct Site {
    lab: Lab,
}

impl Site {
    async fn start(variant: Variant) -> Result<Self> {
        let lab = Lab::start(Setup {
            daemon: None,
            ..Setup::new(variant)
        })
        .await?;
        let config = lab.runtime.private().paths().config();
        let (folder, name) = match lab.runtime.kind() {
            Kind::CriO => ("/etc/crio", "crio.conf"),
            Kind::Containerd => {
                let text = std::fs::read_to_string(&config)?;
                std::fs::write(&config, text.replacen("version = 2\n", IMPORTS, 1))?;
                ("/etc/containerd", "config.toml")
            }
        };
        let config = config.display();
        // of the test's own, so that nothing of it stays in /etc
        lab.host.shell(&format!(
            "mkdir -p {folder} && mount -t tmpfs tmpfs {folder} && cp {config} {folder}/{name}"
        ))?;
        Ok(Self { lab })
    }

    /// The user lets containerd rewrite its configuration: `false` where that is of version 2 still.
    async fn migrate(&mut self) -> Result<bool> {
        let paths = self.lab.runtime.private().paths();
        let program = find_program(Some("CONTAINERD"), "containerd").context("no containerd")?;
        let mut command = self.lab.host.command(program);
        command.arg("--config").arg(paths.config());
        let output = command.args(["config", "migrate"]).output()?;
        let text = String::from_utf8(output.stdout)?;
        // 1.6 cannot
        if !output.status.success() || text.contains("version = 2\n") {
            return Ok(false);
        }
        ensure!(text.contains("/etc/containerd/conf.d"), "{text}");
        std::fs::write(paths.config(), &text)?;
        let config = paths.config();
        self.lab
            .host
            .shell(&format!("cp {} {CONTAINERD}", config.display()))?;
        self.restart().await?;
        Ok(true)
    }

    async fn finish(self) -> Result<()> {
        let folder = match self.lab.runtime.kind() {
            Kind::CriO => "/etc/crio",
            Kind::Containerd => "/etc/containerd",
        };
        self.lab.host.shell(&format!("umount {folder}"))?;
        scenario::finish(self.lab).await
    }

    /// The OCI runtime that the test's runtime has.
    fn program(&self) -> Result<String> {
        let text = std::fs::read_to_string(self.lab.runtime.private().paths().config())?;
        let named = text.lines().find_map(|line| {
            let (key, value) = line.trim().split_once(" = ")?;
            let program = value.trim_matches(['"', '\'']);
            (matches!(key, "runtime_path" | "BinaryName") && !program.is_empty()).then_some(program)
        });
        Ok(named.context("no OCI runtime")?.to_owned())
    }

    /// What it says, and its exit code.
    fn setup(&self, flags: &[&str]) -> Result<(String, i32)> {
        let runtime = format!("--runtime={}", self.lab.runtime.kind().name());
        let mut command = self.lab.host.command(daemon::program()?);
        let output = command.arg("setup").arg(runtime).args(flags).output()?;
        let code = output.status.code().context("it ended by itself")?;
        let said = [output.stdout, output.stderr].concat();
        Ok((String::from_utf8(said)?, code))
    }

    /// The runtime reads its configuration again; the private CRI-O has a folder of drop-ins of its own.
    async fn restart(&mut self) -> Result<()> {
        if self.lab.runtime.kind() == Kind::CriO {
            let config = self.lab.runtime.private().paths().config();
            let folder = config.with_file_name("empty");
            let folder = folder.display();
            self.lab.host.shell(&format!(
                "rm -f {folder}/*; if test -e {CRIO_DROP_IN}; then cp {CRIO_DROP_IN} {folder}; fi"
            ))?;
        }
        self.lab.runtime.restart(false).await
    }

    /// The handlers in the runtime's list.
    async fn handlers(&self) -> Result<Vec<String>> {
        let info = self.lab.http().get("/v5.8.0/libpod/info").await?.json();
        let handlers = info["host"]["runtimeInfo"]["handlers"].as_array().cloned();
        let names = handlers.context("handlers")?;
        let names = names
            .iter()
            .map(|one| one["name"].as_str().unwrap_or_default());
        Ok(names.map(ToOwned::to_owned).collect())
    }

    /// The doctor's line of setup.
    fn doctor(&self) -> Result<Option<Value>> {
        let socket = format!(
            "--runtime-endpoint=unix://{}",
            self.lab.runtime.socket().display()
        );
        let mut command = self.lab.host.command(daemon::program()?);
        let output = command
            .args(["doctor", "--format=json", &socket])
            .output()?;
        let lines: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        Ok(lines.into_iter().find(|line| line["check"] == "setup"))
    }

    /// A container runs on the handler, and nowhere else.
    async fn runs(&self) -> Result<()> {
        let api = Api::new(self.lab.http());
        let body = json!({"image": IMAGE, "command": ["sleep", "1000"], "oci_runtime": "plain"});
        let id = api.create(&body).await?;
        api.start(&id).await?;
        let objects = Objects::of(&self.lab.runtime.cri()?).await?;
        let found = objects.containers_of(&id);
        let cri_id = &found.first().context("it is at the runtime")?.cri_id;
        let state = match self.lab.runtime.kind() {
            Kind::CriO => format!("/run/plain/{cri_id}"),
            Kind::Containerd => format!("/run/containerd/plain/k8s.io/{cri_id}"),
        };
        self.lab.host.shell(&format!("test -d {state}"))?;
        api.remove(&id).await
    }
}

async fn a_handler_comes_and_goes(variant: Variant) -> Result<()> {
    comes_and_goes(Site::start(variant).await?).await
}

/// The same with a configuration of the newest version that this containerd has.
async fn beside_a_newer_version(variant: Variant) -> Result<()> {
    let mut site = Site::start(variant).await?;
    if site.migrate().await? {
        return comes_and_goes(site).await;
    }
    println!(
        "SKIPPED: setup beside a configuration of version 3 or later: this containerd is older"
    );
    site.finish().await
}

async fn comes_and_goes(mut site: Site) -> Result<()> {
    let asked = format!("--handler=plain={}", site.program()?);
    let (said, code) = site.setup(&[&asked, "--dry-run"])?;
    ensure!(
        code == 0 && said.contains("would be written"),
        "{code} {said}"
    );
    ensure!(site.doctor()?.is_none(), "a dry run writes nothing");
    let (said, code) = site.setup(&[&asked])?;
    ensure!(code == 0 && said.contains("written"), "{code} {said}");
    let line = site.doctor()?.context("the doctor sees the drop-in")?;
    let unread = line["found"].as_str().unwrap_or_default();
    ensure!(unread.contains("does not know plain"), "{line}");

    site.restart().await?;
    site.lab.daemon =
        Some(Daemon::start(&site.lab.host, &site.lab.runtime, &DaemonOptions::default()).await?);
    site.lab.mark().await?;
    ensure!(
        site.handlers().await? == ["plain", "runc", "second"],
        "{:?}",
        site.handlers().await?
    );
    let line = site.doctor()?.context("a line")?;
    ensure!(line["mark"] == "ok", "{line}");
    site.runs().await?;
    let (said, code) = site.setup(&[&asked])?;
    ensure!(
        code == 0 && said.contains("nothing has changed"),
        "{code} {said}"
    );

    let (said, code) = site.setup(&["--uninstall"])?;
    ensure!(code == 0 && said.contains("removed"), "{code} {said}");
    site.restart().await?;
    let mut daemon = site.lab.daemon.take().context("a daemon")?;
    daemon.stop().await?;
    daemon
        .start_again(&site.lab.host, &DaemonOptions::default())
        .await?;
    site.lab.daemon = Some(daemon);
    ensure!(
        site.handlers().await? == ["runc", "second"],
        "{:?}",
        site.handlers().await?
    );
    site.lab.mark().await?;
    site.finish().await
}

/// The machine's own containerd imports nothing, and a handler that was named is not there.
async fn what_cannot_be_is_told(variant: Variant) -> Result<()> {
    let site = Site::start(variant).await?;
    let (said, code) = site.setup(&["--handler=nosuch"])?;
    ensure!(
        code == 1 && said.contains("no OCI runtime nosuch"),
        "{code} {said}"
    );
    let (_, code) = site.setup(&["--dry-run", "--uninstall"])?;
    ensure!(code == 64, "{code}");
    if site.lab.runtime.kind() == Kind::Containerd {
        site.lab
            .host
            .shell(&format!("sed -i /^imports/d {CONTAINERD}"))?;
        let asked = format!("--handler=plain={}", site.program()?);
        let (said, code) = site.setup(&[&asked])?;
        ensure!(code == 1 && said.contains("add this line"), "{code} {said}");
    }
    site.finish().await
}

#[tokio::test]
async fn a_handler_of_setups_runs_and_goes_again() {
    on_each(BOTH, a_handler_comes_and_goes).await.unwrap();
}

#[tokio::test]
async fn a_handler_runs_beside_containerds_newest_version() {
    on_each(&[Variant::CONTAINERD], beside_a_newer_version)
        .await
        .unwrap();
}

#[tokio::test]
async fn setup_says_what_it_leaves_to_the_user() {
    on_each(BOTH, what_cannot_be_is_told).await.unwrap();
}
