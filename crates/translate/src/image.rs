//! Images: list and inspect of both faces, and the objects a pull streams.

use model::image::{HistoryEntry, ImageConfig as ModelConfig, ImageDetail};
use model::view::{ImageView, Pulled};
use podman_api::container::{compat, libpod};
use podman_api::error::DockerMessage;
use podman_api::image::{
    CompatImage, CompatImageInspect, History, ImageConfig, ImageMetadata, LibpodImage,
    LibpodImageInspect, ProgressDetail, PullProgress, PullReport, RootFs,
};

use crate::container::health;
use crate::human;

/// Docker's API below this minor version has `VirtualSize`.
const WITH_VIRTUAL_SIZE_BELOW: u32 = 44;
/// Docker's API below this minor version has `ContainerConfig`.
const WITH_CONTAINER_CONFIG_BELOW: u32 = 45;
/// Digits of an id in `ContainerConfig.Hostname`.
const HOSTNAME_DIGITS: usize = 11;
/// Digits of an id in Docker's progress lines.
const SHORT_DIGITS: usize = 12;

fn size(detail: &ImageDetail) -> i64 {
    i64::try_from(detail.summary.size_bytes).unwrap_or(i64::MAX)
}

/// The manifest's digest, from a repository digest.
fn digest(detail: &ImageDetail) -> String {
    let full = detail
        .summary
        .digests
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    full.split_once('@')
        .map_or(full, |(_, digest)| digest)
        .to_owned()
}

fn first(text: &str, digits: usize) -> String {
    text.get(..digits).unwrap_or(text).to_owned()
}

/// One element of `GET /libpod/images/json` (`ImageSummary`).
pub fn libpod_image(view: &ImageView) -> LibpodImage {
    let detail = &view.detail;
    let tags = detail.summary.tags.clone();
    LibpodImage {
        id: detail.summary.id.clone(),
        parent_id: String::new(), // CRI does not say
        repo_tags: Some(tags.clone()).filter(|tags| !tags.is_empty()),
        repo_digests: Some(detail.summary.digests.clone()),
        created: human::unix_or_zero(detail.created_at),
        size: size(detail),
        shared_size: 0, // Podman's is always so
        virtual_size: size(detail),
        labels: Some(detail.config.labels.clone()).filter(|labels| !labels.is_empty()),
        containers: i64::try_from(view.containers).unwrap_or(i64::MAX),
        read_only: false, // of further image stores
        dangling: tags.is_empty(),
        arch: detail.architecture.clone(),
        digest: digest(detail),
        history: tags.clone(), // the names it has are among those it had
        is_manifest_list: Some(false), // CRI lists images, not indexes
        names: tags,
        os: detail.os.clone(),
    }
}

/// One element of `GET /images/json` (Docker's `Summary`); `minor` is the API version's.
pub fn compat_image(view: &ImageView, minor: u32) -> CompatImage {
    let detail = &view.detail;
    let tags = detail.summary.tags.clone();
    CompatImage {
        id: format!("sha256:{}", detail.summary.id),
        parent_id: String::new(), // CRI does not say
        repo_tags: tags.clone(),
        repo_digests: detail.summary.digests.clone(),
        created: human::unix_or_zero(detail.created_at),
        size: size(detail),
        shared_size: -1, // not asked for
        virtual_size: if minor < WITH_VIRTUAL_SIZE_BELOW {
            size(detail)
        } else {
            0
        },
        labels: Some(detail.config.labels.clone()).filter(|labels| !labels.is_empty()),
        containers: i64::try_from(view.containers).unwrap_or(i64::MAX),
        read_only: false, // of further image stores
        dangling: tags.is_empty(),
        digest: digest(detail),
        history: tags.clone(), // the names it has are among those it had
        names: tags,
    }
}

/// `GET /libpod/images/{name}/json` (`ImageData`).
pub fn libpod_image_inspect(view: &ImageView) -> LibpodImageInspect {
    let detail = &view.detail;
    LibpodImageInspect {
        id: detail.summary.id.clone(),
        digest: digest(detail),
        repo_tags: detail.summary.tags.clone(),
        repo_digests: detail.summary.digests.clone(),
        parent: String::new(), // CRI does not say
        comment: comment(detail),
        created: detail.created_at.map(human::rfc3339),
        config: config(&detail.config),
        version: String::new(), // of Docker's own format
        author: detail.author.clone(),
        architecture: detail.architecture.clone(),
        os: detail.os.clone(),
        size: size(detail),
        virtual_size: size(detail),
        graph_driver: libpod::GraphDriver::default(), // CRI does not say where an image's layers lie
        root_fs: root_fs(detail),
        labels: Some(detail.config.labels.clone()).filter(|labels| !labels.is_empty()),
        annotations: Some(std::collections::BTreeMap::new()), // of the manifest, which CRI does not show
        manifest_type: String::new(),                         // the same
        user: detail.config.user.clone(),
        history: Some(detail.history.iter().map(history).collect()),
        names_history: Some(detail.summary.tags.clone()),
        healthcheck: detail.config.health.as_ref().map(health::config),
    }
}

