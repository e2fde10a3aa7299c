//! What CRI's `Exec` is given: the command as it is, or the gate with what CRI has no field for.

use model::Error;
use model::container::ContainerRecord;
use model::exec::ExecSpec;
use model::gate;
use model::view::{ContainerBody, ContainerDetail};

/// What a terminal is called where nobody names it, as in Podman.
const TERM: &str = "TERM=xterm";
/// Exit codes of a command that is not there, and of one that cannot be executed, as in Podman.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// The arguments.
///
/// # Errors
/// What can only be had at the container's create: a container without the gate, another user where it is not
/// root's, more capabilities.
pub(super) fn of(container: &ContainerDetail, spec: &ExecSpec) -> Result<Vec<String>, Error> {
    let ContainerBody::Own(record) = &container.view.body else {
        return without_gate(spec, "it was not made by this daemon");
    };
    if spec.privileged && !record.spec.privileged {
        return Err(Error::unsupported(
            "Privileged",
            "CRI gives a command the container's capabilities; create the container with --privileged",
        ));
    }
    let status = container.status.as_ref();
    if status.is_none_or(|status| !gate::is_in(&status.mounts)) {
        return without_gate(
            spec,
            "something is mounted on its /dev, or an older daemon made it",
        );
    }
    let own = user_of(record);
    if !spec.user.is_empty() && spec.user != own && !is_root(own) {
        return Err(Error::unsupported(
            "User",
            format!("the container's user is {own}, and only root can become another one"),
        ));
    }
    let mut argv = vec![gate::PROGRAM.to_owned(), "run".to_owned()];
    let mut option = |name: &str, value: &str| argv.extend([name.to_owned(), value.to_owned()]);
    if !spec.user.is_empty() && spec.user != own {
        option("--user", &spec.user);
    }
    if !spec.work_dir.is_empty() {
        option("--workdir", &spec.work_dir);
    }
    if spec.tty && !names_terminal(record, spec) {
        option("--env", TERM);
    }
    for pair in &spec.env {
        option("--env", pair);
    }
    argv.push("--".to_owned());
    argv.extend(spec.command.iter().cloned());
    Ok(argv)
}

fn without_gate(spec: &ExecSpec, why: &str) -> Result<Vec<String>, Error> {
    let fields = [
        ("User", !spec.user.is_empty()),
        ("WorkingDir", !spec.work_dir.is_empty()),
        ("Env", !spec.env.is_empty()),
        ("Privileged", spec.privileged),
    ];
    match fields.into_iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(Error::unsupported(
            field,
            format!("CRI's Exec has no field for it, and the container has no gate, for {why}"),
        )),
        None => Ok(spec.command.clone()),
    }
}

/// The container's user as it was asked for; the empty text is root.
fn user_of(record: &ContainerRecord) -> &str {
    let own = record.spec.user.as_deref().filter(|user| !user.is_empty());
    own.unwrap_or(&record.spec.image.config.user)
}

fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    matches!(name, "" | "0" | "root")
}

fn names_terminal(record: &ContainerRecord, spec: &ExecSpec) -> bool {
    let is_term = |pair: &String| pair.split('=').next() == Some("TERM");
    record.spec.env.contains_key("TERM")
        || record.spec.image.config.env.iter().any(is_term)
        || spec.env.iter().any(is_term)
}

/// What Podman answers where the OCI runtime could not execute the command: its text is all that says so.
pub(super) fn exit_code_of(error: &Error) -> Option<i32> {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match () {
        () if says(&["executable file not found", "no such file or directory"]) => Some(NOT_FOUND),
        () if says(&["permission denied"]) => Some(NOT_EXECUTABLE),
        () => None,
    }
}
