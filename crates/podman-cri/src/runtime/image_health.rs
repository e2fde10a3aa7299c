//! The health check of an image. It is Docker's addition to an OCI configuration, and CRI-O and containerd leave it out of
//! what they say of an image (measured: CRI-O 1.36.3, containerd 1.6.20): it is read from the configuration itself.

use std::io::ErrorKind;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cri_client::verbose::{Healthcheck, OciImage};
use cri_client::{Client, Error as CriError};
use model::Error;
use model::health::HealthCheck;
use model::observed::{RuntimeFacts, RuntimeKind};

/// Bytes of an image's configuration at most; those of images in use have some kilobytes.
const LARGEST: usize = 4 << 20;

/// The health check of an image, by its id; `None` where it has none, or the runtime is another one.
pub(super) async fn of(
    client: &Client,
    facts: &RuntimeFacts,
    id: &str,
) -> Result<Option<HealthCheck>, Error> {
    let Some(config) = configuration(client, facts, id).await? else {
        return Ok(None);
    };
    let image: OciImage = serde_json::from_slice(&config).map_err(Error::internal)?;
    Ok(image.config.healthcheck.map(check))
}

/// The configuration of an image, by its id; `None` where it is not there, or the runtime is another one.
pub(crate) async fn configuration(
    client: &Client,
    facts: &RuntimeFacts,
    id: &str,
) -> Result<Option<Vec<u8>>, Error> {
    match facts.kind {
        RuntimeKind::CriO => in_storage(facts, id).await,
        RuntimeKind::Containerd => in_content(client, id).await,
        RuntimeKind::Other => Ok(None),
    }
}

/// containers-storage keeps an image's configuration in a file named after its digest.
async fn in_storage(facts: &RuntimeFacts, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let file = config_file(facts, id);
    let length = match tokio::fs::metadata(&file).await {
        Ok(metadata) => metadata.len(),
        // an additional store's, or of another driver
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::internal(error)),
    };
    if usize::try_from(length).is_ok_and(|length| length > LARGEST) {
        return Err(Error::Internal(format!(
            "the configuration of image {id} is larger than {LARGEST} bytes"
        )));
    }
    match tokio::fs::read(&file).await {
        Ok(config) => Ok(Some(config)),
        // removed meanwhile
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::internal(error)),
    }
}

fn config_file(facts: &RuntimeFacts, id: &str) -> PathBuf {
    let name = STANDARD.encode(format!("sha256:{id}"));
    let images = format!("{}-images", facts.storage_driver);
    facts
        .storage_root
        .join(images)
        .join(id)
        .join(format!("={name}"))
}

async fn in_content(client: &Client, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let digest = format!("sha256:{id}");
    let read = client.containerd().read_content(&digest).whole(LARGEST);
    match read.await {
        Ok(config) => Ok(Some(config)),
        Err(CriError::NotFound(_)) => Ok(None),
        Err(error) => Err(super::runtime_error(client.runtime_endpoint(), error)),
    }
}

/// A check in the model's words.
pub(super) fn check(check: Healthcheck) -> HealthCheck {
    let Healthcheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    } = check;
    HealthCheck {
        test,
        interval_ns: interval,
        timeout_ns: timeout,
        start_period_ns: start_period,
        start_interval_ns: start_interval,
        retries,
        successes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn containers_storage_has_the_configuration_under_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let facts = RuntimeFacts {
            storage_driver: "overlay".to_owned(),
            storage_root: folder.path().to_path_buf(),
            ..RuntimeFacts::default()
        };
        assert_eq!(in_storage(&facts, "ab").await.unwrap(), None);
        // the name as containers-storage writes it
        let dir = folder.path().join("overlay-images/ab");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("=c2hhMjU2OmFi"), "{}").unwrap();
        assert_eq!(in_storage(&facts, "ab").await.unwrap(), Some(b"{}".into()));
    }
}
