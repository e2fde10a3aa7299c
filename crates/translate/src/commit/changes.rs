//! Changes of an image in a Containerfile's words (`podman commit --change`).
//!
//! Source: openshift/imagebuilder, whose answers were tried with Podman 5.8.6. Podman takes `ARG`, `FROM` and `MAINTAINER` too,
//! and nothing comes of them: they are refused here as what it does not understand.

use model::commit::ImageChanges;
use model::health::HealthCheck;
use model::signal::Signal;

use super::parse::{self, Arguments, Instruction, blank};
use super::words::{self, unquoted};
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// Why a change is not taken: what Podman was doing, and its reason.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: String,
    pub(super) cause: String,
}

/// Carries changes out over those that are there.
pub(super) fn apply(asked: &[String], mut changes: ImageChanges) -> Result<ImageChanges, Fault> {
    let lines = parse::lines(asked);
    let mut has_command = false;
    for instruction in parse::all(&lines)? {
        one(&mut changes, &instruction, &mut has_command).map_err(|cause| Fault {
            at: format!("processing change {:?}", instruction.line),
            cause,
        })?;
    }
    Ok(changes)
}

fn one(
    changes: &mut ImageChanges,
    instruction: &Instruction,
    has_command: &mut bool,
) -> Result<(), String> {
    let name = instruction.name.as_str();
    let config = &mut changes.config;
    match (name, &instruction.arguments) {
        ("cmd", arguments) => {
            let (words, is_list) = command(arguments);
            *has_command |= !words.is_empty();
            let shell = SHELL.iter().filter(|_| !is_list).map(ToString::to_string);
            config.cmd = shell.chain(words).collect();
        }
        ("entrypoint", arguments) => {
            let (words, is_list) = command(arguments);
            let shell = SHELL.iter().filter(|_| !is_list && !words.is_empty());
            config.entrypoint = shell
                .map(ToString::to_string)
                .chain(words.clone())
                .collect();
            if !*has_command {
                config.cmd.clear();
            }
        }
        ("shell", Arguments::List(words)) if !words.is_empty() => changes.shell.clone_from(words),
        ("shell", Arguments::Text(text)) if !text.is_empty() => {
            return Err("SHELL requires the arguments to be in JSON form".to_owned());
        }
        ("env", Arguments::Pairs(pairs)) if !pairs.is_empty() => {
            for (key, value) in pairs {
                put_variable(&mut config.env, &unquoted(key)?, &unquoted(value)?);
            }
        }
        ("label", Arguments::Pairs(pairs)) if !pairs.is_empty() => {
            for (key, value) in pairs {
                config.labels.insert(unquoted(key)?, unquoted(value)?);
            }
        }
        ("volume", Arguments::List(words)) if !words.is_empty() => {
            add_volumes(&mut config.volumes, words.iter().map(String::as_str))?;
        }
        ("volume", Arguments::Text(text)) if !text.is_empty() => {
            add_volumes(
                &mut config.volumes,
                text.split(blank).filter(|word| !word.is_empty()),
            )?;
        }
        ("expose", Arguments::Text(text)) if !text.is_empty() => {
            expose(&mut config.exposed_ports, text)?;
        }
        ("user" | "workdir" | "stopsignal", Arguments::Text(text)) if !text.is_empty() => {
            single(changes, name, &unquoted(text)?)?;
        }
        ("onbuild", Arguments::Text(text)) if !text.is_empty() => {
            changes.on_build.push(trigger(text)?);
        }
        ("healthcheck", Arguments::Text(text)) if !text.is_empty() => {
            config.health = Some(health(text, &instruction.flags)?);
        }
        _ => return Err(refusal(name, &instruction.line)),
    }
    Ok(())
}

/// Words of a command, and whether they were a list.
fn command(arguments: &Arguments) -> (Vec<String>, bool) {
    match arguments {
        Arguments::List(words) => (words.clone(), true),
        Arguments::Text(text) if !text.is_empty() => (vec![text.clone()], false),
        Arguments::Text(_) | Arguments::Pairs(_) => (Vec::new(), false),
    }
}

/// Podman's words for an instruction without what it needs, or that changes no configuration.
fn refusal(name: &str, line: &str) -> String {
    let upper = name.to_uppercase();
    match name {
        "user" | "workdir" | "stopsignal" => format!("{upper} requires exactly one argument"),
        "env" | "label" | "expose" | "volume" | "shell" | "healthcheck" | "onbuild" => {
            format!("{upper} requires at least one argument")
        }
        "add" | "copy" => "ADD/COPY not supported as changes".to_owned(),
        "run" => "RUN not supported as changes".to_owned(),
        _ => format!("did not understand change instruction {line:?}"),
    }
}

