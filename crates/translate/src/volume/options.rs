//! Options of a volume (`podman volume create --opt`): what they ask to be mounted, and for whom.
//!
//! Keys are `type`, `device`, `o`, `copy` and `nocopy`; `o` is what `mount -o` takes, and Podman reads
//! `uid`, `gid`, `size`, `inodes` and `noquota` out of it. Podman finds out at a container's start what `mount`
//! does not take; here that is refused at once.

use std::collections::BTreeMap;

use model::Error;
use model::volume::VolumeMount;

use model::container::PROPAGATIONS;

/// Flags of a mount by their words in `mount(8)`.
const FLAGS: &[&str] = &[
    "ro",
    "rw",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "strictatime",
    "nosymfollow",
];
/// Words for whoever reads `/etc/fstab`.
const OF_FSTAB: &[&str] = &["defaults", "auto", "noauto", "nofail", "_netdev"];
/// Words that ask `mount(8)` for more than one mount.
const OTHER_WORK: &[&str] = &["rbind", "move", "remount", "loop"];
/// File systems that `mount(8)` leaves to a program of their own.
const WITH_HELPER: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "ceph",
    "glusterfs",
    "sshfs",
    "fuse",
    "fuseblk",
    "ntfs-3g",
];
/// Types that mean a bind mount.
const BIND_TYPES: &[&str] = &["", "none", "bind"];

/// What the options of a volume come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// As inspect shows them: with `UID`, `GID`, `SIZE` and `NOQUOTA` beside `o`.
    pub(super) shown: BTreeMap<String, String>,
    pub(super) mount: Option<VolumeMount>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

/// Reads the options of a volume of the driver `local`.
///
/// # Errors
/// [`Error::InvalidArgument`] for a key that is none and [`Error::Failed`] for a value that cannot be read, in
/// Podman's words; [`Error::Unsupported`] for what is not carried out.
pub(super) fn parse(options: &BTreeMap<String, String>) -> Result<Parsed, Error> {
    let mut parsed = Parsed::default();
    let mut words = Words::default();
    if let Some(text) = options.get("o") {
        words.read(text, &mut parsed)?;
    }
    options.keys().try_for_each(|key| check_key(key))?;
    let value = |key| options.get(key).map_or("", String::as_str);
    let (kind, device) = (value("type"), value("device"));
    parsed.mount = words.mount(kind, device)?;
    parsed.check_size(kind)?;
    let given = options.iter().filter(|(key, _)| *key != "o");
    let given = given.map(|(key, value)| (key.clone(), value.clone()));
    parsed.shown.extend(given);
    Ok(parsed)
}

fn check_key(key: &str) -> Result<(), Error> {
    match key {
        "o" | "type" | "device" | "copy" | "nocopy" => Ok(()),
        "uid" | "gid" | "size" | "inodes" | "noquota" => Err(Error::unsupported(
            format!("Options[{key}]"),
            format!("Podman does not look at it there; give it in o, as in o={key}=…"),
        )),
        _ => Err(Error::InvalidArgument(format!(
            "invalid mount option {key} for driver 'local'"
        ))),
    }
}

impl Parsed {
    /// A size is a tmpfs's; elsewhere it asks for a quota.
    fn check_size(&self, kind: &str) -> Result<(), Error> {
        let has = |key| self.shown.contains_key(key);
        if has("NOQUOTA") && (has("SIZE") || has("INODES")) {
            let text = "volume options size and inodes cannot be used without quota";
            return Err(Error::Plain(text.to_owned()));
        }
        if kind == "tmpfs" && has("INODES") {
            let text = "volume option inodes not supported on tmpfs filesystem";
            return Err(Error::Plain(text.to_owned()));
        }
        let quota = ["SIZE", "INODES"].into_iter().find(|key| has(key));
        match quota.filter(|_| kind != "tmpfs") {
            Some(key) => Err(refused(
                &key.to_lowercase(),
                "quotas of folders are not set here; only a volume of type tmpfs has a size",
            )),
            None => Ok(()),
        }
    }
}

/// The words of `o`.
#[derive(Default)]
struct Words {
    flags: Vec<String>,
    data: Vec<String>,
    bind: bool,
}

