//! A change made by another CRI client that has returned shows in the next list, under parallel
//! lists. `PODMAN_CRI_CHANGES` says how many changes; ten thousand take some minutes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use conformance::{
    Http, Lab, Setup, Variant,
    scenario::{self, ALL, KubePod, LIBPOD, on_each},
};
use tokio::task::JoinSet;

/// Changes where nothing else is asked for.
const CHANGES: usize = 120;
/// Lists under way beside the changes, so that there is always one to share.
const LISTERS: usize = 4;
/// Every so many containers one is started and killed, too: most of a change's time goes there.
const STARTED: u32 = 12;

fn changes() -> usize {
    let asked = std::env::var("PODMAN_CRI_CHANGES").ok();
    asked.map_or(CHANGES, |text| {
        text.parse().expect("PODMAN_CRI_CHANGES is a number")
    })
}

/// The faces of the list, used in turn.
const FACES: [&str; 2] = [LIBPOD, "/v1.44"];

/// What a list says of a container: its state, or nothing.
async fn listed(http: &Http, turn: usize, id: &str) -> Result<Option<String>> {
    let path = format!("{}/containers/json?all=true", FACES[turn % FACES.len()]);
    let list = http.get(&path).await?.expect(200)?.json();
    let found = list
        .as_array()
        .into_iter()
        .flatten()
        .find(|c| c["Id"] == id);
    Ok(found.map(|c| c["State"].as_str().unwrap_or("?").to_owned()))
}

/// Lists without a pause, and counts the lists.
async fn keep_listing(http: Http, turn: usize, lists: Arc<AtomicUsize>) {
    loop {
        listed(&http, turn, "").await.unwrap();
        lists.fetch_add(1, Ordering::Relaxed);
    }
}

struct Changer {
    http: Http,
    pod: KubePod,
    made: usize,
}

impl Changer {
    /// The list that is asked for now shows the change that has just returned.
    async fn sees(&mut self, id: &str, state: Option<&str>) -> Result<()> {
        self.made += 1;
        let found = listed(&self.http, self.made, id).await?;
        ensure!(
            found.as_deref() == state,
            "change {}: the list has {found:?} instead of {state:?}",
            self.made
        );
        Ok(())
    }

    /// One container of another client, from create to remove.
    async fn container(&mut self, attempt: u32, start: bool) -> Result<()> {
        let id = self.pod.create("c", attempt, &["sleep", "1000"]).await?;
        self.sees(&id, Some("created")).await?;
        if start {
            self.pod.start_created(&id).await?;
            self.sees(&id, Some("running")).await?;
            self.pod.kill(&id).await?;
            self.sees(&id, Some("exited")).await?;
        }
        self.pod.remove(&id).await?;
        self.sees(&id, None).await
    }
}

async fn lists_are_fresh(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let pod = KubePod::run(&lab.host, &lab.runtime.cri()?, "default", "p", "p").await?;
    let lists = Arc::new(AtomicUsize::new(0));
    let listers = (0..LISTERS).map(|turn| keep_listing(lab.http(), turn, Arc::clone(&lists)));
    let mut listers: JoinSet<()> = listers.collect();
    let mut changer = Changer {
        http: lab.http(),
        pod,
        made: 0,
    };
    let (began, mut attempt) = (Instant::now(), 0_u32);
    while changer.made < changes() {
        let start = attempt.is_multiple_of(STARTED);
        let lived = changer.container(attempt, start).await;
        lived.with_context(|| format!("container {attempt}"))?;
        attempt += 1;
    }
    ensure!(listers.try_join_next().is_none(), "a list has failed");
    listers.shutdown().await;
    println!(
        "{}: {} changes, each in the next list, in {:.0?} beside {} lists",
        variant.name(),
        changer.made,
        began.elapsed(),
        lists.load(Ordering::Relaxed),
    );
    changer.pod.take_down().await?;
    scenario::finish(lab).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_another_client_shows_in_the_next_list() {
    on_each(ALL, lists_are_fresh).await.unwrap();
}
