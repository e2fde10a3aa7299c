//! Carries between real overlays. Needs root and a kernel that mounts overlays here.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::tests_support::{Rig, assert_same, chmod, set_attribute, set_times, write};
use super::*;

const SPARSE: u64 = 100 << 20;

fn make_node(path: &Path, kind: FileType, device: u64) {
    mknodat(CWD, path, kind, Mode::from_raw_mode(0o640), device).unwrap();
}

fn image(root: &Path) {
    write(root, "etc/hosts", "image");
    write(root, "etc/passwd", "root");
    write(root, "etc/gone", "gone");
    write(root, "opt/replaced/a/b/c", "old");
    write(root, "opt/replaced/keep", "old");
    write(root, "opt/deleted/x/y", "old");
    write(root, "opt/changed", "old text");
    write(root, "opt/modes", "same text");
    write(root, "opt/file-to-folder", "file");
    write(root, "opt/folder-to-file/inside", "x");
    write(root, "opt/file-to-link", "x");
    write(root, "opt/untouched/deep/file", "x");
    write(root, "opt/touched-folder/one", "1");
    write(root, "opt/touched-folder/two", "2");
    set_attribute(&root.join("opt/modes"), "user.from-image", b"1");
    set_attribute(&root.join("opt/touched-folder"), "user.from-image", b"1");
}

/// What a lively container does to its root file system.
fn live(root: &Path) {
    let opt = root.join("opt");
    write(root, "opt/changed", "new text");
    fs::remove_file(root.join("etc/gone")).unwrap();
    fs::remove_dir_all(opt.join("deleted")).unwrap();
    fs::remove_dir_all(opt.join("replaced")).unwrap();
    write(root, "opt/replaced/fresh", "fresh");
    fs::remove_file(opt.join("file-to-folder")).unwrap();
    write(root, "opt/file-to-folder/inside", "x");
    fs::remove_dir_all(opt.join("folder-to-file")).unwrap();
    write(root, "opt/folder-to-file", "now a file");
    fs::remove_file(opt.join("file-to-link")).unwrap();
    symlink("/etc/passwd", opt.join("file-to-link")).unwrap();
    symlink("../../../../../../etc", opt.join("upwards")).unwrap();
    symlink("/nowhere", opt.join("dangling")).unwrap();
    lchown(opt.join("dangling"), Some(7), Some(8)).unwrap();
    set_times(&opt.join("dangling"), 1_000_000_007, 7);
    chmod(&opt.join("modes"), 0o4711);
    chown(opt.join("modes"), Some(1000), Some(1001)).unwrap();
    chmod(&opt.join("modes"), 0o4711);
    rustix::fs::removexattr(opt.join("modes"), "user.from-image").unwrap();
    fs::remove_file(opt.join("touched-folder/one")).unwrap();
    rustix::fs::removexattr(opt.join("touched-folder"), "user.from-image").unwrap();
    write(root, "data/first", "linked");
    fs::create_dir_all(root.join("data/sub")).unwrap();
    fs::hard_link(root.join("data/first"), root.join("data/sub/second")).unwrap();
    fs::hard_link(root.join("data/first"), root.join("third")).unwrap();
    let sparse = File::create(root.join("data/sparse")).unwrap();
    sparse.write_all_at(b"start", 0).unwrap();
    sparse.write_all_at(b"middle", 50 << 20).unwrap();
    sparse.set_len(SPARSE).unwrap();
    write(root, "data/tool", "#!/bin/sh\n");
    // cap_net_bind_service=ep, revision 2.
    let capability: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    set_attribute(&root.join("data/tool"), "security.capability", &capability);
    set_attribute(&root.join("data/tool"), "user.note", b"hello");
    set_attribute(&root.join("data/tool"), "user.empty", b"");
    set_attribute(&root.join("data"), "trusted.note", b"\x00\xff");
    chmod(&root.join("data"), 0o1777);
    chmod(&root.join("data/sub"), 0o2750);
    make_node(&root.join("data/fifo"), FileType::Fifo, 0);
    make_node(
        &root.join("data/null"),
        FileType::CharacterDevice,
        rustix::fs::makedev(1, 3),
    );
    drop(UnixListener::bind(root.join("data/socket")).unwrap());
    write(root, "data/odd\nname \u{fc}", "x");
    write(root, "data/old", "x");
    set_times(&root.join("data/old"), 1, 1);
    set_times(&root.join("data/sub"), 1_234_567_890, 123_456_789);
    set_times(&root.join("data"), -5, 999_999_999);
}

