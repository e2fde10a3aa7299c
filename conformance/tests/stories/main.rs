//! Stories: what a user types into `podman --remote` and `docker`, against the daemon on each runtime.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

mod docker;
mod health;
mod podman;
mod streams;
mod user;

use anyhow::{Context, Result};
use conformance::{
    Client, Lab, Setup, Variant,
    scenario::{self, on_each},
};
use user::User;

/// Every client that this host has, one after the other on one daemon.
async fn stories(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    for client in Client::installed() {
        let user = User::new(&lab, client)?;
        let told = match user.client {
            Client::Docker => docker::story(&user).await,
            Client::Podman | Client::PodmanRemote(_) => podman::story(&user).await,
        };
        told.with_context(|| user.client.name())?;
        println!("{} on {}: told", user.client.name(), variant.name());
        lab.forget_new_images().await?;
        lab.check_leaks().await?;
    }
    scenario::finish(lab).await
}

fn say_who_is_absent() {
    let clients = Client::installed();
    let remote = |client: &Client| matches!(client, Client::PodmanRemote(_));
    for (name, there) in [
        ("podman", clients.contains(&Client::Podman)),
        ("PODMAN_REMOTE", clients.iter().any(remote)),
        ("docker", clients.contains(&Client::Docker)),
    ] {
        if !there {
            println!("SKIPPED: the stories of {name}: there is none");
        }
    }
}

#[tokio::test]
async fn users_get_on_with_containerd() {
    say_who_is_absent();
    on_each(&[Variant::CONTAINERD], stories).await.unwrap();
}

#[tokio::test]
async fn users_get_on_with_crio() {
    on_each(&[Variant::CRIO], stories).await.unwrap();
}

#[tokio::test]
async fn users_get_on_with_crio_without_events() {
    on_each(&[Variant::CRIO_SILENT], stories).await.unwrap();
}
