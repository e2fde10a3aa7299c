//! What a container may do: user, capabilities, seccomp, hidden paths, namespaces.
//!
//! CRI runtimes are open where a field is missing (no seccomp filter, their own capabilities), so
//! every field that Podman sets by itself is set here.

use std::path::Path;

use cri_api::v1;
use model::Error;
use model::container::{ContainerSpec, Network};
use model::paths;
use model::pod::SandboxRecord;
use model::userns::{IdMappings, IdRange};

use super::capabilities::cri_capabilities;
use super::sandbox::shares_pid;

/// The security context of a sandbox: that of its pause process, and what its containers may ask for.
pub(super) fn sandbox_security(
    record: &SandboxRecord,
    privileged: bool,
) -> v1::LinuxSandboxSecurityContext {
    v1::LinuxSandboxSecurityContext {
        namespace_options: Some(namespace_options(record)),
        privileged,
        seccomp: Some(profile(v1::security_profile::ProfileType::RuntimeDefault)),
        // the rest is about the pause process, which is the runtime's own
        ..Default::default()
    }
}

/// The security context of a container.
pub(super) fn container_security(
    spec: &ContainerSpec,
    sandbox: &SandboxRecord,
) -> Result<v1::LinuxContainerSecurityContext, Error> {
    let user = cri_user(spec)?;
    spec.groups
        .iter()
        .try_for_each(|group| number(group).map(drop))?;
    let open = spec.privileged;
    Ok(v1::LinuxContainerSecurityContext {
        capabilities: Some(cri_capabilities(spec, runs_as_root(spec))?),
        privileged: open,
        namespace_options: Some(namespace_options(sandbox)),
        selinux_options: selinux(&spec.selinux),
        run_as_user: user.uid,
        run_as_group: user.gid,
        run_as_username: user.name,
        readonly_rootfs: spec.read_only,
        supplemental_groups: Vec::new(), // the order's, names looked up
        supplemental_groups_policy: v1::SupplementalGroupsPolicy::Merge.into(),
        no_new_privs: spec.no_new_privileges,
        masked_paths: paths::masked(spec),
        readonly_paths: paths::read_only(spec),
        seccomp: None, // the order's, which knows where a profile's file lies
        apparmor: apparmor(spec),
        apparmor_profile: String::new(),
        seccomp_profile_path: String::new(), // before CRI 1.22; the tried runtimes read `seccomp`
    })
}

/// Namespaces of a sandbox and of each container in it: CRI-O refuses a container that asks for
/// another pid mode than its sandbox (measured).
fn namespace_options(sandbox: &SandboxRecord) -> v1::NamespaceOption {
    let network = match sandbox.spec.network {
        Network::Default | Network::None => v1::NamespaceMode::Pod,
        Network::Host => v1::NamespaceMode::Node,
    };
    let pid = match (sandbox.spec.host_pid, shares_pid(sandbox)) {
        (true, _) => v1::NamespaceMode::Node,
        (false, true) => v1::NamespaceMode::Pod,
        (false, false) => v1::NamespaceMode::Container,
    };
    let ipc = match sandbox.spec.host_ipc {
        true => v1::NamespaceMode::Node,
        false => v1::NamespaceMode::Pod,
    };
    v1::NamespaceOption {
        network: network.into(),
        pid: pid.into(),
        ipc: ipc.into(),
        target_id: String::new(),
        userns_options: sandbox.spec.id_mappings.as_ref().map(user_namespace),
    }
}

/// A user namespace of a sandbox's own.
fn user_namespace(ids: &IdMappings) -> v1::UserNamespace {
    let ranges = |ranges: &[IdRange]| ranges.iter().map(id_mapping).collect();
    v1::UserNamespace {
        mode: v1::NamespaceMode::Pod.into(),
        uids: ranges(&ids.uids),
        gids: ranges(&ids.gids),
    }
}

pub(super) fn id_mapping(range: &IdRange) -> v1::IdMapping {
    let IdRange {
        container,
        host,
        length,
    } = *range;
    v1::IdMapping {
        host_id: host,
        container_id: container,
        length,
    }
}

