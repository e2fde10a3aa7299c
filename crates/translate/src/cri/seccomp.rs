//! Seccomp profiles: what Podman and Docker take, as what CRI runtimes take.
//!
//! A user's profile has the form of containers-common (and moby): rules with conditions on architectures, capabilities
//! and the kernel, errors by name. It is resolved here for one container, by containers-common's rules, into OCI's
//! `LinuxSeccomp`: containerd reads nothing else, and CRI-O reads that too (measured).

use std::env::consts::ARCH;

use model::Error;
use model::container::ContainerSpec;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::capabilities::effective_capabilities;
use crate::decode::decode_body;
use crate::go_json::{self, Source};

/// What Podman says before the reason why a profile cannot be read.
const DECODING: &str = "decoding seccomp profile failed";

/// What OCI runtimes do with a system call.
const ACTIONS: &[&str] = &[
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
];

/// A profile as users write it (containers-common's `Seccomp`).
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Seccomp {
    default_action: String,
    default_errno_ret: Option<u32>,
    default_errno: String,
    architectures: Vec<String>,
    arch_map: Vec<Architecture>,
    syscalls: Vec<Syscall>,
    flags: Vec<String>,
    listener_path: String,
    listener_metadata: String,
}

/// An architecture with those that its kernel runs too.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Architecture {
    architecture: String,
    sub_architectures: Vec<String>,
}

/// A rule.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Syscall {
    name: String,
    names: Vec<String>,
    action: String,
    args: Vec<Arg>,
    includes: Filter,
    excludes: Filter,
    errno_ret: Option<u32>,
    errno: String,
}

/// When a rule counts. The least kernel is moby's word; containers-common does not look at it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Filter {
    caps: Vec<String>,
    arches: Vec<String>,
    min_kernel: String,
}

/// A condition on an argument, the same in both forms.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Arg {
    index: u32,
    value: u64,
    value_two: u64,
    op: String,
}

/// OCI's `LinuxSeccomp`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinuxSeccomp {
    default_action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_errno_ret: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    architectures: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    listener_path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    listener_metadata: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    syscalls: Vec<LinuxSyscall>,
}

/// OCI's `LinuxSyscall`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinuxSyscall {
    names: Vec<String>,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Arg>,
}

/// What the conditions of rules are about.
struct Facts {
    /// Go's word for the architecture, and libseccomp's.
    arch: (&'static str, &'static str),
    /// The bounding set, with `CAP_`.
    caps: Vec<String>,
    /// `5.15`.
    kernel: (u32, u32),
}

/// A profile as the runtime reads it, made for one container; `None` where it filters nothing.
///
/// `kernel` is the host's release, `6.1.0-18-amd64`.
///
/// # Errors
/// containers-common's texts (measured), and unknown actions, which Podman leaves to the OCI runtime.
pub fn seccomp_profile(
    text: &[u8],
    spec: &ContainerSpec,
    kernel: &str,
) -> Result<Option<String>, Error> {
    let profile = read(text)?;
    if profile.default_action.is_empty() && profile.syscalls.is_empty() {
        return Ok(None);
    }
    let caps = effective_capabilities(spec)?;
    let facts = Facts {
        arch: names_of(ARCH),
        caps: caps.iter().map(|name| format!("CAP_{name}")).collect(),
        kernel: version(kernel),
    };
    let resolved = facts.resolve(profile)?;
    serde_json::to_string(&resolved)
        .map(Some)
        .map_err(Error::internal)
}

fn read(text: &[u8]) -> Result<Seccomp, Error> {
    let plain = |cause: String| Error::Plain(format!("{DECODING}: {cause}"));
    go_json::check(text, Source::Text).map_err(plain)?;
    decode_body(text, DECODING).map_err(|error| plain(error.cause()))
}

