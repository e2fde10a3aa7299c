//! Refusals of fields by name, with the reason and what is possible instead.

use std::collections::BTreeMap;

use model::Error;
use podman_api::fields::SpecField;
use serde::Serialize;
use serde_json::Value;

/// What is known of a create body's fields, and how deep in it they stand.
#[derive(Clone, Copy)]
pub(crate) struct Body {
    fields: &'static [SpecField],
    level: &'static str,
}

impl Body {
    /// The fields of a body.
    pub(crate) const fn new(fields: &'static [SpecField]) -> Self {
        Self { fields, level: "" }
    }

    /// The fields of a part of it.
    pub(crate) const fn at(self, level: &'static str) -> Self {
        Self {
            fields: self.fields,
            level,
        }
    }

    fn path(self, name: &str) -> String {
        match self.level {
            "" => name.to_owned(),
            level => format!("{level}.{name}"),
        }
    }

    /// Refuses a field that is not carried out, where it asks for something.
    pub(crate) fn refuse<T: Serialize>(self, name: &str, value: &T) -> Result<(), Error> {
        let value = serde_json::to_value(value).map_err(Error::internal)?;
        self.check(name, &value)
    }

    /// Refuses a field that is not carried out, where `set`.
    pub(crate) fn refuse_if(self, set: bool, name: &str) -> Result<(), Error> {
        match set {
            true => Err(self.refusal(name)),
            false => Ok(()),
        }
    }

    /// Refuses what asks for something among the fields that are not typed.
    pub(crate) fn refuse_rest(self, rest: &BTreeMap<String, Value>) -> Result<(), Error> {
        rest.iter()
            .try_for_each(|(name, value)| self.check(name, value))
    }

    /// The refusal of a field.
    pub(crate) fn refusal(self, name: &str) -> Error {
        Error::unsupported(self.path(name), reason(name))
    }

    /// The refusal of a value of a field, with a reason of its own.
    pub(crate) fn refusal_of(self, name: &str, value: &str, why: &str) -> Error {
        Error::unsupported(format!("{} {value:?}", self.path(name)), why)
    }

    fn check(self, name: &str, value: &Value) -> Result<(), Error> {
        let path = self.path(name);
        // Go matches names whatever their case; an unknown one is ignored there and here
        let field = self
            .fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(&path));
        match field {
            Some(field) if !field.unset(value) => Err(Error::unsupported(field.name, reason(name))),
            _ => Ok(()),
        }
    }
}

/// An [`Error::InvalidArgument`] that names the field.
pub(crate) fn invalid(field: &str, why: impl std::fmt::Display) -> Error {
    Error::InvalidArgument(format!("{field}: {why}"))
}