/// The seccomp profile of a container; `file` is where that of its own lies.
pub(super) fn seccomp(
    spec: &ContainerSpec,
    file: Option<&Path>,
) -> Result<v1::SecurityProfile, Error> {
    if spec.seccomp_text().is_some() {
        // never without it: the runtimes take an empty path for another profile, or for none
        let file = file.ok_or_else(|| {
            Error::Internal("the seccomp profile of the container has no file".to_owned())
        })?;
        return Ok(named(super::path_text(file)?));
    }
    let open = spec.privileged || spec.seccomp_unconfined || spec.seccomp.is_some();
    Ok(profile(match open {
        true => v1::security_profile::ProfileType::Unconfined,
        false => v1::security_profile::ProfileType::RuntimeDefault,
    }))
}

/// What the request says of its `AppArmor` profile; `None` leaves it to the runtime.
fn apparmor(spec: &ContainerSpec) -> Option<v1::SecurityProfile> {
    match &spec.apparmor {
        Some(name) => Some(named(name.clone())),
        None if spec.apparmor_unconfined => {
            Some(profile(v1::security_profile::ProfileType::Unconfined))
        }
        None => None,
    }
}

/// A profile that lies on the host.
fn named(localhost_ref: String) -> v1::SecurityProfile {
    v1::SecurityProfile {
        profile_type: v1::security_profile::ProfileType::Localhost.into(),
        localhost_ref,
    }
}

fn profile(kind: v1::security_profile::ProfileType) -> v1::SecurityProfile {
    v1::SecurityProfile {
        profile_type: kind.into(),
        localhost_ref: String::new(),
    }
}

