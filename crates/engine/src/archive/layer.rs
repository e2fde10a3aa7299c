//! What a container wrote, as a layer of an image: an archive with OCI's marks for deletions.
//!
//! Source: the OCI image specification ("Representing Changes"), and the layers that Podman 5.8.6 makes.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use model::userns::IdMappings;
use rustix::fs::FileType;

use super::changes::{LEFT_OUT, before, has_mark, is_deletion};
use super::get::Packing;
use super::root::{FOLDER, Found, Root};
use super::walk::Walk;

/// What begins the name of a mark: of a deletion the deleted name follows.
const MARK: &[u8] = b".wh.";
/// A folder that holds nothing of the layers below.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Where a container's files are read.
pub(crate) struct Sources {
    /// The folder of what it wrote.
    pub(super) upper: OwnedFd,
    /// The root of its image.
    pub(super) below: Root,
    /// Both over each other: some files have only a part of them in the upper folder.
    pub(super) merged: Root,
    /// The ids of the container's user namespace: owners in an image are those that the container has.
    pub(super) ids: Option<IdMappings>,
}

/// Packs the upper folder alone.
pub(crate) fn pack(sources: &Sources, to: impl Write) -> io::Result<()> {
    let mut packing = Packing::of_layer(to, sources.ids.clone());
    let mut walk = Walk::new(&sources.upper)?;
    while let Some((path, found)) = walk.next(is_left_out)? {
        let is_folder = found.kind() == FileType::Directory;
        let full = Path::new("/").join(&path);
        if is_deletion(&found)? {
            if before(&sources.below, &full)?.is_some() {
                packing.marker(&found, &mark_of(&path))?;
            }
            continue;
        }
        check_name(&path)?;
        let name = path.as_os_str().as_bytes();
        let moved = is_folder && has_mark(&found, c"trusted.overlay.redirect", b"")?;
        if found.kind() == FileType::RegularFile
            && has_mark(&found, c"trusted.overlay.metacopy", b"")?
        {
            packing.one(&readable(&sources.merged, &full)?, name)?;
            continue;
        }
        packing.one(&found, name)?;
        let is_opaque = is_folder && has_mark(&found, c"trusted.overlay.opaque", b"y")?;
        if (is_opaque || moved) && before(&sources.below, &full)?.is_some() {
            packing.marker(&found, &[name, b"/", OPAQUE].concat())?;
        }
        if moved {
            walk.pass_over();
            everything(&mut packing, &sources.merged, &path)?;
        }
    }
    packing.finish()
}

/// Packs all files as one layer.
pub(crate) fn pack_whole(sources: &Sources, to: impl Write) -> io::Result<()> {
    let upper = Root::of(&sources.upper)?;
    let top = Found::new(sources.merged.open(Path::new("/"), FOLDER)?)?;
    let made_there = |path: &Path| {
        let full = Path::new("/").join(path);
        is_left_out(path) && before(&upper, &full).is_ok_and(|found| found.is_some())
    };
    let mut packing = Packing::of_layer(to, sources.ids.clone());
    let mut walk = Walk::new(&top.fd)?;
    while let Some((path, found)) = walk.next(made_there)? {
        check_name(&path)?;
        packing.one(&found, path.as_os_str().as_bytes())?;
    }
    packing.finish()
}

/// What lies below a folder in the merged tree.
fn everything(packing: &mut Packing<impl Write>, merged: &Root, folder: &Path) -> io::Result<()> {
    let top = readable(merged, &Path::new("/").join(folder))?;
    let mut walk = Walk::new(&top.fd)?;
    while let Some((path, found)) = walk.next(|_| false)? {
        check_name(&path)?;
        packing.one(&found, folder.join(path).as_os_str().as_bytes())?;
    }
    Ok(())
}

fn readable(merged: &Root, path: &Path) -> io::Result<Found> {
    Ok(merged.find_exactly(path)?)
}

/// What a runtime puts there for each container, but /run, in which containers write.
fn is_left_out(path: &Path) -> bool {
    let full = Path::new("/").join(path);
    full != Path::new("/run") && LEFT_OUT.iter().any(|left_out| full == Path::new(left_out))
}

