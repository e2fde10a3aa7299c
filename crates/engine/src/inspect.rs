//! Inspect: one container or pod in full.

use std::sync::Arc;

use model::Error;
use model::container::ContainerRecord;
use model::observed::{ContainerStatus, CriState};
use model::pod::SandboxRecord;
use model::view::{ContainerBody, ContainerDetail, ContainerView, FilePaths, PodView, SizeView};

use crate::list::{Now, current_id, found, is_initialized};
use crate::observe::ContainerFacts;
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
        if let Some(record) = inner
            .store
            .read(|book| crate::containers::find(book, name))?
        {
            return inner.inspect_own(record, size).await;
        }
        let snapshot = inner.snapshot(true).await?;
        let mut view = snapshot.find(name)?;
        if size {
            view.size = inner.size_of(&view).await;
        }
        match &view.body {
            // made since its name was looked up
            ContainerBody::Own(record) => inner.inspect_own(Arc::clone(record), size).await,
            ContainerBody::Infra { id, pod } => {
                let (files, pod) = (inner.file_paths(id), Arc::clone(pod));
                Ok(inner.detail(view, Some(pod), None, files))
            }
            ContainerBody::Foreign(foreign) => {
                let status = found(inner.runtime.container_status(&foreign.id, true).await)?;
                let log = status.as_ref().map(|status| status.log_path.clone());
                let files = FilePaths {
                    log: log.unwrap_or_default(),
                    ..FilePaths::default()
                };
                Ok(inner.detail(view, None, status, files))
            }
        }
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

    /// One of ours: asked for alone, so that it does not matter how many others there are.
    pub(crate) async fn inspect_own(
        self: &Arc<Self>,
        mut record: Arc<ContainerRecord>,
        size: bool,
    ) -> Result<ContainerDetail, Error> {
        let mut status = self.status_of(&record).await?;
        if status.is_none() {
            // An attempt that has taken its place meanwhile, not a container that is lost.
            let latest = self.store.container(&record.id)?;
            if current_id(&latest) != current_id(&record) {
                status = self.status_of(&latest).await?;
                record = latest;
            }
        }
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        let facts = status.as_ref().map(ContainerFacts::of);
        let waits = self.status_of_prepared(&record).await?;
        let initialized = waits.is_some_and(|waits| is_initialized(&record, waits.state));
        // The sandbox of a container that runs is up, and its network does not change any more.
        let runs = status.as_ref().map(|status| status.state) == Some(CriState::Running);
        let sandbox_facts = match lives_in(&record).filter(|_| runs || initialized) {
            Some(id) => self.observer.one_sandbox(id).await?,
            None => None,
        };
        let now = Now {
            state: status.as_ref().map(|status| status.state),
            initialized,
            facts: facts.as_ref(),
            stopping: self.stopping().contains(&record.id),
            sandbox: sandbox.as_deref(),
            sandbox_facts: sandbox_facts.as_deref(),
        };
        let mut view = now.view(&record);
        self.book_end(&view).await?;
        if size {
            view.size = self.size_of(&view).await;
        }
        let shared = sandbox.as_ref().map(|sandbox| sandbox.spec.etc.clone());
        let etc = record.spec.etc.in_sandbox(&shared.unwrap_or_default());
        let files = self.file_paths(&record.id).without_those_of_image(&etc);
        Ok(self.detail(view, sandbox, status, files))
    }

    fn detail(
        &self,
        view: ContainerView,
        sandbox: Option<Arc<SandboxRecord>>,
        status: Option<ContainerStatus>,
        files: FilePaths,
    ) -> ContainerDetail {
        let facts = self.facts();
        let handler = sandbox.as_ref().map(|record| self.named_handler(record));
        ContainerDetail {
            handler: handler.unwrap_or_default(),
            execs: self.execs.of(view.id()),
            view,
            status,
            sandbox,
            files,
            driver: facts.storage_driver,
            cgroup_manager: facts.cgroup_manager,
        }
    }
}

/// The CRI sandbox of the attempt that waits, or else of the one that counts.
fn lives_in(record: &ContainerRecord) -> Option<&str> {
    record.progress.written()?.sandbox_cri_id.as_deref()
}
