//! The cases hold on the daemon with CRI-O, with its events on and off, and leave nothing behind.

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

/// Whether this host has CRI-O.
fn there_is(variant: Variant) -> bool {
    let there = variants().contains(&variant);
    if !there {
        println!("SKIPPED: this host cannot run CRI-O (see above)");
    }
    there
}

async fn the_cases_hold_on(variant: Variant) {
    if !there_is(variant) {
        return;
    }
    let report = run_on_daemon(Suite::load().unwrap(), variant).await;
    let report = report.unwrap();
    println!("{report}");
    assert!(report.is_good(), "see above");
}

#[tokio::test]
async fn the_cases_hold_on_crio() {
    the_cases_hold_on(Variant::CRIO).await;
}

#[tokio::test]
async fn the_cases_hold_on_crio_without_events() {
    the_cases_hold_on(Variant::CRIO_SILENT).await;
}
