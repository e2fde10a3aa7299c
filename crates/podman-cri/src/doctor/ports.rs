//! Published ports: who would serve host ports.

use model::observed::RuntimeKind;

use super::network::Cni;
use super::report::Line;
use super::seen::{RuntimeSeen, on_path};

pub(super) fn line(seen: &RuntimeSeen, cni: &Cni) -> Line {
    judge(seen.facts.kind, cni.has_portmap(), on_path("nft").is_some())
}

fn judge(kind: RuntimeKind, portmap: bool, nft: bool) -> Line {
    let check = "ports";
    let install = "install nftables";
    match (kind, portmap, nft) {
        (RuntimeKind::CriO, _, true) => {
            Line::ok(check, "CRI-O maps host ports itself; nft is there")
        }
        (RuntimeKind::CriO, _, false) => Line::problem(
            check,
            "CRI-O maps host ports with nft, which is not on PATH",
            install,
        ),
        (_, true, true) => Line::ok(check, "CNI's portmap maps host ports; nft is there"),
        (_, true, false) => Line::note(
            check,
            "CNI's portmap maps host ports; nft is not on PATH",
            install,
        ),
        (_, false, _) => Line::note(
            check,
            "nothing maps host ports: the CNI configuration has no portmap",
            "add {\"type\": \"portmap\", \"capabilities\": {\"portMappings\": true}} to its plugins",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::*;

    #[test]
    fn ports_need_nft_on_crio_and_portmap_elsewhere() {
        let (crio, containerd) = (RuntimeKind::CriO, RuntimeKind::Containerd);
        for (kind, portmap, nft, mark) in [
            (crio, false, true, Mark::Ok),
            (crio, true, false, Mark::Problem),
            (containerd, true, true, Mark::Ok),
            (containerd, true, false, Mark::Note),
            (containerd, false, true, Mark::Note),
        ] {
            let line = judge(kind, portmap, nft);
            assert_eq!(line.mark, mark, "{line:?}");
            assert_eq!(line.advice.is_empty(), mark == Mark::Ok, "{line:?}");
        }
    }
}