/// Fields and why they are refused; a field that is not here is not carried out yet.
const REASONS: &[(&[&str], &str)] = &[
    (
        &[
            "overlay_volumes",
            "image_volumes",
            "artifact_volumes",
            "volumes_from",
            "VolumesFrom",
        ],
        "bind mounts, tmpfs mounts and named volumes are carried out, and no other yet",
    ),
    (
        &[
            "healthconfig",
            "Healthcheck",
            "startupHealthConfig",
            "health_check_on_failure_action",
        ],
        "health checks are not carried out yet; run the check with exec from outside",
    ),
    (
        &["r_limits", "Ulimits"],
        "CRI has no ulimit field; set the limits in the runtime's own configuration",
    ),
    (
        &["shm_size", "ShmSize", "shm_size_systemd"],
        "the size of /dev/shm is the runtime's (64 MiB); mount a tmpfs with a size at another path",
    ),
    (
        &[
            "devices",
            "Devices",
            "device_cgroup_rule",
            "DeviceCgroupRules",
            "DeviceRequests",
            "host_device_list",
            "devices_from",
            "pod_devices",
        ],
        "devices are not passed on yet; a privileged container has those of the host",
    ),
    (
        &["secrets", "secret_env"],
        "secrets are not carried out yet; bind-mount a file, or set a variable",
    ),
    (
        &[
            "Networks",
            "cni_networks",
            "network_options",
            "MacAddress",
            "netns",
            "NetworkMode",
            "EndpointsConfig",
        ],
        "there is the runtime's default network (bridge) and the host's, and no other yet",
    ),
    (
        &[
            "userns",
            "idmappings",
            "UsernsMode",
            "hostusers",
            "passwd_entry",
            "group_entry",
            "manage_password",
        ],
        "user namespaces and entries in /etc/passwd are the runtime's",
    ),
    (
        &["pidns", "PidMode"],
        "each container has a PID namespace of its own, and no other is carried out yet",
    ),
    (
        &["ipcns", "IpcMode"],
        "the IPC namespace is the sandbox's, and no other is carried out yet",
    ),
    (
        &["utsns", "UTSMode"],
        "the UTS namespace is the sandbox's, and no other is carried out yet",
    ),
    (
        &[
            "cgroupns",
            "CgroupnsMode",
            "cgroup_parent",
            "CgroupParent",
            "cgroups_mode",
            "share_parent",
        ],
        "the runtime places the container in its own cgroups",
    ),
    (
        &["unified", "cgroup_conf"],
        "files of cgroup v2 cannot be set one by one; use the limits of memory, CPU and pids",
    ),
    (
        &["init", "Init", "init_path"],
        "no init is added yet; start one from the image as the command",
    ),
    (
        &["sysctl", "Sysctls"],
        "sysctls belong to the sandbox and are not carried out yet; set them in the runtime's configuration",
    ),
    (
        &["seccomp_profile_path", "seccomp_policy"],
        "the runtime's default profile or none (unconfined) is carried out, and no other yet",
    ),
    (
        &["selinux_opts", "label_nested", "apparmor_profile"],
        "labels and profiles are the runtime's own; a privileged container has none",
    ),
    (
        &["mask", "unmask", "procfs_opts"],
        "the masked paths are Podman's; a privileged container has none",
    ),
    (
        &["umask"],
        "CRI has no umask field; set it in the command (sh -c 'umask …; exec …')",
    ),
    (
        &["timezone"],
        "CRI has no field for it; set the variable TZ",
    ),
    (
        &[
            "envmerge",
            "EnvMerge",
            "unsetenv",
            "UnsetEnv",
            "unsetenvall",
            "UnsetEnvAll",
            "env_host",
        ],
        "variables are set and not taken away or merged; give each with its value",
    ),
    (
        &["rootfs", "rootfs_overlay", "rootfs_mapping"],
        "a container is made from an image here",
    ),
    (
        &["log_configuration", "LogConfig"],
        "the runtime writes the log to a file (k8s-file, without options), and no other driver is carried out",
    ),
    (
        &["Links"],
        "link is not supported; use a network with names",
    ),
    (
        &["init_container_type"],
        "init containers are not carried out yet; start one, wait for it, then start the others",
    ),
    (
        &["systemd", "sdnotifyMode", "conmon_pid_file"],
        "there is neither conmon nor systemd between daemon and container",
    ),
    (
        &["infra_command", "infra_image", "infra_name"],
        "the sandbox is the runtime's own, and so is its image",
    ),
    (
        &["image_os", "image_arch", "image_variant"],
        "CRI pulls and runs images of the host's platform alone",
    ),
    (
        &[
            "use_image_resolve_conf",
            "use_image_hostname",
            "use_image_hosts",
            "base_hosts_file",
            "no_manage_resolv_conf",
            "no_manage_hostname",
            "no_manage_hosts",
            "hostsFile",
        ],
        "the files are made as Podman makes them; bind-mount a file of your own over one",
    ),
    (
        &["timeout"],
        "a container is not ended after a time yet; put timeout(1) before the command",
    ),
];

fn reason(name: &str) -> &'static str {
    let known = REASONS
        .iter()
        .find(|(names, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    known.map_or("it is not carried out yet; leave it out", |(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use podman_api::container::compat::COMPAT_FIELDS;
    use podman_api::container::libpod::SPEC_FIELDS;
    use podman_api::pod::POD_FIELDS;

    #[test]
    fn a_reason_belongs_to_a_field_that_podman_knows() {
        let known = |name: &str| {
            let tables = [SPEC_FIELDS, COMPAT_FIELDS, POD_FIELDS];
            tables
                .iter()
                .flat_map(|table| table.iter())
                .any(|field| field.name.rsplit('.').next() == Some(name))
        };
        for (names, why) in REASONS {
            assert!(!why.ends_with('.'), "{why}");
            for name in *names {
                assert!(known(name) || *name == "cgroup_conf", "{name}");
            }
        }
    }

    #[test]
    fn a_field_is_refused_by_name_whatever_its_case() {
        let body = Body::new(SPEC_FIELDS);
        let rest = |key: &str, value: Value| BTreeMap::from([(key.to_owned(), value)]);
        let error = body
            .refuse_rest(&rest("Secrets", serde_json::json!([{"Source": "a"}])))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "secrets is not supported: secrets are not carried out yet; bind-mount a file, or set a variable"
        );
        body.refuse_rest(&rest("secrets", serde_json::json!([])))
            .unwrap();
        body.refuse_rest(&rest("nosuchfield", serde_json::json!(1)))
            .unwrap();
    }
}
