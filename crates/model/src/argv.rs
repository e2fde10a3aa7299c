//! What a container executes, by Podman's rules.

use crate::container::ContainerSpec;

/// What a container executes: entry point and arguments after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argv {
    /// The entry point in effect; empty where there is none.
    pub entrypoint: Vec<String>,
    /// The arguments in effect.
    pub cmd: Vec<String>,
}

impl Argv {
    /// Both together.
    pub fn all(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.cmd).cloned().collect()
    }
}

/// Podman's rule (each case recorded): a given entry point drops the image's CMD, an empty one drops
/// the image's entry point alone, `[""]` both. With nothing left Podman executes `""`, which no PATH has.
pub fn effective_argv(spec: &ContainerSpec) -> Argv {
    let image = &spec.image.config;
    let asked = spec.command.as_deref().unwrap_or_default();
    let (entrypoint, keeps_image_cmd) = match spec.entrypoint.as_deref() {
        None => (image.entrypoint.as_slice(), true),
        Some([]) => (&[] as &[String], true),
        Some([only]) if only.is_empty() => (&[] as &[String], false),
        Some(given) => (given, false),
    };
    let cmd = match asked {
        [] if keeps_image_cmd => image.cmd.as_slice(),
        asked => asked,
    };
    match entrypoint.is_empty() && cmd.is_empty() {
        true => Argv {
            entrypoint: Vec::new(),
            cmd: vec![String::new()],
        },
        false => Argv {
            entrypoint: entrypoint.to_vec(),
            cmd: cmd.to_vec(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace()
            .map(|word| word.replace("''", ""))
            .collect()
    }

    /// Each row was asked of Podman 5.8.6: image entry point, image cmd, asked entry point, asked command.
    #[test]
    fn entry_point_and_command_follow_podmans_recorded_table() {
        let table = [
            ("echo EP", "c1", None, None, "echo EP c1"),
            ("echo EP", "c1", Some(""), None, "c1"),
            ("echo EP", "c1", Some(""), Some("a"), "a"),
            ("echo EP", "c1", Some("''"), None, "''"),
            ("echo EP", "c1", Some("''"), Some("a"), "a"),
            ("echo EP", "c1", None, Some("a"), "echo EP a"),
            ("echo EP", "c1", None, Some(""), "echo EP c1"),
            ("echo EP", "c1", Some("e"), None, "e"),
            ("echo EP", "c1", None, Some("''"), "echo EP ''"),
            ("echo EP", "c1", Some("'' ''"), None, "'' ''"),
            ("echo EP", "", Some(""), None, "''"),
            ("", "", None, None, "''"),
            ("", "", None, Some("a"), "a"),
            ("", "", Some("e"), Some("a b"), "e a b"),
            ("", "sh", None, None, "sh"),
        ];
        for (image_entrypoint, image_cmd, entrypoint, command, wanted) in table {
            let mut spec = ContainerSpec {
                entrypoint: entrypoint.map(words),
                command: command.map(words),
                ..ContainerSpec::default()
            };
            spec.image.config.entrypoint = words(image_entrypoint);
            spec.image.config.cmd = words(image_cmd);
            let effective = effective_argv(&spec);
            let row = format!("{image_entrypoint} | {image_cmd} | {entrypoint:?} | {command:?}");
            assert_eq!(effective.all(), words(wanted), "{row}");
        }
    }
}
