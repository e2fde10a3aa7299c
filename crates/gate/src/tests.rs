use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use accounts::Account;
use nix::sys::resource::Resource;

use nix::mount::MsFlags;

use crate::arguments::{Limit, Mode, parse};
use crate::inside::{Change, inside};
use crate::run::environment;
use crate::search::find;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[test]
fn the_command_stands_behind_two_dashes_and_keeps_its_own() {
    let line = "wait /p --ulimit nofile=1:18446744073709551615 -- sh -- -c";
    let Mode::Wait { pipe, order } = parse(words(line).into_iter()).unwrap() else {
        panic!("not wait");
    };
    assert_eq!((pipe, order.argv), ("/p".into(), words("sh -- -c")));
    let limit = Limit {
        resource: Resource::RLIMIT_NOFILE,
        soft: 1,
        hard: u64::MAX,
    };
    assert_eq!(order.limits, [limit]);
    let line = "run --personality LINUX32 -- uname -m";
    let Mode::Run(order) = parse(words(line).into_iter()).unwrap() else {
        panic!("not run");
    };
    let domain = order.personality.map(|domain| domain.bits());
    assert_eq!(domain, Some(8));
    let tied = parse(words("tied 7 -- sh -- -c").into_iter()).unwrap();
    let argv = words("sh -- -c");
    assert_eq!(tied, Mode::Tied { parent: 7, argv });
    let line = "run --user a:b --workdir /w --env A=b=c --env D --env A= -- env --user x";
    let Mode::Run(order) = parse(words(line).into_iter()).unwrap() else {
        panic!("not run");
    };
    assert_eq!(order.user.as_deref(), Some("a:b"));
    assert_eq!(order.workdir.as_deref(), Some(OsStr::new("/w")));
    let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
    assert_eq!(order.env, [pair("A", "b=c"), pair("D", ""), pair("A", "")]);
    assert_eq!(order.argv, words("env --user x"));
}

#[test]
fn changes_inside_name_their_paths_last() {
    let line = "inside /m --flags noexec,nosuid:/a:b --proc hidepid=2 --no-shm yes --device 660:0:6:259:/dev/x";
    let Mode::Inside { mark, changes } = parse(words(line).into_iter()).unwrap() else {
        panic!("not inside");
    };
    assert_eq!(mark, "/m");
    let device = Change::Device {
        mode: 0o660,
        number: 259,
        user: 0,
        group: 6,
        path: "/dev/x".into(),
    };
    let flags = Change::Flags {
        flags: MsFlags::MS_NOEXEC | MsFlags::MS_NOSUID,
        path: "/a:b".into(),
    };
    let proc = Change::Proc("hidepid=2".into());
    assert_eq!(changes, [flags, proc, Change::NoSharedMemory, device]);
}

#[test]
fn changes_for_systemd_are_read() {
    let line = "inside /m --writable /sys/fs/cgroup --systemd-group /a/b --no-consoles /dev/tty1";
    let Mode::Inside { changes, .. } = parse(words(line).into_iter()).unwrap() else {
        panic!("not inside");
    };
    let wanted = [
        Change::Writable("/sys/fs/cgroup".into()),
        Change::SystemdGroup("/a/b".into()),
        Change::NoConsoles("/dev/tty1".into()),
    ];
    assert_eq!(changes, wanted);
}

#[test]
fn a_namespace_without_the_mark_is_left_alone() {
    // standard input is none here
    assert!(inside("/nothing".as_ref(), &[]).is_err());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for line in [
        "inside",
        "inside /m --flags",
        "inside /m --flags exec:/a",
        "inside /m --flags noexec",
        "inside /m --no-shm no",
        "inside /m --device 999:0:0:1:/a",
        "inside /m --device 660:0:0:/a",
        "",
        "what",
        "wait",
        "wait /p",
        "wait /p sh",
        "wait /p --",
        "run",
        "run --",
        "run sh",
        "run --user",
        "run --user x",
        "run --gid 0 -- sh",
        "run --umask 8 -- sh",
        "run --init no -- sh",
        "run --personality BSD -- sh",
        "run --ulimit nofile -- sh",
        "run --ulimit nosuch=1:1 -- sh",
        "run --ulimit nofile=1 -- sh",
        "run --ulimit nofile=-1:1 -- sh",
        "tied",
        "tied 1 sh",
        "tied one -- sh",
        "reap 1 -- sh",
        "reap 1 /f sh",
    ] {
        let failure = parse(words(line).into_iter()).unwrap_err();
        assert_eq!(failure.parts().0, 125, "{line}");
    }
}

#[test]
fn a_command_is_found_as_runc_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (name, mode) in [("a/tool", 0o644), ("b/tool", 0o755), ("b/text", 0o644)] {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), "").unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(at("a/folder")).unwrap();
    symlink("tool", at("b/link")).unwrap();
    symlink("gone", at("b/dangling")).unwrap();
    let path = format!(":.:{}:{}", at("a").display(), at("b").display());
    let look = |name: &str| find(&[name.into()], Some(path.as_ref()));
    assert_eq!(look("tool").unwrap(), at("b/tool"));
    assert_eq!(look("link").unwrap(), at("b/link"));
    let whole = at("b/tool").display().to_string();
    assert_eq!(look(&whole).unwrap(), at("b/tool"));
    for name in ["gone", "text", "folder", "dangling", "", "Cargo.toml"] {
        let failure = look(name).unwrap_err();
        let text = format!("exec: \"{name}\": executable file not found in $PATH");
        assert_eq!(failure.parts(), (127, text.as_str()));
    }
    assert_eq!(find(&["tool".into()], None).unwrap_err().parts().0, 127);
    for (name, code, text) in [
        ("a/gone", 127, "no such file or directory"),
        ("b/tool/below", 127, "no such file or directory"),
        ("b/text", 126, "permission denied"),
        ("a/folder", 126, "is a directory"),
    ] {
        let failure = look(&at(name).display().to_string()).unwrap_err();
        assert_eq!(failure.parts().0, code, "{name}");
        assert!(failure.parts().1.ends_with(text), "{failure:?}");
    }
}

#[test]
fn the_environment_is_what_is_there_under_what_was_asked() {
    let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
    let there = || vec![pair("PATH", "/bin"), pair("HOME", "/root")].into_iter();
    let account = Account {
        home: "/home/web".to_owned(),
        ..Account::default()
    };
    assert_eq!(
        environment(there(), vec![], None),
        there().collect::<Vec<_>>()
    );
    let asked = vec![pair("A", "1"), pair("PATH", "/x"), pair("A", "2")];
    assert_eq!(
        environment(there(), asked, Some(&account)),
        [
            pair("PATH", "/x"),
            pair("HOME", "/home/web"),
            pair("A", "2")
        ]
    );
    let asked = vec![pair("HOME", "/asked")];
    assert_eq!(
        environment(there(), asked, Some(&account))[1],
        pair("HOME", "/asked")
    );
}
