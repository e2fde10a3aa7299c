//! The figures as a table and as JSON.

use std::{
    fmt::{self, Write},
    fs, io,
    time::Duration,
};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Options,
    layers::Layer,
    measure::{At, Operation, Samples, Who},
    targets::{self, Target},
    usage::{Program, Usage},
};

/// All that one run found.
#[derive(Debug)]
pub struct Report {
    /// Name and version of the runtime.
    pub runtime: String,
    /// Version and origin of the Podman compared with; empty without.
    pub podman: String,
    /// The figures, for each count.
    pub counts: Vec<At>,
    /// Restarts, by what was written.
    pub layers: Vec<Layer>,
    variant: &'static str,
    load: [String; 2],
    notes: Vec<String>,
    problems: Vec<String>,
}

impl Report {
    /// Nothing found yet.
    pub(super) fn new(options: &Options) -> Self {
        Self {
            runtime: String::new(),
            podman: String::new(),
            counts: Vec::new(),
            layers: Vec::new(),
            variant: options.variant.name(),
            load: Default::default(),
            notes: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A line for whoever waits.
    #[allow(clippy::unused_self, reason = "what is said belongs to one run")]
    pub(super) fn say(&self, line: &str) {
        crate::host::report(line);
    }

    /// What the reader of the figures must know.
    pub(super) fn note(&mut self, line: String) {
        self.say(&line);
        self.notes.push(line);
    }

    /// Keeps what went wrong.
    pub(super) fn problem(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.problems.push(format!("{error:#}"));
        }
    }

    pub(super) fn begin_of_load(&mut self) {
        self.load[0] = load();
    }

    pub(super) fn end_of_load(&mut self) {
        self.load[1] = load();
    }

    /// What went wrong.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The targets that were measured.
    pub fn targets(&self) -> Vec<Target> {
        self.counts.iter().flat_map(targets::of).collect()
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        json!({
            "runtime": self.runtime,
            "variant": self.variant,
            "podman": self.podman,
            "build": build(),
            "processors": processors(),
            "load": self.load,
            "counts": self.counts.iter().map(at_json).collect::<Vec<_>>(),
            "restarts": self.layers.iter().map(layer_json).collect::<Vec<_>>(),
            "targets": self.targets(),
            "notes": self.notes,
            "problems": self.problems,
        })
    }

    /// Writes the JSON to a file.
    pub fn save(&self, options: &Options) -> io::Result<()> {
        fs::write(&options.json, format!("{:#}\n", self.json()))
    }
}

/// The report as Markdown.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "# Bench on {}\n", self.variant)?;
        let podman = match self.podman.as_str() {
            "" => "no Podman",
            podman => podman,
        };
        writeln!(out, "- {podman}; {}; {}", self.runtime, build())?;
        let [begin, end] = &self.load;
        let processors = processors();
        writeln!(
            out,
            "- {processors} processors; load {begin} at the begin, {end} at the end"
        )?;
        for note in &self.notes {
            writeln!(out, "- {note}")?;
        }
        writeln!(out, "- times in ms: median (p95); ratios of medians")?;
        for at in &self.counts {
            write_times(out, at)?;
            write_usage(out, at)?;
        }
        write_layers(out, &self.layers)?;
        let targets = self.targets();
        if !targets.is_empty() {
            writeln!(out, "\n## Targets\n")?;
            writeln!(
                out,
                "| containers | Podman ÷ podman-cri | wanted | found | |"
            )?;
            writeln!(out, "|--:|---|--:|--:|---|")?;
        }
        for target in &targets {
            let Target {
                containers,
                what,
                wanted,
                found,
                bare: _,
            } = target;
            let met = match (target.met(), target.bare.filter(|_| target.out_of_reach())) {
                (true, _) => "met".to_owned(),
                (false, None) => "**missed**".to_owned(),
                (false, Some(bare)) => format!("missed; CRI alone: {bare:.2}"),
            };
            writeln!(
                out,
                "| {containers} | {what} | {wanted:.0} | {found:.2} | {met} |"
            )?;
        }
        for problem in &self.problems {
            writeln!(out, "\n**Problem:** {problem}")?;
        }
        Ok(())
    }
}

