//! Secrets. Their data lies in the store, and comes into memory for the container that is started with it, and for whoever
//! asks for it by name.

use std::sync::Arc;

use model::Error;
use model::container::{ContainerRecord, ContainerSpec};
use model::error::Kind;
use model::request::Filters;
use model::secret::{NewSecret, SecretData, SecretMount, SecretRecord, SecretView};

use crate::filter::secret::SecretFilter;
use crate::system::{Engine, Inner};

/// What Podman says before the reason why an option of a container cannot be meant.
const CREATE_OPTION: &str = "running container create option";

impl Engine {
    /// `POST /secrets/create` and `POST /libpod/secrets/create`; its id.
    ///
    /// # Errors
    /// What [`NewSecret::check`] says; a name in use.
    pub async fn create_secret(&self, new: NewSecret) -> Result<String, Error> {
        new.check()?;
        self.inner().store.create_secret(new).await
    }

    /// `GET /secrets` and `GET /libpod/secrets/json`.
    ///
    /// # Errors
    /// A filter that is none.
    pub fn list_secrets(&self, filters: &Filters) -> Result<Vec<SecretView>, Error> {
        let filter = SecretFilter::parse(filters)?;
        let inner = self.inner();
        let all: Vec<_> = inner
            .store
            .read(|book| book.secrets.values().cloned().collect());
        let all = all.into_iter().filter(|record| filter.matches(record));
        Ok(all.map(|record| inner.secret_view(record, None)).collect())
    }

    /// `GET /secrets/{name}` and `GET /libpod/secrets/{name}/json`, with its data where that is asked for.
    ///
    /// # Errors
    /// No secret of that name or id.
    pub async fn inspect_secret(&self, name: &str, with_data: bool) -> Result<SecretView, Error> {
        let inner = self.inner();
        let record = inner.store.read(|book| book.find_secret(name))?;
        let data = match with_data {
            true => Some(inner.store.secret_data(&record).await?),
            false => None,
        };
        Ok(inner.secret_view(record, data))
    }

    /// `GET /libpod/secrets/{name}/exists`.
    pub fn secret_exists(&self, name: &str) -> bool {
        let store = &self.inner().store;
        store.read(|book| book.find_secret(name)).is_ok()
    }

    /// `DELETE /secrets/{name}` and `DELETE /libpod/secrets/{name}`; containers keep what they were given at their create.
    ///
    /// # Errors
    /// No secret of that name or id.
    pub async fn remove_secret(&self, name: &str) -> Result<(), Error> {
        self.inner().store.remove_secret(name).await
    }
}

impl Inner {
    fn secret_view(&self, record: Arc<SecretRecord>, data: Option<SecretData>) -> SecretView {
        SecretView {
            record,
            place: self.store.dir().path().display().to_string(),
            data,
        }
    }

    /// Finds the secrets that a new container asks for.
    ///
    /// # Errors
    /// One that is not there.
    pub(crate) fn find_secrets(&self, spec: &mut ContainerSpec) -> Result<(), Error> {
        self.store.read(|book| {
            for secret in &mut spec.secrets {
                let found = book.find_secret(&secret.name)?;
                secret.id.clone_from(&found.id);
                secret.name.clone_from(&found.name);
            }
            for name in spec.secret_env.values_mut() {
                let found = book.find_secret(name);
                let found = found.map_err(|error| error.behind(CREATE_OPTION))?;
                name.clone_from(&found.name);
            }
            Ok(())
        })
    }

    /// The variables that a container gets from secrets, as they are now.
    ///
    /// # Errors
    /// One of them is gone.
    pub(crate) async fn secret_env(
        &self,
        spec: &ContainerSpec,
    ) -> Result<Vec<(String, SecretData)>, Error> {
        let mut all = Vec::new();
        for (variable, name) in &spec.secret_env {
            // by its whole name: an id may begin like it
            let data = match self.store.read(|book| book.secrets.get(name).cloned()) {
                Some(record) => self.store.secret_data(&record).await,
                None => Err(Error::not_found(Kind::Secret, name)),
            };
            // the container is there, and the answer is about it
            let data = data.map_err(|error| error.behind(&format!("variable {variable}")))?;
            all.push((variable.clone(), data));
        }
        Ok(all)
    }

    /// The ids of the secrets that are a container's variables: another one has other data.
    pub(crate) fn secret_env_ids(&self, spec: &ContainerSpec) -> Vec<Option<String>> {
        self.store.read(|book| {
            let id = |name: &String| book.secrets.get(name).map(|record| record.id.clone());
            spec.secret_env.values().map(id).collect()
        })
    }

    /// The files that a container gets from secrets, as they were at its create.
    ///
    /// # Errors
    /// The store does not have them: it is newer than the container.
    pub(crate) async fn secret_files(
        &self,
        record: &ContainerRecord,
    ) -> Result<Vec<(SecretMount, SecretData)>, Error> {
        let wanted = &record.spec.secrets;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.store.kept_secrets(&record.id).await?;
        match kept.len() == wanted.len() {
            true => Ok(wanted.iter().cloned().zip(kept).collect()),
            false => Err(Error::Plain(format!(
                "the data of the secrets of container {} is not in the store, which is newer than it: create the \
                 container anew",
                record.name
            ))),
        }
    }
}
