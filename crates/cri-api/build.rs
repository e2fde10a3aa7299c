//! Compiles the two proto files to Rust messages. protox does protoc's part, so none is needed on the
//! building machine; no service code is made (calls go through `cri-client`'s one generic function).

use std::io::{Error, Result};

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["runtime_v1.proto", "containerd.proto"], ["proto"])
        .map_err(Error::other)?;
    prost_build::Config::new()
        // sorted maps: the same message always has the same bytes and the same Debug text
        .btree_map(["."])
        .compile_fds(files)
}
