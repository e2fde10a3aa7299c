//! Memory and processor time of a process at rest, from `/proc`.

use std::{collections::BTreeMap, fs, time::Duration};

use serde::Serialize;

/// How long nobody asks anything before the rest is looked at.
const CALM: Duration = Duration::from_secs(2);
/// How long the rest is looked at.
const WATCH: Duration = Duration::from_secs(10);
/// `USER_HZ`: what `/proc/PID/stat` counts in, the same on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A program whose rest is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Podman's service.
    Podman,
    /// The daemon.
    Ours,
    /// The CRI runtime behind the daemon, which answers its lists.
    Runtime,
}

impl Program {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Podman => "Podman's service",
            Self::Ours => "podman-cri",
            Self::Runtime => "the CRI runtime behind it",
        }
    }
}

/// What a process uses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Usage {
    /// Resident memory.
    pub rss_kib: u64,
    /// Resident memory, shared pages in parts.
    pub pss_kib: u64,
    /// Resident memory that is no file's.
    pub anonymous_kib: u64,
    /// Share of one processor.
    pub cpu_percent: f64,
}

/// Lets these processes rest, and says what they use; one that has gone is left out.
pub(super) async fn idle(programs: &[(Program, u32)]) -> BTreeMap<Program, Usage> {
    tokio::time::sleep(CALM).await;
    let before: Vec<_> = programs.iter().map(|(_, pid)| cpu_ticks(*pid)).collect();
    tokio::time::sleep(WATCH).await;
    let rest = programs
        .iter()
        .zip(before)
        .filter_map(|((program, pid), before)| {
            let ticks = cpu_ticks(*pid)?.saturating_sub(before?);
            let ticks = f64::from(u32::try_from(ticks).ok()?);
            let seconds = ticks / TICKS_PER_SECOND;
            let cpu_percent = 100.0 * seconds / WATCH.as_secs_f64();
            let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            Some((*program, usage(&smaps, cpu_percent)?))
        });
    rest.collect()
}

fn usage(smaps: &str, cpu_percent: f64) -> Option<Usage> {
    let kib = |name: &str| {
        let line = smaps.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Usage {
        rss_kib: kib("Rss:")?,
        pss_kib: kib("Pss:")?,
        anonymous_kib: kib("Anonymous:")?,
        cpu_percent,
    })
}

/// Processor time of a process and of its threads, those that have ended included.
fn cpu_ticks(pid: u32) -> Option<u64> {
    ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?; // a name may hold blanks and brackets
    let mut fields = rest.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_the_14th_and_15th_field() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 70 7 0 0 20 0 1 0 99 0 0";
        assert_eq!(ticks(stat), Some(77));
        assert!(cpu_ticks(std::process::id()).is_some());
    }

    #[test]
    fn memory_is_read_by_name() {
        let smaps = "00-7f ---p 00:00 0 [rollup]\nRss:  61620 kB\nPss:  61614 kB\nPss_Anon: 1 kB\nAnonymous:  18564 kB\n";
        let usage = usage(smaps, 0.5).unwrap();
        assert_eq!((usage.rss_kib, usage.anonymous_kib), (61_620, 18_564));
    }
}
