//! User namespaces: which ids of the host a container or a pod gets.
//!
//! The ids belong to the sandbox, for CRI makes one namespace for it. They are chosen at the create, as Podman does, and
//! kept with the record, so that files belong to the same ids at each start.

use model::container::{ContainerRecord, ContainerSpec};
use model::pod::SandboxRecord;
use model::request::Userns;
use model::userns::{AutoIds, IdMappings, IdRange, IdsWanted};
use model::{Error, Id};
use tokio::sync::MutexGuard;

use crate::host::{GIVER, Span, Subordinate, check_owners, ids_named, own_ids};
use crate::runtime::Runtime as _;
use crate::store::{Book, is_pod};
use crate::system::Inner;
use crate::volumes::on_disk;

/// The ids that `auto` gives at least, and at most where no number is asked for (Podman's `auto-userns-min-size` and
/// `auto-userns-max-size`).
const AUTO_MIN: u32 = 1_024;
const AUTO_MAX: u32 = 65_536;

/// Podman's words before what goes wrong.
const STORAGE: &str = "creating container storage";

impl Inner {
    /// The right to choose ids: one holder at a time, until the record that has them is stored. None where nothing is to be
    /// chosen. Taken before every claim.
    pub(crate) async fn choosing_ids(&self, asked: &Userns) -> Option<MutexGuard<'_, ()>> {
        match asked {
            Userns::Chosen(_) => Some(self.ids.lock().await),
            Userns::Unset | Userns::Host | Userns::Given(_) => None,
        }
    }

    /// Gives a new container its ids: its sandbox's, where it lives in one that is there.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it asks for others than its sandbox has; no ids are left.
    pub(crate) async fn give_ids(
        &self,
        id: &Id,
        spec: &mut ContainerSpec,
        asked: &Userns,
        home: Option<&SandboxRecord>,
    ) -> Result<(), Error> {
        let at_create = |error| spec.face.at_create(error);
        let ids = if let Some(home) = home {
            ids_at_home(spec, asked, home)?.cloned()
        } else {
            let given = self.ids_of(asked, || self.ids_needed(id, spec)).await;
            given.map_err(at_create)?
        };
        if let Some(ids) = &ids {
            check_owners(&spec.secrets, ids).map_err(at_create)?;
        }
        spec.id_mappings = ids;
        Ok(())
    }

    /// The ids of a new pod.
    ///
    /// # Errors
    /// No ids are left.
    pub(crate) async fn ids_of_pod(&self, asked: &Userns) -> Result<Option<IdMappings>, Error> {
        let given = self.ids_of(asked, || async { Ok(1) }).await;
        given.map_err(|error| error.behind("failed to make pod"))
    }

    async fn ids_of<F>(
        &self,
        asked: &Userns,
        needed: impl FnOnce() -> F,
    ) -> Result<Option<IdMappings>, Error>
    where
        F: Future<Output = Result<u32, Error>>,
    {
        let auto = match asked {
            Userns::Unset | Userns::Host => return Ok(None),
            Userns::Given(ids) => return Ok(Some(ids.clone())),
            Userns::Chosen(IdsWanted::HostIds) => return on_disk(own_ids).await.map(Some),
            Userns::Chosen(IdsWanted::Auto(auto)) => auto,
        };
        let size = match auto.size {
            0 => auto_size(needed().await?)?,
            size => size,
        };
        let there = on_disk(Subordinate::read).await?;
        let used = self.store.read(ids_in_use);
        choose(auto, size, &there, &used).map(Some)
    }

    /// How many ids a container needs: as many as its image names, and its user.
    async fn ids_needed(&self, id: &Id, spec: &ContainerSpec) -> Result<u32, Error> {
        let image = &spec.image.id;
        let layers = self.runtime.image_layers(&self.facts(), image).await?;
        let at = self.store.dir().container(id).join("image");
        let dir = self.store.dir().container(id);
        let of_image = on_disk(move || {
            if layers.is_empty() {
                return Ok(0);
            }
            crate::store::private_dir(&dir)?;
            let named = ids_named(&layers, &at);
            crate::store::remove_dir(&dir)?;
            named
        });
        Ok(of_image.await?.max(ids_of_user(spec)))
    }
}

/// The ids of a container in a sandbox that is there.
fn ids_at_home<'a>(
    spec: &ContainerSpec,
    asked: &Userns,
    home: &'a SandboxRecord,
) -> Result<Option<&'a IdMappings>, Error> {
    let ids = home.spec.id_mappings.as_ref();
    let refused = |what: &str, why: &str| Err(Error::unsupported(what, why));
    let pod = is_pod(home);
    match asked {
        Userns::Host if pod && ids.is_some() => refused(
            "the host's user namespace in a pod with another",
            "CRI makes one user namespace for the containers of a pod; leave userns out",
        ),
        Userns::Unset | Userns::Host if pod || ids.is_none() || spec.joined.user.is_some() => {
            Ok(ids)
        }
        _ => refused(
            "another user namespace than that of the container whose network is joined",
            "CRI makes one user namespace for all that share a network: join that too (--userns container:NAME), or leave both out",
        ),
    }
}

