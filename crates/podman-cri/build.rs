//! Builds the gate, which is mounted into containers, as a static program, for the daemon to carry.
//!
//! It is a program of this workspace with a profile and link flags of its own, for which Cargo has no dependency yet:
//! a Cargo of its own builds it into `OUT_DIR`. Everything it needs stands in `Cargo.lock`, and nothing is fetched that a
//! `cargo fetch` has not brought.

#![expect(clippy::panic, reason = "a build script says what is wrong by ending")]

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the outer Cargo set for its own compilations; the gate's are others.
const OF_THE_OUTER_BUILD: &[&str] = &[
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER", // clippy
    "RUSTFLAGS",
];

fn main() {
    let workspace = path("CARGO_MANIFEST_DIR").join("../..");
    for part in [
        "crates/gate/Cargo.toml",
        "crates/gate/src",
        "crates/accounts",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(part).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let target = var("TARGET").to_string_lossy().into_owned();
    let out = path("OUT_DIR");
    let build_dir = out.join("gate-build");
    let built = build(&workspace, &target, &build_dir);
    let gate = out.join("gate");
    if let Err(error) = std::fs::copy(&built, &gate) {
        panic!("{}: {error}", built.display());
    }
    println!("cargo::rustc-env=GATE_PROGRAM={}", gate.display());
}

/// The built program.
fn build(workspace: &Path, target: &str, build_dir: &Path) -> PathBuf {
    let mut cargo = Command::new(var("CARGO"));
    for variable in OF_THE_OUTER_BUILD {
        cargo.env_remove(variable);
    }
    let linker = format!(
        "CARGO_TARGET_{}_RUSTFLAGS",
        target.to_uppercase().replace('-', "_")
    );
    cargo
        .env_remove(linker)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(workspace)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--package=gate",
            "--profile=gate",
        ])
        .arg(format!("--target={target}"))
        .arg("--target-dir")
        .arg(build_dir);
    match cargo.status() {
        Ok(status) if status.success() => build_dir.join(target).join("gate/gate"),
        Ok(status) => panic!(
            "the gate, a static program for {target}, could not be built ({status}): it needs Rust's standard library for \
             that target, a linker for it and a static C library (glibc-static on Fedora; libc6-dev on Debian has it)"
        ),
        Err(error) => panic!("cargo cannot be run: {error}"),
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(var(name))
}

fn var(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("Cargo sets {name}"))
}
