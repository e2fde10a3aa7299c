//! Commands that the container's OCI runtime executes, for CRI's `Exec` cannot say what was asked for.

use std::path::PathBuf;
use std::sync::Arc;

use model::Error;
use model::exec::TerminalSize;
use model::view::ContainerDetail;

use super::command::Beside;
use crate::host::{Capabilities, OciRuntime, Order, capability_bound};
use crate::runtime::Probed;
use crate::streams::{Streams, StreamsWanted};
use crate::system::Inner;
use crate::volumes::on_disk;

/// What executes such a command.
pub(super) struct Means {
    runtime: OciRuntime,
    /// Our own program on this host.
    gate: PathBuf,
}

impl Inner {
    /// Looks for the OCI runtime of a container that runs.
    ///
    /// # Errors
    /// It cannot be asked: the field that needs it is refused by name.
    pub(super) async fn means(
        &self,
        detail: &ContainerDetail,
        beside: &Beside,
    ) -> Result<Means, Error> {
        let status = detail.status.as_ref();
        let found = status.and_then(|status| Some((status.verbose.pid?, status.cri_id.clone())));
        let (pid, cri_id) =
            found.ok_or_else(|| beside.refused("it has no process on this host"))?;
        let gate = self.gate.program().map(ToOwned::to_owned);
        let gate = gate.ok_or_else(|| beside.refused("the state folder is mounted noexec"))?;
        let runtime = on_disk(move || Ok(OciRuntime::of(pid, &cri_id))).await?;
        let runtime = runtime.map_err(|why| beside.refused(&why))?;
        Ok(Means { runtime, gate })
    }

    /// Executes a command beside CRI. As with CRI's, what keeps it from being executed shows at the end of its streams.
    ///
    /// # Errors
    /// There is no such user, in Podman's words; the OCI runtime cannot be asked or started.
    pub(super) async fn exec_beside(
        self: &Arc<Self>,
        detail: &ContainerDetail,
        beside: Beside,
        wanted: StreamsWanted,
        size: Option<TerminalSize>,
    ) -> Result<Streams, Error> {
        let Means { runtime, gate } = self.means(detail, &beside).await?;
        let started = on_disk(move || {
            let user = beside.user.as_deref().map(|user| runtime.account(user));
            let order = Order {
                user: user.transpose()?,
                capabilities: match beside.privileged {
                    true => Capabilities::All(capability_bound().map_err(Error::internal)?),
                    false => Capabilities::OfTheContainer,
                },
                args: beside.args,
                env: beside.env,
                work_dir: beside.work_dir,
            };
            runtime.exec(&gate, order, wanted, size)
        });
        Probed::passed("Exec", started.await)
    }
}
