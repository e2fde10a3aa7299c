//! Bringing images made here into a private runtime's store.

use std::{ffi::OsString, fs, path::Path};

use crate::{
    Image, Kind, command,
    error::{Context, Result},
    paths::Paths,
    requirements::Programs,
};

/// Imports an image unless it is known to have been imported; gives its id.
pub(crate) fn image(
    paths: &Paths,
    programs: &Programs,
    prefix: &[OsString],
    image: &Image,
) -> Result<String> {
    let (id, archive) = image.archive()?;
    let names = image.names.join("\n");
    let marker = paths.images().join(format!("{}-{id}", paths.kind.name()));
    if fs::read_to_string(&marker).is_ok_and(|known| known == names) {
        return Ok(id);
    }
    let file = paths.images().join(format!("{id}.tar"));
    write(&file, &archive)?;
    let imported = match paths.kind {
        Kind::Containerd => into_containerd(paths, programs, prefix, &file),
        Kind::CriO => image
            .names
            .iter()
            .try_for_each(|name| into_crio(paths, programs, prefix, &file, name)),
    };
    fs::remove_file(&file).context(|| format!("cannot remove {}", file.display()))?;
    imported?;
    write(&marker, names.as_bytes())?;
    Ok(id)
}

/// containerd's CRI plugin hears of images in its namespace and marks them as its own.
fn into_containerd(
    paths: &Paths,
    programs: &Programs,
    prefix: &[OsString],
    file: &Path,
) -> Result<()> {
    let mut ctr = command::prefixed(prefix, &programs.importer);
    ctr.arg("--address").arg(paths.socket());
    ctr.args(["--namespace", "k8s.io", "images", "import"])
        .arg(file);
    command::run(ctr).map(drop)
}

fn into_crio(
    paths: &Paths,
    programs: &Programs,
    prefix: &[OsString],
    file: &Path,
    name: &str,
) -> Result<()> {
    let store = format!(
        "containers-storage:[overlay@{}+{}]{name}",
        paths.storage().display(),
        paths.volatile().display()
    );
    let mut skopeo = command::prefixed(prefix, &programs.importer);
    skopeo.arg("--policy").arg(paths.policy());
    skopeo.arg("--tmpdir").arg(paths.dir.join("tmp"));
    skopeo.args(["copy", "--quiet"]);
    skopeo
        .arg(format!("docker-archive:{}:{name}", file.display()))
        .arg(store);
    command::run(skopeo).map(drop)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).context(|| format!("cannot write {}", path.display()))
}
