//! CRI messages as JSON, for people: each field as `Message.field`, by the names of CRI's proto file.

use std::collections::BTreeMap;

use cri_api::v1;
use model::record;
use serde_json::{Map, Value, json};

use super::SandboxConfig;

/// Every field that a container and its sandbox are made by, `Message.field`. Fields that are never set here
/// are left out; environment values and the record in the annotations are not shown.
pub fn spelled_out(
    container: Option<&v1::ContainerConfig>,
    sandbox: &SandboxConfig,
) -> Map<String, Value> {
    let mut all = Map::new();
    sandbox_fields(&mut all, sandbox);
    if let Some(config) = container {
        container_fields(&mut all, config);
    }
    all
}

fn sandbox_fields(all: &mut Map<String, Value>, sandbox: &SandboxConfig) {
    let SandboxConfig { config, handler } = sandbox;
    let v1::PodSandboxConfig {
        metadata,
        hostname,
        log_directory,
        dns_config,
        port_mappings,
        labels,
        annotations,
        linux,
        windows: _, // of Windows
    } = config;
    let metadata = metadata.clone().unwrap_or_default();
    let dns = dns_config.clone().unwrap_or_default();
    let linux = linux.clone().unwrap_or_default();
    let security = linux.security_context.unwrap_or_default();
    let ports = port_mappings.iter().map(|port| {
        json!({
            "protocol": port.protocol().as_str_name(),
            "container_port": port.container_port,
            "host_port": port.host_port,
            "host_ip": port.host_ip,
        })
    });
    put(
        all,
        [
            ("RunPodSandboxRequest.runtime_handler", json!(handler)),
            ("PodSandboxMetadata.name", json!(metadata.name)),
            ("PodSandboxConfig.hostname", json!(hostname)),
            ("PodSandboxConfig.log_directory", json!(log_directory)),
            ("PodSandboxConfig.port_mappings", ports.collect()),
            ("PodSandboxConfig.labels", json!(labels)),
            ("PodSandboxConfig.annotations", json!(users(annotations))),
            ("DNSConfig.servers", json!(dns.servers)),
            ("DNSConfig.searches", json!(dns.searches)),
            ("DNSConfig.options", json!(dns.options)),
            (
                "LinuxPodSandboxConfig.cgroup_parent",
                json!(linux.cgroup_parent),
            ),
            ("LinuxPodSandboxConfig.sysctls", json!(linux.sysctls)),
            (
                "LinuxSandboxSecurityContext.privileged",
                json!(security.privileged),
            ),
        ],
    );
    namespaces(all, security.namespace_options);
}

fn container_fields(all: &mut Map<String, Value>, config: &v1::ContainerConfig) {
    let v1::ContainerConfig {
        metadata,
        image,
        command,
        args,
        working_dir,
        envs,
        mounts,
        devices,
        labels,
        annotations,
        log_path,
        stdin,
        stdin_once,
        tty,
        linux,
        windows: _, // of Windows
        cdi_devices,
        stop_signal: _, // by name, below
    } = config;
    let image = image.clone().unwrap_or_default();
    let names: Vec<&str> = envs.iter().map(|env| env.key.as_str()).collect();
    put(
        all,
        [
            (
                "ContainerMetadata.name",
                json!(metadata.as_ref().map(|metadata| &metadata.name)),
            ),
            ("ImageSpec.image", json!(image.image)),
            (
                "ImageSpec.user_specified_image",
                json!(image.user_specified_image),
            ),
            ("ContainerConfig.command", json!(command)),
            ("ContainerConfig.args", json!(args)),
            ("ContainerConfig.working_dir", json!(working_dir)),
            ("ContainerConfig.envs", json!(names)),
            ("ContainerConfig.mounts", mounts.iter().map(mount).collect()),
            (
                "ContainerConfig.devices",
                devices.iter().map(device).collect(),
            ),
            (
                "ContainerConfig.CDI_devices",
                cdi_devices
                    .iter()
                    .map(|device| json!(device.name))
                    .collect(),
            ),
            ("ContainerConfig.labels", json!(labels)),
            ("ContainerConfig.annotations", json!(users(annotations))),
            ("ContainerConfig.log_path", json!(log_path)),
            ("ContainerConfig.stdin", json!(stdin)),
            ("ContainerConfig.stdin_once", json!(stdin_once)),
            ("ContainerConfig.tty", json!(tty)),
            (
                "ContainerConfig.stop_signal",
                json!(config.stop_signal().as_str_name()),
            ),
        ],
    );
    let linux = linux.clone().unwrap_or_default();
    resources(all, linux.resources.unwrap_or_default());
    security(all, linux.security_context.unwrap_or_default());
}

fn resources(all: &mut Map<String, Value>, resources: v1::LinuxContainerResources) {
    let v1::LinuxContainerResources {
        cpu_period,
        cpu_quota,
        cpu_shares,
        memory_limit_in_bytes,
        oom_score_adj,
        cpuset_cpus,
        cpuset_mems,
        hugepage_limits,
        unified,
        memory_swap_limit_in_bytes,
    } = resources;
    put(
        all,
        [
            ("LinuxContainerResources.cpu_period", json!(cpu_period)),
            ("LinuxContainerResources.cpu_quota", json!(cpu_quota)),
            ("LinuxContainerResources.cpu_shares", json!(cpu_shares)),
            (
                "LinuxContainerResources.memory_limit_in_bytes",
                json!(memory_limit_in_bytes),
            ),
            (
                "LinuxContainerResources.memory_swap_limit_in_bytes",
                json!(memory_swap_limit_in_bytes),
            ),
            (
                "LinuxContainerResources.hugepage_limits",
                json!(
                    hugepage_limits
                        .iter()
                        .map(|limit| (&limit.page_size, limit.limit))
                        .collect::<BTreeMap<_, _>>()
                ),
            ),
            (
                "LinuxContainerResources.oom_score_adj",
                json!(oom_score_adj),
            ),
            ("LinuxContainerResources.cpuset_cpus", json!(cpuset_cpus)),
            ("LinuxContainerResources.cpuset_mems", json!(cpuset_mems)),
            ("LinuxContainerResources.unified", json!(unified)),
        ],
    );
}

