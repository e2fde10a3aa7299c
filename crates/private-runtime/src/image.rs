//! Images made here: no registry is needed for a demo or a test.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    command,
    error::{Context, Error, Result},
    host,
    paths::hex,
    pause,
    tar::{Entry, archive},
};

/// The time of creation of all images made here, so that equal images have equal ids.
const CREATED: (&str, u64) = ("2024-01-01T00:00:00Z", 1_704_067_200);

/// The name runtimes are told to use for the sandbox's own container.
pub const PAUSE_NAME: &str = "localhost/pause:latest";
/// The demo image's name.
pub const BUSYBOX_NAME: &str = "localhost/busybox:latest";

/// An image of one layer. Fields at their default are left out of its configuration.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Full names with tags.
    pub names: Vec<String>,
    /// What the layer holds; parents before children.
    pub files: Vec<Entry>,
    /// The program.
    pub entrypoint: Vec<String>,
    /// Its arguments, or the program where there is no entrypoint.
    pub command: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// The working folder.
    pub workdir: String,
    /// `user`, `user:group`, names or numbers.
    pub user: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Folders that are volumes.
    pub volumes: Vec<String>,
    /// Ports as `80/tcp`.
    pub ports: Vec<String>,
    /// The signal that ends its containers.
    pub stop_signal: String,
}

impl Image {
    /// The sandbox image: one program that sleeps.
    pub fn pause(busybox: &Path) -> Result<Self> {
        let names = vec![PAUSE_NAME.to_owned()];
        if let Some(program) = pause::program() {
            return Ok(Self {
                names,
                files: vec![Entry::file("pause", 0o755, program)],
                entrypoint: vec!["/pause".into()],
                ..Self::default()
            });
        }
        let script = format!("#!/bin/busybox sh\n{}\n", pause::SHELL);
        let mut files = vec![Entry::folder("bin")];
        files.push(Entry::file("bin/busybox", 0o755, read(busybox)?));
        files.push(Entry::link("bin/sleep", "/bin/busybox"));
        files.push(Entry::file("pause", 0o755, script));
        Ok(Self {
            names,
            files,
            entrypoint: vec!["/pause".into()],
            env: vec!["PATH=/bin".into()],
            ..Self::default()
        })
    }

    /// The demo image: the host's static busybox with a link for each of its applets.
    pub fn busybox(names: &[&str]) -> Result<Self> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let program = host::static_busybox().ok_or_else(|| Error::Image {
            image: names.first().cloned().unwrap_or_default(),
            reason: "no static busybox on PATH".into(),
        })?;
        let applets = command::output(&program, &["--list"])?;
        let mut files: Vec<Entry> = ["bin", "dev", "etc", "home", "proc", "root", "sys", "var"]
            .map(Entry::folder)
            .into();
        files.push(Entry {
            mode: 0o1777,
            ..Entry::folder("tmp")
        });
        files.push(Entry::file("bin/busybox", 0o755, read(&program)?));
        let links = applets.lines().map(str::trim);
        files.extend(
            links
                .filter(|name| !name.is_empty() && *name != "busybox" && !name.contains('/'))
                .map(|name| Entry::link(&format!("bin/{name}"), "/bin/busybox")),
        );
        let users = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n\
                     www-data:x:33:33:www-data:/var/www:/bin/false\n\
                     nobody:x:65534:65534:nobody:/home:/bin/false\n";
        let groups = "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n";
        files.push(Entry::file("etc/passwd", 0o644, users));
        files.push(Entry::file("etc/group", 0o644, groups));
        Ok(Self {
            names,
            files,
            command: vec!["sh".into()],
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
            ..Self::default()
        })
    }

    /// The image as a docker archive, and its id.
    pub fn archive(&self) -> Result<(String, Vec<u8>)> {
        let layer = archive(&self.files, CREATED.1)?;
        let layer_digest = hex(&Sha256::digest(&layer));
        let config = self.config(&layer_digest).to_string().into_bytes();
        let id = hex(&Sha256::digest(&config));
        let (config_file, layer_file) = (format!("{id}.json"), format!("{layer_digest}.tar"));
        let manifest = json!([{
            "Config": config_file,
            "RepoTags": self.names,
            "Layers": [layer_file],
        }]);
        let entries = [
            Entry::file(&layer_file, 0o644, layer),
            Entry::file(&config_file, 0o644, config),
            Entry::file("manifest.json", 0o644, manifest.to_string()),
        ];
        Ok((id, archive(&entries, CREATED.1)?))
    }

    fn config(&self, layer: &str) -> Value {
        let set = |items: &[String]| -> Value {
            let keys = items.iter().map(|item| (item.clone(), json!({})));
            Value::Object(keys.collect::<Map<_, _>>())
        };
        let fields = [
            (
                "Entrypoint",
                json!(self.entrypoint),
                self.entrypoint.is_empty(),
            ),
            ("Cmd", json!(self.command), self.command.is_empty()),
            ("Env", json!(self.env), self.env.is_empty()),
            ("WorkingDir", json!(self.workdir), self.workdir.is_empty()),
            ("User", json!(self.user), self.user.is_empty()),
            ("Labels", json!(self.labels), self.labels.is_empty()),
            ("Volumes", set(&self.volumes), self.volumes.is_empty()),
            ("ExposedPorts", set(&self.ports), self.ports.is_empty()),
            (
                "StopSignal",
                json!(self.stop_signal),
                self.stop_signal.is_empty(),
            ),
        ];
        let config: Map<_, _> = fields
            .into_iter()
            .filter(|(_, _, unset)| !unset)
            .map(|(key, value, _)| (key.to_owned(), value))
            .collect();
        json!({
            "architecture": architecture(),
            "os": "linux",
            "created": CREATED.0,
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
            "history": [{ "created": CREATED.0, "created_by": "podman-cri" }],
        })
    }
}

/// This machine in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_images_have_equal_ids() {
        let image = Image {
            names: vec!["localhost/x:latest".into()],
            command: vec!["sh".into()],
            ..Image::default()
        };
        let (id, _) = image.archive().unwrap();
        assert_eq!(id.len(), 64);
        assert_eq!(image.archive().unwrap().0, id);
    }

    #[test]
    fn unset_fields_are_left_out() {
        let config = Image::default().config("00");
        assert_eq!(config["config"], json!({}));
    }
}
