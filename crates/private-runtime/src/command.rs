//! Running helper programs.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    error::{Context, Error, Result},
    host::search_path,
    process::Process,
};

/// A program behind the prefix that puts it where the runtime is.
pub(crate) fn prefixed(prefix: &[OsString], program: &Path) -> Command {
    let mut words = prefix
        .iter()
        .map(OsString::as_os_str)
        .chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap_or(program.as_os_str()));
    command
        .args(words)
        .env("PATH", search_path())
        .stdin(Stdio::null());
    command
}

/// Starts a command that stays, in a process group of its own (Ctrl-C is its owner's business), and sends what
/// it says to the end of a file.
pub(crate) fn stay(mut command: Command, log: &Path) -> Result<Process> {
    let shown = || format!("cannot open {}", log.display());
    let said = File::options().create(true).append(true).open(log);
    let said = said.context(shown)?;
    let errors = said.try_clone().context(shown)?;
    command.stdout(said).stderr(errors).process_group(0);
    let mut child = command
        .spawn()
        .context(|| format!("cannot start {}", command.get_program().display()))?;
    let process = Process::of(child.id()).unwrap_or(Process {
        pid: child.id(),
        started: 0,
    });
    // Collects it when it ends; a thread, because nothing says that a tokio runtime outlives it.
    std::thread::spawn(move || child.wait());
    Ok(process)
}

/// Runs a command to its end and gives what it printed.
pub(crate) fn run(mut command: Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().context(|| format!("cannot run {shown}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Command {
        command: shown,
        status: output.status.to_string(),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Runs a program of the host to its end.
pub(crate) fn output<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<String> {
    let mut command = prefixed(&[], program);
    command.args(arguments);
    run(command)
}
