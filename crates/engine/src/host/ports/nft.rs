//! The program nft.

use std::io::Write as _;
use std::process::{Command, Stdio};

use model::Error;

/// nft's own name; a system's packages put it on root's PATH.
const NFT: &str = "nft";

/// Says in time that the program is missing.
///
/// # Errors
/// What to install.
pub(super) fn check_installed() -> Result<(), Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(NFT).is_file());
    match found {
        true => Ok(()),
        false => Err(Error::Plain(
            "publishing ports needs the program nft (package nftables), which is not on PATH"
                .to_owned(),
        )),
    }
}

/// Runs a script: all of it, or nothing.
///
/// # Errors
/// nft's own text.
pub(super) fn run(script: &str) -> Result<(), Error> {
    let failed =
        |what: &dyn std::fmt::Display| Error::Plain(format!("publishing ports: nft: {what}"));
    let mut child = Command::new(NFT)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    let written = match child.stdin.take() {
        Some(mut stdin) => stdin.write_all(script.as_bytes()),
        None => Ok(()),
    };
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr).trim()));
    }
    written.map_err(|error| failed(&error))
}

/// What a program prints; `None` where it is missing or fails.
pub(super) fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// All rules of nftables.
pub(super) fn ruleset() -> Option<String> {
    output(NFT, &["list", "ruleset"])
}