#[expect(
    clippy::too_many_lines,
    reason = "one entry for each field of the message"
)]
fn security(all: &mut Map<String, Value>, context: v1::LinuxContainerSecurityContext) {
    let v1::LinuxContainerSecurityContext {
        capabilities,
        privileged,
        namespace_options,
        selinux_options,
        run_as_user,
        run_as_group,
        run_as_username,
        readonly_rootfs,
        supplemental_groups,
        supplemental_groups_policy: _, // always merged
        no_new_privs,
        masked_paths,
        readonly_paths,
        seccomp,
        apparmor,
        apparmor_profile: _,     // before CRI 1.22
        seccomp_profile_path: _, // before CRI 1.22
    } = context;
    let capabilities = capabilities.unwrap_or_default();
    let seccomp = seccomp.unwrap_or_default();
    put(
        all,
        [
            (
                "Capability.add_capabilities",
                json!(capabilities.add_capabilities),
            ),
            (
                "Capability.drop_capabilities",
                json!(capabilities.drop_capabilities),
            ),
            (
                "LinuxContainerSecurityContext.privileged",
                json!(privileged),
            ),
            (
                "LinuxContainerSecurityContext.run_as_user",
                json!(run_as_user.map(|id| id.value)),
            ),
            (
                "LinuxContainerSecurityContext.run_as_group",
                json!(run_as_group.map(|id| id.value)),
            ),
            (
                "LinuxContainerSecurityContext.run_as_username",
                json!(run_as_username),
            ),
            (
                "LinuxContainerSecurityContext.readonly_rootfs",
                json!(readonly_rootfs),
            ),
            (
                "LinuxContainerSecurityContext.supplemental_groups",
                json!(supplemental_groups),
            ),
            (
                "LinuxContainerSecurityContext.no_new_privs",
                json!(no_new_privs),
            ),
            (
                "LinuxContainerSecurityContext.masked_paths",
                json!(masked_paths),
            ),
            (
                "LinuxContainerSecurityContext.readonly_paths",
                json!(readonly_paths),
            ),
            (
                "LinuxContainerSecurityContext.seccomp",
                json!(seccomp.profile_type().as_str_name()),
            ),
            (
                "LinuxContainerSecurityContext.apparmor",
                json!(apparmor.map(|profile| profile.profile_type().as_str_name())),
            ),
            (
                "LinuxContainerSecurityContext.selinux_options",
                json!(selinux_options.as_ref().map(selinux)),
            ),
        ],
    );
    namespaces(all, namespace_options);
}

fn namespaces(all: &mut Map<String, Value>, options: Option<v1::NamespaceOption>) {
    let options = options.unwrap_or_default();
    put(
        all,
        [
            (
                "NamespaceOption.network",
                json!(options.network().as_str_name()),
            ),
            ("NamespaceOption.pid", json!(options.pid().as_str_name())),
            ("NamespaceOption.ipc", json!(options.ipc().as_str_name())),
        ],
    );
    if let Some(ids) = &options.userns_options {
        let ranges = |ranges: &[v1::IdMapping]| -> Vec<String> {
            let shown =
                |it: &v1::IdMapping| format!("{}:{}:{}", it.container_id, it.host_id, it.length);
            ranges.iter().map(shown).collect()
        };
        let shown = json!({
            "mode": ids.mode().as_str_name(),
            "uids": ranges(&ids.uids),
            "gids": ranges(&ids.gids),
        });
        put(all, [("NamespaceOption.userns_options", shown)]);
    }
    if !options.target_id.is_empty() {
        put(
            all,
            [("NamespaceOption.target_id", json!(options.target_id))],
        );
    }
}

fn selinux(options: &v1::SeLinuxOption) -> Value {
    json!({
        "user": options.user,
        "role": options.role,
        "type": options.r#type,
        "level": options.level,
    })
}

fn device(device: &v1::Device) -> Value {
    json!({
        "container_path": device.container_path,
        "host_path": device.host_path,
        "permissions": device.permissions,
    })
}

fn mount(mount: &v1::Mount) -> Value {
    json!({
        "container_path": mount.container_path,
        "host_path": mount.host_path,
        "readonly": mount.readonly,
        "selinux_relabel": mount.selinux_relabel,
        "propagation": mount.propagation().as_str_name(),
    })
}

/// Without our own marks: they are no field of a request, and the record is long and packed.
fn users(annotations: &BTreeMap<String, String>) -> BTreeMap<&String, &String> {
    let marks = [record::OWNER, record::ID, record::RECORD];
    annotations
        .iter()
        .filter(|(key, _)| !marks.contains(&key.as_str()))
        .collect()
}

fn put<const N: usize>(all: &mut Map<String, Value>, fields: [(&str, Value); N]) {
    all.extend(fields.map(|(name, value)| (name.to_owned(), value)));
}
