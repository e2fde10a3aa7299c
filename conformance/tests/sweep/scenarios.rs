//! The operations that are swept, as data: what is there before, what is done, and what may be there
//! after the daemon died in the middle of it.

use Do::{
    AttachAndStart, Break, CheckHealth, CopyIn, Create, CreateMembers, DieAt, Exec, ForceRemove,
    Forget, Go, Init, Pause, Pull, Remove, Rename, Restart, Start, StartDaemon, Stop, Unpause,
    Update,
};
use State::{Created, Exited, Gone, Initialized, Paused, Prepared, Running};

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A container that sleeps.
    Sleeper,
    /// A container with `--rm` that ends once it is told to.
    Remover,
    /// A container with a restart policy: its first run fails once it is told to.
    Restarter,
    /// A container with a bind mount that can be broken, so that it cannot start.
    Breakable,
    /// A pod with two containers.
    Pod,
    /// A volume.
    Volume,
    /// A secret.
    Secret,
    /// An image of a registry.
    Image,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Do {
    Create,
    /// A pod's containers.
    CreateMembers,
    Start,
    /// It is made and not started.
    Init,
    /// A file comes into it.
    CopyIn,
    /// A start that a client waits for, attached.
    AttachAndStart,
    Stop,
    Pause,
    Unpause,
    Rename,
    /// A limit that holds at once.
    Update,
    Restart,
    Remove,
    ForceRemove,
    /// Tells the container to end.
    Go,
    Break,
    Pull,
    /// A command runs in the container, to its end.
    Exec,
    /// The container's health is checked.
    CheckHealth,
    /// The daemon is killed and its state folder deleted.
    Forget,
    /// A start of the subject in which the daemon dies at this point.
    DieAt(&'static str, &'static Do),
    /// The start of the daemon itself.
    StartDaemon,
}

/// The state of a container, or of each container of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Gone,
    Created,
    /// The same, with a CRI container for its files.
    Prepared,
    /// Made, beside the one that ran last, and not started.
    Initialized,
    Running,
    Paused,
    Exited,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) subject: Subject,
    pub(crate) before: &'static [Do],
    pub(crate) act: Do,
    /// What is to be there when it succeeded.
    pub(crate) end: State,
    /// What may be there instead when the daemon died in it.
    pub(crate) or: &'static [State],
}

const fn scenario(
    name: &'static str,
    subject: Subject,
    before: &'static [Do],
    act: Do,
    end: State,
    or: &'static [State],
) -> Scenario {
    Scenario {
        name,
        subject,
        before,
        act,
        end,
        or,
    }
}

use Subject::{Breakable, Image, Pod, Remover, Restarter, Secret, Sleeper, Volume};