impl Words {
    fn read(&mut self, text: &str, parsed: &mut Parsed) -> Result<(), Error> {
        let mut shown = Vec::new();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            if word == "noquota" {
                let noquota = ("NOQUOTA".to_owned(), "true".to_owned());
                parsed.shown.extend([noquota]);
                continue;
            }
            shown.push(word);
            self.read_word(word, parsed)?;
        }
        if !shown.is_empty() || text.is_empty() {
            let shown = shown.join(",");
            parsed.shown.insert("o".to_owned(), shown);
        }
        Ok(())
    }

    fn read_word(&mut self, word: &str, parsed: &mut Parsed) -> Result<(), Error> {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        };
        match key {
            "uid" => parsed.uid = Some(owner("UID", value)?),
            "gid" => parsed.gid = Some(owner("GID", value)?),
            "size" => check_size(value.unwrap_or_default())?,
            "inodes" => check_inodes(value.unwrap_or_default())?,
            "timeout" => return Err(refused(word, "timeouts are those of volume plugins")),
            "copy" | "nocopy" => {
                return Err(refused(
                    word,
                    "mount(8) does not know it; it is an option of its own",
                ));
            }
            "bind" => self.bind = true,
            _ if OTHER_WORK.contains(&key) || PROPAGATIONS.contains(&key) => {
                return Err(refused(
                    word,
                    "a volume is one mount of its own; mount it on the host, and bind that folder",
                ));
            }
            _ if FLAGS.contains(&word) => self.flags.push(word.to_owned()),
            _ if OF_FSTAB.contains(&key) || key.starts_with("x-") => {}
            _ => self.data.push(word.to_owned()),
        }
        if let ("uid" | "gid" | "size" | "inodes", Some(value)) = (key, value) {
            self.data.push(word.to_owned());
            parsed.shown.insert(key.to_uppercase(), value.to_owned());
        }
        Ok(())
    }

    /// What they ask to be mounted, with type and device; nothing where they name an owner alone.
    fn mount(self, kind: &str, device: &str) -> Result<Option<VolumeMount>, Error> {
        let of_podman = |word: &&String| {
            let key = word.split_once('=').map_or("", |(key, _)| key);
            ["uid", "gid", "size", "inodes"].contains(&key)
        };
        let other = self.data.iter().find(|word| !of_podman(word));
        if kind.is_empty() && device.is_empty() {
            let bind = self.bind.then_some("bind");
            let flag = self.flags.first().map(String::as_str);
            return match bind.or(flag).or(other.map(String::as_str)) {
                Some(word) => Err(refused(word, "there is no type and no device to mount")),
                None => Ok(None),
            };
        }
        let mut mount = VolumeMount {
            file_system: None,
            device: device.to_owned(),
            flags: self.flags,
            data: Vec::new(),
        };
        if self.bind || kind == "bind" {
            if !BIND_TYPES.contains(&kind) {
                return Err(refused("bind", "the type names a file system"));
            }
            if let Some(word) = other {
                return Err(refused(word, "a bind mount has no file system to read it"));
            }
            if !device.starts_with('/') {
                return Err(Error::InvalidArgument(format!(
                    "Options[device]: {device:?} is not an absolute path"
                )));
            }
            return Ok(Some(mount));
        }
        check_type(kind)?;
        if device.is_empty() {
            kind.clone_into(&mut mount.device); // what mount(8) would be told
        }
        mount.file_system = Some(kind.to_owned());
        mount.data = self.data;
        Ok(Some(mount))
    }
}

fn check_type(kind: &str) -> Result<(), Error> {
    let why = match kind {
        "" => {
            "the file system of a device is not guessed; name its type, or bind a folder with o=bind"
        }
        "none" => "nothing but a bind mount has this type; add o=bind",
        _ if WITH_HELPER.contains(&kind) || kind.starts_with("fuse.") => {
            "its mounts are made by a helper program of mount(8), which is not run here; mount it on the host, \
             and bind that folder"
        }
        _ => return Ok(()),
    };
    Err(Error::unsupported(format!("Options[type] {kind:?}"), why))
}

fn refused(word: &str, why: &str) -> Error {
    Error::unsupported(format!("Options[o] {word:?}"), why)
}

fn owner(name: &str, value: Option<&str>) -> Result<u32, Error> {
    let Some(value) = value else {
        let key = name.to_lowercase();
        return Err(Error::InvalidArgument(format!(
            "{key} option must provide a {name}"
        )));
    };
    value.parse().map_err(|_| {
        let cause = "invalid syntax".to_owned();
        Error::Failed {
            message: format!(
                "cannot convert {name} {value} to integer: strconv.Atoi: parsing {value:?}: {cause}"
            ),
            cause,
        }
    })
}

/// Podman's sizes: a number, blanks, and a unit to the power of 1,000 with or without `b`.
fn check_size(text: &str) -> Result<(), Error> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(number.len()..).unwrap_or_default();
    let unit = unit.to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let unit = unit.strip_suffix('i').unwrap_or(unit);
    let known = unit.is_empty() || (unit.len() == 1 && "kmgtp".contains(unit));
    let number = number.trim_end().parse::<f64>();
    if known && number.is_ok_and(|number| number >= 0.0) {
        return Ok(());
    }
    let cause = format!("invalid size: '{text}'");
    Err(Error::Failed {
        message: format!("cannot convert size {text} to integer: {cause}"),
        cause,
    })
}