fn put_variable(env: &mut Vec<String>, key: &str, value: &str) {
    let variable = format!("{key}={value}");
    match env
        .iter_mut()
        .find(|known| known.split('=').next() == Some(key))
    {
        Some(known) => *known = variable,
        None => env.push(variable),
    }
}

fn add_volumes<'a>(
    volumes: &mut Vec<String>,
    words: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    for word in words {
        let place = unquoted(word)?;
        match place.trim() {
            "" => return Err("Volume specified can not be an empty string".to_owned()),
            place => volumes.push(place.to_owned()),
        }
    }
    Ok(())
}

/// What Podman takes for a port, it takes: whether it is a number is not looked at.
fn expose(ports: &mut Vec<String>, text: &str) -> Result<(), String> {
    for word in words::split(text) {
        let word = unquoted(&word)?;
        for port in word.split_whitespace() {
            let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            ports.push(format!("{number}/{protocol}"));
        }
    }
    Ok(())
}

fn single(changes: &mut ImageChanges, name: &str, value: &str) -> Result<(), String> {
    let config = &mut changes.config;
    match name {
        "user" => value.clone_into(&mut config.user),
        "workdir" => config.work_dir = below(&config.work_dir, value),
        _ => {
            let known = value
                .parse::<i64>()
                .map_or_else(|_| Signal::parse(value).is_ok(), |number| number != 0);
            if !known {
                return Err(format!("Invalid signal: {value}"));
            }
            value.clone_into(&mut config.stop_signal);
        }
    }
    Ok(())
}

