//! A container, and archives for it.

use std::io::Read as _;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use conformance::{
    Http, Response, frames,
    scenario::{Api, IMAGE},
};
use serde_json::{Value, json};
use tar::{Archive, Builder, EntryType, Header};

pub(crate) const LIBPOD: &str = "/v5.8.0/libpod";
pub(crate) const COMPAT: &str = "/v1.44";

/// A service with a container that runs.
pub(crate) struct Site {
    http: Http,
    container: String,
}

/// A path, and what is told of it: name, whether it is a folder, where it leads, Go's mode.
pub(crate) type Stat<'a> = (&'a str, &'a str, bool, &'a str, u64);

/// What an archive says of an entry.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) link: String,
    pub(crate) owner: (u64, u64),
    pub(crate) data: Vec<u8>,
}

impl Site {
    pub(crate) async fn new(http: Http, container: &str) -> Result<Self> {
        Self::of_image(http, container, IMAGE).await
    }

    async fn of_image(http: Http, container: &str, image: &str) -> Result<Self> {
        let site = Self::created(http, container.to_owned(), image).await?;
        site.start().await?;
        Ok(site)
    }

    /// Another container of the same service, never started.
    pub(crate) async fn beside(&self, name: &str) -> Result<Self> {
        let name = format!("{}-{name}", self.container);
        Self::created(self.http.clone(), name, IMAGE).await
    }

    /// The same, with more fields.
    pub(crate) async fn beside_with(&self, name: &str, more: &Value) -> Result<Self> {
        let name = format!("{}-{name}", self.container);
        Self::created_with(self.http.clone(), name, IMAGE, more).await
    }

    pub(crate) fn http(&self) -> Http {
        self.http.clone()
    }

    async fn created(http: Http, container: String, image: &str) -> Result<Self> {
        Self::created_with(http, container, image, &json!({})).await
    }

    async fn created_with(
        http: Http,
        container: String,
        image: &str,
        more: &Value,
    ) -> Result<Self> {
        let api = Api::new(http.clone());
        let mut spec = json!({
            "name": container, "image": image, "command": ["sleep", "1000"], "stop_timeout": 0
        });
        let fields = spec.as_object_mut().context("an object")?;
        fields.extend(more.as_object().cloned().unwrap_or_default());
        api.create(&spec).await?;
        Ok(Self { http, container })
    }

    pub(crate) async fn stop(&self) -> Result<()> {
        Api::new(self.http.clone()).stop(&self.container).await
    }

    pub(crate) async fn start(&self) -> Result<()> {
        Api::new(self.http.clone()).start(&self.container).await
    }

    /// A container of an image that is made of this one, both under one name.
    pub(crate) async fn committed(&self, face: &str, query: &str) -> Result<Self> {
        let name = format!("{}-copy", self.container);
        let repo = format!("localhost/{name}");
        let path = format!(
            "{face}/commit?container={}&repo={repo}&{query}",
            self.container
        );
        let made = self.http.request("POST", &path, None).await?;
        ensure!(
            [200, 201].contains(&made.status),
            "{query}: {}",
            made.text()
        );
        Self::of_image(self.http.clone(), &name, &repo).await
    }

    /// The same, and its image, where images can be removed.
    pub(crate) async fn finish_with_image(self) -> Result<()> {
        let image = format!("{LIBPOD}/images/localhost/{}", self.container);
        let http = self.http.clone();
        self.finish().await?;
        http.delete(&image).await.map(drop)
    }

    pub(crate) async fn finish(self) -> Result<()> {
        Api::new(self.http).remove(&self.container).await
    }

