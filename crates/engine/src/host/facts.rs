//! Facts about the host for `info`, computed as Podman 5.8 computes them.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::statfs;
use rustix::system::uname;
use rustix::thread::sched_getaffinity;

/// The operating system, in Go's words.
pub const OS: &str = "linux";

/// The processor architecture in Go's words (`GOARCH`).
pub const ARCH: &str = goarch(std::env::consts::ARCH);

/// The variant of [`ARCH`]: `v8` on 64-bit ARM, `v7` on 32-bit ARM, else nothing.
pub const VARIANT: &str = match ARCH.as_bytes() {
    b"arm64" => "v8",
    b"arm" => "v7",
    _ => "",
};

const fn goarch(rust: &str) -> &str {
    match rust.as_bytes() {
        b"x86_64" => "amd64",
        b"x86" => "386",
        b"aarch64" => "arm64",
        b"powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        b"powerpc64" => "ppc64",
        b"loongarch64" => "loong64",
        _ => rust,
    }
}

/// What there is to know about the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The kernel's release.
    pub kernel: String,
    /// The host's name.
    pub hostname: String,
    /// Processors that this process may use.
    pub cpus: u32,
    /// Shares of the time since boot.
    pub cpu_utilization: CpuUtilization,
    /// Which distribution.
    pub distribution: Distribution,
    /// Memory and swap.
    pub memory: Memory,
    /// As text, `3h 25m 7.00s (Approximately 0.12 days)`.
    pub uptime: String,
    /// Changes with each boot.
    pub boot_id: String,
}

/// Shares in percent, rounded to two digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuUtilization {
    /// In programs.
    pub user_percent: f64,
    /// In the kernel.
    pub system_percent: f64,
    /// Neither.
    pub idle_percent: f64,
}

/// From `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`, else `unknown`.
    pub distribution: String,
    /// `VERSION_ID`, else `unknown`.
    pub version: String,
    /// `VARIANT_ID`, else empty: Podman then leaves the field out.
    pub variant: String,
    /// `VERSION_CODENAME`, else empty: Podman then leaves the field out.
    pub codename: String,
}

/// In bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// Used by nothing, not even caches.
    pub free: u64,
    /// All swap.
    pub swap_total: u64,
    /// Unused swap.
    pub swap_free: u64,
}

/// The file system of a path, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskUsage {
    /// Its size: `graphRootAllocated`.
    pub allocated: u64,
    /// What is taken of it: `graphRootUsed`.
    pub used: u64,
}

impl Facts {
    /// Asks the kernel.
    pub fn read() -> io::Result<Self> {
        let names = uname();
        let cpus = sched_getaffinity(None)?.count();
        // Not there on a minimal host: Podman says `unknown` then.
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let text = |path: &str| fs::read_to_string(path);
        let broken = |path: &str| {
            let message = format!("cannot make sense of {path}");
            move || io::Error::new(io::ErrorKind::InvalidData, message)
        };
        Ok(Self {
            kernel: names.release().to_string_lossy().into_owned(),
            hostname: names.nodename().to_string_lossy().into_owned(),
            cpus,
            cpu_utilization: cpu_utilization(&text("/proc/stat")?)
                .ok_or_else(broken("/proc/stat"))?,
            distribution: distribution(&release),
            memory: memory(&text("/proc/meminfo")?),
            uptime: uptime_seconds(&text("/proc/uptime")?)
                .map(uptime_text)
                .ok_or_else(broken("/proc/uptime"))?,
            boot_id: boot_id()?,
        })
    }
}

/// The boot's id: `/proc/sys/kernel/random/boot_id`.
pub fn boot_id() -> io::Result<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(text.trim().to_owned())
}

/// Size and use of the file system that holds `path`.
#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_fallible_conversions,
    reason = "the fields are narrower on some processors"
)]
pub fn disk_usage(path: &Path) -> io::Result<DiskUsage> {
    let stat = statfs(path)?;
    let block = u64::try_from(stat.f_bsize).unwrap_or(0);
    let allocated = block.saturating_mul(u64::from(stat.f_blocks));
    let free = block.saturating_mul(u64::from(stat.f_bfree));
    Ok(DiskUsage {
        allocated,
        used: allocated.saturating_sub(free),
    })
}

/// The first line of `/proc/stat`: `cpu user nice system idle …`. As in Podman, nice time and the
/// rest count for nothing.
fn cpu_utilization(stat: &str) -> Option<CpuUtilization> {
    let mut columns = stat.lines().next()?.split_whitespace().skip(1);
    let mut column = |skipped| columns.nth(skipped)?.parse::<f64>().ok();
    let (user, system, idle) = (column(0)?, column(1)?, column(0)?);
    let total = user + system + idle;
    let percent = |part: f64| {
        if total > 0.0 {
            (part / total * 100.0 * 100.0).round() / 100.0
        } else {
            0.0
        }
    };
    Some(CpuUtilization {
        user_percent: percent(user),
        system_percent: percent(system),
        idle_percent: percent(idle),
    })
}

