//! Published ports: the daemon's own rules of nftables.

use super::report::Line;
use super::seen::runs;

/// Lists tables: changes nothing, and shows whether rules can be read at all.
const LIST: [&str; 2] = ["list", "tables"];

pub(super) fn line() -> Line {
    judge(runs("nft", &LIST))
}

/// nft, where it is there: it works, or what it says.
fn judge(nft: Option<Result<(), String>>) -> Line {
    let check = "ports";
    match nft {
        Some(Ok(())) => Line::ok(check, "can be published: nft works"),
        Some(Err(said)) => Line::problem(
            check,
            format!("cannot be published: nft fails: {said}"),
            "run podman-cri as root of the host, with nf_tables in its kernel",
        ),
        None => Line::note(
            check,
            "cannot be published: nft is not on PATH",
            "install nftables",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::*;

    #[test]
    fn ports_need_nft() {
        let denied = Err("Operation not permitted".to_owned());
        for (nft, mark, words) in [
            (Some(Ok(())), Mark::Ok, "nft works"),
            (Some(denied), Mark::Problem, "Operation not permitted"),
            (None, Mark::Note, "not on PATH"),
        ] {
            let line = judge(nft);
            assert_eq!(line.mark, mark, "{line:?}");
            assert!(line.found.contains(words), "{line:?}");
            assert_eq!(line.advice.is_empty(), mark == Mark::Ok, "{line:?}");
        }
    }
}
