//! The recorded requests and answers of Podman 5.8.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The recordings, or a word on standard error that they are missing.
pub fn dir() -> Option<PathBuf> {
    let dir = std::env::var_os("PODMAN_CRI_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/podman"),
        PathBuf::from,
    );
    if dir.join("shapes").is_dir() {
        return Some(dir);
    }
    eprintln!(
        "SKIPPED: no recorded answers at {}; set PODMAN_CRI_REFERENCE",
        dir.display()
    );
    None
}

/// The answer of one of `shapes/`.
pub fn shape(dir: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(dir.join("shapes").join(format!("{name}.json")))
        .expect("a recorded answer");
    let exchange: Value = serde_json::from_str(&text).expect("JSON");
    exchange["body"].clone()
}

/// One exchange of a trace.
pub struct Exchange {
    /// Client and scenario.
    pub source: String,
    /// Method and path.
    pub call: String,
    /// Status.
    pub status: u64,
    /// The request's body.
    pub request: Value,
    /// The answer, null where it is no JSON.
    pub answer: Value,
}

/// The exchanges of a trace (`podman-remote-5.8.6/run-d`).
pub fn trace(dir: &Path, name: &str) -> Vec<Exchange> {
    let text = std::fs::read_to_string(dir.join("traces").join(format!("{name}.jsonl")))
        .expect("a recorded trace");
    let exchange = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let json = |field: &str| {
            let text = line[field]["text"].as_str().unwrap_or_default();
            serde_json::from_str(text).unwrap_or_default()
        };
        Exchange {
            source: name.to_owned(),
            call: format!(
                "{} {}",
                line["method"].as_str().unwrap_or_default(),
                line["path"].as_str().unwrap_or_default()
            ),
            status: line["status"].as_u64().unwrap_or_default(),
            request: json("req_body"),
            answer: json("resp_body"),
        }
    };
    text.lines().map(exchange).collect()
}

/// Every trace there is.
pub fn traces(dir: &Path) -> Vec<Exchange> {
    let mut names = Vec::new();
    for client in std::fs::read_dir(dir.join("traces"))
        .expect("traces")
        .flatten()
    {
        for file in std::fs::read_dir(client.path())
            .expect("scenarios")
            .flatten()
        {
            let path = file.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "jsonl")
            {
                let stem = path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                names.push(format!("{}/{stem}", client.file_name().to_string_lossy()));
            }
        }
    }
    names.sort();
    names.iter().flat_map(|name| trace(dir, name)).collect()
}
