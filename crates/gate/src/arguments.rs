//! The command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use nix::sys::personality::Persona;
use nix::sys::resource::Resource;
use nix::sys::stat::Mode as FileMode;

use crate::failure::Failure;
use crate::init;
use crate::inside::{self, Change};

/// The kernel's `PER_LINUX32`.
const LINUX32: i32 = 8;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Wait for the pipe to bring the word.
    Wait { pipe: OsString, order: Order },
    /// Open the pipe that another gate waits for.
    LetGo { pipe: OsString },
    /// Become the command at once.
    Run(Order),
    /// Become a command that does not outlive its parent.
    Tied { parent: i32, argv: Vec<OsString> },
    /// Be the init of a command.
    Init { argv: Vec<OsString> },
    /// Execute a command, and wait for the process whose number it writes into a file.
    Reap {
        parent: i32,
        file: OsString,
        argv: Vec<OsString>,
    },
    /// Change the mounts of the namespace that is the standard input.
    Inside {
        mark: OsString,
        changes: Vec<Change>,
    },
}

/// A command and how it is to run. What is not given stays as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// `user[:group[:group,…]]`, names or numbers.
    pub(crate) user: Option<String>,
    pub(crate) workdir: Option<OsString>,
    /// Beside the environment that is there, the last of a name counts.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Variables to be taken away before.
    pub(crate) unset: Vec<OsString>,
    /// Where it has any, all others are taken away before.
    pub(crate) keep: Vec<OsString>,
    /// With an init before it.
    pub(crate) init: bool,
    /// It takes the terminal, where its input is one.
    pub(crate) foreground: bool,
    /// Permissions that new files do not get.
    pub(crate) umask: Option<FileMode>,
    /// The execution domain.
    pub(crate) personality: Option<Persona>,
    /// What the command may use of what.
    pub(crate) limits: Vec<Limit>,
    pub(crate) argv: Vec<OsString>,
}

/// A limit of a process; the largest number is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) resource: Resource,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// Reads the command line by the name that it was called by.
pub(crate) fn parse_all(mut words: impl Iterator<Item = OsString>) -> Result<Mode, Failure> {
    match words.next() {
        Some(name) if name == init::NAME => argv(words).map(|argv| Mode::Init { argv }),
        _ => parse(words),
    }
}

/// Reads the command line, without the program's own name.
pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Mode, Failure> {
    let mut words = words.peekable();
    let mode = words.next().ok_or_else(usage)?;
    match mode.as_bytes() {
        b"wait" => {
            let pipe = words.next().ok_or_else(usage)?;
            let order = order(words)?;
            Ok(Mode::Wait { pipe, order })
        }
        b"let-go" => match (words.next(), words.next()) {
            (Some(pipe), None) => Ok(Mode::LetGo { pipe }),
            _ => Err(usage()),
        },
        b"run" => order(words).map(Mode::Run),
        b"tied" => {
            let parent = number(words.next())?;
            let argv = argv(words)?;
            Ok(Mode::Tied { parent, argv })
        }
        b"reap" => {
            let parent = number(words.next())?;
            let file = words.next().ok_or_else(usage)?;
            let argv = argv(words)?;
            Ok(Mode::Reap { parent, file, argv })
        }
        b"inside" => {
            let mark = words.next().ok_or_else(usage)?;
            let changes = changes(words)?;
            Ok(Mode::Inside { mark, changes })
        }
        _ => Err(usage()),
    }
}

fn changes(mut words: impl Iterator<Item = OsString>) -> Result<Vec<Change>, Failure> {
    let mut all = Vec::new();
    while let Some(option) = words.next() {
        let value = words.next().ok_or_else(usage)?;
        all.push(match option.as_bytes() {
            b"--flags" => {
                let (flags, path) = at_path(&value).ok_or_else(usage)?;
                let flags = inside::flags(flags).ok_or_else(usage)?;
                Change::Flags { flags, path }
            }
            b"--proc" => Change::Proc(value),
            b"--show" => Change::Show(value),
            b"--no-shm" if yes(&value)? => Change::NoSharedMemory,
            b"--writable" => Change::Writable(value),
            b"--systemd-group" => Change::SystemdGroup(value),
            b"--no-consoles" => Change::NoConsoles(value),
            b"--device" => device(&value).ok_or_else(usage)?,
            _ => return Err(usage()),
        });
    }
    Ok(all)
}

/// `WORD:PATH`.
fn at_path(value: &OsStr) -> Option<(&str, OsString)> {
    let mut parts = value.as_bytes().splitn(2, |byte| *byte == b':');
    let word = std::str::from_utf8(parts.next()?).ok()?;
    Some((word, OsStr::from_bytes(parts.next()?).to_owned()))
}

/// `OCTAL:UID:GID:NUMBER:PATH`.
fn device(value: &OsStr) -> Option<Change> {
    let (mode, rest) = at_path(value)?;
    let (user, rest) = at_path(&rest)?;
    let (user, rest) = (user.parse().ok()?, rest);
    let (group, rest) = at_path(&rest)?;
    let (group, rest) = (group.parse().ok()?, rest);
    let (number, path) = at_path(&rest)?;
    Some(Change::Device {
        mode: u32::from_str_radix(mode, 8).ok()?,
        user,
        group,
        number: number.parse().ok()?,
        path,
    })
}

