//! Security options of both faces: new privileges, seccomp, `SELinux`, `AppArmor`, hidden paths.

use model::Error;
use model::container::{ContainerSpec, SeccompProfile};
use model::paths;

use crate::fields::{PRIVILEGED_MASK, SECURITY_OPT, SELINUX_FILES};
use crate::refuse::{Body, invalid};

/// What a container's record keeps of them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Security {
    pub(crate) no_new_privileges: bool,
    pub(crate) seccomp: Profile,
    pub(crate) apparmor: Profile,
    pub(crate) selinux: Vec<String>,
    pub(crate) mask: Vec<String>,
    pub(crate) unmask: Vec<String>,
    pub(crate) proc_options: Vec<String>,
}

/// `SecurityOpt` of a compat create and `security_opt` of a pod's: `KEY=VALUE`, or the old `KEY:VALUE`.
///
/// # Errors
/// [`Error::Unsupported`] for a value that is not carried out; else Podman's text behind what it says it was `doing`.
pub(crate) fn from_words(
    body: Body,
    field: &str,
    options: &[String],
    doing: &str,
) -> Result<Security, Error> {
    let mut security = Security::default();
    for option in options {
        let (key, value) = option
            .split_once('=')
            .or_else(|| option.split_once(':'))
            .map_or((option.as_str(), None), |(key, value)| (key, Some(value)));
        let malformed = |text: String| Err(Error::Plain(text).behind(doing));
        match (key, value) {
            ("no-new-privileges", None | Some("true" | "1" | "t" | "T" | "TRUE" | "True")) => {
                security.no_new_privileges = true;
            }
            ("no-new-privileges", Some("false" | "0" | "f" | "F" | "FALSE" | "False")) => {
                security.no_new_privileges = false;
            }
            ("seccomp", Some(profile)) => security.seccomp = Profile::asked(profile),
            ("apparmor", Some(profile)) => security.apparmor = Profile::asked(profile),
            ("label", Some(option)) => security.selinux.push(option.to_owned()),
            ("mask", Some(paths)) => security.mask.extend(apart(paths)),
            ("unmask", Some(paths)) => security.unmask.extend(apart(paths)),
            ("systempaths", Some("unconfined")) => security.unmask.push(paths::ALL.to_owned()),
            ("systempaths", Some(other)) => {
                return malformed(format!(
                    "invalid systempaths option {other:?}, only `unconfined` is supported"
                ));
            }
            ("proc-opts", Some(options)) => {
                security.proc_options = options.split(',').map(ToOwned::to_owned).collect();
            }
            (_, Some(_)) => return malformed(format!("invalid --security-opt 2: {option:?}")),
            (_, None) => return malformed(format!("invalid --security-opt 1: {option:?}")),
        }
    }
    check_labels(body, field, &security.selinux, SECURITY_OPT)?;
    check_masks(field, &security.mask)?;
    Ok(security)
}

/// `mask` of a libpod create.
///
/// # Errors
/// A path that is not absolute, which Podman leaves out.
pub(super) fn masks(paths: &[String]) -> Result<Vec<String>, Error> {
    let all: Vec<String> = paths.iter().flat_map(|paths| apart(paths)).collect();
    check_masks("mask", &all)?;
    Ok(all)
}

/// `unmask` of a libpod create.
pub(super) fn unmasks(patterns: &[String]) -> Vec<String> {
    patterns.iter().flat_map(|text| apart(text)).collect()
}

/// Podman's word for no profile at all.
pub(super) const UNCONFINED: &str = "unconfined";

/// Which profile is asked for, of seccomp or of `AppArmor`.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Profile {
    /// None is named: the runtime's default one.
    #[default]
    Default,
    /// None at all.
    Unconfined,
    /// This one.
    Own(String),
}

/// The seccomp profile of a libpod create: that of the image's label, whatever file is named, or the one that is named.
///
/// # Errors
/// A policy that Podman does not know, in its words.
pub(super) fn seccomp_by_policy(policy: &str, path: &str) -> Result<Profile, Error> {
    match policy {
        "" | "default" => Ok(Profile::asked(path)),
        "image" => Ok(Profile::Own(String::new())),
        other => Err(Error::Plain(format!(
            "invalid seccomp policy {other:?}: valid policies are [\"default\" \"image\"]"
        ))),
    }
}

