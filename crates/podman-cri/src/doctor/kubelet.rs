//! Is this a Kubernetes node's runtime, and how that was found.

use super::report::Line;
use super::seen::RuntimeSeen;

pub(super) fn line(seen: &RuntimeSeen) -> Line {
    let check = "kubelet";
    match &seen.kubelet {
        Err(error) => Line::problem(
            check,
            format!("it cannot be looked for: {error}"),
            "mount /proc",
        ),
        Ok(Some(kubelet)) => Line::note(
            check,
            format!("{kubelet} serves this runtime: create and start are refused"),
            "give podman-cri a runtime of its own, let the kubelet run a static pod, or force it with \
             --on-kubelet-node=allow",
        ),
        Ok(None) => match engine::of_kubelet(&seen.listing).count() {
            0 => Line::ok(check, "none serves this runtime"),
            pods => Line::note(
                check,
                format!(
                    "{pods} running pods of one are here, and none that serves this runtime is seen"
                ),
                "nothing, if it is gone for good; one that comes back removes what it does not know",
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::super::tests::crio;
    use super::*;
    use engine::host::kubelet::Kubelet;
    use model::observed::SandboxListed;

    fn sandbox(ready: bool, source: &str) -> SandboxListed {
        let pair = |key: &str| (key.to_owned(), "x".to_owned());
        SandboxListed {
            cri_id: "1".to_owned(),
            name: "web".to_owned(),
            namespace: "default".to_owned(),
            uid: "u".to_owned(),
            attempt: 0,
            ready,
            created_at: None,
            labels: [pair("io.kubernetes.pod.uid")].into(),
            annotations: [pair(source)].into(),
            handler: String::new(),
            mark: None,
        }
    }

    #[test]
    fn a_kubelet_is_a_process_and_its_pods_are_a_hint() {
        let mut seen = crio();
        assert_eq!(line(&seen).mark, Mark::Ok);
        let source = "kubernetes.io/config.source";
        for (pod, mark) in [
            (sandbox(false, source), Mark::Ok),
            (sandbox(true, "other"), Mark::Ok),
            (sandbox(true, source), Mark::Note),
        ] {
            seen.listing.sandboxes = vec![pod];
            assert_eq!(line(&seen).mark, mark, "{:?}", seen.listing);
        }
        seen.kubelet = Ok(Some(Kubelet {
            pid: 7,
            program: "kubelet".to_owned(),
            endpoint: "unix:///a".to_owned(),
            how: "its flag".to_owned(),
        }));
        let found = line(&seen);
        assert_eq!(found.mark, Mark::Note);
        assert!(
            found
                .found
                .contains("kubelet (process 7; its flag: unix:///a)"),
            "{found:?}"
        );
        seen.kubelet = Err("no".to_owned());
        assert_eq!(line(&seen).mark, Mark::Problem);
    }
}
