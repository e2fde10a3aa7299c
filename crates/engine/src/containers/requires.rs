//! Containers that run before another one: `podman run --requires`.
//!
//! They are found when that one is created, so none can come to require itself.

use std::sync::Arc;

use model::container::ContainerRecord;
use model::error::Kind;
use model::pod::SandboxRecord;
use model::request::{RemoveOptions, Removed};
use model::view::State;
use model::{Error, Id};

use super::find;
use crate::store::{Book, is_pod};
use crate::system::Inner;

impl Inner {
    /// The containers of these names or ids, each once.
    ///
    /// # Errors
    /// Podman's for one that is not there, or that lives in another pod than the new one.
    pub(super) fn required(
        &self,
        names: &[String],
        pod: Option<&SandboxRecord>,
    ) -> Result<Vec<Id>, Error> {
        let mut found = Vec::new();
        for name in names {
            let id = self.required_one(name, pod)?;
            if !found.contains(&id) {
                found.push(id);
            }
        }
        Ok(found)
    }

    fn required_one(&self, name: &str, pod: Option<&SandboxRecord>) -> Result<Id, Error> {
        let invalid = |error: Error| {
            error.behind(&format!(
                "{name:?} is not a valid container, cannot be used as a dependency"
            ))
        };
        if name.is_empty() {
            return Err(invalid(Error::Plain(
                "name or ID cannot be empty".to_owned(),
            )));
        }
        self.dependency(name, pod, invalid)
    }

    /// The container of a name or id that a new one depends on, in the same pod or in none; `told` says of one that is not
    /// there what it was wanted for.
    pub(super) fn dependency(
        &self,
        name: &str,
        pod: Option<&SandboxRecord>,
        told: impl Fn(Error) -> Error,
    ) -> Result<Id, Error> {
        let record = self.store.read(|book| find(book, name)).map_err(&told)?;
        let record = record.ok_or_else(|| told(Error::not_found(Kind::Container, name)))?;
        self.check_same_pod(&record, pod)?;
        Ok(record.id.clone())
    }

    /// Podman's refusal of a container in another pod than the new one that is to run after it.
    fn check_same_pod(
        &self,
        record: &ContainerRecord,
        pod: Option<&SandboxRecord>,
    ) -> Result<(), Error> {
        let lives_in = self.store.sandbox(&record.sandbox)?;
        let its_pod = is_pod(&lives_in).then_some(&lives_in.id);
        let id = &record.id;
        match (its_pod, pod.map(|pod| &pod.id)) {
            (its_pod, own) if its_pod == own => Ok(()),
            (_, Some(own)) => Err(Error::InvalidArgument(format!(
                "container dependency {id} is not part of the pod {own} that the container joins"
            ))),
            (_, None) => Err(Error::InvalidArgument(format!(
                "container dependency {id} is part of a pod, but container is not"
            ))),
        }
    }

    /// What a container requires, and what those require, each after what it requires itself.
    pub(super) fn required_first(&self, id: &Id) -> Result<Vec<Id>, Error> {
        self.store.read(|book| {
            let mut order = Vec::new();
            let requires = |id: &Id| match book.containers.get(id) {
                Some(record) => Ok(record.spec.requires.clone()),
                None => Err(Error::not_found(Kind::Container, id.as_str())),
            };
            put_behind(id, &requires, &mut order)?;
            order.pop(); // itself
            Ok(order)
        })
    }

    /// Podman's refusal of a restart while what it requires is down.
    pub(super) async fn check_required_run(&self, id: &Id) -> Result<(), Error> {
        let record = self.store.container(id)?;
        if record.spec.requires.is_empty() {
            return Ok(());
        }
        let views = self.snapshot(false).await?.containers();
        let runs = |required: &&Id| {
            let mut views = views.iter();
            views.any(|view| view.id() == required.as_str() && view.state == State::Running)
        };
        let down: Vec<_> = record.spec.requires.iter().filter(|id| !runs(id)).collect();
        match down.is_empty() {
            true => Ok(()),
            false => Err(not_started(id, &down)),
        }
    }

    /// Podman's refusal to remove what another one requires.
    pub(super) fn check_unrequired(&self, id: &Id) -> Result<(), Error> {
        let dependents = self.store.read(|book| dependents(book, id));
        let cause = "container already exists".to_owned();
        match dependents.is_empty() {
            true => Ok(()),
            false => Err(Error::Failed {
                message: format!(
                    "container {id} has dependent containers which must be removed before it: {}: {cause}",
                    listed(&dependents.iter().collect::<Vec<_>>())
                ),
                cause,
            }),
        }
    }

    /// Removes a container, and before it, where that is asked for, what requires it.
    pub(super) async fn remove_in_order(
        self: &Arc<Self>,
        id: &Id,
        options: &RemoveOptions,
    ) -> Result<Vec<Removed>, Error> {
        let mut order = Vec::new();
        match options.dependents {
            false => {
                self.check_unrequired(id)?;
                order.push(id.clone());
            }
            true => self.store.read(|book| {
                let dependents = |id: &Id| Ok(dependents(book, id));
                put_behind(id, &dependents, &mut order)
            })?,
        }
        let mut removed = Vec::new();
        for id in &order {
            self.remove(id, options).await?;
            removed.push(Removed {
                id: id.to_string(),
                error: None,
            });
        }
        Ok(removed)
    }
}

/// Podman's refusal of a start while what is required is down.
pub(super) fn not_started(id: &Id, down: &[&Id]) -> Error {
    Error::WrongState(format!(
        "some dependencies of container {id} are not started: {}",
        listed(down)
    ))
}

/// Puts a container behind those that `before` names for it, and each of those behind its own.
fn put_behind(
    id: &Id,
    before: &impl Fn(&Id) -> Result<Vec<Id>, Error>,
    order: &mut Vec<Id>,
) -> Result<(), Error> {
    for one in before(id)? {
        if !order.contains(&one) {
            put_behind(&one, before, order)?;
        }
    }
    if !order.contains(id) {
        order.push(id.clone());
    }
    Ok(())
}

/// The containers that require this one.
fn dependents(book: &Book, id: &Id) -> Vec<Id> {
    let records = book.containers.values();
    let of_it = records.filter(|record| record.spec.requires.contains(id));
    of_it.map(|record| record.id.clone()).collect()
}

fn listed(ids: &[&Id]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn each_stands_behind_all_that_it_requires_and_once() {
        let [a, b, c, d] = std::array::from_fn(|_| Id::generate());
        let requires = HashMap::from([
            (d.clone(), vec![b.clone(), c.clone()]),
            (c.clone(), vec![b.clone(), a.clone()]),
            (b.clone(), vec![a.clone()]),
        ]);
        let before = |id: &Id| Ok(requires.get(id).cloned().unwrap_or_default());
        let mut order = Vec::new();
        put_behind(&d, &before, &mut order).unwrap();
        assert_eq!(order, [a, b, c, d]);
    }
}