/// All of them.
#[rustfmt::skip]
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("create", Sleeper, &[], Create, Created, &[Gone]),
    scenario("start", Sleeper, &[Create], Start, Running, &[Created]),
    scenario("second start", Sleeper, &[Create, Start, Stop], Start, Running, &[Exited]),
    scenario("attached start", Sleeper, &[Create], AttachAndStart, Running, &[Created]),
    scenario("init", Sleeper, &[Create], Init, Initialized, &[Created]),
    scenario("init after an end", Sleeper, &[Create, Start, Stop], Init, Initialized, &[Exited]),
    scenario("start of an initialised one", Sleeper, &[Create, Init], Start, Running, &[Initialized]),
    scenario("rm of an initialised one", Sleeper, &[Create, Init], Remove, Gone, &[Initialized]),
    scenario("cp into one that never ran", Sleeper, &[Create], CopyIn, Prepared, &[Created]),
    scenario("start with what was copied", Sleeper, &[Create, CopyIn], Start, Running, &[Prepared]),
    scenario("start with what was copied before an update", Sleeper, &[Create, CopyIn, Update], Start, Running, &[Prepared]),
    scenario("stop", Sleeper, &[Create, Start], Stop, Exited, &[Running]),
    scenario("pause", Sleeper, &[Create, Start], Pause, Paused, &[Running]),
    scenario("unpause", Sleeper, &[Create, Start, Pause], Unpause, Running, &[Paused]),
    scenario("stop of a paused one", Sleeper, &[Create, Start, Pause], Stop, Exited, &[Paused, Running]),
    scenario("rename", Sleeper, &[Create], Rename, Created, &[]),
    scenario("update", Sleeper, &[Create, Start], Update, Running, &[]),
    scenario("restart", Sleeper, &[Create, Start], Restart, Running, &[Exited]),
    scenario("rm", Sleeper, &[Create, Start, Stop], Remove, Gone, &[Exited]),
    scenario("rm -f", Sleeper, &[Create, Start], ForceRemove, Gone, &[Running, Exited]),
    scenario("--rm", Remover, &[Create, Start], Go, Gone, &[]),
    scenario("restart policy", Restarter, &[Create, Start], Go, Running, &[]),
    scenario("failing start", Breakable, &[Create, Start, Stop, Break], Start, Exited, &[]),
    scenario("failing first start", Breakable, &[Create, Break], Start, Created, &[]),
    scenario("health check", Sleeper, &[Create, Start], CheckHealth, Running, &[]),
    scenario("exec", Sleeper, &[Create, Start], Exec, Running, &[]),
    scenario("pod create", Pod, &[], Create, Created, &[Gone]),
    scenario("pod start", Pod, &[Create, CreateMembers], Start, Running, &[Created]),
    scenario("second pod start", Pod, &[Create, CreateMembers, Start, Stop], Start, Running, &[Exited]),
    scenario("pod stop", Pod, &[Create, CreateMembers, Start], Stop, Exited, &[Running]),
    scenario("pod rm", Pod, &[Create, CreateMembers, Start, Stop], Remove, Gone, &[Exited]),
    scenario("pod rm -f", Pod, &[Create, CreateMembers, Start], ForceRemove, Gone, &[Running, Exited]),
    scenario("volume create", Volume, &[], Create, Created, &[Gone]),
    scenario("volume rm", Volume, &[Create], Remove, Gone, &[Created]),
    scenario("secret create", Secret, &[], Create, Created, &[Gone]),
    scenario("secret rm", Secret, &[Create], Remove, Gone, &[Created]),
    scenario("pull", Image, &[], Pull, Created, &[Gone]),
    scenario("adoption", Sleeper, &[Create, Start, Forget], StartDaemon, Running, &[]),
    scenario("recovery of a sandbox", Sleeper,
        &[Create, DieAt("runtime:RunPodSandbox", &Start)], StartDaemon, Created, &[]),
    scenario("recovery of a container", Sleeper,
        &[Create, Start, Stop, DieAt("runtime:CreateContainer", &Start)], StartDaemon, Exited, &[]),
    scenario("recovery of a start", Sleeper,
        &[Create, DieAt("runtime:StartContainer", &Start)], StartDaemon, Running, &[]),
    scenario("recovery of a start of an initialised one", Sleeper,
        &[Create, Init, DieAt("runtime:StartContainer", &Start)], StartDaemon, Running, &[]),
    scenario("recovery of a second start", Sleeper,
        &[Create, Start, Stop, DieAt("runtime:StartContainer", &Start)], StartDaemon, Running, &[]),
    scenario("recovery of an attached start", Sleeper,
        &[Create, DieAt("runtime:StartContainer", &AttachAndStart)], StartDaemon, Running, &[]),
    scenario("recovery of a removal", Sleeper,
        &[Create, Start, DieAt("store:container.removing", &ForceRemove)], StartDaemon, Gone, &[]),
    scenario("an end meanwhile", Remover, &[Create, Start, DieAt("runtime:StopContainer", &Stop)], StartDaemon, Gone, &[]),
];
