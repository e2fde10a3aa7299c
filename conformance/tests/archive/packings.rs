//! Archives as people make them: with holes, in each form of GNU tar's, and compressed.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::site::{COMPAT, LIBPOD, Site};

/// Bytes of the file, of which but a few are no hole.
const SIZE: u64 = 8 << 20;
/// Its parts: more than a header of GNU tar's has room for.
const PARTS: u64 = 7;

/// The forms of holes that Go reads as files.
pub(crate) const PAX: &[&str] = &["0.0", "0.1", "1.0"];
/// Podman takes an entry of GNU's own type for none of its own (5.8.6).
pub(crate) const ALL: &[&str] = &["gnu", "0.0", "0.1", "1.0"];

/// Every form of holes and of compression arrives as the file that it was made of.
pub(crate) async fn everything(site: &Site, forms: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = File::create(folder.path().join("holed"))?;
    for part in 0..PARTS {
        file.write_all_at(b"no hole", part << 20)?;
    }
    file.set_len(SIZE)?;
    let plain = std::fs::read(folder.path().join("holed"))?;
    site.run("mkdir -p /packings").await?;
    let whole = crate::packed(&[("holed", "", &plain)])?;
    let sum = arrives(site, LIBPOD, &whole).await?;
    for form in forms {
        let archive = sparse(folder.path(), form)?;
        ensure!(archive.len() < 1 << 20, "{form}: {} bytes", archive.len());
        let here = arrives(site, COMPAT, &archive).await?;
        ensure!(here == sum, "{form}: {here} for {sum}");
    }
    for (name, archive) in compressed(&whole)? {
        let here = arrives(site, LIBPOD, &archive).await?;
        ensure!(here == sum, "{name}: {here} for {sum}");
        let cut = archive.get(..archive.len() / 2).unwrap_or_default();
        let cut = site.put(LIBPOD, "path=/packings", cut).await?;
        ensure!(cut.status == 500, "{name}, cut off: {}", cut.status);
    }
    Ok(())
}

/// The sum and the size of a file that an archive brings.
async fn arrives(site: &Site, face: &str, archive: &[u8]) -> Result<String> {
    site.put(face, "path=/packings", archive)
        .await?
        .expect(200)?;
    site.run("cd /packings && md5sum holed && stat -c %s holed && rm holed")
        .await
}

fn sparse(folder: &std::path::Path, form: &str) -> Result<Vec<u8>> {
    let form = match form {
        "gnu" => vec!["--format=gnu".to_owned()],
        version => vec![
            "--format=pax".to_owned(),
            format!("--sparse-version={version}"),
        ],
    };
    let tar = Command::new("tar")
        .args(["-c", "--sparse", "--hole-detection=raw"])
        .args(form)
        .arg("holed")
        .current_dir(folder)
        .output()?;
    ensure!(tar.status.success(), "tar: {tar:?}");
    Ok(tar.stdout)
}

fn compressed(archive: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(archive)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(archive)?;
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(archive)?;
    Ok(vec![
        ("bzip2", bzip2.finish()?),
        ("gzip", gzip.finish()?),
        ("xz", xz.finish()?),
        ("zstd", zstd::encode_all(archive, 1)?),
    ])
}
