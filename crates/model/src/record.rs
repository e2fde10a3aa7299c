//! The record that travels in an annotation of every CRI object made here.
//!
//! Form: one version digit, a colon, then base64 of deflated JSON. About 2 KiB and never above
//! [`LIMIT`]; what does not fit stays in the store alone and the record says so. It holds no
//! environment values, credentials or secrets: an annotation is readable by every CRI client.
//! Records of every released version stay readable; `fixtures/` holds one of each.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use crate::container::ContainerRecord;
use crate::health::Health;
use crate::pod::SandboxRecord;

/// Annotation: the store's uuid.
pub const OWNER: &str = "io.podman-cri.owner";
/// Annotation: the Podman id.
pub const ID: &str = "io.podman-cri.id";
/// Annotation: the encoded record.
pub const RECORD: &str = "io.podman-cri.record";
/// Annotation or label by which a client chooses a runtime handler.
pub const HANDLER: &str = "io.podman-cri.runtime-handler";
/// What stands there for the runtime's own default, whatever the daemon's or a socket's is: helpers that are to live on this
/// host have it. A handler of this name comes before.
pub const LOCAL_HANDLER: &str = "local";
/// Every annotation whose name starts so is ours.
pub const PREFIX: &str = "io.podman-cri.";

/// Bytes of an encoded record at most.
pub const LIMIT: usize = 16 * 1024;
/// Bytes of a decoded record at most: what an annotation of somebody else can make us unpack.
const UNPACKED_LIMIT: u64 = 1024 * 1024;

const VERSION: &str = "1:";

/// What a record says, enough to adopt the object it is attached to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// Of a CRI container.
    Container(Box<ContainerRecord>),
    /// Of a CRI sandbox.
    Sandbox(Box<SandboxRecord>),
    /// Too large: only the store has it.
    TooLarge {
        /// Name of the object.
        name: String,
    },
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
#[error("record is not readable: {0}")]
pub struct Unreadable(String);

/// Encodes a container's record, without environment values.
pub fn encode_container(record: &ContainerRecord) -> String {
    let mut slim = record.clone();
    for value in slim.spec.env.values_mut() {
        value.clear();
    }
    slim.spec.image.config.env.clear();
    slim.spec.create_command.clear();
    // of the run before, and what a check writes may be anything
    slim.progress.health = Health::default();
    encode(&Record::Container(Box::new(slim)), &record.name)
}

/// Encodes a sandbox's record.
pub fn encode_sandbox(record: &SandboxRecord) -> String {
    let mut slim = record.clone();
    slim.spec.create_command.clear();
    encode(&Record::Sandbox(Box::new(slim)), &record.name)
}

fn encode(record: &Record, name: &str) -> String {
    let text = pack(record);
    if text.len() <= LIMIT {
        return text;
    }
    pack(&Record::TooLarge {
        name: name.to_owned(),
    })
}

fn pack(record: &Record) -> String {
    let json = serde_json::to_vec(record).expect("a record has only string keys");
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(&json)
        .expect("memory takes what is written");
    let packed = encoder.finish().expect("memory takes what is written");
    format!("{VERSION}{}", STANDARD_NO_PAD.encode(packed))
}

