//! The memory that the containers of a pod share at `/dev/shm`, where a size was asked for. The runtimes give their sandboxes
//! 64 MiB, and CRI has no field for another size; so it is mounted here, and bound into each container.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use model::Error;
use model::userns::IdMappings;
use rustix::mount::{MountFlags, mount};

use super::files::{about, unmount_below};
use super::volume_mounts::MountPoints;
use crate::store::private_dir;

/// Where it lies in the pod's folder.
const SHM: &str = "tmpfs-shm";

/// Mounts it where that is not done, for the root of a user namespace where there is one; answers where it lies.
///
/// # Errors
/// The kernel's reason.
pub(crate) fn ensure_pod_shm(
    pod_dir: &Path,
    bytes: u64,
    ids: Option<&IdMappings>,
) -> Result<PathBuf, Error> {
    private_dir(pod_dir)?;
    let dir = pod_dir.canonicalize();
    let dir = dir.map_err(|error| about(pod_dir, error))?;
    let at = dir.join(SHM);
    if MountPoints::read()?.has(&at) {
        return Ok(at);
    }
    private_dir(&at)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let (uid, gid) = ids.map_or((0, 0), IdMappings::root);
    let data = format!("mode=1777,size={bytes},uid={uid},gid={gid}");
    let data = CString::new(data).map_err(Error::internal)?;
    mount("shm", &at, "tmpfs", flags, data.as_c_str()).map_err(|error| about(&at, error))?;
    Ok(at)
}

/// Unmounts it: those who have it keep it, and the next start of the pod begins anew.
///
/// # Errors
/// The kernel's reason.
pub(crate) fn drop_pod_shm(pod_dir: &Path) -> Result<(), Error> {
    unmount_below(pod_dir)
}