fn distribution(release: &str) -> Distribution {
    let value = |key: &str| {
        let line = release
            .lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .next_back()?;
        Some(line.trim_matches('"').to_owned())
    };
    let unknown = || "unknown".to_owned();
    Distribution {
        distribution: value("ID").unwrap_or_else(unknown),
        version: value("VERSION_ID").unwrap_or_else(unknown),
        variant: value("VARIANT_ID").unwrap_or_default(),
        codename: value("VERSION_CODENAME").unwrap_or_default(),
    }
}

fn memory(meminfo: &str) -> Memory {
    let bytes = |key: &str| {
        meminfo
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
            .map_or(0, |kibibytes| kibibytes.saturating_mul(1024))
    };
    Memory {
        total: bytes("MemTotal"),
        free: bytes("MemFree"),
        swap_total: bytes("SwapTotal"),
        swap_free: bytes("SwapFree"),
    }
}

/// Bytes of memory that this host has.
#[allow(
    clippy::useless_conversion,
    reason = "the field is narrower on some processors"
)]
pub(crate) fn memory_bytes() -> u64 {
    let found = rustix::system::sysinfo();
    u64::from(found.totalram).saturating_mul(found.mem_unit.into())
}

/// Whole seconds since boot.
fn uptime_seconds(text: &str) -> Option<u64> {
    let whole = text.split_whitespace().next()?.split('.').next()?;
    whole.parse().ok()
}

fn uptime_text(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60);
    let text = format!("{hours}h {}m {}.00s", minutes % 60, seconds % 60);
    if hours == 0 {
        return text;
    }
    let hours = u32::try_from(hours).unwrap_or(u32::MAX);
    format!("{text} (Approximately {:.2} days)", f64::from(hours) / 24.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_time_are_rounded_as_podman_rounds_them() {
        // Read right after a real Podman's info on the same machine.
        let stat = "cpu  31425 22754 20327 318041 1482 0 268 157 0 0\ncpu0 1 2 3 4\n";
        let shares = cpu_utilization(stat).unwrap();
        let [user, system, idle] = [
            shares.user_percent,
            shares.system_percent,
            shares.idle_percent,
        ]
        .map(|p| p.to_string());
        assert_eq!((&*user, &*system, &*idle), ("8.5", "5.5", "86.01"));
        assert!(cpu_utilization("").is_none());
        assert!(cpu_utilization("cpu 1 2 x 3").is_none());
        let new = cpu_utilization("cpu 0 0 0 0").unwrap();
        assert_eq!(new.idle_percent.to_string(), "0");
    }

    #[test]
    fn the_time_since_boot_reads_as_in_podman() {
        assert_eq!(uptime_text(1660), "0h 27m 40.00s");
        assert_eq!(uptime_text(58 * 60 + 21), "0h 58m 21.00s");
        assert_eq!(
            uptime_text(7 * 3600),
            "7h 0m 0.00s (Approximately 0.29 days)"
        );
        assert_eq!(
            uptime_text(49 * 3600 + 59 * 60 + 59),
            "49h 59m 59.00s (Approximately 2.04 days)"
        );
        assert_eq!(uptime_seconds("1660.35 2628.41\n"), Some(1660));
        assert_eq!(uptime_seconds(""), None);
    }

    #[test]
    fn the_distribution_is_what_its_own_file_says() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nNAME=\"Debian GNU/Linux\"\n\
            VERSION_CODENAME=forky\nID=debian\n";
        let found = distribution(text);
        assert_eq!(found.distribution, "debian");
        assert_eq!(found.version, "unknown");
        assert_eq!(found.codename, "forky");
        let text = "ID=\"fedora\"\nVERSION_ID=44\nVARIANT_ID=coreos\n";
        let found = distribution(text);
        assert_eq!((&*found.distribution, &*found.version), ("fedora", "44"));
        assert_eq!((&*found.variant, &*found.codename), ("coreos", ""));
        assert_eq!(distribution("").distribution, "unknown");
    }

    #[test]
    fn memory_is_counted_in_bytes() {
        let text = "MemTotal:       24684092 kB\nMemFree:        23879508 kB\n\
            MemAvailable:   1 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n";
        let wanted = Memory {
            total: 25_276_510_208,
            free: 24_452_616_192,
            ..Memory::default()
        };
        assert_eq!(memory(text), wanted);
    }

    #[test]
    fn this_host_answers() {
        let facts = Facts::read().unwrap();
        println!("{facts:?} {ARCH} {VARIANT}");
        assert!(facts.cpus > 0 && facts.memory.total > 0);
        assert_eq!(facts.boot_id.len(), 36);
        let disk = disk_usage(Path::new("/")).unwrap();
        assert!(disk.allocated > disk.used);
    }
}
