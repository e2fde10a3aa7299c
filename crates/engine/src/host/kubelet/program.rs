//! Programs that are a kubelet or hold one, and where each reads which runtime it uses. No IO.

/// The kubelet's own default (`KubeletConfiguration`, `containerRuntimeEndpoint`).
const KUBELET_DEFAULT: &str = "unix:///run/containerd/containerd.sock";
/// The socket of the containerd that k3s starts for itself.
const K3S_DEFAULT: &str = "unix:///run/k3s/containerd/containerd.sock";
/// Where k3s configures the kubelet in it; its own flags are not to be seen in its process.
const K3S_DROP_INS: &str = "/var/lib/rancher/k3s/agent/etc/kubelet.conf.d";
/// k3s's own configuration.
const K3S_CONFIG: &str = "/etc/rancher/k3s/config.yaml";
/// `MicroShift` has no setting for it.
const MICROSHIFT_ENDPOINT: &str = "unix:///run/crio/crio.sock";
/// What `MicroK8s` writes as `${SNAP_COMMON}`.
const MICROK8S_COMMON: &str = "/var/snap/microk8s/common";
/// The kubelet's flag, and the key of k3s's configuration.
const FLAG: &str = "container-runtime-endpoint";

/// Such a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// The kubelet itself; kubeadm's, rke2's, k0s's too.
    Kubelet,
    /// k3s, server or agent.
    K3s,
    /// `MicroK8s`'s kubelite.
    Kubelite,
    /// `MicroShift`.
    MicroShift,
}

/// A place that may say which runtime is used; the first that does counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An endpoint, and the words it is told with.
    Said {
        /// `unix:///run/crio/crio.sock`.
        endpoint: String,
        /// "its --container-runtime-endpoint".
        how: String,
    },
    /// A `KubeletConfiguration`.
    Config(String),
    /// A folder of such, the last in the order of names counting (`--config-dir`).
    DropIns(String),
    /// k3s's configuration.
    K3sConfig(String),
    /// A file of kubelet flags, one a line (`MicroK8s`).
    Flags(String),
}

impl Program {
    /// By the name in `/proc/PID/comm`.
    pub(super) fn of(comm: &str) -> Option<Self> {
        Some(match comm {
            "kubelet" => Self::Kubelet,
            "k3s" | "k3s-server" | "k3s-agent" => Self::K3s,
            "kubelite" => Self::Kubelite,
            "microshift" => Self::MicroShift,
            _ => return None,
        })
    }

    /// Where this process reads which runtime it uses; nothing where it is no kubelet after all.
    pub(super) fn sources(self, arguments: &[String]) -> Vec<Source> {
        // What has ended shows no arguments.
        let Some((_, flags)) = arguments.split_first() else {
            return Vec::new();
        };
        match self {
            Self::Kubelet => of_kubelet(flags),
            // It overwrites its arguments: what is left is one word, `k3s server`.
            Self::K3s if has_word(arguments, &["server", "agent"]) => vec![
                Source::DropIns(K3S_DROP_INS.to_owned()),
                Source::K3sConfig(K3S_CONFIG.to_owned()),
                said(K3S_DEFAULT, "the runtime that k3s starts"),
            ],
            Self::Kubelite => flag(flags, "kubelet-args-file")
                .map(Source::Flags)
                .into_iter()
                .collect(),
            Self::MicroShift if has_word(flags, &["run"]) => {
                vec![said(
                    MICROSHIFT_ENDPOINT,
                    "the runtime that MicroShift uses",
                )]
            }
            Self::K3s | Self::MicroShift => Vec::new(),
        }
    }
}

