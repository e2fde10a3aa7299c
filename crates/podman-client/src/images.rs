//! Images: is one there, out with it, in with one.

use std::path::PathBuf;

use http::Request;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::connection::{self, Answer, Body, collect};
use crate::{Error, Podman};

/// Which of Podman's two APIs: they look names up differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Podman's own.
    Libpod,
    /// Docker's.
    Compat,
}

/// An image of Podman's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Image {
    /// 64 hex digits.
    #[serde(rename = "Id", deserialize_with = "bare")]
    pub id: String,
    /// Full names.
    #[serde(rename = "RepoTags", default, deserialize_with = "nullable")]
    pub names: Vec<String>,
}

/// A store of containers-storage.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// `overlay`.
    pub graph_driver_name: String,
    /// The store.
    pub graph_root: PathBuf,
    /// Its volatile half.
    pub run_root: PathBuf,
}

/// `GET /libpod/info`, as far as it is read.
#[derive(Deserialize)]
struct Info {
    store: Storage,
}

/// What may stand in a path as it is: names have slashes, and Podman takes them so.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b':');

/// Podman 4 and 5 both know this version of their API.
const LIBPOD: &str = "/v4.0.0/libpod";
const COMPAT: &str = "/v1.41";

impl Podman {
    /// Where it keeps its images.
    ///
    /// # Errors
    /// As of [`Podman::image`].
    pub async fn storage(&self) -> Result<Storage, Error> {
        let body = self.short(&format!("{LIBPOD}/info")).await?;
        let body = body.ok_or_else(|| Error::BadAnswer("it has no libpod API".to_owned()))?;
        let Info { store } =
            serde_json::from_slice(&body).map_err(|error| Error::BadAnswer(error.to_string()))?;
        Ok(store)
    }

    /// The image a name means at Podman; `None` where it knows none.
    ///
    /// # Errors
    /// As of [`Podman::send`], and [`Error::Refused`].
    pub async fn image(&self, name: &str, api: Api) -> Result<Option<Image>, Error> {
        let prefix = match api {
            Api::Libpod => LIBPOD,
            Api::Compat => COMPAT,
        };
        let path = format!("{prefix}/images/{}/json", in_path(name));
        let Some(body) = self.short(&path).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| Error::BadAnswer(error.to_string()))
    }

    /// An image as docker-archive: `manifest.json`, the configuration and the layers, uncompressed, in a
    /// tar. Only this form keeps the configuration as it is, and with it the id, of images in Docker's and
    /// in OCI's form alike.
    ///
    /// # Errors
    /// As of [`Podman::image`].
    pub async fn export(&self, id: &str) -> Result<Response<Answer>, Error> {
        let path = format!(
            "{LIBPOD}/images/{}/get?format=docker-archive&compress=false",
            in_path(id)
        );
        let request = Request::get(path)
            .body(connection::empty())
            .map_err(|error| Error::BadAnswer(error.to_string()))?;
        let answer = self.send(request).await?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(match collect(answer).await {
                Ok(_) => Error::BadAnswer("a redirection".to_owned()),
                Err(error) => error,
            }),
        }
    }

    /// Gives Podman the images of a docker-archive.
    ///
    /// # Errors
    /// As of [`Podman::image`].
    pub async fn load(&self, archive: Body) -> Result<(), Error> {
        let mut request = Request::post(format!("{LIBPOD}/images/load"))
            .body(archive)
            .map_err(|error| Error::BadAnswer(error.to_string()))?;
        let tar = HeaderValue::from_static("application/x-tar");
        request.headers_mut().insert(CONTENT_TYPE, tar);
        collect(self.send(request).await?).await.map(drop)
    }
}

fn in_path(name: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(name, PATH)
}

fn nullable<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Docker's API writes `sha256:` before an id.
fn bare<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let id = String::deserialize(from)?;
    Ok(id.strip_prefix("sha256:").unwrap_or(&id).to_owned())
}
