//! Archives that are taken apart.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use tar::Builder;

use super::*;

fn header(kind: EntryType, name: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_path(name).unwrap();
    header.set_mode(0o640);
    header.set_uid(1);
    header.set_gid(2);
    header.set_mtime(3);
    header.set_size(size);
    header.set_cksum();
    header
}

fn all(archive: &[u8]) -> io::Result<Vec<(Described, Vec<u8>)>> {
    let mut entries = open(archive).map_err(io::Error::other)?;
    let mut all = Vec::new();
    while let Some(entry) = entries.next()? {
        let mut data = Vec::new();
        if entry.kind.is_file() {
            let size = usize::try_from(entry.size).unwrap();
            data.resize(size, 0);
            entries.copy(&entry, |offset, piece| {
                let offset = usize::try_from(offset).unwrap();
                data[offset..][..piece.len()].copy_from_slice(piece);
                Ok(())
            })??;
        }
        all.push((entry, data));
    }
    Ok(all)
}

fn packed(pax: &[(&str, &[u8])], own: &Header, data: &[u8]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    archive.append_pax_extensions(pax.iter().copied()).unwrap();
    archive.append(own, data).unwrap();
    let next = header(EntryType::Regular, "next", 1);
    archive.append(&next, &b"n"[..]).unwrap();
    archive.into_inner().unwrap()
}

#[test]
fn pax_says_what_a_header_has_no_place_for() {
    let long = "d/".repeat(200) + "f";
    let pax: [(&str, &[u8]); 5] = [
        ("path", long.as_bytes()),
        ("size", b"5"),
        ("mtime", b"-1.25"),
        ("uid", b"4000000000"),
        ("SCHILY.xattr.user.a", b"v=1\n"),
    ];
    // the size in the header is one too large a number has no place in
    let archive = packed(&pax, &header(EntryType::Regular, "short", 0), b"12345");
    let found = all(&archive).unwrap();
    let (first, data) = &found[0];
    assert_eq!((&*first.name, &**data), (long.as_bytes(), &b"12345"[..]));
    assert_eq!(
        (first.owner, first.modified),
        ((4_000_000_000, 2), (-2, 750_000_000))
    );
    assert_eq!(first.xattrs, [(b"user.a".to_vec(), b"v=1\n".to_vec())]);
    assert_eq!((&*found[1].0.name, &*found[1].1), (&b"next"[..], &b"n"[..]));
}

#[test]
fn archives_that_are_none_are_refused_and_what_is_left_unread_is_passed_over() {
    let archive = packed(&[], &header(EntryType::Directory, "d/", 0), b"");
    assert_eq!(all(&archive).unwrap().len(), 2);
    let mut skipped = open(&*archive).unwrap();
    assert_eq!((0..3).filter_map(|_| skipped.next().unwrap()).count(), 2);
    for cut in [100, 513, archive.len() - 600] {
        let error = all(&archive[..cut]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
    }
    assert!(all(b"").unwrap().is_empty() && all(&[0; 512]).unwrap().is_empty());
    let error = all(&[b'x'; 600]).unwrap_err();
    assert_eq!(error.to_string(), "archive/tar: invalid tar header");
    let many = header(EntryType::XHeader, "x", EXTENSIONS_MAX + 1);
    let error = all(many.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("bytes of extensions"), "{error}");
    let half = "x".repeat(usize::try_from(EXTENSIONS_MAX / 2).unwrap());
    let mut archive = Builder::new(Vec::new());
    for _ in 0..2 {
        let pax = [("SCHILY.xattr.user.a", half.as_bytes())];
        archive.append_pax_extensions(pax).unwrap();
    }
    let error = all(&archive.into_inner().unwrap()).unwrap_err().to_string();
    assert!(error.contains("bytes of extensions"), "{error}");
}

#[test]
fn numbers_that_are_left_empty_are_0() {
    let mut own = header(EntryType::Regular, "a", 1);
    for place in [100..124, 136..148] {
        own.as_mut_bytes()[place].fill(0);
    }
    own.set_cksum();
    let found = all(&packed(&[], &own, b"a")).unwrap();
    let (first, data) = &found[0];
    assert_eq!(
        (first.mode, first.owner, first.modified),
        (0, (0, 0), (0, 0))
    );
    assert_eq!(data, b"a");
}

/// A file with holes at its beginning, between its parts and at its end.
fn holed(parts: u64) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("holed")).unwrap();
    for part in 0..parts {
        let text = format!("part {part}");
        file.write_all_at(text.as_bytes(), (2 * part + 1) << 16)
            .unwrap();
    }
    file.set_len((parts + 1) << 17).unwrap();
    let whole = std::fs::read(folder.path().join("holed")).unwrap();
    (folder, whole)
}

#[test]
fn holes_are_those_that_gnu_tar_saw_in_all_its_forms() {
    // in a header are 4 places of parts, in a block behind it 21
    for parts in [0, 1, 4, 5, 60] {
        let (folder, whole) = holed(parts);
        for form in [
            &["--format=gnu"][..],
            &["--format=pax", "--sparse-version=0.0"],
            &["--format=pax", "--sparse-version=0.1"],
            &["--format=pax", "--sparse-version=1.0"],
        ] {
            let tar = Command::new("tar")
                .args([
                    "-c",
                    "--sparse",
                    "--hole-detection=raw",
                    "--hard-dereference",
                ])
                .args(form)
                .args(["holed", "./holed"])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let found = all(&tar.stdout).unwrap();
            let names: Vec<_> = found.iter().map(|(entry, _)| &*entry.name).collect();
            assert_eq!(names, [&b"holed"[..], b"./holed"], "{form:?}");
            for (entry, data) in &found {
                let stored: u64 = entry.parts.iter().flatten().map(|part| part.length).sum();
                assert!(
                    entry.kind.is_file() && stored <= 4096 * parts,
                    "{form:?} {parts} {entry:?}"
                );
                assert!(*data == whole, "{parts} parts as {form:?}");
            }
        }
    }
}

#[test]
fn tables_of_parts_that_cannot_be_are_refused() {
    let own = header(EntryType::Regular, "s", 4);
    let map = |map: &str, size: &str| {
        let pax = [
            ("GNU.sparse.map", map.as_bytes()),
            ("GNU.sparse.size", size.as_bytes()),
        ];
        all(&packed(&pax, &own, b"data"))
    };
    let (file, data) = &map("1,2,4,2", "7").unwrap()[0];
    assert_eq!((file.size, &**data), (7, &b"\0da\0ta\0"[..]));
    for (table, size, why) in [
        ("1,2,2,2", "7", "they overlap"),
        ("4,2,1,2", "7", "out of order"),
        ("1,2,6,2", "7", "beyond the end"),
        ("1,2,4,1", "7", "fewer bytes than the archive has"),
        ("1,2,4,3", "7", "more bytes than the archive has"),
        ("1,2,4", "7", "no length"),
        ("1,2,x,2", "7", "no number"),
        ("18446744073709551615,4", "7", "beyond all numbers"),
    ] {
        let error = map(table, size).expect_err(why);
        assert_eq!(
            error.to_string(),
            "archive/tar: invalid tar header",
            "{why}"
        );
    }
    let newer: [(&str, &[u8]); 1] = [("GNU.sparse.major", b"2")];
    let error = all(&packed(&newer, &own, b"data")).unwrap_err().to_string();
    assert!(error.contains("version 2"), "{error}");
}
