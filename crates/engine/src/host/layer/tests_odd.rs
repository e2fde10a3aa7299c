//! Carries of what few containers do: deep trees, overlays in overlays, data in lower layers, ACLs.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, lgetxattr, setxattr};

use super::tests_support::{Rig, assert_same, attributes, set_attribute, set_times, write};
use super::*;

/// Far more than folders stay open, and still one path.
const DEPTH: usize = 300;
/// More than one path can name: 4,096 bytes with names of five.
const LEVELS: usize = 3_000;

#[test]
fn a_deep_tree_is_carried_and_removed_with_few_descriptors() {
    let Some(mut rig) = Rig::new("") else { return };
    let deep: std::path::PathBuf = (0..DEPTH).map(|level| format!("d{level}")).collect();
    fs::create_dir_all(rig.lower().join("old").join(&deep)).unwrap();
    for level in 0..DEPTH {
        let at: std::path::PathBuf = deep.iter().take(level).collect();
        write(&rig.lower().join("old").join(at), "file", "x");
    }
    assert!(rig.attempt("one"));
    let one = rig.merged("one");
    fs::create_dir_all(one.join("new").join(&deep)).unwrap();
    for level in 0..DEPTH {
        let at = one
            .join("new")
            .join(deep.iter().take(level).collect::<PathBuf>());
        for name in ["after", "before", "zz"] {
            write(&at, name, "x");
        }
        set_times(&at, 1_000 + i64::try_from(level).unwrap(), 5);
    }
    // Not by std: it keeps every level open.
    let root = walk::open_root(&one).unwrap();
    let old = Path::new("old");
    assert!(remove::remove(root.as_fd(), c"old", old, &LeaveOut::default()).unwrap());
    assert!(rig.attempt("written"));
    rig.folders("copied");
    let nothing = LeaveOut::default();
    let upper = rig.upper("one");
    carry(&*upper, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    carry(&*upper, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    assert!(rig.attempt("copied"));
    assert_same(&rig.merged("one"), &rig.merged("written"));
    assert_same(&rig.merged("one"), &rig.merged("copied"));
}

#[test]
fn a_tree_deeper_than_any_path_is_carried_and_removed() {
    let Some(rig) = Rig::new("") else { return };
    for part in ["deep", "copy"] {
        fs::create_dir(rig.dir.join(part)).unwrap();
    }
    let mut at = walk::open_root(&rig.dir.join("deep")).unwrap();
    for level in 0..LEVELS {
        let mode = rustix::fs::Mode::from_raw_mode(0o755);
        rustix::fs::mkdirat(&at, c"level", mode).unwrap();
        at = walk::open_folder(&at, c"level", Path::new("level")).unwrap();
        // One file with names at the top and at the bottom.
        if level == 0 || level == LEVELS - 1 {
            let top = walk::open_root(&rig.dir.join("deep")).unwrap();
            if level == 0 {
                fs::write(rig.dir.join("deep/file"), "x").unwrap();
            }
            rustix::fs::linkat(&top, c"file", &at, c"link", rustix::fs::AtFlags::empty()).unwrap();
        }
    }
    let target = Target::Upper(&rig.dir.join("copy"));
    let carried = carry(&*rig.dir.join("deep"), target, &LeaveOut::default()).unwrap();
    assert_eq!(carried.directories, LEVELS as u64);
    assert_eq!((carried.files, carried.hard_links), (1, 2));
    let root = walk::open_root(&rig.dir).unwrap();
    for name in [c"deep", c"copy"] {
        assert!(remove::remove(root.as_fd(), name, Path::new("x"), &LeaveOut::default()).unwrap());
    }
}

#[test]
fn what_lies_in_lower_layers_is_refused_without_and_carried_with_a_merged_tree() {
    let Some(mut rig) = Rig::new(",redirect_dir=on,metacopy=on") else {
        return;
    };
    write(&rig.lower(), "owned", "data of the image");
    write(&rig.lower(), "folder/sub/file", "text");
    assert!(rig.attempt("one"));
    let one = rig.merged("one");
    chown(one.join("owned"), Some(5), Some(6)).unwrap();
    let nothing = LeaveOut::default();
    rig.folders("refused");
    let upper = rig.upper("one");
    let refused = carry(&*upper, Target::Upper(&rig.upper("refused")), &nothing);
    let refused = refused.unwrap_err().to_string();
    assert_eq!(
        refused,
        "owned: the layer does not hold its own data (metacopy)"
    );
    fs::rename(one.join("folder"), one.join("renamed")).unwrap();
    write(&one, "renamed/sub/more", "more");
    rig.unmount("one");
    let at = rig.dir.join("view");
    fs::create_dir(&at).unwrap();
    let view = View::mount(&[upper.clone(), rig.lower()], &at).unwrap();
    let source = Source {
        merged: Some(view.path()),
        ..Source::from(&*upper)
    };
    assert!(rig.attempt("written"));
    rig.folders("copied");
    carry(source, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    carry(source, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    drop(view);
    assert!(rig.attempt("one"));
    assert!(rig.attempt("copied"));
    assert_same(&rig.merged("one"), &rig.merged("written"));
    assert_same(&rig.merged("one"), &rig.merged("copied"));
}

#[test]
fn marks_of_overlays_inside_the_container_stay_what_they_were() {
    let Some(mut rig) = Rig::new("") else { return };
    write(&rig.lower(), "nested/from-image", "x");
    assert!(rig.attempt("one"));
    let nested = rig.merged("one").join("nested");
    set_attribute(&nested, "user.overlay.opaque", b"y");
    let name = "trusted.overlay.opaque";
    if setxattr(&nested, name, b"y", XattrFlags::empty()).is_err() {
        println!("skipped: this kernel has no overlays of overlays");
        return;
    }
    assert!(rig.attempt("written"));
    rig.folders("copied");
    let nothing = LeaveOut::default();
    let upper = rig.upper("one");
    carry(&*upper, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    carry(&*upper, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    assert!(rig.attempt("copied"));
    assert_same(&rig.merged("one"), &rig.merged("written"));
    assert_same(&rig.merged("one"), &rig.merged("copied"));
    let mut value = [0; 4];
    let nested = rig.merged("written").join("nested");
    assert_eq!(lgetxattr(&nested, name, &mut value[..]).unwrap(), 1);
    assert!(nested.join("from-image").exists());
}

#[test]
fn access_control_lists_are_carried_and_not_inherited_by_others() {
    let Some(mut rig) = Rig::new("") else { return };
    // Version 2: user::rwx user:1000:r-x group::r-x mask::r-x other::---
    let mut list = vec![2, 0, 0, 0];
    let entries: [(u16, u16, u32); 5] = [
        (1, 7, u32::MAX),
        (2, 5, 1000),
        (4, 5, u32::MAX),
        (16, 5, u32::MAX),
        (32, 0, u32::MAX),
    ];
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    fs::create_dir(rig.lower().join("shared")).unwrap();
    set_attribute(
        &rig.lower().join("shared"),
        "system.posix_acl_default",
        &list,
    );
    assert!(rig.attempt("one"));
    let one = rig.merged("one");
    write(&one, "shared/inherits", "x");
    write(&one, "moved", "x");
    fs::rename(one.join("moved"), one.join("shared/moved")).unwrap();
    assert!(rig.attempt("written"));
    rig.folders("copied");
    let nothing = LeaveOut::default();
    let upper = rig.upper("one");
    carry(&*upper, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    carry(&*upper, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    assert!(rig.attempt("copied"));
    let name = "system.posix_acl_access";
    assert!(attributes(&one.join("shared/inherits")).contains_key(name));
    assert!(!attributes(&one.join("shared/moved")).contains_key(name));
    assert_same(&one, &rig.merged("written"));
    assert_same(&one, &rig.merged("copied"));
}

#[test]
fn an_immutable_file_is_immutable_in_the_next_attempt() {
    let Some(mut rig) = Rig::new("") else { return };
    assert!(rig.attempt("one"));
    write(&rig.merged("one"), "fixed", "x");
    fs::hard_link(
        rig.merged("one").join("fixed"),
        rig.merged("one").join("other"),
    )
    .unwrap();
    let flags = |path: &Path| rustix::fs::ioctl_getflags(File::open(path).unwrap()).unwrap();
    let set = |path: &Path, on: bool| {
        let mut flags = flags(path);
        flags.set(rustix::fs::IFlags::IMMUTABLE, on);
        rustix::fs::ioctl_setflags(File::open(path).unwrap(), flags)
    };
    if set(&rig.merged("one").join("fixed"), true).is_err() {
        println!("skipped: no immutable files here");
        return;
    }
    assert!(rig.attempt("written"));
    rig.folders("copied");
    let nothing = LeaveOut::default();
    let upper = rig.upper("one");
    carry(&*upper, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    carry(&*upper, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    assert!(rig.attempt("copied"));
    for name in ["written", "copied"] {
        let file = rig.merged(name).join("fixed");
        assert!(
            flags(&file).contains(rustix::fs::IFlags::IMMUTABLE),
            "{name}"
        );
        assert!(fs::write(&file, "y").is_err());
    }
    for name in ["one", "written", "copied"] {
        set(&rig.merged(name).join("fixed"), false).unwrap();
    }
}
