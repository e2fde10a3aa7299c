//! Builds: whether Podman answers, and its images can come to the runtime.

use model::observed::RuntimeKind;
use podman_client::Storage;
use private_runtime::host::find_program;

use super::report::Line;

/// `shared` where the runtime's storage is Podman's.
pub(super) fn line(kind: RuntimeKind, podman: &Result<Storage, String>, shared: bool) -> Line {
    judge(kind, podman, shared, find_program(None, "skopeo").is_some())
}

fn judge(kind: RuntimeKind, podman: &Result<Storage, String>, shared: bool, skopeo: bool) -> Line {
    let check = "builds";
    match (kind, podman) {
        (RuntimeKind::Other, _) => Line::note(
            check,
            "refused: no way is known into this runtime's image store",
            "build with the runtime's own tools, or use CRI-O or containerd",
        ),
        (_, Err(why)) => Line::note(
            check,
            format!("refused: {why}"),
            "systemctl start podman.socket, or name Podman's socket with --podman",
        ),
        (RuntimeKind::CriO, Ok(_)) if !shared && !skopeo => Line::note(
            check,
            "refused: CRI-O's storage is not Podman's, and skopeo is not on PATH",
            "install skopeo",
        ),
        (RuntimeKind::CriO | RuntimeKind::Containerd, Ok(storage)) => Line::ok(
            check,
            format!(
                "by the Podman whose storage is {}",
                storage.graph_root.display()
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::*;

    #[test]
    fn builds_need_podman_and_a_way_to_the_runtimes_store() {
        let there = Ok(Storage {
            graph_driver_name: "overlay".to_owned(),
            graph_root: "/var/lib/containers/storage".into(),
            run_root: "/run/containers/storage".into(),
        });
        let away = Err("Podman does not answer".to_owned());
        let (crio, containerd) = (RuntimeKind::CriO, RuntimeKind::Containerd);
        for (kind, podman, shared, skopeo, mark) in [
            (crio, &there, true, false, Mark::Ok),
            (crio, &there, false, true, Mark::Ok),
            (crio, &there, false, false, Mark::Note),
            (containerd, &there, false, false, Mark::Ok),
            (containerd, &away, false, true, Mark::Note),
            (RuntimeKind::Other, &there, false, true, Mark::Note),
        ] {
            let line = judge(kind, podman, shared, skopeo);
            assert_eq!(line.mark, mark, "{line:?}");
        }
    }
}
