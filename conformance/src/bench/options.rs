//! Flags and their environment twins.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use private_runtime::{BUSYBOX_NAME, Kind};

use super::{default_json, variant};
use crate::Variant;

/// The most containers on one side: more than a machine for tests has room for.
const MOST_CONTAINERS: usize = 2_000;
/// The most rounds or cycles.
const MOST_ROUNDS: usize = 10_000;

/// What `--help` says.
pub(super) const HELP: &str = "\
bench: Podman's service, raw CRI calls and podman-cri, side by side

  --runtime crio|crio-silent|containerd  the CRI runtime (PODMAN_CRI_BENCH_RUNTIME; what is installed)
                                         crio-silent: without its events, as it is by default
  --counts 1,100,300    containers on each side, ascending (PODMAN_CRI_BENCH_COUNTS)
  --rounds 30           times that each list is asked for (PODMAN_CRI_BENCH_ROUNDS)
  --cycles 10           lives of a container (PODMAN_CRI_BENCH_CYCLES)
  --streams 10          times that exec, logs and a run with output are measured
                        (PODMAN_CRI_BENCH_STREAMS)
  --layers 0,100        MiB that containers have written which are restarted (PODMAN_CRI_BENCH_LAYERS)
  --image NAME          the image in Podman, loaded there for the run if missing
                        (PODMAN_CRI_BENCH_IMAGE; localhost/busybox:latest)
  --json FILE           the figures as JSON (PODMAN_CRI_BENCH_JSON; target/bench-RUNTIME.json)
  --minutes 60          after which it gives up (PODMAN_CRI_BENCH_MINUTES)
  --strict              exit 1 when a target is missed (PODMAN_CRI_BENCH_STRICT=1)

PODMAN_CRI_PODMAN_SOCKET names a Podman service to compare with; without it the host's own podman is
started in a place of its own. PODMAN_CRI_BIN names the podman-cri to measure.
";

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// The runtime.
    pub variant: Variant,
    /// How many containers run on each side, one step after the other; ascending.
    pub counts: Vec<usize>,
    /// How often each reading operation is measured.
    pub rounds: usize,
    /// How many lives of a container are measured.
    pub cycles: usize,
    /// How often each operation with streams is measured.
    pub streams: usize,
    /// What containers have written that are restarted, in MiB.
    pub layers: Vec<usize>,
    /// The image that Podman's containers are made of.
    pub image: String,
    /// Where the figures go as JSON.
    pub json: PathBuf,
    /// How long it may take before everything is taken down.
    pub limit: Duration,
    /// Whether a missed target is a failure.
    pub strict: bool,
}

impl Options {
    /// Reads arguments (without the program's name) and environment; none: help was asked for.
    pub fn parse(
        arguments: impl Iterator<Item = String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let Some(given) = Given::read(arguments)? else {
            return Ok(None);
        };
        let value = |name: &str, default: &str| {
            let twin = format!("PODMAN_CRI_BENCH_{}", name.to_uppercase());
            let set = environment(&twin).filter(|text| !text.is_empty());
            given
                .get(name)
                .or(set)
                .unwrap_or_else(|| default.to_owned())
        };
        let number = |name: &str, default: &str| bounded(name, &value(name, default), MOST_ROUNDS);
        let runtime = value("runtime", Kind::installed().name());
        let variant = variant(&runtime)
            .with_context(|| format!("--runtime {runtime}: crio, crio-silent or containerd"))?;
        let json = value("json", "");
        let json = match json.as_str() {
            "" => default_json(&runtime).context("--json FILE is needed here")?,
            file => file.into(),
        };
        Ok(Some(Self {
            variant,
            counts: counts(&value("counts", "1,100,300"))?,
            rounds: number("rounds", "30")?,
            cycles: number("cycles", "10")?,
            streams: number("streams", "10")?,
            layers: layers(&value("layers", "0,100"))?,
            image: value("image", BUSYBOX_NAME),
            json,
            limit: Duration::from_secs(60 * u64::try_from(number("minutes", "60")?)?),
            strict: value("strict", "") == "1",
        }))
    }
}

/// The flags as written.
struct Given(Vec<(String, String)>);

impl Given {
    const FLAGS: [&str; 9] = [
        "runtime", "counts", "rounds", "cycles", "streams", "layers", "image", "json", "minutes",
    ];

    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut given = Vec::new();
        while let Some(word) = arguments.next() {
            let flag = word.strip_prefix("--").unwrap_or_default();
            let (flag, inline) = match flag.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (flag, None),
            };
            if flag == "help" {
                return Ok(None);
            }
            if flag == "strict" {
                given.push((flag.to_owned(), "1".to_owned()));
                continue;
            }
            if !Self::FLAGS.contains(&flag) {
                bail!("unknown argument {word}; --help tells those there are");
            }
            let value = inline.or_else(|| arguments.next());
            let value = value.with_context(|| format!("--{flag} needs a value"))?;
            given.push((flag.to_owned(), value));
        }
        Ok(Some(Self(given)))
    }

    fn get(&self, flag: &str) -> Option<String> {
        let last = self.0.iter().rev().find(|(name, _)| name == flag);
        last.map(|(_, value)| value.clone())
    }
}

fn bounded(name: &str, text: &str, most: usize) -> Result<usize> {
    let number: usize = text
        .trim()
        .parse()
        .with_context(|| format!("--{name} {text}: a number is needed"))?;
    if number == 0 || number > most {
        bail!("--{name} {number}: between 1 and {most}");
    }
    Ok(number)
}

fn counts(text: &str) -> Result<Vec<usize>> {
    let numbers = text
        .split(',')
        .map(|word| bounded("counts", word, MOST_CONTAINERS));
    let counts: Vec<usize> = numbers.collect::<Result<_>>()?;
    if !counts.is_sorted_by(|a, b| a < b) {
        bail!("--counts {text}: they must ascend, as containers are only added");
    }
    Ok(counts)
}

fn layers(text: &str) -> Result<Vec<usize>> {
    let sizes = text.split(',').map(|word| match word.trim() {
        "0" => Ok(0),
        size => bounded("layers", size, MOST_ROUNDS),
    });
    sizes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Option<Options>> {
        let words = words.iter().map(ToString::to_string);
        Options::parse(words, |name| {
            (name == "PODMAN_CRI_BENCH_ROUNDS").then(|| "7".to_owned())
        })
    }

    #[test]
    fn flags_outrank_the_environment() {
        let options = parse(&["--runtime=containerd", "--cycles", "2"])
            .unwrap()
            .unwrap();
        assert_eq!(options.variant, Variant::CONTAINERD);
        assert_eq!((options.rounds, options.cycles), (7, 2));
        assert_eq!(options.counts, [1, 100, 300]);
        let options = parse(&["--rounds", "8", "--layers", "0,5000"]);
        let options = options.unwrap().unwrap();
        assert_eq!((options.rounds, &*options.layers), (8, &[0, 5000][..]));
        assert!(parse(&["--help"]).unwrap().is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            &["--counts", "3,1"][..],
            &["--counts", "0"],
            &["--layers", "1,x"],
            &["--rounds", "many"],
            &["--runtime", "docker"],
            &["--nonsense"],
            &["--json"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
