//! The runtimes' texts, in the order they are tried. A rule holds for the calls it names (none: for all)
//! when the text contains one of its needles.

use super::{Error, Refusal};

struct Rule {
    calls: &'static [&'static str],
    needles: &'static [&'static str],
    make: fn(Refusal) -> Error,
}

const ANY: &[&str] = &[];
const IMAGES: &[&str] = &["CreateContainer", "ImageStatus", "PullImage", "RemoveImage"];
/// Where an OCI runtime is asked to execute something.
const EXECUTING: &[&str] = &["CreateContainer", "StartContainer", "ExecSync", "Exec"];

const RULES: &[Rule] = &[
    Rule {
        calls: &["RunPodSandbox"],
        // CRI-O, containerd
        needles: &["failed to find runtime handler ", "no runtime for "],
        make: no_such_handler,
    },
    Rule {
        calls: &["RunPodSandbox", "CreateContainer"],
        needles: &["is reserved for "],
        make: name_reserved,
    },
    Rule {
        calls: IMAGES,
        needles: &[
            "does not resolve to an image ID", // CRI-O, CreateContainer
            "image not known",                 // the same, asked by an id
            "did not resolve to an alias",     // CRI-O, short names
            "manifest unknown",                // registries
            "name unknown",
        ],
        make: Error::UnknownImage,
    },
    Rule {
        // containerd; of PullImage the same words tell of a registry that does not answer
        calls: &["CreateContainer"],
        needles: &["failed to resolve image"],
        make: Error::UnknownImage,
    },
    Rule {
        calls: &["RemoveImage"],
        needles: &["image is in use by a container", "image used by"],
        make: Error::ImageInUse,
    },
    Rule {
        calls: &["PullImage"],
        needles: &[
            "unauthorized: ",
            "authentication required",
            "requested access to the resource is denied",
            "401 Unauthorized",
            "403 Forbidden",
        ],
        make: Error::Unauthorized,
    },
    Rule {
        calls: ANY,
        needles: &[
            "not in created state",                // CRI-O, StartContainer
            "container is in CONTAINER_",          // containerd
            "failed as the sandbox was stopped",   // CRI-O, CreateContainer
            "no running task found",               // containerd 1.6 and 1.7, CreateContainer
            "is not running",                      // both
            "cannot exec in a paused container",   // runc
            "container is not created or running", // CRI-O, Exec and Attach
        ],
        make: Error::WrongState,
    },
    Rule {
        calls: EXECUTING,
        needles: &[
            "executable file not found in $PATH", // runc
            " not found in $PATH: No such file",  // crun
            "no such file or directory",          // runc, narrowed by `about_the_command`
            "No such file or directory",          // crun
        ],
        make: Error::CommandNotFound,
    },
    Rule {
        calls: EXECUTING,
        needles: &[
            "permission denied",
            "Permission denied",
            "is a directory",
            "exec format error",
            "Exec format error",
        ],
        make: Error::CommandNotExecutable,
    },
    Rule {
        calls: ANY,
        needles: &["server is not initialized yet"], // containerd while it starts
        make: not_yet,
    },
    Rule {
        calls: ANY,
        // CRI-O answers UNKNOWN from Exec, Attach and PortForward where others say NOT_FOUND
        needles: &[
            "could not find container",
            "could not find pod",
            "ID does not exist",
        ],
        make: Error::NotFound,
    },
    Rule {
        calls: ANY,
        needles: &[
            "no privileged container allowed in sandbox",
            "too low; should be at least",
            "does not have an infra container",
            "user specified image not specified",
        ],
        make: Error::InvalidArgument,
    },
];

/// The error that a text stands for; the refusal itself where its text says nothing special.
pub(super) fn by_text(refusal: Refusal) -> Result<Error, Refusal> {
    let rule = RULES.iter().find(|rule| {
        (rule.calls.is_empty() || rule.calls.contains(&refusal.call))
            && rule
                .needles
                .iter()
                .any(|needle| refusal.message.contains(needle))
            && (rule.calls != EXECUTING || about_the_command(&refusal.message))
    });
    match rule {
        Some(rule) => Ok((rule.make)(refusal)),
        None => Err(refusal),
    }
}

/// A missing mount source or a bad working directory fails with the same words as a missing command;
/// runc names the command as `exec: "…"`, crun says executable.
fn about_the_command(message: &str) -> bool {
    !message.contains("chdir to cwd")
        && (message.contains("exec: \"")
            || message.contains("executable")
            || message.contains("exec /"))
}

/// The innermost text: without `rpc error: code = … desc = `, which stands once per hop, without
/// containerd's `: unknown` at the end, and of an OCI runtime's log line, which CRI-O passes on whole, only
/// its message. What Kata's agent appends of itself ends with it.
pub(super) fn clean(text: &str) -> String {
    const BACKTRACE: &str = "\n\nStack backtrace:";
    let text = text
        .split_once(BACKTRACE)
        .map_or(text, |(before, _)| before);
    let mut rest = text;
    let mut clean = String::with_capacity(text.len());
    while let Some(start) = rest.find("rpc error: code = ") {
        let (before, wrapped) = rest.split_at(start);
        let Some((_, inner)) = wrapped.split_once(" desc = ") else {
            break;
        };
        clean.push_str(before);
        rest = inner;
    }
    clean.push_str(rest);
    let clean = logged(&clean).unwrap_or(clean);
    clean.trim_end().trim_end_matches(": unknown").to_owned()
}

/// `before: time="…" level=error msg="exec: \"x\": …"\n, stdout: …` as `before: exec: "x": …`.
fn logged(text: &str) -> Option<String> {
    let (before, _) = text.split_once("time=\"")?;
    let (_, message) = text.rsplit_once("level=error msg=\"")?;
    let mut plain = before.to_owned();
    let mut chars = message.chars();
    loop {
        match chars.next()? {
            '"' => return Some(plain),
            '\\' => plain.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => plain.push(other),
        }
    }
}

fn no_such_handler(refusal: Refusal) -> Error {
    let between = |start: &str, end: &str| {
        let (_, rest) = refusal.message.split_once(start)?;
        Some(rest.split_once(end)?.0.trim_matches('"').to_owned())
    };
    let handler = between("failed to find runtime handler ", " from runtime list")
        .or_else(|| between("no runtime for ", " is configured"))
        .unwrap_or_default();
    Error::NoSuchHandler { refusal, handler }
}

fn name_reserved(refusal: Refusal) -> Error {
    let by = refusal
        .message
        .rsplit_once("is reserved for ")
        .map(|(_, by)| by.trim_matches('"').to_owned());
    Error::NameReserved { refusal, by }
}

fn not_yet(refusal: Refusal) -> Error {
    Error::Unavailable {
        call: refusal.call,
        sent: false,
        message: refusal.message,
    }
}
