//! Processes of a container or a pod.

use serde::{Deserialize, Serialize};

/// One answer of `GET …/top`, of containers on both faces and of pods; a stream has one on each line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Top {
    /// The columns of each process. Where there is no process Podman writes null.
    pub processes: Option<Vec<Vec<String>>>,
    /// Heads of the columns.
    pub titles: Vec<String>,
}
