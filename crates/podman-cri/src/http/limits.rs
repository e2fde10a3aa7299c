//! What one client may cost, each limit with its reason.

use std::time::Duration;

/// Connections served at once. A waiting client (`wait`, `events`) holds one each, and every one is
/// a descriptor here; the usual limit of descriptors is 1,024 soft and far above that hard.
pub(crate) const CONNECTIONS: usize = 4096;

/// Operations under way at once, with those whose client has gone away: they hold no connection, and one
/// can wait for as long as its container likes (`stop?t=-1`). Twice the connections, so that clients that
/// wait for their answers never meet it.
pub(crate) const OPERATIONS: usize = 2 * CONNECTIONS;

/// Bytes of a JSON body. Podman has no limit; the largest real create requests (a compose project's
/// labels and environment) stay below 1 MiB.
pub(crate) const BODY_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of a request's head. `X-Registry-Config` with the credentials of many registries is the
/// largest part of it.
pub(crate) const HEAD_BYTES: usize = 1024 * 1024;

/// How long a client may take to send a request's head, and how long a connection may be idle
/// between two requests. Go's clients keep idle connections for 90 s and open a new one when one is
/// closed.
pub(crate) const HEAD_WAIT: Duration = Duration::from_secs(120);

/// How long requests under way may go on after a signal to end, before they are cut.
/// Streams are told to end at once; the longest of the rest is a container's stop timeout (10 s).
pub(crate) const DRAIN: Duration = Duration::from_secs(15);

/// How long clients may take to read that their request was cut.
pub(crate) const LAST_WORD: Duration = Duration::from_secs(1);

/// The pause after a failed accept (no descriptors left), so that the loop does not spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Builds at once. Each takes a thread while its context passes and one while its image is handed over, of the
/// 512 there are for all that blocks; and Podman works at all of them.
pub(crate) const BUILDS: usize = 64;

/// Archives of containers' files under way at once: each takes a thread, of the 512 there are for all that blocks,
/// for as long as its client takes.
pub(crate) const ARCHIVES: usize = 64;

/// The last bytes of a build's context that are held back until its base images are there. A tar ends in up to
/// 10 KiB of zeros, and Podman could begin when it has seen the first of them.
pub(crate) const CONTEXT_END: usize = 64 * 1024;

/// Pieces of a context that wait to be read for Containerfiles: beyond them the client waits. A piece is what
/// was read of the connection, some 400 KiB at most.
pub(crate) const CONTEXT_QUEUE: usize = 4;

/// How long the body of a build or an archive that was refused is read, so that its client gets to read the refusal: on
/// a unix socket several GiB.
pub(crate) const REFUSED_CONTEXT: Duration = Duration::from_secs(30);

/// How long a compat pull waits before its header: an error in that time has its real status, and a
/// client that waits for a header is not kept longer.
pub(crate) const PULL_HEADER_WAIT: Duration = Duration::from_secs(5);

/// How long a libpod pull may take before it says that it tries: one that finds the image present
/// is over by then and says nothing, as in Podman.
pub(crate) const PULL_QUIET: Duration = Duration::from_millis(250);
