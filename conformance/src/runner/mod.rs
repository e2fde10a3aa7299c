//! Cases as data and their runner: what a request must be answered with, on a real Podman and on
//! the daemon.
//!
//! The cases are the files of `conformance/cases`, one for each noun; `cases/README.md` tells how they
//! are written.

mod case;
mod check;
mod expected;
mod podman;
mod pointer;
mod report;
mod run;
mod step;
mod target;
mod vars;

pub use case::{Case, Gap, Suite};
pub use podman::Podman;
pub(crate) use pointer::find_one;
pub use report::{Outcome, Report};
pub(crate) use run::answer;
pub use run::{run, run_on_daemon};
pub use target::{Cgroups, Kind, Target};