#[test]
fn a_lively_layer_is_the_same_in_the_next_attempt_on_either_kind_of_target() {
    let Some(mut rig) = Rig::new("") else { return };
    image(&rig.lower());
    assert!(rig.attempt("one"));
    live(&rig.merged("one"));
    let nothing = LeaveOut::default();
    rig.folders("copied");
    assert!(rig.attempt("written"));
    let source = rig.upper("one");
    let copied = carry(&*source, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    let written = carry(&*source, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    println!("copied {copied:?}\nwritten {written:?}");
    assert_eq!(copied, written);
    assert_eq!((copied.hard_links, copied.symlinks), (2, 3));
    assert_eq!((copied.specials, copied.opaque), (3, 2));
    assert!(copied.bytes < 1 << 20, "holes were copied: {copied:?}");
    assert!(rig.attempt("copied"));
    assert_same(&rig.merged("one"), &rig.merged("copied"));
    assert_same(&rig.merged("one"), &rig.merged("written"));
    for name in ["copied", "written"] {
        let sparse = rig.merged(name).join("data/sparse").metadata().unwrap();
        assert_eq!(sparse.size(), SPARSE);
        assert!(
            sparse.blocks() * 512 < 1 << 20,
            "{} blocks",
            sparse.blocks()
        );
    }
    // A second time, as after a crash between the copy and the journal's note of it.
    rig.unmount("copied");
    let again = carry(&*source, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    assert_eq!(again, copied);
    assert!(rig.attempt("copied"));
    assert_same(&rig.merged("one"), &rig.merged("copied"));
    carry(&*source, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    assert_same(&rig.merged("one"), &rig.merged("written"));
}

#[test]
fn a_layer_carried_three_times_is_still_the_same() {
    let Some(mut rig) = Rig::new("") else { return };
    image(&rig.lower());
    assert!(rig.attempt("one"));
    live(&rig.merged("one"));
    let mut last = "one".to_owned();
    for number in 2..5 {
        let next = number.to_string();
        let from = rig.upper(&last);
        if number % 2 == 0 {
            assert!(rig.attempt(&next));
            carry(
                &*from,
                Target::Merged(&rig.merged(&next)),
                &LeaveOut::default(),
            )
            .unwrap();
        } else {
            rig.folders(&next);
            carry(
                &*from,
                Target::Upper(&rig.upper(&next)),
                &LeaveOut::default(),
            )
            .unwrap();
            assert!(rig.attempt(&next));
        }
        last = next;
    }
    assert_same(&rig.merged("one"), &rig.merged(&last));
}

#[test]
fn access_times_are_carried_to_the_nanosecond() {
    let Some(mut rig) = Rig::new("") else { return };
    assert!(rig.attempt("one"));
    write(&rig.merged("one"), "file", "x");
    set_times(&rig.merged("one").join("file"), 86_400, 123);
    rig.folders("two");
    carry(
        &*rig.upper("one"),
        Target::Upper(&rig.upper("two")),
        &LeaveOut::default(),
    )
    .unwrap();
    let stat = rig.upper("two").join("file").metadata().unwrap();
    assert_eq!((stat.atime(), stat.atime_nsec()), (86_400, 123));
}

#[test]
fn what_the_runtime_put_there_is_left_alone() {
    let Some(mut rig) = Rig::new("") else { return };
    image(&rig.lower());
    assert!(rig.attempt("one"));
    let one = rig.merged("one");
    fs::remove_dir_all(one.join("etc")).unwrap();
    write(&one, "etc/hosts", "old address");
    write(&one, "etc/mine", "mine");
    write(&one, "volume/below-a-mount", "never to be carried");
    write(&one, "dev/console", "x");
    for (target, name) in [("upper", "copied"), ("merged", "written")] {
        assert!(rig.attempt(name));
        write(&rig.merged(name), "etc/hosts", "new address");
        fs::create_dir(rig.merged(name).join("dev")).unwrap();
        chmod(&rig.merged(name).join("dev"), 0o711);
        let leave_out = LeaveOut::new(["/etc/./hosts", "/volume/", "dev", "x/../proc"]);
        let carried = if target == "upper" {
            rig.unmount(name);
            let upper = rig.upper(name);
            let carried = carry(&*rig.upper("one"), Target::Upper(&upper), &leave_out).unwrap();
            assert!(rig.attempt(name));
            carried
        } else {
            carry(
                &*rig.upper("one"),
                Target::Merged(&rig.merged(name)),
                &leave_out,
            )
            .unwrap()
        };
        assert_eq!(carried.left_out, 3);
        let text = |path| fs::read_to_string(rig.merged(name).join(path));
        assert_eq!(text("etc/hosts").unwrap(), "new address");
        assert_eq!(text("etc/mine").unwrap(), "mine");
        assert!(text("etc/passwd").is_err(), "the opaque folder hides it");
        assert!(rig.merged(name).join("volume").is_dir());
        assert!(!rig.merged(name).join("volume/below-a-mount").exists());
        assert!(!rig.merged(name).join("dev/console").exists());
        let dev = rig.merged(name).join("dev").metadata().unwrap();
        assert_eq!(dev.mode() & 0o777, 0o711, "the new attempt's own");
    }
}

#[test]
fn links_planted_in_the_target_are_not_followed() {
    let Some(mut rig) = Rig::new("") else { return };
    let outside = rig.dir.join("outside");
    write(&outside, "file", "precious");
    // The image itself has links where the layer has folders and files.
    symlink(&outside, rig.lower().join("data")).unwrap();
    symlink(outside.join("file"), rig.lower().join("file")).unwrap();
    assert!(rig.attempt("one"));
    for name in ["data", "file"] {
        fs::remove_file(rig.merged("one").join(name)).unwrap();
    }
    write(&rig.merged("one"), "data/file", "mine");
    write(&rig.merged("one"), "file", "mine");
    symlink(&outside, rig.merged("one").join("data/out")).unwrap();
    assert!(rig.attempt("written"));
    rig.folders("copied");
    symlink(&outside, rig.upper("copied").join("data")).unwrap();
    symlink(outside.join("file"), rig.upper("copied").join("file")).unwrap();
    let nothing = LeaveOut::default();
    let upper = rig.upper("one");
    carry(&*upper, Target::Merged(&rig.merged("written")), &nothing).unwrap();
    carry(&*upper, Target::Upper(&rig.upper("copied")), &nothing).unwrap();
    assert_eq!(
        fs::read_to_string(outside.join("file")).unwrap(),
        "precious"
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(rig.attempt("copied"));
    assert_same(&rig.merged("one"), &rig.merged("written"));
    assert_same(&rig.merged("one"), &rig.merged("copied"));
}
