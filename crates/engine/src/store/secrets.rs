//! Secrets: their records in memory, their data in the file alone.

use std::sync::Arc;

use jiff::Timestamp;
use model::container::ContainerRecord;
use model::error::Kind;
use model::event::{Action, Event};
use model::secret::{NewSecret, SecretData, SecretRecord};
use model::{Error, Id};
use rusqlite::Transaction;

use super::{Staged, Store, Write, schema};
use crate::events::of_secret;

/// Digits of a secret's id, as Podman's.
const ID_DIGITS: usize = 25;

/// Keeps the data of a new container's secrets as it is now.
pub(super) fn keep(tx: &Transaction<'_>, container: &ContainerRecord) -> Result<(), Error> {
    for (number, secret) in container.spec.secrets.iter().enumerate() {
        if !schema::keep_secret(tx, &container.id, number, &secret.id)? {
            return Err(Error::not_found(Kind::Secret, &secret.name));
        }
    }
    Ok(())
}

impl Store {
    /// Stores a new secret, or new data of one; answers its id.
    ///
    /// # Errors
    /// A name in use.
    pub(crate) async fn create_secret(self: &Arc<Self>, new: NewSecret) -> Result<String, Error> {
        self.write(Write::SecretCreate, move |store, tx| {
            let NewSecret {
                name,
                data,
                driver: _, // checked
                options,
                labels,
                replace,
                ignore,
            } = new;
            let old = store.read(|book| book.secrets.get(&name).cloned());
            match &old {
                Some(old) if ignore => return Ok((Staged::default(), old.id.clone())),
                Some(old) if replace => schema::delete(tx, "secrets", &old.id)?,
                Some(_) => return Err(in_use(&name)),
                None => {}
            }
            let now = Timestamp::now();
            let id: String = Id::generate().as_str().chars().take(ID_DIGITS).collect();
            let record = SecretRecord {
                id: id.clone(),
                name,
                created_at: old.map_or(now, |old| old.created_at),
                updated_at: now,
                labels,
                options,
            };
            schema::put_secret(tx, &record, &data)?;
            let event = of_secret(&record, Action::Create);
            Ok((staged(Some(record), None, event), id))
        })
        .await
    }

    /// Forgets a secret; answers its id.
    ///
    /// # Errors
    /// No secret of that name or id.
    pub(crate) async fn remove_secret(self: &Arc<Self>, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.write(Write::SecretRemove, move |store, tx| {
            let record = store.read(|book| book.find_secret(&name))?;
            schema::delete(tx, "secrets", &record.id)?;
            let event = of_secret(&record, Action::Remove);
            Ok((staged(None, Some(record.name.clone()), event), ()))
        })
        .await
    }

    /// A secret's data.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) async fn secret_data(
        self: &Arc<Self>,
        record: &SecretRecord,
    ) -> Result<SecretData, Error> {
        let id = record.id.clone();
        let data = self.look(move |_, db| schema::secret_data(db, &id)).await?;
        data.ok_or_else(|| Error::not_found(Kind::Secret, &record.name))
    }

    /// What was kept of secrets for a container at its create, in their order.
    pub(crate) async fn kept_secrets(
        self: &Arc<Self>,
        container: &Id,
    ) -> Result<Vec<SecretData>, Error> {
        let id = container.clone();
        self.look(move |_, db| schema::kept_secrets(db, &id)).await
    }
}

fn staged(record: Option<SecretRecord>, gone: Option<String>, event: Event) -> Staged {
    Staged {
        secrets: record.into_iter().map(Arc::new).collect(),
        gone_secrets: gone.into_iter().collect(),
        events: vec![event],
        ..Staged::default()
    }
}

fn in_use(name: &str) -> Error {
    Error::NameInUse {
        kind: Kind::Secret,
        message: format!("{name}: secret name in use"),
    }
}
