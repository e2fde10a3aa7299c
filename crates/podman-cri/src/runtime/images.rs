//! The image service.

use cri_api::v1::{AuthConfig, ImageFsInfoResponse, ImageSpec};
use cri_client::verbose::{History, ImageInfo, OciImage};
use cri_client::{Client, Error};
use jiff::Timestamp;
use model::Id;
use model::image::{Credentials, HistoryEntry, ImageConfig, ImageDetail, ImageSummary};
use translate::cri;

/// `ImageStatus`, verbose.
pub(super) async fn detail(client: &Client, name: &str) -> Result<Option<ImageDetail>, Error> {
    let answer = client.image_status_verbose(named(name)).await?;
    Ok(answer.map(|(image, info)| with_info(cri::image_summary(image), info)))
}

/// `PullImage`; the id of what was pulled.
///
/// CRI-O and containerd answer the id, with or without `sha256:`. The CRI lets a runtime answer a digested
/// name too; then the image is asked for by it.
pub(super) async fn pull(
    client: &Client,
    name: &str,
    credentials: Option<&Credentials>,
) -> Result<String, Error> {
    let answer = client
        .pull_image(named(name), credentials.map(auth), None)
        .await?;
    let id = cri::bare_id(&answer);
    if Id::parse(id).is_some() {
        return Ok(id.to_owned());
    }
    match client.image_status(named(&answer)).await? {
        Some(image) => Ok(cri::bare_id(&image.id).to_owned()),
        None => Err(Error::BadAnswer {
            call: "PullImage",
            message: format!("{answer:?} was pulled, and no such image is there"),
        }),
    }
}

/// `RemoveImage`.
pub(super) async fn remove(client: &Client, name: &str) -> Result<(), Error> {
    client.remove_image(named(name)).await
}

/// Bytes of all images; none where the runtime counts something else: CRI-O names the folder of its
/// metadata, some KiB (measured).
pub(super) fn bytes(info: &ImageFsInfoResponse) -> Option<u64> {
    let real = info.image_filesystems.iter().filter(|usage| {
        let place = usage.fs_id.as_ref().map_or("", |id| id.mountpoint.as_str());
        !place.ends_with("-images")
    });
    real.filter_map(|usage| usage.used_bytes)
        .map(|bytes| bytes.value)
        .reduce(u64::saturating_add)
}

fn named(name: &str) -> ImageSpec {
    ImageSpec {
        image: cri::bare_id(name).to_owned(), // CRI-O knows no `sha256:` before an id
        ..ImageSpec::default()
    }
}

fn auth(credentials: &Credentials) -> AuthConfig {
    let Credentials {
        username,
        password,
        // containerd takes it for a URL whose host must be the one it asks: it refuses `host:port` and does
        // not use `docker.io`'s (measured). As from a kubelet, the credentials are for this pull.
        server_address: _,
        identity_token,
    } = credentials;
    AuthConfig {
        username: username.clone(),
        password: password.clone(),
        auth: String::new(), // user and password once more, in base64
        server_address: String::new(),
        identity_token: identity_token.clone(),
        registry_token: String::new(), // no client of Podman sends one
    }
}

fn with_info(summary: ImageSummary, info: ImageInfo) -> ImageDetail {
    let OciImage {
        created,
        author,
        architecture,
        variant: _,
        os,
        config,
        rootfs,
        history,
    } = info.image_spec;
    ImageDetail {
        summary,
        created_at: time(created.as_deref()),
        author,
        architecture,
        os,
        config: ImageConfig {
            user: config.user,
            env: config.env,
            entrypoint: config.entrypoint,
            cmd: config.cmd,
            volumes: config.volumes.into_keys().collect(),
            work_dir: config.working_dir,
            labels: config.labels,
            stop_signal: config.stop_signal,
            exposed_ports: config.exposed_ports.into_keys().collect(),
            health: config.healthcheck.map(super::image_health::check),
        },
        diff_ids: rootfs.diff_ids,
        history: history.into_iter().map(entry).collect(),
    }
}

fn entry(
    History {
        created,
        created_by,
        author: _,
        comment,
        empty_layer,
    }: History,
) -> HistoryEntry {
    HistoryEntry {
        created: time(created.as_deref()),
        created_by,
        comment,
        empty_layer,
    }
}

/// RFC 3339; a time that cannot be read is none, since an image may say anything.
fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cri_api::v1::{FilesystemIdentifier, FilesystemUsage, UInt64Value};

    #[test]
    fn metadata_of_images_is_not_taken_for_their_size() {
        let usage = |place: &str, value| FilesystemUsage {
            fs_id: Some(FilesystemIdentifier {
                mountpoint: place.to_owned(),
            }),
            used_bytes: Some(UInt64Value { value }),
            ..FilesystemUsage::default()
        };
        let of = |all: Vec<FilesystemUsage>| {
            bytes(&ImageFsInfoResponse {
                image_filesystems: all,
                ..ImageFsInfoResponse::default()
            })
        };
        assert_eq!(
            of(vec![usage("/s/io.containerd.snapshotter.v1.overlayfs", 7)]),
            Some(7)
        );
        assert_eq!(of(vec![usage("/s/overlay-images", 7)]), None);
        assert_eq!(of(Vec::new()), None);
    }

    #[test]
    fn an_id_is_asked_for_without_its_prefix_and_credentials_name_no_server() {
        let hex = "a".repeat(64);
        assert_eq!(named(&format!("sha256:{hex}")).image, hex);
        assert_eq!(named("localhost/a:1").image, "localhost/a:1");
        let made = auth(&Credentials {
            username: "u".into(),
            password: "p".into(),
            server_address: "docker.io".into(),
            identity_token: String::new(),
        });
        assert_eq!((made.username.as_str(), made.password.as_str()), ("u", "p"));
        assert_eq!(made.server_address, "");
    }

    #[test]
    fn an_image_without_times_or_with_bad_ones_has_none() {
        let image = OciImage {
            created: Some("2024-05-01T10:00:00Z".to_owned()),
            history: vec![History {
                created: Some("yesterday".to_owned()),
                ..History::default()
            }],
            ..OciImage::default()
        };
        let made = with_info(
            ImageSummary::default(),
            ImageInfo {
                image_spec: image,
                ..ImageInfo::default()
            },
        );
        assert_eq!(made.created_at, "2024-05-01T10:00:00Z".parse().ok());
        assert_eq!(made.history[0].created, None);
    }
}