/// The ids of the host that containers and pods have already.
fn ids_in_use(book: &Book) -> Vec<IdMappings> {
    let containers = book.containers.values();
    let containers =
        containers.filter_map(|it: &std::sync::Arc<ContainerRecord>| it.spec.id_mappings.clone());
    let sandboxes = book.sandboxes.values();
    let sandboxes = sandboxes.filter_map(|it| it.spec.id_mappings.clone());
    containers.chain(sandboxes).collect()
}

/// The number of a user or a group that is one, and one more.
fn ids_of_user(spec: &ContainerSpec) -> u32 {
    let user = spec.user.as_deref().filter(|user| !user.is_empty());
    let user = user.unwrap_or(&spec.image.config.user);
    let numbers = user.split(':').filter_map(|part| part.parse::<u32>().ok());
    numbers.max().map_or(1, |highest| highest.saturating_add(1))
}

fn auto_size(needed: u32) -> Result<u32, Error> {
    let size = needed.max(AUTO_MIN);
    match size > AUTO_MAX {
        true => Err(Error::Plain(format!(
            "the container needs a user namespace with size {size} that is bigger than the maximum value allowed with userns=auto {AUTO_MAX}"
        ))
        .behind(STORAGE)),
        false => Ok(size),
    }
}

/// Ids for `0..size` of a container, but those that are given, from what is there and nobody has; and those that are given.
fn choose(
    wanted: &AutoIds,
    size: u32,
    there: &Subordinate,
    used: &[IdMappings],
) -> Result<IdMappings, Error> {
    let of = |given: &[IdRange], there: &[Span], used: Vec<&IdRange>| {
        let inside = given
            .iter()
            .map(|range| span(range.container, range.length));
        let inside = without(&[span(0, size)], inside);
        // the host's ids as themselves (`keep-id`) are nobody's own
        let used = used
            .into_iter()
            .filter(|range| range.container != range.host);
        let taken = used.chain(given);
        let free = without(there, taken.map(|range| span(range.host, range.length)));
        let mut ranges = zip(&inside, &free).ok_or_else(|| no_ids(there))?;
        ranges.extend(given);
        Ok::<_, Error>(ranges)
    };
    let uids = used.iter().flat_map(|ids| &ids.uids).collect();
    let gids = used.iter().flat_map(|ids| &ids.gids).collect();
    Ok(IdMappings {
        uids: of(&wanted.given.uids, &there.uids, uids)?,
        gids: of(&wanted.given.gids, &there.gids, gids)?,
    })
}

fn span(first: u32, length: u32) -> Span {
    u64::from(first)..u64::from(first) + u64::from(length)
}

/// What of some spans is left, in their order.
fn without(spans: &[Span], taken: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut left = spans.to_vec();
    for gone in taken {
        let parts = left.into_iter().flat_map(|span| {
            let before = span.start..span.end.min(gone.start);
            let behind = span.start.max(gone.end)..span.end;
            [before, behind]
        });
        left = parts.filter(|part| part.start < part.end).collect();
    }
    left
}

/// The ids of a container beside as many of the host, from the first on; `None` where those are too few.
fn zip(inside: &[Span], host: &[Span]) -> Option<Vec<IdRange>> {
    let mut host = host.iter().cloned();
    let mut at = host.next();
    let mut ranges = Vec::new();
    for span in inside {
        let mut first = span.start;
        while first < span.end {
            let free = at.as_mut()?;
            let length = (span.end - first).min(free.end - free.start);
            ranges.push(IdRange {
                container: u32::try_from(first).ok()?,
                host: u32::try_from(free.start).ok()?,
                length: u32::try_from(length).ok()?,
            });
            first += length;
            free.start += length;
            if free.start >= free.end {
                at = host.next();
            }
        }
    }
    Some(ranges)
}

/// Podman's words, and what to do where nothing is there at all.
fn no_ids(there: &[Span]) -> Error {
    const NONE: &str = "not enough unused IDs in user namespace";
    let hint = match there.is_empty() {
        true => format!(" (/etc/subuid and /etc/subgid give the user {GIVER} no range)"),
        false => String::new(),
    };
    Error::Failed {
        message: format!("{STORAGE}: {NONE}{hint}"),
        cause: NONE.to_owned(),
    }
}

#[cfg(test)]
#[path = "userns_tests.rs"]
mod tests;