    /// What both faces tell of these paths, of the root, of a link that leads nowhere and of paths where nothing is.
    pub(crate) async fn expect_stats(&self, paths: &[Stat<'_>]) -> Result<()> {
        for (path, name, dir, leads, mode) in paths {
            for face in [LIBPOD, COMPAT] {
                let (status, stat) = self.stat(face, path).await?;
                let seen = (
                    &stat["name"],
                    &stat["isDir"],
                    &stat["linkTarget"],
                    &stat["mode"],
                );
                let wanted = (&json!(name), &json!(dir), &json!(leads), &json!(mode));
                ensure!(status == 200 && seen == wanted, "{path}: {status} {stat}");
            }
        }
        let root = self.stat(LIBPOD, "/").await?.1;
        ensure!(root["name"] == "." && root["linkTarget"] == "/.", "{root}");
        let (status, stat) = self.stat(LIBPOD, "/dangling").await?;
        ensure!(
            (status, &stat["linkTarget"]) == (404, &json!("/nope")),
            "{status} {stat}"
        );
        for path in ["/nope", "/file/x", "/d/*"] {
            let (status, stat) = self.stat(COMPAT, path).await?;
            ensure!(status == 404 && stat.is_null(), "{path}: {status} {stat}");
        }
        Ok(())
    }

    /// The output of a shell's commands in the container.
    pub(crate) async fn run(&self, script: &str) -> Result<String> {
        let body =
            json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": ["sh", "-c", script] });
        let path = format!("{LIBPOD}/containers/{}/exec", self.container);
        let made = self.http.post(&path, &body).await?.expect(201)?.json();
        let id = made["Id"].as_str().context("an id")?;
        let path = format!("{LIBPOD}/exec/{id}/start");
        let said = self.http.post(&path, &json!({})).await?;
        let text = frames::text(&said.expect(200)?.body)?;
        let ended = self
            .http
            .get(&format!("{LIBPOD}/exec/{id}/json"))
            .await?
            .json();
        ensure!(ended["ExitCode"] == 0, "{script}: {text}");
        Ok(text)
    }

    /// The answer to a question of the container.
    pub(crate) async fn of(&self, face: &str, what: &str) -> Result<Response> {
        let path = format!("{face}/containers/{}/{what}", self.container);
        self.http.get(&path).await
    }

    fn archive(&self, face: &str, query: &str) -> String {
        format!("{face}/containers/{}/archive?{query}", self.container)
    }

    /// The status, and what stands at a path.
    pub(crate) async fn stat(&self, face: &str, path: &str) -> Result<(u16, Value)> {
        let path = self.archive(face, &format!("path={path}"));
        let head = self.http.open("HEAD", &path, &[], None).await?.head;
        let stat = match head.header("X-Docker-Container-Path-Stat") {
            Some(stat) => serde_json::from_slice(&URL_SAFE.decode(stat)?)?,
            None => Value::Null,
        };
        Ok((head.status, stat))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Response> {
        self.http
            .get(&self.archive(COMPAT, &format!("path={path}")))
            .await
    }

    /// The entries of an archive of a path, by name.
    pub(crate) async fn entries(&self, path: &str) -> Result<Vec<Seen>> {
        let answer = self.get(path).await?.expect(200)?;
        ensure!(answer.header("Content-Type") == Some("application/x-tar"));
        entries_of(&answer.body)
    }

    pub(crate) async fn put(&self, face: &str, query: &str, body: &[u8]) -> Result<Response> {
        let headers = [("Content-Type", "application/x-tar")];
        self.http
            .send("PUT", &self.archive(face, query), &headers, Some(body))
            .await
    }
}

impl Site {
    /// Reads `at/hostname` below a folder, and writes there, while somebody swaps `at`: what is read fits, and what is written
    /// is looked for where it must not be by who has the host.
    pub(crate) async fn raced(&self, folder: &str, fits: impl Fn(&[u8]) -> bool) -> Result<()> {
        let archive = packed(&[("at/podman-cri-raced", "", b"x")])?;
        let mut read = 0;
        for _ in 0..60 {
            // what has gone since it was looked at cuts the archive off
            let answer = self.get(&format!("{folder}/at/hostname")).await;
            if let Ok(answer) = answer
                && answer.status == 200
            {
                read += 1;
                for entry in entries_of(&answer.body)? {
                    let text = String::from_utf8_lossy(&entry.data);
                    ensure!(fits(&entry.data), "read {text:?}");
                }
            }
            self.put(COMPAT, &format!("path={folder}"), &archive)
                .await?;
        }
        ensure!(read > 0, "nothing was read at all");
        Ok(())
    }
}

impl Site {
    /// What is mounted in a container only while it runs: Podman reaches it.
    pub(crate) async fn refuses_what_is_not_there(&self) -> Result<()> {
        self.stop().await?;
        let hosts = packed(&[("etc/hosts", "", b"")])?;
        let refused = self
            .put(LIBPOD, "path=/", &hosts)
            .await?
            .expect(501)?
            .text();
        ensure!(refused.contains("is there only while it does"), "{refused}");
        self.start().await?;
        let kept = self
            .put(LIBPOD, "path=/", &hosts)
            .await?
            .expect(500)?
            .json();
        ensure!(kept["cause"] == "device or resource busy", "{kept}");
        Ok(())
    }
}

pub(crate) fn entries_of(body: &[u8]) -> Result<Vec<Seen>> {
    let mut archive = Archive::new(body);
    let mut all = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut data = Vec::new();
        entry.read_to_end(&mut data)?;
        let link = entry.link_name_bytes().unwrap_or_default().into_owned();
        all.push(Seen {
            name: String::from_utf8(entry.path_bytes().into_owned())?,
            link: match entry.header().entry_type() {
                EntryType::Link => String::from_utf8(link)?,
                _ => String::new(),
            },
            owner: (entry.header().uid()?, entry.header().gid()?),
            data,
        });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// An archive of files and links, each by name, target and data.
pub(crate) fn packed(entries: &[(&str, &str, &[u8])]) -> Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    for (name, target, data) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o640);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1_000_000_000);
        header.set_size(data.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if !target.is_empty() {
            header.set_entry_type(EntryType::Symlink);
            header.set_link_name_literal(target)?;
        }
        header.set_cksum();
        archive.append(&header, *data)?;
    }
    Ok(archive.into_inner()?)
}