impl Facts {
    fn resolve(&self, profile: Seccomp) -> Result<LinuxSeccomp, Error> {
        let Seccomp {
            default_action,
            default_errno_ret,
            default_errno,
            architectures,
            arch_map,
            syscalls,
            flags,
            listener_path,
            listener_metadata,
        } = profile;
        if !architectures.is_empty() && !arch_map.is_empty() {
            return Err(one_of("architectures", "archMap"));
        }
        let of_map = arch_map
            .into_iter()
            .find(|entry| entry.architecture == self.arch.1);
        let of_map = of_map.into_iter().flat_map(|entry| {
            let Architecture {
                architecture,
                sub_architectures,
            } = entry;
            std::iter::once(architecture).chain(sub_architectures)
        });
        let counts = |rule: &Syscall| self.counts(rule);
        let rules = syscalls.into_iter().filter(counts).map(rule);
        Ok(LinuxSeccomp {
            default_action: action(default_action)?,
            default_errno_ret: errno(&default_errno, default_errno_ret)?,
            architectures: architectures.into_iter().chain(of_map).collect(),
            flags,
            listener_path,
            listener_metadata,
            syscalls: rules
                .filter_map(Result::transpose)
                .collect::<Result<_, _>>()?,
        })
    }

    /// One capability that excludes is enough; all that are included have to be there.
    fn counts(&self, rule: &Syscall) -> bool {
        let Syscall {
            includes, excludes, ..
        } = rule;
        let has = |cap: &String| self.caps.contains(cap);
        let here = |arches: &[String]| arches.iter().any(|arch| arch == self.arch.0);
        let excluded = here(&excludes.arches)
            || excludes.caps.iter().any(has)
            || (!excludes.min_kernel.is_empty() && self.kernel >= version(&excludes.min_kernel));
        let included = (includes.arches.is_empty() || here(&includes.arches))
            && includes.caps.iter().all(has)
            && self.kernel >= version(&includes.min_kernel);
        included && !excluded
    }
}

/// A rule without its conditions; `None` where it names no system call.
fn rule(rule: Syscall) -> Result<Option<LinuxSyscall>, Error> {
    let Syscall {
        name,
        mut names,
        action: asked,
        args,
        includes: _, // it counts
        excludes: _, // the same
        errno_ret,
        errno: named,
    } = rule;
    if !name.is_empty() {
        if !names.is_empty() {
            return Err(one_of("name", "names"));
        }
        names.push(name);
    }
    let made = LinuxSyscall {
        names,
        action: action(asked)?,
        errno_ret: errno(&named, errno_ret)?,
        args,
    };
    Ok(Some(made).filter(|made| !made.names.is_empty()))
}

fn action(asked: String) -> Result<String, Error> {
    match ACTIONS.contains(&asked.as_str()) {
        true => Ok(asked),
        false => Err(Error::Plain(format!("unknown action {asked:?}"))),
    }
}

/// An error by its number or name, which outranks the number beside it.
fn errno(named: &str, number: Option<u32>) -> Result<Option<u32>, Error> {
    let known = match named {
        "" => return Ok(number),
        "EWOULDBLOCK" => Some(Errno::EWOULDBLOCK),
        "EDEADLOCK" => Some(Errno::EDEADLOCK),
        "ENOTSUP" => Some(Errno::ENOTSUP),
        named => {
            let mut all = (1..=LAST_ERRNO).map(Errno::from_raw);
            all.find(|known| format!("{known:?}") == named)
        }
    };
    let known = known.and_then(|known| u32::try_from(known as i32).ok());
    match named.parse().ok().or(known) {
        Some(number) => Ok(Some(number)),
        None => Err(Error::Plain(format!("unknown errno {named}"))),
    }
}

/// Linux' last error number (EHWPOISON).
const LAST_ERRNO: i32 = 133;

fn one_of(one: &str, other: &str) -> Error {
    Error::Plain(format!(
        "'{one}' and '{other}' were specified in the seccomp profile, use either '{one}' or '{other}'"
    ))
}

/// Major and minor number of a kernel, 0 where the text has none.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next())
}

/// An architecture in Go's word, which conditions have, and in libseccomp's.
fn names_of(arch: &'static str) -> (&'static str, &'static str) {
    match arch {
        "x86_64" => ("amd64", "SCMP_ARCH_X86_64"),
        "x86" => ("x86", "SCMP_ARCH_X86"),
        "aarch64" => ("arm64", "SCMP_ARCH_AARCH64"),
        "arm" => ("arm", "SCMP_ARCH_ARM"),
        "powerpc64" => ("ppc64le", "SCMP_ARCH_PPC64LE"),
        "s390x" => ("s390x", "SCMP_ARCH_S390X"),
        "riscv64" => ("riscv64", "SCMP_ARCH_RISCV64"),
        other => (other, ""),
    }
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
