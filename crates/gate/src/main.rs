//! What stands between a runtime and a container's command, mounted into the container.
//!
//! ```text
//! gate wait PIPE [ORDER]… -- ARGV…  becomes ARGV once PIPE, a FIFO, brings the word for it
//! gate let-go PIPE           writes that word into PIPE, from where it is the same one
//! gate run [ORDER]… -- ARGV…  becomes ARGV at once
//!   ORDER, what CRI cannot say: --user USER[:GROUP[:GROUP,…]], --workdir DIR, --env NAME=VALUE, --umask OCTAL,
//!     --personality LINUX|LINUX32, --ulimit NAME=SOFT:HARD, --unset-env NAME, --keep-env NAME (all but these are taken away),
//!     --init yes (with an init before it), --foreground yes (it takes the terminal)
//! /run/podman-init -- ARGV…   the same program by another name: executes ARGV, passes signals on to it, reaps what it
//!                             leaves behind, and ends as it did
//! gate tied PARENT -- ARGV…   becomes ARGV, which is sent SIGHUP when the thread that started it ends: on the host,
//!                             where PARENT, the daemon, runs the OCI runtime
//! gate reap PARENT FILE -- ARGV…  executes ARGV, which starts a process, writes its number into FILE and ends; waits for
//!                             that process and ends as it did. Tied as well.
//! gate inside MARK [CHANGE]…  enters the mount namespace that is its standard input, where there is a file MARK: on the host
//!   CHANGE: --flags noexec,…:PATH of a mount, --proc OPTIONS of /proc, --no-shm yes, --show PATH that a mount hides, --device OCTAL:UID:GID:NUMBER:PATH,
//!     --writable PATH of a mount, --systemd-group PATH (v1: the one of systemd's hierarchy that may be written to),
//!     --no-consoles KEPT:… (no /dev/tty1 and its sisters but these)
//! ```
//! A command is looked for as runc looks for it. Exit codes are Podman's: 127 not found, 126 not to be executed,
//! 125 everything else that is in the way; what it was stands on stderr. `wait` looks for its command first, and says
//! nothing where it finds none: whoever would open the pipe sees the exit code, and answers in its own words. Other words
//! let it write a letter to stdout or stderr: whoever reads it knows that these streams stand.
//!
//! It is linked statically, has one thread and allocates little. It trusts nothing but its arguments: `/etc/passwd`
//! and `/etc/group` are the container's own, and read up to a bound.

mod arguments;
mod failure;
mod init;
mod inside;
mod run;
mod search;
#[cfg(test)]
mod tests;
mod tied;
mod wait;

use std::process::ExitCode;

use arguments::Mode;

fn main() -> ExitCode {
    // What is executed must find it as every program does; Rust ignores it.
    sigpipe::reset();
    let failure = match arguments::parse_all(std::env::args_os()) {
        Ok(Mode::Wait { pipe, order }) => match run::prepare(order) {
            Ok(prepared) => match wait::until_told(&pipe) {
                Ok(()) => prepared.go(),
                Err(failure) => failure,
            },
            Err(failure) => return failure.code(),
        },
        Ok(Mode::LetGo { pipe }) => match wait::let_go(&pipe) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => failure,
        },
        Ok(Mode::Run(order)) => run::run(order),
        Ok(Mode::Init { argv }) => match init::init(&argv) {
            Ok(code) => return code,
            Err(failure) => failure,
        },
        Ok(Mode::Tied { parent, argv }) => {
            tied::tied(parent, &argv).unwrap_or_else(|failure| failure)
        }
        Ok(Mode::Reap { parent, file, argv }) => match tied::reap(parent, &file, &argv) {
            Ok(code) => return code,
            Err(failure) => failure,
        },
        Ok(Mode::Inside { mark, changes }) => match inside::inside(&mark, &changes) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    failure.say();
    failure.code()
}
