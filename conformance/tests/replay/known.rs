//! Differences from the recorded commands that are right, and why.

use conformance::runner::Kind;

use crate::judge::Difference;

/// A difference, and why it is right.
#[derive(Clone, Copy)]
struct Row {
    /// The commands without their clients; all where there are none.
    commands: &'static [&'static str],
    /// The request without what differs between runs.
    request: &'static str,
    /// The beginning of what differs, as [`Difference::at`] has it.
    at: &'static str,
    on: &'static [Kind],
    /// Whether it is there each time.
    always: bool,
    reason: &'static str,
}

const EVERYWHERE: &[Kind] = &[Kind::Podman, Kind::Containerd, Kind::CriO];
const CRI: &[Kind] = &[Kind::Containerd, Kind::CriO];

const INSPECT: &str = "GET /containers/*/json";
const ATTACH: &str = "POST /containers/*/attach";
/// Commands with `--rm` whose client removes the container too.
const REMOVED_TWICE: &[&str] = &[
    "run-rm-fg",
    "run-rm-exit",
    "run-i-stdin",
    "run-it",
    "run-env-host",
];
const NO_COMMAND: &[&str] = &["run-bad-cmd", "run-badcmd"];

const fn row(
    commands: &'static [&'static str],
    request: &'static str,
    at: &'static str,
    on: &'static [Kind],
    reason: &'static str,
) -> Row {
    Row {
        commands,
        request,
        at,
        on,
        always: true,
        reason,
    }
}

/// One that is not there each time.
const fn at_times(row: Row) -> Row {
    Row {
        always: false,
        ..row
    }
}

const ROWS: &[Row] = &[
    // What no two runs have alike.
    at_times(row(
        &["stats-one"],
        "GET /containers/*/stats",
        "/cpu_stats/cpu_usage/usage_in_",
        EVERYWHERE,
        "the kernel counts it in ticks, of which a young container may have none",
    )),
    at_times(row(
        &["stats-one"],
        "GET /containers/*",
        "/Stats/0/CPUSystemNano",
        EVERYWHERE,
        "the kernel counts it in ticks, of which a young container may have none",
    )),
    at_times(row(
        REMOVED_TWICE,
        "DELETE /containers/*",
        "status 404",
        EVERYWHERE,
        "the service removes it too, and was first",
    )),
    at_times(row(
        REMOVED_TWICE,
        "DELETE /containers/*",
        "status 200",
        EVERYWHERE,
        "the service removes it too, and was second",
    )),
    at_times(row(
        &["start-a"],
        INSPECT,
        "/NetworkSettings/",
        CRI,
        "recorded before Podman's cleanup took the address away",
    )),
    // What Podman's ways of running containers leave in an inspect.
    row(
        &[],
        INSPECT,
        "/Config/sdNotifyMode",
        CRI,
        "no conmon that could pass notifications on",
    ),
    row(&[], INSPECT, "/lockNumber", CRI, "Podman's locks"),
    row(
        &["run-i-stdin", "run-it", "run-bad-cmd", "run-env-host"],
        INSPECT,
        "/Args",
        CRI,
        "Podman repeats a command without arguments",
    ),
    row(
        &["start-a"],
        INSPECT,
        "/GraphDriver/Data",
        CRI,
        "a container that was never started has no CRI object and so no layers yet",
    ),
    row(
        &["run-env-host"],
        INSPECT,
        "/HostConfig/CapDrop",
        CRI,
        "what the recorded host has not itself",
    ),
    row(
        &["run-env-host"],
        INSPECT,
        "/Config/Hostname",
        CRI,
        "the host's name is not known before the runtime has made the container",
    ),
    // What comes at another time, or in other words.
    row(
        NO_COMMAND,
        ATTACH,
        "status 101",
        CRI,
        "a command is looked for at the start, which then fails",
    ),
    row(NO_COMMAND, ATTACH, "header", CRI, "the same"),
    row(NO_COMMAND, ATTACH, "framing", CRI, "the same"),
    row(
        &["exec-bad"],
        "POST /exec/*/start",
        "stream 2",
        CRI,
        "the runtime's own words, and none of conmon's",
    ),
    row(
        &["run-env-host"],
        ATTACH,
        "stream 1",
        CRI,
        "runtimes add a user's group to its other groups",
    ),
    at_times(row(
        &["exec-it"],
        "POST /exec/*/start",
        "terminal",
        &[Kind::CriO],
        "CRI-O closes a terminal when the process ends, without waiting for its last output",
    )),
];

/// The rows for a service, and which of them explained something.
pub(crate) struct Known(Vec<(&'static Row, bool)>);

impl Known {
    pub(crate) fn of(kind: Kind) -> Self {
        let rows = ROWS.iter().filter(|row| row.on.contains(&kind));
        Self(rows.map(|row| (row, false)).collect())
    }

    /// A line for each difference of a command that no row explains.
    pub(crate) fn unexplained(&mut self, command: &str, found: Vec<Difference>) -> Vec<String> {
        let mut left = Vec::new();
        for one in found {
            let row = self.0.iter_mut().find(|(row, _)| {
                let named = command.rsplit('/').next().unwrap_or_default();
                (row.commands.is_empty() || row.commands.contains(&named))
                    && row.request == one.request
                    && one.at.starts_with(row.at)
            });
            match row {
                Some((_, used)) => *used = true,
                None => left.push(format!(
                    "{command}: {} {}: {}",
                    one.request, one.at, one.detail
                )),
            }
        }
        left
    }

    /// A line for each row that explained nothing.
    pub(crate) fn unused(self) -> Vec<String> {
        let unused = self.0.into_iter().filter(|(row, used)| row.always && !used);
        unused
            .map(|(row, _)| {
                format!(
                    "a row explains nothing: {} {} ({})",
                    row.request, row.at, row.reason
                )
            })
            .collect()
    }
}
