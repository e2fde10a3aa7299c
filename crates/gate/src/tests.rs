use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::accounts::{Account, resolve};
use crate::arguments::{Mode, parse};
use crate::run::environment;
use crate::search::find;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[test]
fn the_command_stands_behind_two_dashes_and_keeps_its_own() {
    let Mode::Wait { pipe, argv } = parse(words("wait /p -- sh -- -c").into_iter()).unwrap() else {
        panic!("not wait");
    };
    assert_eq!((pipe, argv), ("/p".into(), words("sh -- -c")));
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
fn what_cannot_be_meant_is_refused() {
    for line in [
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

fn etc() -> tempfile::TempDir {
    let etc = tempfile::tempdir().unwrap();
    let passwd = "root:x:0:0:root:/root:/bin/sh\n# a comment\nbroken\n\
        web:x:1000:1000:Web,,,:/home/web:/bin/sh\n4000:x:77:78::/digits:/bin/sh\nroot2:x:0:5::/second:/bin/sh\n";
    let group =
        "root:x:0:\nwheel:x:10:root,web\nweb:x:1000:\naudio:x:63:other,web\nwebby:x:64:webx\n";
    fs::write(etc.path().join("passwd"), passwd).unwrap();
    fs::write(etc.path().join("group"), group).unwrap();
    etc
}

#[test]
fn a_user_is_resolved_by_the_containers_own_files() {
    let etc = etc();
    let table: &[(&str, u32, u32, &[u32], &str)] = &[
        ("root", 0, 0, &[10], "/root"),
        ("", 0, 0, &[10], "/root"),
        ("0", 0, 0, &[10], "/root"),
        ("web", 1000, 1000, &[10, 63], "/home/web"),
        ("1000", 1000, 1000, &[10, 63], "/home/web"),
        ("web:wheel", 1000, 10, &[], "/home/web"),
        ("web:4711", 1000, 4711, &[], "/home/web"),
        ("web:", 1000, 1000, &[10, 63], "/home/web"),
        (":wheel", 0, 10, &[], "/root"),
        ("1234567", 1_234_567, 0, &[], ""), // as Podman 5.8 has it
        ("1234567:66", 1_234_567, 66, &[], ""),
        ("4000", 77, 78, &[], "/digits"), // a name before a number
        ("web:web:audio,5", 1000, 1000, &[63, 5], "/home/web"),
        ("5::7,8", 5, 0, &[7, 8], ""),
    ];
    for (asked, uid, gid, groups, home) in table {
        let wanted = Account {
            uid: *uid,
            gid: *gid,
            groups: groups.to_vec(),
            home: (*home).to_owned(),
        };
        assert_eq!(resolve(asked, etc.path()).unwrap(), wanted, "{asked}");
    }
}

#[test]
fn a_user_or_group_that_is_not_there_is_refused_in_podmans_words() {
    let etc = etc();
    let user =
        |name: &str| format!("unable to find user {name}: no matching entries in passwd file");
    let group =
        |name: &str| format!("unable to find group {name}: no matching entries in group file");
    for (asked, text) in [
        ("nosuch", user("nosuch")),
        ("-1", user("-1")),
        ("+5", user("+5")),
        ("2147483648", user("2147483648")),
        ("root:nosuch", group("nosuch")),
        ("root:root:nosuch", group("nosuch")),
        ("root:root:5,,6", group("")),
    ] {
        assert_eq!(
            resolve(asked, etc.path()).unwrap_err().parts(),
            (125, text.as_str())
        );
    }
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(resolve("7:8", empty.path()).unwrap().gid, 8);
    assert!(resolve("root", empty.path()).is_err());
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
