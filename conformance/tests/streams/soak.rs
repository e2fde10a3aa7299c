//! Many of each, after which everything is where it began. `make test` runs fifty, `make soak` a thousand.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use conformance::{
    Lab, Setup, Variant,
    scenario::{self, Api, BOTH, IMAGE, eventually, on_each},
};
use serde_json::{Value, json};

use crate::talk::{Frames, Talk, UPGRADE};

/// How often each is done where nobody says otherwise.
const OFTEN: usize = 50;
/// Memory that a thousand of each may leave in use, in KiB: what is kept of ended sessions and what the allocator holds.
const GROWTH_KIB: u64 = 24 * 1024;
/// One in so many runs may lose the end of its output, where the runtime is known for that.
const LOST_ONE_IN: usize = 20;

fn often() -> usize {
    let asked = std::env::var("PODMAN_CRI_SOAK").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(OFTEN)
}

/// A daemon whose descriptors, threads and memory are looked at.
struct Soak {
    lab: Lab,
    api: Api,
}

impl Soak {
    async fn start(variant: Variant) -> Result<Self> {
        let lab = Lab::start(Setup::new(variant)).await?;
        let api = Api::new(lab.http());
        Ok(Self { lab, api })
    }

    fn pid(&self) -> Result<u32> {
        Ok(self.lab.daemon.as_ref().context("a daemon")?.process().pid)
    }

    fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.pid()?))?.count())
    }

    /// Resident memory in KiB.
    fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("VmRSS")?.parse()?)
    }

    /// `run --rm`: create, attach, start, all output, exit code.
    async fn run(&self, spec: &Value) -> Result<(Vec<u8>, i64)> {
        let tty = spec["terminal"] == true;
        let mut spec = spec.clone();
        spec["image"] = json!(IMAGE);
        spec["remove"] = json!(true);
        let id = self.api.create(&spec).await?;
        let path = format!(
            "/v5.8.0/libpod/containers/{id}/attach?stream=true&stdout=true&stderr=true&stdin=false"
        );
        let mut talk = Talk::open(&self.api.http, &path, UPGRADE, None).await?;
        self.api.start(&id).await?;
        let output = match tty {
            true => talk.rest().await?,
            false => of_stdout(talk.frames().await?)?,
        };
        let code = self.api.wait(&id).await?;
        Ok((output, code))
    }

    /// Does it often, and looks that descriptors and memory are where they were.
    async fn leaves_nothing(&self, mut once: impl AsyncFnMut(usize) -> Result<()>) -> Result<()> {
        // what is made once is made in the first ones
        for at in 0..3 {
            once(at).await?;
        }
        let (descriptors, memory) = (self.descriptors()?, self.memory()?);
        for at in 3..often() {
            once(at).await.with_context(|| format!("the {at}th"))?;
        }
        eventually("runs to be removed", async || {
            let left = self.api.list().await?;
            let left = left.iter().filter(|it| it["AutoRemove"] == true).count();
            ensure!(left == 0, "{left} are left");
            Ok(())
        })
        .await?;
        eventually("the descriptors to be those of the beginning", async || {
            let now = self.descriptors()?;
            ensure!(now <= descriptors, "{now} instead of {descriptors}");
            Ok(())
        })
        .await?;
        let grown = self.memory()?.saturating_sub(memory);
        ensure!(grown < GROWTH_KIB, "{grown} KiB more are in use");
        Ok(())
    }
}

fn of_stdout(mut frames: Frames) -> Result<Vec<u8>> {
    let stdout = frames.remove(&1).unwrap_or_default();
    ensure!(frames.is_empty(), "stderr: {frames:?}");
    Ok(stdout)
}

/// A command, and what it shows.
struct Run {
    command: &'static str,
    terminal: bool,
    output: Vec<u8>,
    code: i64,
}

/// Every run shows all it writes, from the first byte to the last.
async fn runs(variant: Variant, run: &Run) -> Result<()> {
    let soak = Soak::start(variant).await?;
    let mut spare = match soak.lab.runtime.loses_the_end_of_output().await? {
        true => often().div_ceil(LOST_ONE_IN),
        false => 0,
    };
    let spec = json!({ "command": ["sh", "-c", run.command], "terminal": run.terminal });
    soak.leaves_nothing(async |at| {
        let (output, code) = soak.run(&spec).await?;
        let is_whole = output == run.output;
        if !is_whole && spare > 0 && run.output.starts_with(&output) {
            println!(
                "{}: the {at}th lost its end: {} bytes are there",
                variant.name(),
                output.len()
            );
            spare -= 1;
        } else {
            ensure!(is_whole, "{} bytes of {}", output.len(), run.output.len());
        }
        ensure!(code == run.code, "exit code {code}");
        Ok(())
    })
    .await?;
    scenario::finish(soak.lab).await
}

