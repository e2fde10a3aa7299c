//! The cases hold on the daemon with containerd, and leave nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test speaks and panics, its helpers too"
)]

use conformance::{
    Variant,
    runner::{Suite, run_on_daemon},
    variants,
};

/// Whether this host has containerd.
fn there_is_containerd() -> bool {
    let there = variants().contains(&Variant::CONTAINERD);
    if !there {
        println!("SKIPPED: this host cannot run containerd (see above)");
    }
    there
}

#[tokio::test]
async fn the_cases_hold_on_containerd() {
    if !there_is_containerd() {
        return;
    }
    let report = run_on_daemon(Suite::load().unwrap(), Variant::CONTAINERD).await;
    let report = report.unwrap();
    println!("{report}");
    assert!(report.is_good(), "see above");
}
