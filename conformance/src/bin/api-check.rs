//! `make api-check PODMAN_SRC=FOLDER [PODMAN_REV=v5.8.2] [WRITE=1]`: see [`conformance::api_check`].

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use conformance::api_check::{FIELDS_FILE, SERVER, Source, fields, fields_file, report};

fn main() -> ExitCode {
    match check() {
        Ok(code) => code,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "api-check: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// 0 where nothing is lacking, else 1.
fn check() -> Result<ExitCode> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let dir = set("PODMAN_SRC")
        .context("PODMAN_SRC names no folder: Podman's source tree, or a git clone of it")?;
    let podman = Source::open(&PathBuf::from(dir), set("PODMAN_REV"), SERVER)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if set("WRITE").is_some() {
        std::fs::write(root.join(FIELDS_FILE), fields_file(&fields(&podman)?))?;
    }
    let report = report(&podman, &root)?;
    let text = match report.as_str() {
        "" => "nothing of Podman's is lacking\n",
        lacking => lacking,
    };
    drop(std::io::stdout().write_all(text.as_bytes()));
    Ok(match report.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