async fn on_both(run: &Run) -> Result<()> {
    on_each(BOTH, |variant| runs(variant, run)).await
}

/// Exec sessions and attaches to one container.
async fn execs_and_attaches(variant: Variant) -> Result<()> {
    let soak = Soak::start(variant).await?;
    let spec = json!({
        "name": "soak", "image": IMAGE, "stdin": true, "stop_timeout": 0,
        "command": ["sh", "-c", "while read line; do echo $line; done; sleep 1000"],
    });
    soak.api.create(&spec).await?;
    soak.api.start("soak").await?;
    soak.leaves_nothing(async |at| {
        // what is privileged goes beside CRI; with a terminal CRI-O may lose the last output of what does not
        let (privileged, tty) = (at % 2 == 1, at % 4 == 3);
        let body = json!({
            "AttachStdout": true, "AttachStderr": true, "Privileged": privileged, "Tty": tty,
            "Cmd": ["sh", "-c", format!("echo {at}; exit 7")]
        });
        let (_, mut talk) = Talk::exec(&soak.api.http, "soak", &body).await?;
        let (output, wanted) = match tty {
            true => (talk.rest().await?, format!("{at}\r\n")),
            false => (of_stdout(talk.frames().await?)?, format!("{at}\n")),
        };
        ensure!(output == wanted.as_bytes(), "{output:?}");
        let path =
            "/v5.8.0/libpod/containers/soak/attach?stream=true&stdout=true&stderr=true&stdin=false";
        let talk = Talk::open(&soak.api.http, path, UPGRADE, None).await?;
        ensure!(talk.head.status == 101, "{:?}", talk.head);
        drop(talk);
        Ok(())
    })
    .await?;
    soak.api.remove("soak").await?;
    scenario::finish(soak.lab).await
}

/// A gigabyte each way (64 MiB in `make test`): the same bytes, and memory flat.
async fn much(variant: Variant) -> Result<()> {
    let soak = Soak::start(variant).await?;
    let spec = json!({
        "name": "much", "image": IMAGE, "command": ["sleep", "1000"], "stop_timeout": 0
    });
    soak.api.create(&spec).await?;
    soak.api.start("much").await?;
    let before = soak.memory()?;
    let bytes = match often() > OFTEN {
        true => 1 << 30,
        false => 64 << 20,
    };
    // by CRI, and beside it
    for privileged in [false, true] {
        let body = json!({
            "AttachStdin": true, "AttachStdout": true, "Privileged": privileged, "Cmd": ["cat"]
        });
        let (_, talk) = Talk::exec(&soak.api.http, "much", &body).await?;
        talk.echoes(bytes).await?;
        let grown = soak.memory()?.saturating_sub(before);
        ensure!(
            grown < GROWTH_KIB,
            "{grown} KiB more are in use after {bytes} bytes"
        );
    }
    soak.api.remove("much").await?;
    scenario::finish(soak.lab).await
}

#[tokio::test]
async fn many_short_runs_lose_nothing_and_leave_nothing() {
    let run = Run {
        command: "echo hi",
        terminal: false,
        output: b"hi\n".into(),
        code: 0,
    };
    on_both(&run).await.unwrap();
}

#[tokio::test]
async fn many_runs_keep_each_byte() {
    let run = Run {
        command: "printf 'a\\r\\nb'; exit 3",
        terminal: false,
        output: b"a\r\nb".into(),
        code: 3,
    };
    on_both(&run).await.unwrap();
}

#[tokio::test]
async fn many_runs_with_a_terminal_keep_each_byte() {
    let run = Run {
        command: "printf 'a\\r\\nb'; exit 4",
        terminal: true,
        output: b"a\r\r\nb".into(),
        code: 4,
    };
    on_both(&run).await.unwrap();
}

/// 1 MiB and then the end.
#[tokio::test]
async fn many_long_runs_lose_nothing() {
    let whole = (0..1024).fold(String::new(), |mut text, number| {
        write!(text, "{number:1024}").unwrap();
        text
    });
    let run = Run {
        command: "i=0; while [ $i -lt 1024 ]; do printf '%1024d' $i; i=$((i+1)); done; exit 5",
        terminal: false,
        output: whole.into(),
        code: 5,
    };
    on_both(&run).await.unwrap();
}

#[tokio::test]
async fn many_execs_and_attaches_leave_nothing() {
    on_each(BOTH, execs_and_attaches).await.unwrap();
}

#[tokio::test]
async fn much_goes_both_ways_in_flat_memory() {
    on_each(BOTH, much).await.unwrap();
}
