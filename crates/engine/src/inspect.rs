//! Inspect: one container or pod in full.

use std::sync::Arc;

use model::Error;
use model::observed::SandboxStatus;
use model::view::{ContainerBody, ContainerDetail, ContainerView, FilePaths, PodView, SizeView};

use crate::list::{Snapshot, current_id, found, sandbox_id};
use crate::runtime::Runtime as _;
use crate::system::{Engine, Inner};

impl Engine {
    /// `GET /containers/{name}/json` and `GET /libpod/containers/{name}/json`.
    pub async fn inspect_container(
        &self,
        name: &str,
        size: bool,
    ) -> Result<ContainerDetail, Error> {
        let inner = self.inner();
        let snapshot = inner.snapshot(true).await?;
        let mut view = snapshot.find(name)?;
        inner.book_end(&view).await?;
        if size {
            view.size = inner.size_of(&view).await;
        }
        inner.detail(view, &snapshot).await
    }

    /// `GET /libpod/pods/{name}/json`.
    pub async fn inspect_pod(&self, name: &str) -> Result<PodView, Error> {
        let snapshot = self.inner().snapshot(true).await?;
        snapshot.find_pod(name)
    }
}

impl Inner {
    pub(crate) async fn size_of(&self, view: &ContainerView) -> Option<SizeView> {
        let (cri_id, image) = match &view.body {
            ContainerBody::Own(record) => {
                (current_id(record)?.to_owned(), record.spec.image.id.clone())
            }
            ContainerBody::Foreign(foreign) => (foreign.id.clone(), foreign.image_id.clone()),
            ContainerBody::Infra { .. } => return None,
        };
        let writable = self.runtime.writable_bytes(&cri_id).await.ok().flatten()?;
        let image = self.runtime.image(&image).await.ok().flatten();
        let root_fs = image.map_or(0, |image| image.summary.size_bytes) + writable;
        Some(SizeView { writable, root_fs })
    }

    async fn detail(
        &self,
        view: ContainerView,
        snapshot: &Snapshot,
    ) -> Result<ContainerDetail, Error> {
        let (cri_id, sandbox, sandbox_cri_id) = match &view.body {
            ContainerBody::Own(record) => {
                let sandbox = snapshot.sandboxes.get(&record.sandbox).cloned();
                let attempt = record.progress.current.as_ref();
                let lives_in = attempt.and_then(|attempt| attempt.sandbox_cri_id.clone());
                (current_id(record).map(ToOwned::to_owned), sandbox, lives_in)
            }
            ContainerBody::Infra { pod, .. } => (
                None,
                Some(Arc::clone(pod)),
                sandbox_id(pod).map(ToOwned::to_owned),
            ),
            ContainerBody::Foreign(foreign) => (
                Some(foreign.id.clone()),
                None,
                Some(foreign.sandbox.clone()),
            ),
        };
        let status = match cri_id {
            Some(id) => found(self.runtime.container_status(&id, true).await)?,
            None => None,
        };
        let sandbox_status = match sandbox_cri_id {
            Some(id) => found(self.runtime.sandbox_status(&id).await)?
                .filter(|status: &SandboxStatus| status.ready),
            None => None,
        };
        let facts = self.facts();
        let files = match &view.body {
            ContainerBody::Own(record) => self.file_paths(&record.id),
            ContainerBody::Infra { id, .. } => self.file_paths(id),
            ContainerBody::Foreign(_) => FilePaths {
                log: status
                    .as_ref()
                    .map(|status| status.log_path.clone())
                    .unwrap_or_default(),
                ..FilePaths::default()
            },
        };
        Ok(ContainerDetail {
            handler: sandbox
                .as_ref()
                .map(|record| self.named_handler(record))
                .unwrap_or_default(),
            view,
            status,
            sandbox,
            sandbox_status,
            files,
            driver: facts.storage_driver.clone(),
            cgroup_manager: facts.cgroup_manager.clone(),
        })
    }
}
