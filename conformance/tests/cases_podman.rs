//! The cases hold on a real Podman: that is what proves them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test speaks and panics, its helpers too"
)]

use conformance::{
    runner::{Podman, Suite, Target, run},
    shape,
};

async fn the_cases_hold_on(target: &Target) {
    let report = run(Suite::load().unwrap(), target).await.unwrap();
    println!("{report}");
    assert!(report.is_good(), "see above");
}

/// The Podman that runs already, in a version the answers were recorded from.
async fn given() -> Option<Target> {
    let Some(podman) = Podman::given() else {
        println!("SKIPPED: PODMAN_CRI_PODMAN_SOCKET names no Podman service");
        return None;
    };
    Some(podman.target().await.unwrap())
}

#[tokio::test]
async fn the_cases_hold_on_the_podman_that_runs_already() {
    if let Some(target) = given().await {
        the_cases_hold_on(&target).await;
    }
}

#[tokio::test]
async fn its_answers_have_the_recorded_shape() {
    let Some(target) = given().await else { return };
    if target.version != (5, 8) {
        println!(
            "SKIPPED: the answers are of Podman 5.8, not of {}",
            target.name
        );
        return;
    }
    let Some(reference) = shape::reference_or_told() else {
        return;
    };
    let report = shape::compare_all(&reference, &target).await.unwrap();
    println!("{report}");
    assert!(report.problems.is_empty(), "see above");
}

#[tokio::test]
async fn the_cases_hold_on_the_podman_of_this_host() {
    let podman = match Podman::of_host() {
        Ok(podman) => podman,
        Err(error) => {
            println!("SKIPPED: no Podman of this host: {error:#}");
            return;
        }
    };
    let target = podman.target().await.unwrap();
    match podman.cannot_run(&target).await.unwrap() {
        Some(why) => println!("SKIPPED: the Podman of this host runs nothing here: {why}"),
        None => the_cases_hold_on(&target).await,
    }
    podman.finish().unwrap();
}