fn order(mut words: std::iter::Peekable<impl Iterator<Item = OsString>>) -> Result<Order, Failure> {
    let mut order = Order::default();
    while let Some(option) = words.next_if(|word| word != "--") {
        let value = words.next().ok_or_else(usage)?;
        match option.as_bytes() {
            b"--user" => order.user = Some(text(value)?),
            b"--workdir" => order.workdir = Some(value),
            b"--env" => order.env.push(pair(&value)),
            b"--unset-env" => order.unset.push(value),
            b"--keep-env" => order.keep.push(value),
            b"--init" => order.init = yes(&value)?,
            b"--foreground" => order.foreground = yes(&value)?,
            b"--umask" => order.umask = Some(umask(&text(value)?)?),
            b"--personality" => order.personality = Some(personality(&text(value)?)?),
            b"--ulimit" => order.limits.push(limit(&text(value)?)?),
            _ => return Err(usage()),
        }
    }
    order.argv = argv(words)?;
    Ok(order)
}

/// What stands behind `--`: a program at least.
fn argv(mut words: impl Iterator<Item = OsString>) -> Result<Vec<OsString>, Failure> {
    if words.next().is_none_or(|word| word != "--") {
        return Err(usage());
    }
    let argv: Vec<_> = words.collect();
    match argv.is_empty() {
        true => Err(usage()),
        false => Ok(argv),
    }
}

/// `NAME=VALUE`; a name alone has an empty value.
fn pair(word: &OsStr) -> (OsString, OsString) {
    let mut parts = word.as_bytes().splitn(2, |byte| *byte == b'=');
    let mut part = || OsStr::from_bytes(parts.next().unwrap_or_default()).to_owned();
    (part(), part())
}

fn yes(word: &OsStr) -> Result<bool, Failure> {
    match word == "yes" {
        true => Ok(true),
        false => Err(usage()),
    }
}

/// Octal digits.
fn umask(word: &str) -> Result<FileMode, Failure> {
    let bits = u32::from_str_radix(word, 8).ok();
    bits.and_then(FileMode::from_bits).ok_or_else(usage)
}

/// OCI's words for the kernel's numbers.
fn personality(word: &str) -> Result<Persona, Failure> {
    match word {
        "LINUX" => Ok(Persona::empty()),
        "LINUX32" => Ok(Persona::from_bits_retain(LINUX32)),
        _ => Err(usage()),
    }
}

/// `NAME=SOFT:HARD`.
fn limit(word: &str) -> Result<Limit, Failure> {
    let parts = word.split_once('=').and_then(|(name, bounds)| {
        let (soft, hard) = bounds.split_once(':')?;
        Some(Limit {
            resource: resource(name)?,
            soft: soft.parse().ok()?,
            hard: hard.parse().ok()?,
        })
    });
    parts.ok_or_else(usage)
}

/// The names are those of `model::ulimit`.
fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::RLIMIT_AS,
        "core" => Resource::RLIMIT_CORE,
        "cpu" => Resource::RLIMIT_CPU,
        "data" => Resource::RLIMIT_DATA,
        "fsize" => Resource::RLIMIT_FSIZE,
        "locks" => Resource::RLIMIT_LOCKS,
        "memlock" => Resource::RLIMIT_MEMLOCK,
        "msgqueue" => Resource::RLIMIT_MSGQUEUE,
        "nice" => Resource::RLIMIT_NICE,
        "nofile" => Resource::RLIMIT_NOFILE,
        "nproc" => Resource::RLIMIT_NPROC,
        "rss" => Resource::RLIMIT_RSS,
        "rtprio" => Resource::RLIMIT_RTPRIO,
        "rttime" => Resource::RLIMIT_RTTIME,
        "sigpending" => Resource::RLIMIT_SIGPENDING,
        "stack" => Resource::RLIMIT_STACK,
        _ => return None,
    })
}

fn number(word: Option<OsString>) -> Result<i32, Failure> {
    let word = word.map(text).transpose()?;
    word.and_then(|word| word.parse().ok()).ok_or_else(usage)
}

fn text(word: OsString) -> Result<String, Failure> {
    let no_text = |word: OsString| Failure::other(format!("gate: {}: not UTF-8", word.display()));
    word.into_string().map_err(no_text)
}

fn usage() -> Failure {
    Failure::other(
        "usage: gate wait PIPE [ORDER]… -- ARGV… | gate let-go PIPE | gate run [ORDER]… -- ARGV… \
         | gate tied PARENT -- ARGV… | gate reap PARENT FILE -- ARGV… | gate inside MARK [CHANGE]…\nORDER: --user U[:G[:G,…]], --workdir DIR, --env N=V, --unset-env N, --keep-env N, --init yes, --foreground yes, --umask OCTAL, --personality LINUX|LINUX32, --ulimit N=SOFT:HARD",
    )
}