fn of_kubelet(flags: &[String]) -> Vec<Source> {
    // dockershim, before Kubernetes 1.24: no CRI at all
    if flag(flags, "container-runtime").as_deref() == Some("docker") {
        return Vec::new();
    }
    let mut sources: Vec<Source> = flag(flags, FLAG).map(of_flag).into_iter().collect();
    sources.extend(flag(flags, "config-dir").map(Source::DropIns));
    sources.extend(flag(flags, "config").map(Source::Config));
    sources.push(said(KUBELET_DEFAULT, "a kubelet's default endpoint"));
    sources
}

fn of_flag(endpoint: String) -> Source {
    Source::Said {
        endpoint,
        how: format!("its --{FLAG}"),
    }
}

fn said(endpoint: &str, how: &str) -> Source {
    Source::Said {
        endpoint: endpoint.to_owned(),
        how: how.to_owned(),
    }
}

fn has_word(arguments: &[String], words: &[&str]) -> bool {
    let mut all = arguments.iter().flat_map(|argument| argument.split(' '));
    all.any(|word| words.contains(&word))
}

/// The last value of a flag, `--name=value` or `--name value`; an empty one counts as unset.
fn flag(arguments: &[String], name: &str) -> Option<String> {
    let mut found = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let Some(rest) = argument.strip_prefix("--") else {
            continue;
        };
        found = match rest.split_once('=') {
            Some((flag, value)) if flag == name => Some(value.to_owned()),
            None if rest == name => arguments.next().cloned(),
            Some(_) | None => continue,
        };
    }
    found.filter(|value| !value.is_empty())
}

/// The endpoint in a file of flags.
pub(super) fn in_flags(text: &str) -> Option<String> {
    let words: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
    let value = flag(&words, FLAG)?;
    Some(value.replace("${SNAP_COMMON}", MICROK8S_COMMON))
}

/// The endpoint in a `KubeletConfiguration`.
pub(super) fn in_config(text: &str) -> Option<String> {
    top_level(text, "containerRuntimeEndpoint")
}

/// The endpoint in k3s's configuration.
pub(super) fn in_k3s_config(text: &str) -> Option<String> {
    top_level(text, FLAG)
}