/// What the request says of its `SELinux` label; `None` leaves it to the runtime.
fn selinux(options: &[String]) -> Option<v1::SeLinuxOption> {
    // the type by which SELinux confines nothing: CRI has no other word for a container without a label
    const UNCONFINED: &str = "spc_t";
    if options.iter().any(|option| option == "disable") {
        return Some(v1::SeLinuxOption {
            r#type: UNCONFINED.to_owned(),
            ..Default::default()
        });
    }
    let value = |key: &str| {
        let mut values = options
            .iter()
            .rev()
            .filter_map(|option| option.split_once(':'));
        let found = values.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    (!options.is_empty()).then(|| v1::SeLinuxOption {
        user: value("user"),
        role: value("role"),
        r#type: value("type"),
        level: value("level"),
    })
}

/// CRI's three fields for a user.
#[derive(Debug, Default, PartialEq)]
struct CriUser {
    uid: Option<v1::Int64Value>,
    gid: Option<v1::Int64Value>,
    name: String,
}

/// `user[:group]`; nothing where nothing was asked for: then the runtime takes the image's USER.
///
/// CRI has no group name, but the runtimes hand the user name to the same parser of `user:group` that
/// takes an image's USER, so that a group name travels in it.
fn cri_user(spec: &ContainerSpec) -> Result<CriUser, Error> {
    let asked = spec.user.as_deref().unwrap_or_default();
    if asked.is_empty() {
        return Ok(CriUser::default());
    }
    let (user, group) = asked.split_once(':').unwrap_or((asked, ""));
    if group.contains(':') {
        return Err(Error::InvalidArgument(format!(
            "user {asked:?} has more than a user and a group"
        )));
    }
    let gid = match group {
        "" => None,
        group => match number(group)? {
            Some(gid) => Some(gid),
            // an empty user is uid 0 to that parser, as to Podman's
            None => {
                return Ok(CriUser {
                    name: asked.to_owned(),
                    ..CriUser::default()
                });
            }
        },
    };
    Ok(match user {
        "" => CriUser {
            uid: value(Some(0)),
            gid: value(gid),
            ..CriUser::default()
        },
        user => match number(user)? {
            Some(uid) => CriUser {
                uid: value(Some(uid)),
                gid: value(gid),
                ..CriUser::default()
            },
            None => CriUser {
                uid: None,
                gid: value(gid),
                name: user.to_owned(),
            },
        },
    })
}

fn value(number: Option<i64>) -> Option<v1::Int64Value> {
    number.map(|value| v1::Int64Value { value })
}

/// A uid or gid where the text is a number, within the range that a kernel takes.
fn number(text: &str) -> Result<Option<i64>, Error> {
    let Ok(number) = text.parse::<i64>() else {
        return Ok(None);
    };
    match (0..=i64::from(i32::MAX)).contains(&number) {
        true => Ok(Some(number)),
        false => Err(Error::Plain(
            "uids and gids must be in range 0-2147483647".to_owned(),
        )),
    }
}

/// Whether the user in effect is root, so far as its text says: a name other than root counts as not.
pub(super) fn runs_as_root(spec: &ContainerSpec) -> bool {
    let text = match spec.user.as_deref() {
        None | Some("") => spec.image.config.user.as_str(),
        Some(asked) => asked,
    };
    let user = text.split(':').next().unwrap_or_default();
    matches!(user, "" | "root") || user.parse() == Ok(0u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::tests_support::sandbox;
    use model::container::SeccompProfile;
    use model::pod::Role;
    use v1::security_profile::ProfileType;

    fn user(text: &str) -> CriUser {
        let spec = ContainerSpec {
            user: Some(text.to_owned()),
            ..ContainerSpec::default()
        };
        cri_user(&spec).unwrap()
    }

    #[test]
    fn users_and_groups_go_into_cris_three_fields() {
        let table = [
            ("", None, None, ""),
            ("1000", Some(1000), None, ""),
            ("1000:7", Some(1000), Some(7), ""),
            ("web", None, None, "web"),
            ("web:7", None, Some(7), "web"),
            ("web:staff", None, None, "web:staff"),
            ("1000:staff", None, None, "1000:staff"),
            (":7", Some(0), Some(7), ""),
            ("0:0", Some(0), Some(0), ""),
        ];
        for (text, uid, gid, name) in table {
            let wanted = CriUser {
                uid: value(uid),
                gid: value(gid),
                name: name.to_owned(),
            };
            assert_eq!(user(text), wanted, "{text}");
        }
    }

    #[test]
    fn users_that_cannot_be_are_refused() {
        for text in ["1:2:3", "4294967296", "-1", "0:2147483648"] {
            let spec = ContainerSpec {
                user: Some(text.to_owned()),
                ..ContainerSpec::default()
            };
            assert!(cri_user(&spec).is_err(), "{text}");
        }
    }

    #[test]
    fn groups_are_names_or_numbers_that_a_kernel_takes() {
        let sandbox = sandbox(Role::Hidden);
        for (group, fine) in [
            ("5", true),
            ("audio", true),
            ("-1", false),
            ("2147483648", false),
        ] {
            let spec = ContainerSpec {
                groups: vec![group.to_owned()],
                ..ContainerSpec::default()
            };
            let made = container_security(&spec, &sandbox);
            assert_eq!(made.is_ok(), fine, "{group}");
        }
    }

    #[test]
    fn the_image_says_who_runs_where_the_request_does_not() {
        let table = [
            (None, "", true),
            (None, "0:5", true),
            (None, "node", false),
            (Some("root:staff"), "node", true),
            (Some("1000"), "", false),
            (Some(""), "1000", false),
            (Some(":5"), "1000", true),
        ];
        for (asked, image, root) in table {
            let mut spec = ContainerSpec {
                user: asked.map(str::to_owned),
                ..ContainerSpec::default()
            };
            spec.image.config.user = image.to_owned();
            assert_eq!(runs_as_root(&spec), root, "{asked:?} {image}");
        }
    }

    #[test]
    fn seccomp_and_hidden_paths_are_there_unless_privileged_or_asked_off() {
        let sandbox = sandbox(Role::Hidden);
        let table = [
            (false, false, ProfileType::RuntimeDefault, 12, 6),
            (false, true, ProfileType::Unconfined, 12, 6),
            (true, false, ProfileType::Unconfined, 0, 0),
        ];
        for (privileged, unconfined, wanted, masked, readonly) in table {
            let spec = ContainerSpec {
                privileged,
                seccomp_unconfined: unconfined,
                no_new_privileges: unconfined,
                ..ContainerSpec::default()
            };
            let made = container_security(&spec, &sandbox).unwrap();
            assert_eq!(seccomp(&spec, None).unwrap().profile_type(), wanted);
            assert_eq!(made.masked_paths.len(), masked);
            assert_eq!(made.readonly_paths.len(), readonly);
            assert_eq!(made.privileged, privileged);
            assert_eq!(made.no_new_privs, unconfined);
        }
    }

    #[test]
    fn labels_and_profiles_are_the_runtimes_unless_asked_for() {
        let sandbox = sandbox(Role::Hidden);
        let made = |spec: &ContainerSpec| container_security(spec, &sandbox).unwrap();
        let plain = made(&ContainerSpec::default());
        assert_eq!((plain.selinux_options, plain.apparmor), (None, None));
        let table: [(&[&str], [&str; 4]); 3] = [
            (&["disable"], ["", "", "spc_t", ""]),
            (&["type:a", "level:s0:c1,c2"], ["", "", "a", "s0:c1,c2"]),
            (
                &["user:u", "role:r", "type:a", "type:b"],
                ["u", "r", "b", ""],
            ),
        ];
        for (asked, wanted) in table {
            let spec = ContainerSpec {
                selinux: asked.iter().map(|&option| option.to_owned()).collect(),
                apparmor_unconfined: true,
                ..ContainerSpec::default()
            };
            let made = made(&spec);
            let label = made.selinux_options.unwrap();
            assert_eq!([label.user, label.role, label.r#type, label.level], wanted);
            assert_eq!(
                made.apparmor.unwrap().profile_type(),
                ProfileType::Unconfined
            );
        }
    }

    #[test]
    fn profiles_of_the_users_own_are_named_where_they_lie() {
        let made = |resolved: &str, file: Option<&str>| {
            let spec = ContainerSpec {
                seccomp: Some(SeccompProfile {
                    asked: "/p.json".to_owned(),
                    resolved: resolved.to_owned(),
                }),
                ..ContainerSpec::default()
            };
            seccomp(&spec, file.map(Path::new))
        };
        let profile = made("{}", Some("/state/p.json")).unwrap();
        assert_eq!(profile.profile_type(), ProfileType::Localhost);
        assert_eq!(profile.localhost_ref, "/state/p.json");
        assert!(made("{}", None).is_err());
        let nothing = made("", None).unwrap();
        assert_eq!(nothing.profile_type(), ProfileType::Unconfined);
        let spec = ContainerSpec {
            apparmor: Some("mine".to_owned()),
            ..ContainerSpec::default()
        };
        let made = container_security(&spec, &sandbox(Role::Hidden)).unwrap();
        let apparmor = made.apparmor.unwrap();
        assert_eq!(apparmor.profile_type(), ProfileType::Localhost);
        assert_eq!(apparmor.localhost_ref, "mine");
    }

    #[test]
    fn namespaces_of_the_host_are_its_nodes() {
        let mut sandbox = sandbox(Role::Hidden);
        (sandbox.spec.host_pid, sandbox.spec.host_ipc) = (true, true);
        let made = container_security(&ContainerSpec::default(), &sandbox).unwrap();
        let options = made.namespace_options.unwrap();
        assert_eq!(options.pid(), v1::NamespaceMode::Node);
        assert_eq!(options.ipc(), v1::NamespaceMode::Node);
        assert_eq!(options.network(), v1::NamespaceMode::Pod);
    }

    #[test]
    fn a_container_asks_for_the_namespaces_of_its_sandbox() {
        for role in [Role::Hidden, Role::Pod { infra: None }] {
            let mut sandbox = sandbox(role);
            sandbox.spec.shared_namespaces = vec!["pid".into()];
            sandbox.spec.network = Network::Host;
            let container = container_security(&ContainerSpec::default(), &sandbox).unwrap();
            assert_eq!(
                container.namespace_options,
                sandbox_security(&sandbox, false).namespace_options
            );
        }
    }
}
