use std::fs;

use super::*;

/// Somebody by the files below a folder.
fn by(etc: &tempfile::TempDir, asked: &str) -> Result<Account, NotFound> {
    resolve(asked, |table| {
        let name = table.path().trim_start_matches("/etc/");
        File::open(etc.path().join(name))
    })
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
        ("root", 0, 0, &[0, 10], "/root"),
        ("", 0, 0, &[0, 10], "/root"),
        ("0", 0, 0, &[0, 10], "/root"),
        ("web", 1000, 1000, &[10, 63, 1000], "/home/web"),
        ("1000", 1000, 1000, &[10, 63, 1000], "/home/web"),
        ("web:wheel", 1000, 10, &[10], "/home/web"),
        ("web:4711", 1000, 4711, &[4711], "/home/web"),
        ("web:", 1000, 1000, &[10, 63, 1000], "/home/web"),
        (":wheel", 0, 10, &[10], "/root"),
        ("1234567", 1_234_567, 0, &[0], ""), // as Podman 5.8 has it
        ("1234567:66", 1_234_567, 66, &[66], ""),
        ("4000", 77, 78, &[78], "/digits"), // a name before a number
        ("web:web:audio,5", 1000, 1000, &[5, 63, 1000], "/home/web"),
        ("5::7,8", 5, 0, &[0, 7, 8], ""),
    ];
    for (asked, uid, gid, groups, home) in table {
        let wanted = Account {
            uid: *uid,
            gid: *gid,
            groups: groups.to_vec(),
            home: (*home).to_owned(),
        };
        assert_eq!(by(&etc, asked).unwrap(), wanted, "{asked}");
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
        assert_eq!(by(&etc, asked).unwrap_err().message, text);
    }
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(by(&empty, "7:8").unwrap().gid, 8);
    assert!(by(&empty, "root").is_err());
}

#[test]
fn the_first_name_of_a_number_counts() {
    let etc = etc();
    let users = names(Table::Passwd, |_| File::open(etc.path().join("passwd"))).unwrap();
    let name = |number: u32| users.get(&number).map(String::as_str);
    assert_eq!(
        (name(0), name(1000), name(5)),
        (Some("root"), Some("web"), None)
    );
    let none = names(Table::Group, |_| File::open(etc.path().join("nothing"))).unwrap();
    assert!(none.is_empty());
}

#[test]
fn groups_are_looked_up_by_name_or_number_each() {
    let etc = etc();
    let open = |table: Table| File::open(etc.path().join(table.path().trim_start_matches("/etc/")));
    let asked = ["audio", "4711", "10"].map(str::to_owned);
    assert_eq!(groups(&asked, open).unwrap(), [63, 4711, 10]);
    let error = groups(&["web".to_owned(), "video".to_owned()], open).unwrap_err();
    let words = "unable to find group video: no matching entries in group file";
    assert_eq!(error.message, words);
}

#[test]
fn as_many_ids_are_named_as_the_highest_number_needs() {
    let etc = tempfile::tempdir().unwrap();
    let count = |passwd: &str, group: &str| {
        fs::write(etc.path().join("passwd"), passwd).unwrap();
        fs::write(etc.path().join("group"), group).unwrap();
        let open =
            |table: Table| File::open(etc.path().join(table.path().trim_start_matches("/etc/")));
        ids_named(open).unwrap()
    };
    assert_eq!(count("root:x:0:0::/:/\nweb:x:1000:2000::/:/\n", ""), 2001);
    assert_eq!(
        count(
            "nobody:x:70000:70000::/:/\nx:x:5:65534::/:/\n",
            "nogroup:x:70000:\n"
        ),
        6
    );
    assert_eq!(count("", "web:x:7:9999\n"), 8);
    assert_eq!(count("", ""), 0);
}
