//! The command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::failure::Failure;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Wait for the pipe to be opened.
    Wait { pipe: OsString, argv: Vec<OsString> },
    /// Open the pipe that another gate waits for.
    LetGo { pipe: OsString },
    /// Become the command at once.
    Run(Order),
    /// Become a command that does not outlive its parent.
    Tied { parent: i32, argv: Vec<OsString> },
    /// Execute a command, and wait for the process whose number it writes into a file.
    Reap {
        parent: i32,
        file: OsString,
        argv: Vec<OsString>,
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
    pub(crate) argv: Vec<OsString>,
}

/// Reads the command line, without the program's own name.
pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<Mode, Failure> {
    let mut words = words.peekable();
    let mode = words.next().ok_or_else(usage)?;
    match mode.as_bytes() {
        b"wait" => {
            let pipe = words.next().ok_or_else(usage)?;
            let argv = argv(words)?;
            Ok(Mode::Wait { pipe, argv })
        }
        b"let-go" => match (words.next(), words.next()) {
            (Some(pipe), None) => Ok(Mode::LetGo { pipe }),
            _ => Err(usage()),
        },
        b"run" => run(words).map(Mode::Run),
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
        _ => Err(usage()),
    }
}

fn run(mut words: std::iter::Peekable<impl Iterator<Item = OsString>>) -> Result<Order, Failure> {
    let mut order = Order::default();
    while let Some(option) = words.next_if(|word| word != "--") {
        let value = words.next().ok_or_else(usage)?;
        match option.as_bytes() {
            b"--user" => order.user = Some(text(value)?),
            b"--workdir" => order.workdir = Some(value),
            b"--env" => order.env.push(pair(&value)),
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
        "usage: gate wait PIPE -- ARGV… | gate let-go PIPE | gate run [--user U[:G[:G,…]]] [--workdir DIR] [--env N=V]… -- ARGV… \
         | gate tied PARENT -- ARGV… | gate reap PARENT FILE -- ARGV…",
    )
}