/// A folder from another one, as Go's `filepath.Join` makes it from the root.
fn below(current: &str, folder: &str) -> String {
    if folder.starts_with('/') {
        return match folder {
            "/" => folder.to_owned(),
            _ => folder.strip_suffix('/').unwrap_or(folder).to_owned(),
        };
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in current.split('/').chain(folder.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn trigger(text: &str) -> Result<String, String> {
    let first = text.split(blank).next().unwrap_or_default().to_uppercase();
    match first.as_str() {
        "ONBUILD" => Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".to_owned()),
        "MAINTAINER" | "FROM" => Err(format!("{first} isn't allowed as an ONBUILD trigger")),
        _ => Ok(text.to_owned()),
    }
}

fn health(text: &str, flags: &[String]) -> Result<HealthCheck, String> {
    let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let mut check = HealthCheck::default();
    match kind.to_uppercase().as_str() {
        "NONE" if rest.is_empty() => {
            check.test = vec!["NONE".to_owned()];
            return Ok(check);
        }
        "NONE" => return Err("HEALTHCHECK NONE takes no arguments".to_owned()),
        "CMD" => {
            let (words, is_list) = command(&parse::list_or_text(rest)?);
            if words.is_empty() {
                return Err("Missing command after HEALTHCHECK CMD".to_owned());
            }
            let kind = if is_list { "CMD" } else { "CMD-SHELL" };
            check.test = std::iter::once(kind.to_owned()).chain(words).collect();
        }
        _ => return Err(format!("Unknown type {kind:?} in HEALTHCHECK (try CMD)")),
    }
    for flag in flags {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let unknown = || {
            format!(
                "flag provided but not defined: {}",
                name.trim_start_matches('-')
            )
        };
        match name {
            "--interval" => check.interval_ns = nanoseconds(value)?,
            "--timeout" => check.timeout_ns = nanoseconds(value)?,
            "--start-period" => check.start_period_ns = nanoseconds(value)?,
            "--start-interval" => check.start_interval_ns = nanoseconds(value)?,
            "--retries" => check.retries = retries(value)?,
            _ => return Err(unknown()),
        }
    }
    Ok(check)
}

fn nanoseconds(text: &str) -> Result<i64, String> {
    let duration: Option<jiff::SignedDuration> = text.parse().ok();
    duration
        .and_then(|duration| i64::try_from(duration.as_nanos()).ok())
        .ok_or_else(|| format!("time: invalid duration {text:?}"))
}

fn retries(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(number) if number < 1 => Err(format!("--retries must be at least 1 (not {number})")),
        Ok(number) => Ok(number),
        Err(_) => Err(format!(
            "strconv.ParseInt: parsing {text:?}: invalid syntax"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(lines: &[&str]) -> Result<ImageChanges, Fault> {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        apply(&lines, ImageChanges::default())
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    /// Each row was asked of Podman 5.8.6.
    #[test]
    fn commands_are_podmans() {
        for (line, cmd, entrypoint) in [
            ("CMD sleep 5", &["/bin/sh", "-c", "sleep 5"][..], &[][..]),
            ("CMD=sleep", &["/bin/sh", "-c", "sleep"], &[]),
            ("cmd [\"a\", \"b c\"]", &["a", "b c"], &[]),
            ("CMD [\"a\"", &["/bin/sh", "-c", "[\"a\""], &[]),
            ("CMD", &["/bin/sh", "-c"], &[]),
            ("CMD --x y", &["/bin/sh", "-c", "y"], &[]),
            ("ENTRYPOINT foo bar", &[], &["/bin/sh", "-c", "foo bar"]),
            ("ENTRYPOINT", &[], &[]),
            ("CMD a\nENTRYPOINT [\"b\"]", &["/bin/sh", "-c", "a"], &["b"]),
        ] {
            let config = applied(&[line]).unwrap().config;
            assert_eq!(config.cmd, strings(cmd), "{line}");
            assert_eq!(config.entrypoint, strings(entrypoint), "{line}");
        }
    }

    /// The same.
    #[test]
    fn all_else_that_is_changed_is_podmans() {
        let changes = applied(&[
            "ENV A=b C=\"d e\" E=$PATH",
            "ENV F g h",
            "ENV A=z",
            "LABEL a=b c=\"d e\"",
            "EXPOSE 80 81/udp abc",
            "VOLUME /a /b",
            "VOLUME [\"/c\"]",
            "USER 1:2",
            "WORKDIR /a",
            "WORKDIR b/../c",
            "STOPSIGNAL 9",
            "ONBUILD RUN x",
            "SHELL [\"a\", \"b\"]",
            "# a comment",
            "HEALTHCHECK --interval=1m30s --retries=2 CMD true \\",
            "&& false",
        ])
        .unwrap();
        let config = &changes.config;
        assert_eq!(config.env, strings(&["A=z", "C=d e", "E=", "F=g h"]));
        let labels: Vec<_> = config
            .labels
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        assert_eq!(labels, ["a=b", "c=d e"]);
        assert_eq!(config.exposed_ports, ["80/tcp", "81/udp", "abc/tcp"]);
        assert_eq!(config.volumes, ["/a", "/b", "/c"]);
        assert_eq!(
            (&*config.user, &*config.work_dir, &*config.stop_signal),
            ("1:2", "/a/c", "9")
        );
        assert_eq!(
            (changes.on_build, changes.shell),
            (strings(&["RUN x"]), strings(&["a", "b"]))
        );
        let health = config.health.as_ref().unwrap();
        assert_eq!(health.test, ["CMD-SHELL", "true && false"]);
        assert_eq!((health.interval_ns, health.retries), (90_000_000_000, 2));
    }

    fn refused(line: &str, at: &str, cause: &str) {
        let fault = applied(&[line]).unwrap_err();
        assert_eq!((&*fault.at, &*fault.cause), (at, cause), "{line}");
    }

    /// Messages of Podman 5.8.6, but of the three that it takes and forgets.
    #[test]
    fn what_is_no_change_is_refused_in_podmans_words() {
        for (line, at, cause) in [
            (
                "FOO bar",
                "processing change \"FOO bar\"",
                "did not understand change instruction \"FOO bar\"",
            ),
            (
                "FOO",
                "processing change \"FOO\"",
                "did not understand change instruction \"FOO\"",
            ),
            (
                "FROM x",
                "processing change \"FROM x\"",
                "did not understand change instruction \"FROM x\"",
            ),
            (
                "LABEL a",
                "parsing change set LABEL a",
                "LABEL must have two arguments",
            ),
            (
                "ENV A",
                "parsing change set ENV A",
                "ENV must have two arguments",
            ),
            (
                "CMD [\"a\",1]",
                "parsing change set CMD [\"a\",1]",
                "when using JSON array syntax, arrays must be comprised of strings only",
            ),
        ] {
            refused(line, at, cause);
        }
    }

    /// The same.
    #[test]
    fn what_lacks_something_is_refused_in_podmans_words() {
        for (line, at, cause) in [
            (
                "LABEL",
                "processing change \"LABEL\"",
                "LABEL requires at least one argument",
            ),
            (
                "ENV",
                "processing change \"ENV\"",
                "ENV requires at least one argument",
            ),
            (
                "EXPOSE",
                "processing change \"EXPOSE\"",
                "EXPOSE requires at least one argument",
            ),
            (
                "VOLUME",
                "processing change \"VOLUME\"",
                "VOLUME requires at least one argument",
            ),
            (
                "USER",
                "processing change \"USER\"",
                "USER requires exactly one argument",
            ),
            (
                "WORKDIR",
                "processing change \"WORKDIR\"",
                "WORKDIR requires exactly one argument",
            ),
            (
                "STOPSIGNAL FOO",
                "processing change \"STOPSIGNAL FOO\"",
                "Invalid signal: FOO",
            ),
            (
                "ONBUILD ONBUILD RUN",
                "processing change \"ONBUILD ONBUILD RUN\"",
                "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
            ),
            (
                "ADD a b",
                "processing change \"ADD a b\"",
                "ADD/COPY not supported as changes",
            ),
        ] {
            refused(line, at, cause);
        }
    }
}
