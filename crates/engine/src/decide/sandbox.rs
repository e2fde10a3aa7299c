//! What is to be done about sandboxes.

use std::collections::HashSet;

use model::container::{ContainerRecord, Wanted};
use model::observed::CriState;
use model::pod::ExitPolicy;

use super::{Action, ContainerNow, Listed, Plan, SandboxNow, World, restart_due, waits};

pub(super) fn actions(sandbox: &SandboxNow, world: &World, plan: &mut Plan) {
    let record = &sandbox.record;
    let members: Vec<&ContainerNow> = world
        .containers
        .iter()
        .filter(|container| container.record.sandbox == record.id)
        .collect();
    if members
        .iter()
        .any(|member| world.busy.contains(&member.record.id))
    {
        return;
    }
    let id = record.id.clone();
    if (members.is_empty() && !sandbox.is_pod) || record.progress.removing {
        plan.actions.push(Action::RemoveSandbox { id });
        return;
    }
    if record.progress.next.is_some() {
        plan.actions.push(Action::GiveUpSandbox { id });
        return;
    }
    if let Some(action) = unheard_of_sandbox(sandbox) {
        plan.actions.push(action);
        return;
    }
    let current = record.progress.current.as_ref();
    let current = current.and_then(|current| current.cri_id.as_ref());
    let ready = |listed: &&Listed| listed.state == CriState::Running;
    let current_ready = sandbox
        .listed
        .iter()
        .filter(ready)
        .any(|listed| Some(&listed.cri_id) == current);
    if current_ready && is_done(sandbox, &members) {
        plan.actions.push(Action::StopSandbox { id });
        return;
    }
    if !current_ready && world.published.contains(&id) {
        plan.actions.push(Action::WithdrawPorts { id: id.clone() });
    }
    // Where a layer lives by the records, and where a container of ours is by the runtime.
    let by_record = members.iter().flat_map(|member| homes(&member.record));
    let by_runtime = members
        .iter()
        .flat_map(|member| member.listed.iter().map(|listed| listed.sandbox.as_str()));
    let lived_in: HashSet<&str> = by_record.chain(by_runtime).collect();
    let idle = sandbox.listed.iter().filter(|listed| {
        let counts = current_ready && Some(&listed.cri_id) == current;
        !counts && !lived_in.contains(listed.cri_id.as_str())
    });
    plan.actions
        .extend(idle.map(|listed| Action::RemoveCriSandbox {
            id: record.id.clone(),
            cri_id: listed.cri_id.clone(),
        }));
}

/// A sandbox above all attempts ever stored: the store is older than the runtime.
fn unheard_of_sandbox(sandbox: &SandboxNow) -> Option<Action> {
    let progress = &sandbox.record.progress;
    let newest = sandbox.listed.iter().max_by_key(|listed| listed.attempt)?;
    (newest.attempt > progress.last_attempt).then(|| Action::ReinstateSandbox {
        id: sandbox.record.id.clone(),
        over: progress
            .current
            .as_ref()
            .and_then(|current| current.cri_id.clone()),
        attempt: newest.attempt,
        cri_id: newest.cri_id.clone(),
    })
}

/// The CRI sandboxes that hold a container's layers.
pub(crate) fn homes(record: &ContainerRecord) -> impl Iterator<Item = &str> {
    let attempts = record
        .progress
        .current
        .iter()
        .chain(record.progress.next.iter())
        .chain(record.progress.prepared.iter().map(|it| &it.attempt));
    attempts.filter_map(|attempt| attempt.sandbox_cri_id.as_deref())
}

/// Nothing in it runs or will run again by itself.
fn is_done(sandbox: &SandboxNow, members: &[&ContainerNow]) -> bool {
    let done = |member: &&ContainerNow| match (&member.record.progress.current, &member.ended) {
        _ if member.record.progress.removing => true,
        _ if member.prepared_ran => false,
        // It is to be started in it, unless a user has stopped it since.
        _ if waits(member) && member.record.progress.wanted != Wanted::Stopped => false,
        (None, _) => true,
        // Wait until its end is recorded and its policy has spoken.
        (Some(_), Some(run)) => {
            member.record.progress.has_ended(run.attempt)
                && restart_due(&member.record, run).is_none()
        }
        // Running, or lost by the runtime with its sandbox still there.
        (Some(current), None) => !member
            .listed
            .iter()
            .any(|listed| Some(&listed.cri_id) == current.cri_id.as_ref()),
    };
    let all_down = members.iter().all(done);
    if !sandbox.is_pod {
        return all_down;
    }
    let ends = |member: &&ContainerNow| {
        member.ended.is_some() && member.record.spec.init_container.is_none()
    };
    let ended = members.iter().copied().any(|member| ends(&member));
    let follows = sandbox.record.spec.exit_policy == ExitPolicy::Stop && ended && all_down;
    follows || !sandbox.record.progress.up
}