fn check_inodes(text: &str) -> Result<(), Error> {
    text.parse::<u64>().map(drop).map_err(|_| {
        let cause = "invalid syntax".to_owned();
        Error::Failed {
            message: format!(
                "cannot convert inodes {text} to integer: strconv.ParseUint: parsing {text:?}: {cause}"
            ),
            cause,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Parsed, Error> {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        parse(&pairs.iter().map(owned).collect())
    }

    fn words(text: &str) -> Vec<String> {
        text.split_terminator(',').map(str::to_owned).collect()
    }

    #[test]
    fn a_tmpfs_has_its_size_and_owner_and_inspect_shows_them() {
        // recorded: volume create --opt type=tmpfs --opt device=tmpfs --opt o=…
        let o = "size=2m,uid=5,gid=7,mode=700,nodev";
        let parsed = read(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", o)]).unwrap();
        let shown: Vec<_> = parsed
            .shown
            .iter()
            .map(|(key, value)| format!("{key}:{value}"))
            .collect();
        let want = format!("GID:7 SIZE:2m UID:5 device:tmpfs o:{o} type:tmpfs");
        assert_eq!(shown.join(" "), want);
        assert_eq!((parsed.uid, parsed.gid), (Some(5), Some(7)));
        let mount = parsed.mount.unwrap();
        assert_eq!(mount.file_system.as_deref(), Some("tmpfs"));
        assert_eq!(mount.flags, ["nodev"]);
        assert_eq!(mount.data, words("size=2m,uid=5,gid=7,mode=700"));
        let bare = read(&[("type", "tmpfs")]).unwrap().mount.unwrap();
        assert_eq!(bare.device, "tmpfs");
    }

    #[test]
    fn the_forms_of_a_bind_mean_the_same() {
        for (kind, o) in [("bind", ""), ("bind", "bind"), ("none", "bind")] {
            let parsed = read(&[("type", kind), ("device", "/srv"), ("o", o)]).unwrap();
            let mount = parsed.mount.unwrap();
            assert_eq!((mount.file_system, mount.device.as_str()), (None, "/srv"));
        }
        let parsed = read(&[("device", "/srv"), ("o", "bind,ro,uid=5")]).unwrap();
        let mount = parsed.mount.unwrap();
        assert_eq!((mount.flags, mount.data), (words("ro"), Vec::new()));
    }

    #[test]
    fn an_owner_alone_mounts_nothing() {
        for (o, uid, shown) in [
            ("uid=5,gid=6", Some(5), "GID UID o"),
            ("noquota", None, "NOQUOTA"),
            ("", None, "o"),
        ] {
            let parsed = read(&[("o", o)]).unwrap();
            let keys: Vec<_> = parsed.shown.keys().map(String::as_str).collect();
            let of = (parsed.mount, parsed.uid, keys.join(" "));
            assert_eq!(of, (None, uid, shown.to_owned()), "{o}");
        }
        assert_eq!(read(&[("nocopy", "")]).unwrap().mount, None);
    }

    #[test]
    fn what_cannot_be_meant_is_told_in_podmans_words() {
        // recorded
        for (key, value, text) in [
            (
                "foo",
                "bar",
                "invalid mount option foo for driver 'local': invalid argument",
            ),
            (
                "o",
                "uid",
                "uid option must provide a UID: invalid argument",
            ),
            (
                "o",
                "uid=abc",
                "cannot convert UID abc to integer: strconv.Atoi: parsing \"abc\": invalid syntax",
            ),
            (
                "o",
                "size=xx",
                "cannot convert size xx to integer: invalid size: 'xx'",
            ),
            (
                "o",
                "size=2m,noquota",
                "volume options size and inodes cannot be used without quota",
            ),
        ] {
            let error = read(&[(key, value)]).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
        for size in ["5", "5m", "1.5G", "10 kB", "1GiB"] {
            check_size(size).unwrap();
        }
        for size in ["", "m", "5x", "-1", "5mm"] {
            check_size(size).unwrap_err();
        }
    }

    #[test]
    fn what_is_not_carried_out_is_refused_by_name() {
        for (pairs, name) in [
            ([("o", "size=5m"), ("copy", "")].as_slice(), "\"size\""),
            (&[("o", "inodes=5")], "\"inodes\""),
            (&[("o", "nodev")], "\"nodev\""),
            (&[("o", "bind")], "\"bind\""),
            (&[("o", "nocopy")], "\"nocopy\""),
            (&[("o", "timeout=5")], "\"timeout=5\""),
            (&[("uid", "5")], "Options[uid]"),
            (&[("device", "/dev/sdx1")], "Options[type]"),
            (&[("type", "none"), ("device", "/srv")], "Options[type]"),
            (&[("type", "nfs"), ("device", ":/x")], "\"nfs\""),
            (&[("device", "/srv"), ("o", "rbind")], "\"rbind\""),
            (&[("device", "/srv"), ("o", "bind,foo=1")], "\"foo=1\""),
        ] {
            let error = read(pairs).unwrap_err();
            let named = matches!(&error, Error::Unsupported { what, .. } if what.contains(name));
            assert!(named, "{pairs:?}: {error}");
        }
    }
}