/// `GET /images/{name}/json` (Docker's image `InspectResponse`); `minor` is the API version's.
pub fn compat_image_inspect(view: &ImageView, minor: u32) -> CompatImageInspect {
    let detail = &view.detail;
    let container_config = compat::Config {
        hostname: first(&detail.summary.id, HOSTNAME_DIGITS),
        ..compat::Config::default() // Podman's is empty too
    };
    CompatImageInspect {
        id: format!("sha256:{}", detail.summary.id),
        repo_tags: Some(detail.summary.tags.clone()),
        repo_digests: Some(detail.summary.digests.clone()),
        parent: String::new(), // CRI does not say
        comment: comment(detail),
        created: human::rfc3339_or_zero(detail.created_at),
        container: String::new(), // of images made by commit
        container_config: (minor < WITH_CONTAINER_CONFIG_BELOW).then_some(container_config),
        docker_version: String::new(), // of Docker's own format
        author: detail.author.clone(),
        config: config(&detail.config),
        architecture: detail.architecture.clone(),
        variant: String::new(), // CRI runtimes do not give it
        os: detail.os.clone(),
        os_version: String::new(), // of Windows
        size: size(detail),
        virtual_size: if minor < WITH_VIRTUAL_SIZE_BELOW {
            size(detail)
        } else {
            0
        },
        graph_driver: compat::GraphDriver::default(), // CRI does not say where an image's layers lie
        root_fs: root_fs(detail),
        metadata: ImageMetadata {
            last_tag_time: human::ZERO_TIME.to_owned(),
        },
    }
}

/// Podman's comment of an image is that of its last step.
fn comment(detail: &ImageDetail) -> String {
    detail
        .history
        .last()
        .map(|step| step.comment.clone())
        .unwrap_or_default()
}

fn config(config: &ModelConfig) -> ImageConfig {
    let ModelConfig {
        user,
        env,
        entrypoint,
        cmd,
        volumes,
        work_dir,
        labels,
        stop_signal,
        exposed_ports,
        health,
    } = config;
    ImageConfig {
        user: user.clone(),
        exposed_ports: exposed_ports.iter().cloned().collect(),
        env: env.clone(),
        entrypoint: entrypoint.clone(),
        cmd: cmd.clone(),
        volumes: volumes.iter().cloned().collect(),
        working_dir: work_dir.clone(),
        labels: labels.clone(),
        stop_signal: stop_signal.clone(),
        healthcheck: health.as_ref().map(super::container::health::config),
        ..ImageConfig::default() // ArgsEscaped, OnBuild, Shell: of Docker's own format
    }
}

fn root_fs(detail: &ImageDetail) -> RootFs {
    RootFs {
        r#type: "layers".to_owned(),
        layers: Some(detail.diff_ids.clone()),
    }
}

fn history(step: &HistoryEntry) -> History {
    let HistoryEntry {
        created,
        created_by,
        comment,
        empty_layer,
    } = step;
    History {
        created: created.map(human::rfc3339),
        created_by: created_by.clone(),
        author: String::new(), // not asked of the runtime
        comment: comment.clone(),
        empty_layer: *empty_layer,
    }
}

/// The first object of a libpod pull that really pulls.
pub fn pull_started(name: &str) -> PullReport {
    PullReport {
        stream: format!("Trying to pull {name}...\n"),
        ..PullReport::default()
    }
}

/// The last object of a libpod pull.
pub fn pull_done(pulled: &Pulled) -> PullReport {
    let Pulled {
        id,
        name: _,
        fetched: _,
    } = pulled; // Podman gives the id alone
    PullReport {
        images: vec![id.clone()],
        id: id.clone(),
        ..PullReport::default()
    }
}

/// The last object of a libpod pull that failed: the status is 200 by then.
pub fn pull_failed(error: &model::Error) -> PullReport {
    PullReport {
        error: error.to_string(),
        ..PullReport::default()
    }
}

/// The objects of a compat pull: CRI tells nothing of its layers, so the image alone is shown.
pub fn compat_pull_done(pulled: &Pulled) -> Vec<PullProgress> {
    let status = |status: &str| PullProgress {
        status: status.to_owned(),
        progress_detail: Some(ProgressDetail::default()),
        id: first(&pulled.id, SHORT_DIGITS),
        ..PullProgress::default()
    };
    vec![
        status("Pulling fs layer"),
        status("Download complete"),
        status("Download complete"),
    ]
}

/// The last object of a compat pull that failed after the first byte.
pub fn compat_pull_failed(error: &model::Error) -> PullProgress {
    let message = error.to_string();
    PullProgress {
        error_detail: Some(DockerMessage {
            message: message.clone(),
        }),
        error: message,
        ..PullProgress::default()
    }
}
