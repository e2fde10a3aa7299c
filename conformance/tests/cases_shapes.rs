//! The daemon's answers have the shape of Podman's recorded ones, but for the rows of
//! `differences.toml`. That the comparison itself is right is proven on Podman (`cases_podman`).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test speaks and panics, its helpers too"
)]

use anyhow::{Result, ensure};
use conformance::{
    Variant,
    scenario::{BOTH, on_each},
    shape,
};

async fn answers_have_the_recorded_shape_on(variant: Variant) -> Result<()> {
    let Some(reference) = shape::reference_or_told() else {
        return Ok(());
    };
    let report = shape::compare_on_daemon(&reference, variant).await?;
    println!("{report}");
    ensure!(report.problems.is_empty(), "see above");
    Ok(())
}

#[tokio::test]
async fn answers_have_the_recorded_shape() {
    on_each(BOTH, answers_have_the_recorded_shape_on)
        .await
        .unwrap();
}