impl Profile {
    pub(super) fn asked(profile: &str) -> Self {
        match profile {
            "" => Self::Default,
            UNCONFINED => Self::Unconfined,
            own => Self::Own(own.to_owned()),
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        *self == Self::Unconfined
    }

    /// Its name, where it has one.
    pub(crate) fn own(self) -> Option<String> {
        match self {
            Self::Own(name) => Some(name),
            Self::Default | Self::Unconfined => None,
        }
    }

    /// As a seccomp profile, which the engine is to read.
    pub(crate) fn of_seccomp(self) -> Option<SeccompProfile> {
        self.own().map(|asked| SeccompProfile {
            asked,
            ..SeccompProfile::default()
        })
    }
}

/// `selinux_opts` of a libpod create.
///
/// # Errors
/// Podman's words for an option that is none.
pub(super) fn labels(body: Body, options: Vec<String>) -> Result<Vec<String>, Error> {
    check_labels(body, "selinux_opts", &options, SELINUX_FILES)?;
    Ok(options)
}

/// What the runtimes would ignore of a privileged container's.
///
/// # Errors
/// [`Error::Unsupported`].
pub(super) fn check_privileged(body: Body, field: &str, spec: &ContainerSpec) -> Result<(), Error> {
    match spec.mask.first() {
        Some(path) if spec.privileged => Err(body.refusal_of(field, path, PRIVILEGED_MASK)),
        _ => Ok(()),
    }
}

fn apart(paths: &str) -> impl Iterator<Item = String> {
    paths
        .split(':')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
}

fn check_masks(field: &str, paths: &[String]) -> Result<(), Error> {
    match paths.iter().find(|path| !path.starts_with('/')) {
        Some(path) => Err(invalid(
            field,
            format!("path {path:?} is not an absolute path"),
        )),
        None => Ok(()),
    }
}

fn check_labels(body: Body, field: &str, options: &[String], why: &str) -> Result<(), Error> {
    for option in options {
        match option.split_once(':') {
            None if option == "disable" => {}
            Some(("user" | "role" | "type" | "level", value)) if !value.is_empty() => {}
            Some(("filetype", _)) => return Err(body.refusal_of(field, option, why)),
            _ => {
                return Err(Error::Plain(format!(
                    "bad label option {option:?}, valid options 'disable' or \n\
                     'user, role, level, type, filetype' followed by ':' and a value"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::COMPAT;

    const BODY: Body = Body::new(&COMPAT).at("HostConfig");

    fn read(options: &[&str]) -> Result<Security, Error> {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        from_words(BODY, "SecurityOpt", &options, super::super::FILL_OUT)
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn each_option_has_its_place() {
        let made = read(&[
            "no-new-privileges",
            "seccomp=unconfined",
            "apparmor:unconfined",
            "label=type:spc_t",
            "label=level:s0:c1,c2",
            "mask=/a:/b",
            "unmask=/proc/*:/sys/firmware",
            "proc-opts=hidepid=2,gid=5",
            "systempaths=unconfined",
        ])
        .unwrap();
        let wanted = Security {
            no_new_privileges: true,
            seccomp: Profile::Unconfined,
            apparmor: Profile::Unconfined,
            selinux: words(&["type:spc_t", "level:s0:c1,c2"]),
            mask: words(&["/a", "/b"]),
            unmask: words(&["/proc/*", "/sys/firmware", "ALL"]),
            proc_options: words(&["hidepid=2", "gid=5"]),
        };
        assert_eq!(made, wanted);
        assert_eq!(read(&["label:disable"]).unwrap().selinux, ["disable"]);
    }

    #[test]
    fn profiles_are_named_or_given_as_text() {
        let own = |profile: &str| Profile::Own(profile.to_owned());
        let read = |option: &str| read(&[option]).unwrap();
        assert_eq!(read("seccomp=/etc/a.json").seccomp, own("/etc/a.json"));
        assert_eq!(
            read(r#"seccomp={"a":"b=c"}"#).seccomp,
            own(r#"{"a":"b=c"}"#)
        );
        assert_eq!(read("seccomp=").seccomp, Profile::Default);
        assert_eq!(read("apparmor:mine").apparmor, own("mine"));
    }

    #[test]
    fn what_is_not_carried_out_is_refused_by_name_and_what_is_none_in_podmans_words() {
        for (option, text) in [
            (
                "label=filetype:a",
                "HostConfig.SecurityOpt \"filetype:a\" is not supported",
            ),
            ("label=nonsense", "bad label option \"nonsense\""),
            ("label=type:", "bad label option \"type:\""),
            ("mask=a", "SecurityOpt: path \"a\" is not an absolute path"),
            (
                "mask",
                "fill out specgen: invalid --security-opt 1: \"mask\"",
            ),
            (
                "other=x",
                "fill out specgen: invalid --security-opt 2: \"other=x\"",
            ),
            (
                "systempaths=x",
                "fill out specgen: invalid systempaths option \"x\", only `unconfined` is supported",
            ),
        ] {
            let told = read(&[option]).unwrap_err().to_string();
            assert!(told.starts_with(text), "{option}: {told}");
        }
    }
}
