//! Whom a container runs as, and what it may do.

use model::Error;
use podman_api::container::libpod::SpecGenerator;
use podman_api::kube::{Capabilities, Profile, SeLinuxOptions, SecurityContext};

use super::left;

/// Where `localhostProfile` of seccomp lies: a kubelet's folder, and Podman's default.
const SECCOMP: &str = "/var/lib/kubelet/seccomp";
/// Of `fsGroup`, whose meaning is what a kubelet does with volumes.
const OWNED: &str = "the files of volumes are not given to another group; use supplementalGroups, and files of that group";

/// Writes what pod and container say into a create: where both do, the container's counts.
///
/// # Errors
/// A field that is not carried out; what a kubelet would refuse.
pub(super) fn apply(
    at: &str,
    of_pod: &SecurityContext,
    own: SecurityContext,
    spec: &mut SpecGenerator,
) -> Result<(), Error> {
    let at = format!("{at}.securityContext");
    let SecurityContext {
        run_as_user,
        run_as_group,
        run_as_non_root,
        supplemental_groups,
        sysctls,
        privileged,
        read_only_root_filesystem,
        allow_privilege_escalation,
        capabilities: Capabilities { add, drop },
        se_linux_options,
        seccomp_profile,
        app_armor_profile,
        rest,
    } = own;
    left::check(&at, &rest, &[])?;
    if !supplemental_groups.is_empty() || !sysctls.is_empty() {
        return Err(Error::Plain(format!(
            "{at}: groups and sysctls are the pod's"
        )));
    }
    let user = run_as_user.or(of_pod.run_as_user);
    let group = run_as_group.or(of_pod.run_as_group);
    let non_root = run_as_non_root.or(of_pod.run_as_non_root).unwrap_or(false);
    spec.user = user_of(&at, user, group, non_root)?;
    let groups = of_pod.supplemental_groups.iter();
    spec.groups = groups.map(ToString::to_string).collect();
    spec.privileged = privileged;
    spec.read_only_filesystem = read_only_root_filesystem;
    spec.no_new_privileges = allow_privilege_escalation.map(|allowed| !allowed);
    spec.cap_add = add;
    spec.cap_drop = drop;
    let selinux = se_linux_options
        .as_ref()
        .or(of_pod.se_linux_options.as_ref());
    spec.selinux_opts = selinux.map(selinux_options).unwrap_or_default();
    if let Some(profile) = seccomp_profile.as_ref().or(of_pod.seccomp_profile.as_ref()) {
        spec.seccomp_profile_path = seccomp(&at, profile)?;
    }
    if let Some(profile) = app_armor_profile
        .as_ref()
        .or(of_pod.app_armor_profile.as_ref())
    {
        spec.apparmor_profile = apparmor(&at, profile)?;
    }
    Ok(())
}

/// Says what a pod's context has that is not a pod's, or not carried out.
pub(super) fn check_pod(at: &str, context: &SecurityContext) -> Result<(), Error> {
    let at = format!("{at}.securityContext");
    if let Some(group) = context.rest.get("fsGroup").filter(|group| !group.is_null()) {
        return Err(Error::unsupported(format!("{at}.fsGroup {group}"), OWNED));
    }
    // whose work fsGroup would be
    left::check(&at, &context.rest, &["fsGroupChangePolicy"])?;
    let of_containers = [
        ("privileged", context.privileged.is_some()),
        (
            "readOnlyRootFilesystem",
            context.read_only_root_filesystem.is_some(),
        ),
        (
            "allowPrivilegeEscalation",
            context.allow_privilege_escalation.is_some(),
        ),
        (
            "capabilities",
            context.capabilities != Capabilities::default(),
        ),
    ];
    match of_containers.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(Error::Plain(format!("{at}.{name}: it is a container's"))),
        None => Ok(()),
    }
}

fn user_of(
    at: &str,
    user: Option<u32>,
    group: Option<u32>,
    non_root: bool,
) -> Result<String, Error> {
    match (user, group, non_root) {
        (Some(0), _, true) => {
            let text = format!("{at}: container's runAsUser breaks non-root policy");
            Err(Error::Plain(text))
        }
        (None, _, true) => Err(Error::unsupported(
            format!("{at}.runAsNonRoot without runAsUser"),
            "whom an image names is not looked at before it runs; give the user's number",
        )),
        (None, Some(_), false) => Err(Error::Plain(format!("{at}.runAsGroup: it needs runAsUser"))),
        (Some(user), Some(group), _) => Ok(format!("{user}:{group}")),
        (Some(user), None, _) => Ok(user.to_string()),
        (None, None, false) => Ok(String::new()),
    }
}

fn selinux_options(options: &SeLinuxOptions) -> Vec<String> {
    let SeLinuxOptions {
        user,
        role,
        r#type,
        level,
    } = options;
    let all = [
        ("user", user),
        ("role", role),
        ("type", r#type),
        ("level", level),
    ];
    let given = all.into_iter().filter(|(_, value)| !value.is_empty());
    given
        .map(|(name, value)| format!("{name}:{value}"))
        .collect()
}

fn seccomp(at: &str, profile: &Profile) -> Result<String, Error> {
    let Profile {
        r#type,
        localhost_profile: path,
    } = profile;
    match r#type.as_str() {
        "RuntimeDefault" | "" => Ok(String::new()),
        "Unconfined" => Ok("unconfined".to_owned()),
        "Localhost"
            if !path.is_empty() && path.split('/').all(|part| !["", "..", "."].contains(&part)) =>
        {
            Ok(format!("{SECCOMP}/{path}"))
        }
        "Localhost" => Err(Error::Plain(format!(
            "{at}.seccompProfile.localhostProfile: {path:?} is no path below {SECCOMP}"
        ))),
        other => Err(Error::Plain(format!(
            "{at}.seccompProfile.type: {other:?} is none"
        ))),
    }
}

fn apparmor(at: &str, profile: &Profile) -> Result<String, Error> {
    let Profile {
        r#type,
        localhost_profile: name,
    } = profile;
    match r#type.as_str() {
        "RuntimeDefault" | "" => Ok(String::new()),
        "Unconfined" => Ok("unconfined".to_owned()),
        "Localhost" if !name.is_empty() => Ok(name.clone()),
        other => Err(Error::Plain(format!(
            "{at}.appArmorProfile.type: {other:?} is none, or has no profile"
        ))),
    }
}
