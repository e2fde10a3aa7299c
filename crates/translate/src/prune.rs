//! What prunes answer.

use model::Error;
use model::request::Pruned;
use podman_api::container::{CompatContainerPrune, PruneReport};
use podman_api::volume::CompatVolumePrune;

/// `POST /libpod/{containers,volumes}/prune`.
pub fn libpod_prune(pruned: Vec<Pruned>) -> Vec<PruneReport> {
    let report = |Pruned { id, size, error }| PruneReport {
        id,
        err: error.unwrap_or_default(),
        size,
    };
    pruned.into_iter().map(report).collect()
}

/// `POST /containers/prune`.
///
/// # Errors
/// What could not be removed: Docker's form has no place for it.
pub fn compat_container_prune(pruned: Vec<Pruned>) -> Result<CompatContainerPrune, Error> {
    let (ids, space_reclaimed) = all_or_why(pruned)?;
    Ok(CompatContainerPrune {
        containers_deleted: Some(ids).filter(|ids| !ids.is_empty()),
        space_reclaimed,
    })
}

/// `POST /volumes/prune`.
///
/// # Errors
/// What could not be removed: Docker's form has no place for it.
pub fn compat_volume_prune(pruned: Vec<Pruned>) -> Result<CompatVolumePrune, Error> {
    let (volumes_deleted, space_reclaimed) = all_or_why(pruned)?;
    Ok(CompatVolumePrune {
        volumes_deleted,
        space_reclaimed,
    })
}

/// What was removed, and its bytes.
fn all_or_why(pruned: Vec<Pruned>) -> Result<(Vec<String>, u64), Error> {
    let errors: String = pruned
        .iter()
        .filter_map(|one| Some(format!("{}; ", one.error.as_ref()?)))
        .collect();
    if !errors.is_empty() {
        return Err(Error::Plain(errors));
    }
    let size = pruned.iter().map(|one| one.size).sum();
    Ok((pruned.into_iter().map(|one| one.id).collect(), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_prune_could_not_remove_is_said_on_both_faces() {
        let pruned = |id: &str, size, error: Option<&str>| Pruned {
            id: id.to_owned(),
            size,
            error: error.map(ToOwned::to_owned),
        };
        assert_eq!(
            compat_container_prune(Vec::new()).unwrap(),
            CompatContainerPrune::default()
        );
        let gone = vec![pruned("a", 3, None), pruned("b", 4, None)];
        let report = compat_container_prune(gone.clone()).unwrap();
        assert_eq!(report.containers_deleted.unwrap(), ["a", "b"]);
        let report = compat_volume_prune(gone.clone()).unwrap();
        assert_eq!(report.volumes_deleted, ["a", "b"]);
        assert_eq!(report.space_reclaimed, 7);
        let broken = [gone, vec![pruned("c", 5, Some("broken"))]].concat();
        let error = compat_volume_prune(broken.clone()).unwrap_err();
        assert_eq!(error.to_string(), "broken; ");
        let reports = libpod_prune(broken);
        let errors: Vec<_> = reports.iter().map(|report| report.err.as_str()).collect();
        assert_eq!(errors, ["", "", "broken"]);
    }
}
