//! Commands that were recorded between real clients and a real Podman, once more: each request as it was sent, in its
//! order, over as many connections, those that are taken over included. What comes is what was recorded, but for what
//! [`known`] and `differences.toml` name with a reason.
//!
//! The same on a real Podman proves the comparison: there nothing is explained away.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test speaks, and ends where it cannot go on"
)]

mod judge;
mod known;
mod names;
mod play;
mod recorded;

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use conformance::{
    Http, Lab, Setup, Variant,
    runner::{Kind, Podman, Target},
    scenario::{self, Api, BOTH, on_each},
    shape,
};

use known::Known;
use names::Names;
use play::Player;

/// The commands of podman-remote 5.8.6, in the order they were recorded in: `create` makes `c1`, `run-d` makes `r1`.
const PODMAN: &[&str] = &[
    "create",
    "run-d",
    "run-rm-fg",
    "run-rm-exit",
    "run-i-stdin",
    "run-it",
    "run-name-conflict",
    "run-bad-cmd",
    "logs",
    "logs-tail-ts",
    "logs-f",
    "exec",
    "exec-exit",
    "exec-d",
    "exec-it",
    "exec-bad",
    "pause",
    "unpause",
    "exec-stopped",
    "top",
    "stats-one",
    "diff",
    "start-a",
    "update",
    "attach",
    "attach2",
    "run-env-host",
    "run-detach-rm",
];
/// Those of docker 28.
const DOCKER: &[&str] = &[
    "create",
    "run-d",
    "run-rm-fg",
    "run-i-stdin",
    "run-it",
    "run-conflict",
    "run-badcmd",
    "logs",
    "logs-f",
    "exec",
    "exec-exit",
    "exec-it",
    "pause",
    "unpause",
    "top",
    "stats-one",
    "diff",
    "update",
    "attach",
    "run-detach-rm",
    "start-a",
];
/// Recorded commands of these kinds that are not replayed, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "run-many-flags",
        "asks for what CRI has not; `cases` has each flag alone",
    ),
    (
        "run-d-flags",
        "asks for what CRI has not; `cases` has each flag alone",
    ),
    (
        "run-noimage",
        "the registry of the recorded host; see `pulls`",
    ),
    ("run-pull", "the registry of the recorded host; see `pulls`"),
];
/// The clients and their commands.
const SESSIONS: &[(&str, &[&str])] = &[("podman-remote-5.8.6", PODMAN), ("docker-28", DOCKER)];
/// What the commands leave.
const CONTAINERS: &[&str] = &["c1", "r1", "dr", "sa", "at"];
/// Recorded names, and the container that stands for theirs: `r1` was given another name meanwhile, `r2` was made by a
/// command that is left out.
const RENAMED: &[(&str, &str)] = &[("r1b", "r1"), ("r2", "r1")];

async fn replay(reference: &Path, http: &Http, kind: Kind) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let (mut commands, mut requests) = (0, 0);
    let mut known = Known::of(kind);
    for (client, session) in SESSIONS {
        let mut names = Names::with(RENAMED);
        for command in *session {
            let command = format!("{client}/{command}");
            let exchanges = recorded::command(reference, &command)?;
            let played = Player::play(http, &mut names, &exchanges).await;
            let played = match played {
                Ok(played) => played,
                Err(error) => {
                    problems.push(format!("{command}: {error:#}"));
                    continue;
                }
            };
            commands += 1;
            requests += played.len();
            for one in &played {
                let found =
                    judge::differences(one, &names, kind).with_context(|| command.clone())?;
                problems.extend(known.unexplained(&command, found));
            }
        }
        remove(http, CONTAINERS.iter().copied().chain(names.ids())).await?;
    }
    problems.extend(known.unused());
    println!(
        "{kind:?}: {commands} commands, {requests} requests, {} problems",
        problems.len()
    );
    for problem in &problems {
        println!("REPLAY  {problem}");
    }
    Ok(problems)
}

/// Removes what is a container of these.
async fn remove(http: &Http, names: impl Iterator<Item = &str>) -> Result<()> {
    let api = Api::new(http.clone());
    for name in names {
        api.remove(name).await?;
    }
    Ok(())
}

async fn on_runtime(variant: Variant) -> Result<()> {
    let Some(reference) = shape::reference_or_told() else {
        return Ok(());
    };
    let lab = Lab::start(Setup::new(variant)).await?;
    let problems = replay(&reference, &lab.http(), Kind::from(variant.kind)).await?;
    scenario::finish(lab).await?;
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

#[tokio::test]
async fn recorded_commands_are_answered_as_podman_did() {
    on_each(BOTH, on_runtime).await.unwrap();
}

#[tokio::test]
async fn podman_answers_them_as_recorded() {
    let Some(podman) = Podman::given() else {
        println!("SKIPPED: PODMAN_CRI_PODMAN_SOCKET names no Podman service");
        return;
    };
    let Some(reference) = shape::reference_or_told() else {
        return;
    };
    let Target { http, version, .. } = podman.target().await.unwrap();
    if version != (5, 8) {
        println!("SKIPPED: the commands are of Podman 5.8");
        return;
    }
    let api = Api::new(http.clone());
    for name in CONTAINERS {
        let there = api.inspect(name).await.unwrap();
        assert!(
            there.is_none(),
            "that Podman has a container {name} already"
        );
    }
    let problems = replay(&reference, &http, Kind::Podman).await;
    assert_eq!(problems.unwrap(), Vec::<String>::new());
}

#[test]
fn each_recorded_command_of_these_kinds_is_replayed_or_left_out_for_a_reason() {
    let Some(reference) = shape::reference_or_told() else {
        return;
    };
    for (client, session) in SESSIONS {
        let listed: BTreeSet<_> = session
            .iter()
            .copied()
            .chain(LEFT_OUT.iter().map(|(name, _)| *name))
            .collect();
        for entry in fs::read_dir(reference.join("traces").join(client)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(name) = name.strip_suffix(".jsonl") else {
                continue;
            };
            let kind = ["run-", "exec", "attach", "logs", "start-a", "top", "diff"]
                .iter()
                .any(|kind| name.starts_with(kind));
            assert!(
                !kind || name == "start-again" || listed.contains(name),
                "{client}/{name}"
            );
        }
    }
}
