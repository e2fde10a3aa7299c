//! Builds by a real Podman, for each runtime and each way that its store and Podman's can lie.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

mod clients;
mod faults;
mod images;
mod refusals;
mod site;

use anyhow::{Context, Result};
use conformance::{
    Variant,
    scenario::{BOTH, on_each},
};
use private_runtime::{Kind, PodmanStorage};
use site::Site;

/// On each runtime: with a Podman of its own storage, and on CRI-O with one that shares it.
async fn everywhere(test: impl AsyncFn(&mut Site) -> Result<()>) {
    on_each(BOTH, async |variant: Variant| {
        let shares: &[_] = match variant.kind {
            Kind::CriO => &[PodmanStorage::Own, PodmanStorage::Shared],
            Kind::Containerd => &[PodmanStorage::Own],
        };
        for storage in shares {
            if let Some(mut site) = Site::start(variant, *storage).await? {
                test(&mut site)
                    .await
                    .with_context(|| format!("{storage:?}\n{}", site.log()))?;
                site.finish()
                    .await
                    .with_context(|| format!("{storage:?}"))?;
            }
        }
        Ok(())
    })
    .await
    .unwrap();
}

/// On each runtime, with a Podman of its own storage.
async fn with_own_storage(test: impl AsyncFn(&mut Site) -> Result<()>) {
    on_each(BOTH, async |variant| {
        if let Some(mut site) = Site::start(variant, PodmanStorage::Own).await? {
            test(&mut site).await.with_context(|| site.log())?;
            site.finish().await?;
        }
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_image_is_the_runtimes_when_its_build_ends() {
    everywhere(async |site| images::handed_over(site).await).await;
}

#[tokio::test]
async fn bases_that_only_the_runtime_has_are_built_on() {
    with_own_storage(async |site| images::on_the_runtimes_bases(site).await).await;
}

#[tokio::test]
async fn an_images_health_check_is_its_containers() {
    with_own_storage(async |site| images::health_check(site).await).await;
}

#[tokio::test]
async fn a_name_moves_to_the_image_that_was_built_last() {
    everywhere(async |site| images::names_move(site).await).await;
}

#[tokio::test]
async fn a_large_context_and_a_large_image_pass_in_little_memory() {
    with_own_storage(async |site| images::large(site).await).await;
}

#[tokio::test]
async fn clients_build_and_run() {
    everywhere(async |site| clients::build_and_run(site).await).await;
}

#[tokio::test]
async fn a_build_that_fails_says_why() {
    with_own_storage(async |site| faults::failed_builds(site).await).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_the_build() {
    with_own_storage(async |site| faults::hang_up(site).await).await;
}

#[tokio::test]
async fn a_hand_over_that_fails_ends_the_answer_with_an_error() {
    with_own_storage(async |site| faults::no_hand_over(site).await).await;
}

#[tokio::test]
async fn a_podman_that_dies_ends_the_answer_with_an_error() {
    with_own_storage(async |site| faults::podman_dies(site).await).await;
}

#[tokio::test]
async fn a_daemon_that_dies_in_a_hand_over_leaves_nothing_that_matters() {
    with_own_storage(async |site| faults::death(site).await).await;
}

#[tokio::test]
async fn without_podman_it_is_said_what_to_start() {
    on_each(BOTH, refusals::no_podman).await.unwrap();
}

#[tokio::test]
async fn more_builds_than_may_be_at_once_are_refused() {
    with_own_storage(async |site| refusals::too_many(site).await).await;
}

#[tokio::test]
async fn a_runtime_whose_store_is_not_known_takes_no_builds() {
    on_each(BOTH, refusals::unknown_runtime).await.unwrap();
}
