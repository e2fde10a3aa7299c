//! What stands between a runtime and a container's command, mounted into the container.
//!
//! ```text
//! gate wait PIPE -- ARGV…     becomes ARGV once PIPE, a FIFO, has been opened for writing
//! gate let-go PIPE           opens PIPE for writing, from where it is the same one
//! gate run [--user USER[:GROUP[:GROUP,…]]] [--workdir DIR] [--env NAME=VALUE]… -- ARGV…
//!                             becomes ARGV with what CRI's Exec cannot say
//! ```
//! A command is looked for as runc looks for it. Exit codes are Podman's: 127 not found, 126 not to be executed,
//! 125 everything else that is in the way; what it was stands on stderr. `wait` looks for its command first, and says
//! nothing where it finds none: whoever would open the pipe sees the exit code, and answers in its own words.
//!
//! It is linked statically, has one thread and allocates little. It trusts nothing but its arguments: `/etc/passwd`
//! and `/etc/group` are the container's own, and read up to a bound.

mod accounts;
mod arguments;
mod failure;
mod run;
mod search;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use arguments::Mode;
use failure::Failure;

fn main() -> ExitCode {
    // What is executed must find it as every program does; Rust ignores it.
    sigpipe::reset();
    let failure = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Mode::Wait { pipe, argv }) => match search::find_here(&argv) {
            Ok(program) => wait(&pipe, &program, &argv),
            Err(failure) => return failure.code(),
        },
        Ok(Mode::LetGo { pipe }) => match std::fs::File::options().write(true).open(&pipe) {
            Ok(_) => return ExitCode::SUCCESS,
            Err(error) => unopened(&pipe, &error),
        },
        Ok(Mode::Run(order)) => run::run(order),
        Err(failure) => failure,
    };
    failure.say();
    failure.code()
}

/// Waits, and becomes the command. A FIFO's open for reading lasts until it is opened for writing.
fn wait(pipe: &OsStr, program: &std::path::Path, argv: &[OsString]) -> Failure {
    if let Err(error) = std::fs::File::open(pipe) {
        return unopened(pipe, &error);
    }
    run::execute(program, argv, std::env::vars_os())
}

fn unopened(pipe: &OsStr, error: &std::io::Error) -> Failure {
    Failure::other(format!("gate: {}: {error}", pipe.display()))
}