fn write_times(out: &mut impl Write, at: &At) -> fmt::Result {
    let s = if at.count == 1 { "" } else { "s" };
    writeln!(out, "\n## {} container{s}\n", at.count)?;
    writeln!(
        out,
        "| | Podman | CRI | podman-cri | Podman ÷ podman-cri | podman-cri ÷ CRI |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|")?;
    for operation in Operation::all() {
        let cell = |who| {
            at.times
                .get(&(operation, who))
                .map_or("–".to_owned(), times)
        };
        let ratio = |slow, fast| {
            let ratio = at.ratio(operation, slow, fast);
            ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            operation.name(),
            cell(Who::Podman),
            cell(Who::Cri),
            cell(Who::Ours),
            ratio(Who::Podman, Who::Ours),
            ratio(Who::Ours, Who::Cri),
        )?;
    }
    Ok(())
}

fn write_layers(out: &mut impl Write, layers: &[Layer]) -> fmt::Result {
    if layers.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Restart of a container that has written\n")?;
    writeln!(out, "| MiB | Podman | podman-cri |\n|--:|--:|--:|")?;
    for layer in layers {
        let cell = |who| layer.times.get(&who).map_or("–".to_owned(), times);
        let (podman, ours) = (cell(Who::Podman), cell(Who::Ours));
        writeln!(out, "| {} | {podman} | {ours} |", layer.mib)?;
    }
    Ok(())
}

fn write_usage(out: &mut impl Write, at: &At) -> fmt::Result {
    if at.usage.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n| at rest | RSS MiB | PSS MiB | not of a file MiB | processor |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|")?;
    for (program, usage) in &at.usage {
        let Usage {
            rss_kib,
            pss_kib,
            anonymous_kib,
            cpu_percent,
        } = usage;
        let name = program.name();
        let [rss, pss, anonymous] = [rss_kib, pss_kib, anonymous_kib].map(|kib| mib(*kib));
        writeln!(
            out,
            "| {name} | {rss} | {pss} | {anonymous} | {cpu_percent:.1} % |"
        )?;
    }
    Ok(())
}

fn mib(kib: u64) -> String {
    let tenths = kib * 10 / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn times(samples: &Samples) -> String {
    let ms = |time: Option<Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    format!(
        "{:.2} ({:.2})",
        ms(samples.median()),
        ms(samples.percentile(95))
    )
}

fn at_json(at: &At) -> Value {
    let operations = Operation::all();
    let operations: Vec<Value> = operations
        .map(|operation| {
            let of = |who| at.times.get(&(operation, who)).map(samples_json);
            json!({
                "operation": operation,
                "podman": of(Who::Podman),
                "cri": of(Who::Cri),
                "ours": of(Who::Ours),
                "podman_over_ours": at.ratio(operation, Who::Podman, Who::Ours),
                "ours_over_cri": at.ratio(operation, Who::Ours, Who::Cri),
            })
        })
        .collect();
    let usage = |program| at.usage.get(&program);
    json!({
        "containers": at.count,
        "operations": operations,
        "at_rest": {
            "podman": usage(Program::Podman),
            "ours": usage(Program::Ours),
            "runtime": usage(Program::Runtime),
        },
    })
}

fn layer_json(layer: &Layer) -> Value {
    let of = |who| layer.times.get(&who).map(samples_json);
    json!({ "mib": layer.mib, "podman": of(Who::Podman), "ours": of(Who::Ours) })
}

fn samples_json(samples: &Samples) -> Value {
    let ms = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
    json!({
        "samples": samples.len(),
        "median_ms": ms(samples.median()),
        "p95_ms": ms(samples.percentile(95)),
    })
}

fn build() -> &'static str {
    if cfg!(debug_assertions) {
        "a DEBUG build: its figures mean nothing"
    } else {
        "release build"
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The load of the last minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