/// A text at the top level of a YAML or JSON document. One line of YAML is all that is read, so that the
/// whole of it need not be understood; a value written over several lines is not seen.
fn top_level(text: &str, key: &str) -> Option<String> {
    if text.trim_start().starts_with('{') {
        let document: serde_json::Value = serde_json::from_str(text).ok()?;
        return document.get(key)?.as_str().map(ToOwned::to_owned);
    }
    let value = text.lines().find_map(|line| {
        let unquoted = line.trim_start_matches(['"', '\'']);
        let rest = unquoted.strip_prefix(key)?.trim_start_matches(['"', '\'']);
        rest.trim_start().strip_prefix(':')
    })?;
    let value = value.split(" #").next().unwrap_or_default();
    let value = value.trim().trim_matches(['"', '\'']);
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

/// The path of an endpoint, as the kubelet takes it; `None` for what is no unix socket.
pub(super) fn socket_path(endpoint: &str) -> Option<&str> {
    let path = match endpoint.split_once("://") {
        Some(("unix", path)) => path,
        Some(_) => return None,
        None => endpoint.strip_prefix("unix:").unwrap_or(endpoint),
    };
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split('|').map(ToOwned::to_owned).collect()
    }

    fn first(program: Program, arguments: &str) -> Option<String> {
        match program.sources(&words(arguments)).into_iter().next()? {
            Source::Said { endpoint, .. } => Some(endpoint),
            Source::Config(path)
            | Source::DropIns(path)
            | Source::K3sConfig(path)
            | Source::Flags(path) => Some(path),
        }
    }

    #[test]
    fn a_kubelet_says_its_runtime_by_flag_then_files_then_default() {
        let rows = [
            ("/usr/bin/kubelet", Some(KUBELET_DEFAULT)),
            ("kubelet|--config=/etc/k.yaml", Some("/etc/k.yaml")),
            (
                "kubelet|--config=/etc/k.yaml|--config-dir|/etc/k.d",
                Some("/etc/k.d"),
            ),
            (
                "kubelet|--config=/etc/k.yaml|--container-runtime-endpoint=unix:///a.sock",
                Some("unix:///a.sock"),
            ),
            (
                "kubelet|--container-runtime-endpoint|unix:///a.sock|--container-runtime-endpoint=/b.sock",
                Some("/b.sock"),
            ),
            (
                "kubelet|--container-runtime-endpoint=",
                Some(KUBELET_DEFAULT),
            ),
            ("kubelet|--container-runtime=docker", None),
        ];
        for (arguments, wanted) in rows {
            let found = first(Program::Kubelet, arguments);
            assert_eq!(found.as_deref(), wanted, "{arguments}");
        }
        assert_eq!(Program::Kubelet.sources(&[]), [], "one that has ended");
    }

    #[test]
    fn programs_that_hold_a_kubelet_are_known_by_what_they_do() {
        let rows = [
            (
                "k3s-server",
                "/usr/local/bin/k3s server",
                Some(K3S_DROP_INS),
            ),
            ("k3s-agent", "/usr/local/bin/k3s|agent", Some(K3S_DROP_INS)),
            ("k3s", "k3s|kubectl|get|pods", None),
            (
                "kubelite",
                "/snap/microk8s/1/kubelite|--kubelet-args-file=/var/snap/microk8s/1/args/kubelet",
                Some("/var/snap/microk8s/1/args/kubelet"),
            ),
            ("microshift", "microshift|run", Some(MICROSHIFT_ENDPOINT)),
            ("microshift", "microshift|version", None),
        ];
        for (comm, arguments, wanted) in rows {
            let found = first(Program::of(comm).unwrap(), arguments);
            assert_eq!(found.as_deref(), wanted, "{comm} {arguments}");
        }
        for comm in ["kubectl", "kubelet-proxy", "kubeadm", "sleep", ""] {
            assert_eq!(Program::of(comm), None, "{comm}");
        }
    }

    #[test]
    fn endpoints_are_found_in_files() {
        let yaml = "apiVersion: kubelet.config.k8s.io/v1beta1\nnested:\n  containerRuntimeEndpoint: /no\n\
                    containerRuntimeEndpoint: \"unix:///run/crio/crio.sock\" # ours\n";
        assert_eq!(
            in_config(yaml).as_deref(),
            Some("unix:///run/crio/crio.sock")
        );
        let json = r#"{"kind": "KubeletConfiguration", "containerRuntimeEndpoint": "unix:///a"}"#;
        assert_eq!(in_config(json).as_deref(), Some("unix:///a"));
        for nothing in [
            "",
            "containerRuntimeEndpoint:\n",
            "containerRuntimeEndpointX: /a\n",
            "{",
        ] {
            assert_eq!(in_config(nothing), None, "{nothing:?}");
        }
        assert_eq!(
            in_k3s_config("write-kubeconfig-mode: \"0644\"\ncontainer-runtime-endpoint: /a.sock\n")
                .as_deref(),
            Some("/a.sock")
        );
        let flags = "--kubeconfig=${SNAP_DATA}/k\n--container-runtime-endpoint=${SNAP_COMMON}/run/containerd.sock\n";
        assert_eq!(
            in_flags(flags).as_deref(),
            Some("/var/snap/microk8s/common/run/containerd.sock")
        );
    }

    #[test]
    fn endpoints_are_paths_of_unix_sockets() {
        for (endpoint, path) in [
            ("unix:///run/a.sock", Some("/run/a.sock")),
            ("unix:/run/a.sock", Some("/run/a.sock")),
            ("/run/a.sock", Some("/run/a.sock")),
            ("tcp://127.0.0.1:1", None),
            ("npipe:////./pipe/a", None),
            ("run/a.sock", None),
        ] {
            assert_eq!(socket_path(endpoint), path, "{endpoint}");
        }
    }
}
