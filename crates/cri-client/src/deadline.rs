//! How long each call may take. A deadline is there so that a hung runtime becomes an error; it must be
//! longer than the call can rightly take, since a runtime gives up what it does when the client goes
//! (measured: containerd leaves a container RUNNING when the deadline is shorter than the stop timeout).
//!
//! The runtime is not told the deadline (no `grpc-timeout`): CRI-O would take it for the grace period of
//! the containers that it stops along with a sandbox (measured: with 300 s told, SIGKILL came after 299 s;
//! untold it is 10 s), and for Kata as a limit of its own.

use std::time::Duration;

/// Reads: 500 containers are listed in 5 ms, but a machine short of memory or disk is slow for seconds.
pub const READ: Duration = Duration::from_secs(30);

/// Statistics: measured up to 1.2 s for 500 containers, and each asks the kernel.
pub const STATS: Duration = Duration::from_secs(60);

/// Asking an unknown socket for its version: a runtime answers at once or is not what is looked for.
pub const PROBE: Duration = Duration::from_secs(3);

/// Running a sandbox, creating or starting a container: VM runtimes boot a machine and peer pods rent one;
/// CRI-O's own limit for them is 600 s as documented for Kata.
pub const START: Duration = Duration::from_secs(15 * 60);

/// Running a sandbox in a machine of its own, where that is rented elsewhere: longer than any limit of the runtime's and of the
/// shim's for it that somebody may set, for a call that is given up early leaves the machine (measured with Kata).
pub const MACHINE: Duration = Duration::from_secs(60 * 60);

/// What a stop may take beyond its timeout: killing, unmounting, network teardown.
pub const STOP_MARGIN: Duration = Duration::from_secs(2 * 60);

/// Stopping a sandbox or removing anything: CRI-O gives running containers 10 s before it kills them.
pub const REMOVE: Duration = Duration::from_secs(5 * 60);

/// Changing resources, reopening a log: a write to a cgroup or a pipe, in a VM a message to its agent.
pub const UPDATE: Duration = Duration::from_secs(60);

/// What a synchronous exec may take beyond its own timeout.
pub const EXEC_MARGIN: Duration = Duration::from_secs(30);

/// Pulling an image: 20 GB over a slow line. Whoever waits cancels by dropping the future.
pub const PULL: Duration = Duration::from_secs(4 * 60 * 60);

/// Removing an image: large layers are deleted before the answer.
pub const REMOVE_IMAGE: Duration = Duration::from_secs(10 * 60);

/// A step of writing content: a chunk, or the end of a layer, which is written to the disk before the answer.
pub const CONTENT_STEP: Duration = Duration::from_secs(10 * 60);

/// Waits between attempts to reach a runtime that is restarting (reads only): 1.5 s in all.
pub(crate) const RECONNECT_WAITS: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(400),
    Duration::from_millis(900),
];