fn mark_of(path: &Path) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let marked = [MARK, name].concat();
    let marked: PathBuf = path.with_file_name(OsStr::from_bytes(&marked));
    marked.into_os_string().as_bytes().to_vec()
}

fn check_name(path: &Path) -> io::Result<()> {
    match path.file_name() {
        Some(name) if name.as_bytes().starts_with(MARK) => Err(io::Error::other(format!(
            "/{}: in a layer of an image a name that begins with .wh. means a deletion",
            path.display()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use rustix::fs::{CWD, Mode, XattrFlags, lsetxattr, mknodat, open};
    use tar::Archive;

    use super::*;

    /// Folders in the places of a container's; whether marks can be set in them, which takes root.
    fn trees() -> (tempfile::TempDir, bool) {
        let place = tempfile::tempdir_in("/var/tmp").unwrap();
        for folder in ["upper", "below", "merged"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        let upper = place.path().join("upper");
        let marked = lsetxattr(&upper, c"trusted.test", b"y", XattrFlags::empty()).is_ok();
        (place, marked)
    }

    fn sources(place: &Path) -> Sources {
        let root = |name: &str| Root::at(&place.join(name)).unwrap();
        Sources {
            upper: open(place.join("upper"), FOLDER, Mode::empty()).unwrap(),
            below: root("below"),
            merged: root("merged"),
            ids: None,
        }
    }

    /// Names, with their kind, their link and their data.
    fn entries(archive: &[u8]) -> BTreeMap<String, (u8, String, String)> {
        let mut all = BTreeMap::new();
        for entry in Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut data = String::new();
            io::Read::read_to_string(&mut entry, &mut data).unwrap();
            let text = |bytes: Option<std::borrow::Cow<'_, [u8]>>| {
                String::from_utf8(bytes.unwrap_or_default().into_owned()).unwrap()
            };
            let kind = entry.header().entry_type().as_byte();
            let name = text(Some(entry.path_bytes()));
            let link = text(entry.link_name_bytes());
            all.insert(name, (kind, link, data));
        }
        all
    }

    fn mark(path: &Path, name: &str, value: &[u8]) {
        lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
    }

    fn packed(place: &Path) -> BTreeMap<String, (u8, String, String)> {
        let mut archive = Vec::new();
        pack(&sources(place), &mut archive).unwrap();
        entries(&archive)
    }

    #[test]
    fn what_was_written_is_packed_and_what_the_runtime_puts_there_is_not() {
        let (place, _) = trees();
        let at = |path: &str| place.path().join("upper").join(path);
        for folder in ["etc", "run/own", "dev", "d"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["etc/hosts", "etc/new", "run/.containerenv"] {
            fs::write(at(file), "x").unwrap();
        }
        fs::write(at("d/f"), "data").unwrap();
        fs::hard_link(at("d/f"), at("d/g")).unwrap();
        symlink("f", at("d/l")).unwrap();
        fs::set_permissions(at("d/f"), fs::Permissions::from_mode(0o4755)).unwrap();
        let mut found = packed(place.path());
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "d/", "d/f", "d/g", "d/l", "etc/", "etc/new", "run/", "run/own/"
            ]
        );
        assert_eq!(found["d/l"], (b'2', "f".to_owned(), String::new()));
        let pair = (found.remove("d/f").unwrap(), found.remove("d/g").unwrap());
        let link = |to: &str| (b'1', to.to_owned(), String::new());
        let file = (b'0', String::new(), "data".to_owned());
        assert!(
            pair == (file.clone(), link("d/f")) || pair == (link("d/g"), file),
            "{pair:?}"
        );
    }

    #[test]
    fn deletions_have_marks_where_the_image_has_something() {
        let (place, marked) = trees();
        if !marked {
            return; // not root
        }
        let at = |path: &str| place.path().join(path);
        for folder in [
            "below/old",
            "below/gone",
            "upper/old",
            "upper/new",
            "upper/x",
        ] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("below/x-file"), "x").unwrap();
        for path in ["upper/gone", "upper/never", "upper/x-file"] {
            let node = rustix::fs::FileType::CharacterDevice;
            mknodat(CWD, at(path), node, Mode::empty(), 0).unwrap();
        }
        mark(&at("upper/old"), "trusted.overlay.opaque", b"y");
        mark(&at("upper/new"), "trusted.overlay.opaque", b"y");
        fs::write(at("upper/old/f"), "f").unwrap();
        let found = packed(place.path());
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                ".wh.gone",
                ".wh.x-file",
                "new/",
                "old/",
                "old/.wh..wh..opq",
                "old/f",
                "x/"
            ]
        );
        assert_eq!(found[".wh.gone"], (b'0', String::new(), String::new()));
    }

    #[test]
    fn what_lies_elsewhere_is_read_from_the_merged_tree() {
        let (place, marked) = trees();
        if !marked {
            return; // not root
        }
        let at = |path: &str| place.path().join(path);
        for folder in ["upper/moved", "below/moved", "merged/moved/in"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("upper/f"), "").unwrap();
        fs::write(at("merged/f"), "whole").unwrap();
        fs::write(at("merged/moved/in/g"), "g").unwrap();
        mark(&at("upper/f"), "trusted.overlay.metacopy", b"");
        mark(&at("upper/moved"), "trusted.overlay.redirect", b"/before");
        let found = packed(place.path());
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "f",
                "moved/",
                "moved/.wh..wh..opq",
                "moved/in/",
                "moved/in/g"
            ]
        );
        assert_eq!(found["f"].2, "whole");
        assert_eq!(found["moved/in/g"].2, "g");
    }

    #[test]
    fn attributes_and_devices_are_packed() {
        let (place, marked) = trees();
        if !marked {
            return; // not root
        }
        let at = |path: &str| place.path().join("upper").join(path);
        fs::write(at("f"), "").unwrap();
        mark(&at("f"), "user.a", b"v");
        mark(&at("f"), "trusted.b", b"v");
        let node = rustix::fs::FileType::CharacterDevice;
        mknodat(CWD, at("n"), node, Mode::empty(), rustix::fs::makedev(1, 3)).unwrap();
        let mut archive = Vec::new();
        pack(&sources(place.path()), &mut archive).unwrap();
        let mut seen = Vec::new();
        for entry in Archive::new(&*archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            let device = header.device_major().ok().zip(header.device_minor().ok());
            let path = entry.path().unwrap().display().to_string();
            let more = entry.pax_extensions().unwrap().into_iter().flatten();
            let more: Vec<_> = more
                .map(|one| one.unwrap().key().unwrap().to_owned())
                .collect();
            seen.push((path, device, more));
        }
        seen.sort();
        let xattr = vec!["SCHILY.xattr.user.a".to_owned()];
        assert_eq!(seen[0], ("f".to_owned(), None, xattr));
        assert_eq!(
            seen[1],
            ("n".to_owned(), Some((Some(1), Some(3))), Vec::new())
        );
    }

    #[test]
    fn a_name_that_would_mean_a_deletion_is_refused_by_name() {
        let (place, _) = trees();
        fs::write(place.path().join("upper/.wh.x"), "").unwrap();
        let error = pack(&sources(place.path()), io::sink()).unwrap_err();
        assert!(error.to_string().starts_with("/.wh.x: "), "{error}");
    }

    #[test]
    fn one_layer_has_all_but_what_the_runtime_put_there() {
        let (place, _) = trees();
        let at = |path: &str| -> PathBuf { place.path().join(path) };
        for folder in ["upper/etc", "merged/etc", "merged/dev"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in [
            "upper/etc/hosts",
            "merged/etc/hosts",
            "merged/etc/hostname",
            "merged/f",
        ] {
            fs::write(at(file), "").unwrap();
        }
        let mut archive = Vec::new();
        pack_whole(&sources(place.path()), &mut archive).unwrap();
        let found = entries(&archive);
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        // a host name that the image has itself stays
        assert_eq!(names, ["dev/", "etc/", "etc/hostname", "f"]);
    }
}