/// Reads a record of any released version.
///
/// # Errors
/// [`Unreadable`] for another version, damaged text, or more than the limit.
pub fn decode(text: &str) -> Result<Record, Unreadable> {
    let body = text
        .strip_prefix(VERSION)
        .ok_or_else(|| Unreadable("unknown version".to_owned()))?;
    if text.len() > LIMIT {
        return Err(Unreadable(format!("longer than {LIMIT} bytes")));
    }
    let packed = STANDARD_NO_PAD
        .decode(body)
        .map_err(|error| Unreadable(error.to_string()))?;
    let mut json = Vec::new();
    DeflateDecoder::new(packed.as_slice())
        .take(UNPACKED_LIMIT)
        .read_to_end(&mut json)
        .map_err(|error| Unreadable(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Id;
    use crate::container::{ContainerSpec, Device, IpcMode, PidMode, Progress, SeccompProfile};
    use crate::secret::SecretMount;

    fn record() -> ContainerRecord {
        ContainerRecord {
            id: Id::generate(),
            name: "web".to_owned(),
            sandbox: Id::generate(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            spec: ContainerSpec {
                env: [("TOKEN".to_owned(), "hunter2".to_owned())].into(),
                labels: [("a".to_owned(), "b".to_owned())].into(),
                ..ContainerSpec::default()
            },
            progress: Progress::default(),
        }
    }

    #[test]
    fn a_record_comes_back_without_environment_values() {
        let record = record();
        let text = encode_container(&record);
        assert!(text.len() < 2048, "{}", text.len());
        let Record::Container(back) = decode(&text).unwrap() else {
            panic!("a container's record")
        };
        assert_eq!(back.id, record.id);
        assert_eq!(back.spec.labels, record.spec.labels);
        assert_eq!(back.spec.env.get("TOKEN").map(String::as_str), Some(""));
    }

    #[test]
    fn a_record_too_large_says_so() {
        let mut record = record();
        for n in 0..4000u32 {
            let noise = Id::generate();
            record
                .spec
                .labels
                .insert(format!("k{n}"), noise.to_string());
        }
        let text = encode_container(&record);
        assert!(text.len() <= LIMIT);
        assert_eq!(
            decode(&text).unwrap(),
            Record::TooLarge {
                name: "web".to_owned()
            }
        );
    }

    #[test]
    fn damaged_records_are_errors_not_panics() {
        for text in ["", "1:", "1:!!", "2:AAAA", "1:AAAA", "x"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    /// A record written by version 0.1.0: it must be readable for ever. A new form gets a fixture of
    /// its own, made by printing `encode_container` of a record with every kind of field.
    #[test]
    fn the_first_versions_record_is_readable() {
        let text = include_str!("../fixtures/container-v1.txt").trim();
        let Record::Container(record) = decode(text).unwrap() else {
            panic!("a container's record")
        };
        assert_eq!(record.name, "web");
        assert_eq!(record.spec.labels.get("a").map(String::as_str), Some("b"));
        assert_eq!(record.spec.mounts.len(), 1);
        assert_eq!(record.progress.last_attempt, 2);
    }

    /// The same with devices, namespaces and security options, which came later.
    fn with_flags() -> ContainerRecord {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        ContainerRecord {
            spec: ContainerSpec {
                devices: vec![Device {
                    source: "/dev/null".to_owned(),
                    destination: "/dev/mine".to_owned(),
                    permissions: "rw".to_owned(),
                }],
                shm_bytes: Some(1 << 20),
                pid: PidMode::Host,
                ipc: IpcMode::Private,
                sysctls: [("kernel.sem".to_owned(), "1".to_owned())].into(),
                cgroup_parent: Some("/mine".to_owned()),
                apparmor_unconfined: true,
                selinux: words(&["type:spc_t"]),
                mask: words(&["/home"]),
                unmask: words(&["/proc/*"]),
                ..record().spec
            },
            ..record()
        }
    }

    #[test]
    fn a_record_with_flags_is_readable() {
        let text = include_str!("../fixtures/container-v1-flags.txt").trim();
        let Record::Container(read) = decode(text).unwrap() else {
            panic!("a container's record")
        };
        let mut wanted = with_flags().spec;
        wanted.env.values_mut().for_each(String::clear);
        assert_eq!(read.spec, wanted);
    }

    /// The same with profiles and secrets.
    fn with_profiles() -> ContainerRecord {
        ContainerRecord {
            spec: ContainerSpec {
                seccomp: Some(SeccompProfile {
                    asked: "/etc/seccomp.json".to_owned(),
                    resolved: r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.to_owned(),
                }),
                apparmor: Some("mine".to_owned()),
                secrets: vec![SecretMount {
                    name: "token".to_owned(),
                    id: "bf48c8b92cf059c5cffb3817b".to_owned(),
                    target: "/etc/token".to_owned(),
                    uid: 1,
                    gid: 2,
                    mode: 0o440,
                }],
                secret_env: [("TOKEN".to_owned(), "token".to_owned())].into(),
                ..record().spec
            },
            ..record()
        }
    }

    #[test]
    fn a_record_with_profiles_and_secrets_is_readable() {
        let text = include_str!("../fixtures/container-v1-profiles.txt").trim();
        let Record::Container(read) = decode(text).unwrap() else {
            panic!("a container's record")
        };
        let mut wanted = with_profiles().spec;
        wanted.env.values_mut().for_each(String::clear);
        assert_eq!(read.spec, wanted);
    }
}
