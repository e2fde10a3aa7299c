//! Init containers of a pod: at its start they run one after another, in the order of their creation and each to its end,
//! before any other container of it is started.

use std::sync::Arc;

use model::container::{ContainerRecord, ContainerSpec, InitContainer};
use model::pod::SandboxRecord;
use model::request::{RemoveOptions, WaitCondition};
use model::{Error, Id};

use crate::system::{Engine, Inner};

impl Engine {
    /// Runs them; those that are to run once are removed when they have succeeded.
    ///
    /// # Errors
    /// Podman's words for one that fails: what comes after it is not started.
    pub(super) async fn run_init_containers(&self, pod: &Id) -> Result<(), Error> {
        for record in self.inner().init_containers(pod) {
            let Some(kind) = record.spec.init_container else {
                continue;
            };
            let id = &record.id;
            let started = self.inner().start(id).await;
            started.map_err(|error| told(&error))?;
            let waiter = self.waiter(id.as_str(), vec![WaitCondition::NotRunning]);
            let ended = waiter.await?.exit_code().await?;
            self.inner().check_up(pod)?;
            match ended {
                Some(0) | None => {}
                Some(code) => {
                    let text = format!("init container {id} exited with code {code}");
                    return Err(Error::Plain(text));
                }
            }
            if kind == InitContainer::Once {
                match self.inner().remove(id, &RemoveOptions::default()).await {
                    // with `--rm` it may be gone by itself
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => {
                        let doing = format!("failed to remove once init container {id}");
                        return Err(told(&error).behind(&doing));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whatever has failed, it is the start of the pod.
fn told(error: &Error) -> Error {
    Error::Failed {
        cause: error.cause(),
        message: error.to_string(),
    }
}

impl Inner {
    /// Whoever stops a pod whose init container runs means the whole start.
    fn check_up(&self, pod: &Id) -> Result<(), Error> {
        match self.store.sandbox(pod)?.progress.up {
            true => Ok(()),
            false => Err(Error::Plain(format!(
                "pod {pod} was stopped while its init containers ran"
            ))),
        }
    }

    fn init_containers(&self, pod: &Id) -> Vec<Arc<ContainerRecord>> {
        let mut all = self.store.read(|book| book.in_sandbox(pod));
        all.retain(|record| record.spec.init_container.is_some());
        all.sort_by_key(|record| record.created_at);
        all
    }

    /// Refuses a new init container in a pod of which something runs, as Podman does.
    pub(crate) async fn check_init_container(
        &self,
        spec: &ContainerSpec,
        pod: &SandboxRecord,
    ) -> Result<(), Error> {
        if spec.init_container.is_none() {
            return Ok(());
        }
        let members = self.snapshot(false).await?.find_pod(pod.id.as_str())?;
        let mut members = members.containers.iter();
        match members.any(|member| member.state == model::view::State::Running) {
            true => Err(Error::Plain(
                "cannot add init-ctr to a running pod".to_owned(),
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::pod::PodSpec;
    use model::view::{PodState, State};

    use super::*;
    use crate::filter::tests::{container, infra, pod};
    use crate::list::pod_state;

    #[test]
    fn an_init_container_says_nothing_of_its_pods_state() {
        let pod = pod("aa", "p", 0, PodSpec::default());
        let member = |state, init_container| {
            let spec = ContainerSpec {
                init_container,
                ..ContainerSpec::default()
            };
            container("bb", "c", 0, state, spec)
        };
        for (init, main, wanted) in [
            (State::Exited, State::Running, PodState::Running),
            (State::Created, State::Running, PodState::Running),
            (State::Exited, State::Created, PodState::Degraded),
        ] {
            let members = [
                infra(&pod, State::Running),
                member(init, Some(InitContainer::Always)),
                member(main, None),
            ];
            assert_eq!(pod_state(&members), wanted, "{init:?} {main:?}");
        }
        let alone = [infra(&pod, State::Running), member(State::Exited, None)];
        assert_eq!(pod_state(&alone), PodState::Degraded);
    }
}
