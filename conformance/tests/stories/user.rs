//! Somebody at a terminal.

use anyhow::{Context, Result, bail, ensure};
use conformance::{
    Client, Daemon, Lab, Said,
    scenario::{PATIENCE, eventually, next_folder},
};
use serde_json::Value;

/// A client with a folder of its own to see containers' traces in.
#[derive(Debug)]
pub(crate) struct User<'a> {
    lab: &'a Lab,
    pub(crate) client: Client,
    dir: std::path::PathBuf,
}

impl<'a> User<'a> {
    /// How long a command that is not over by itself may take.
    pub(crate) const PATIENCE: std::time::Duration = PATIENCE;

    pub(crate) fn new(lab: &'a Lab, client: Client) -> Result<Self> {
        let dir = next_folder(&lab.host)?;
        Ok(Self { lab, client, dir })
    }

    /// A folder for what a client reads and writes.
    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    fn daemon(&self) -> Result<&Daemon> {
        self.lab.daemon.as_ref().context("a daemon")
    }

    /// Runs a command line, words separated by blanks.
    pub(crate) async fn try_say(&self, line: &str) -> Result<Said> {
        let words: Vec<_> = line.split_whitespace().collect();
        self.client
            .run(&self.lab.host, self.daemon()?, &words)
            .await
    }

    /// Runs a command line that must succeed; its output.
    pub(crate) async fn say(&self, line: &str) -> Result<String> {
        let said = self.try_say(line).await?;
        said.ok().with_context(|| format!("`{line}`"))
    }

    /// Runs a command line that must print exactly this.
    pub(crate) async fn hears(&self, line: &str, expected: &str) -> Result<()> {
        let said = self.say(line).await?;
        ensure!(
            said == expected,
            "`{line}` prints {said:?} instead of {expected:?}"
        );
        Ok(())
    }

    /// Runs a command line that must fail and say this.
    pub(crate) async fn fails(&self, line: &str, with: &str) -> Result<()> {
        let said = self.try_say(line).await?;
        let text = format!("{}{}", said.stdout, said.stderr);
        ensure!(
            said.code != 0 && text.to_lowercase().contains(&with.to_lowercase()),
            "`{line}` ends with {} and says {text:?} instead of {with:?}",
            said.code
        );
        Ok(())
    }

    /// Runs a command line until it prints this.
    pub(crate) async fn hears_soon(&self, line: &str, expected: &str) -> Result<()> {
        eventually(format_args!("{PATIENCE:?}"), async || {
            self.hears(line, expected).await
        })
        .await
    }

    /// Runs an events command line that prints one action each, and looks at the newest history of that
    /// name (an earlier story may have had one): it must have these, less what comes besides.
    pub(crate) async fn has_lived(&self, line: &str, history: &[&str]) -> Result<()> {
        let said = self.say(line).await?;
        let actions: Vec<_> = said.lines().collect();
        let begin = actions.iter().rposition(|action| *action == "create");
        let newest = begin.and_then(|at| actions.get(at..)).unwrap_or_default();
        let counts = |action: &&str| history.contains(action);
        let found: Vec<_> = newest.iter().copied().filter(counts).collect();
        ensure!(found == history, "{newest:?} instead of {history:?}");
        Ok(())
    }

    /// The JSON that a command line prints.
    pub(crate) async fn json(&self, line: &str) -> Result<Value> {
        let said = self.say(line).await?;
        serde_json::from_str(&said).with_context(|| format!("`{line}` prints {said}"))
    }

    /// `create` or `run -d` of a container that runs this script.
    pub(crate) async fn runs(&self, verb: &str, script: &str) -> Result<()> {
        let mut words: Vec<_> = verb.split_whitespace().collect();
        words.extend([IMAGE, "sh", "-c", script]);
        let said = self
            .client
            .run(&self.lab.host, self.daemon()?, &words)
            .await?;
        said.ok().with_context(|| verb.to_owned()).map(drop)
    }

    /// A container of this verb with a script, and what comes of it.
    pub(crate) async fn shell(&self, verb: &str, script: &str) -> Result<Said> {
        self.shell_in(&format!("{verb} {IMAGE}"), script).await
    }

    /// A script behind these words, and what comes of it.
    pub(crate) async fn shell_in(&self, words: &str, script: &str) -> Result<Said> {
        let mut words: Vec<_> = words.split_whitespace().collect();
        words.extend(["sh", "-c", script]);
        self.client
            .run(&self.lab.host, self.daemon()?, &words)
            .await
    }

    /// The client with these words, not yet run.
    pub(crate) fn command(&self, words: &[&str]) -> Result<std::process::Command> {
        let mut command = self.client.command(&self.lab.host, self.daemon()?);
        command.args(words);
        Ok(command)
    }

    /// `create` or `run -d` of a container that notes each of its runs, in its layer and outside of
    /// it; its id.
    pub(crate) async fn makes(&self, verb: &str, name: &str) -> Result<String> {
        let script = "echo run >> /kept; cp /kept /out/.new; mv /out/.new /out/kept; trap 'exit 0' TERM; sleep 1000 & wait";
        let mount = format!("{}:/out", self.dir.display());
        let mut words: Vec<_> = verb.split_whitespace().collect();
        words.extend(["--name", name, "-v", &mount, IMAGE, "sh", "-c", script]);
        let said = self
            .client
            .run(&self.lab.host, self.daemon()?, &words)
            .await?;
        let id = said.ok().with_context(|| format!("{verb} {name}"))?;
        let hex = |b: u8| b.is_ascii_hexdigit();
        ensure!(
            id.len() == 64 && id.bytes().all(hex),
            "{verb} prints {id:?}"
        );
        Ok(id)
    }

    /// Waits until the container has said that its layer knows this many runs.
    pub(crate) async fn has_kept(&self, runs: usize) -> Result<()> {
        eventually(format_args!("{runs} runs"), async || {
            let kept = std::fs::read_to_string(self.dir.join("kept")).unwrap_or_default();
            match kept.lines().count() {
                found if found == runs => Ok(()),
                found => bail!("the layer knows {found} runs"),
            }
        })
        .await
    }

    /// Forgets what the containers have noted.
    pub(crate) fn begins_anew(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.dir.join("kept"))?)
    }
}

/// The demo image by its full name.
pub(crate) const IMAGE: &str = "localhost/busybox:latest";
