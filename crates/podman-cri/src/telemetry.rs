//! The log: spans of requests and CRI calls, values as fields, to standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Names the variable that chooses what is logged (`debug`, `podman_cri=debug,engine=trace`).
pub const FILTER: &str = "PODMAN_CRI_LOG";

/// Begins to log. `info` and what is graver, unless [`FILTER`] says otherwise.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_env_var(FILTER)
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE);
    let begun = match format {
        LogFormat::Text => builder.with_ansi(false).finish().try_init(),
        LogFormat::Json => builder.json().finish().try_init(),
    };
    if let Err(error) = begun {
        // in tests somebody else has begun; there is nobody to tell
        drop(error);
    }
}
