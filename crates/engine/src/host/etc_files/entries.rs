//! The lines of a container's user in `/etc/passwd` and `/etc/group`.
//!
//! Podman adds them for a user and a group by number that the container does not have; by name there is nothing to add.

use std::fs::File;
use std::io;

use accounts::{NotFound, Table, id, line};
use model::etc::UserEntries;

/// What decides which lines are added.
#[derive(Debug, Clone, Copy)]
pub struct User<'a> {
    /// `user[:group]`, as the container runs; empty for root.
    pub name: &'a str,
    /// Its home folder is the container's working one.
    pub work_dir: &'a str,
    /// What was asked for.
    pub asked: &'a UserEntries,
}

/// The lines that are added, each with its end; empty where there is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// To `/etc/passwd`.
    pub passwd: String,
    /// To `/etc/group`.
    pub group: String,
}

impl User<'_> {
    /// Whether a line may be missing, seen without the files.
    pub fn may_be_missing(&self) -> bool {
        let (user, group) = self.parts();
        let by_number = |part: &str| id(part).is_some();
        let group = by_number(group.unwrap_or("0"))
            && (!self.name.is_empty() || !self.asked.group.is_empty());
        by_number(user) || group
    }

    /// The lines that are missing, by the container's own files; `host` opens this machine's, where somebody may have the same number.
    ///
    /// # Errors
    /// A group by name that the container does not have, or a file that cannot be read.
    pub fn missing(
        &self,
        own: impl Fn(Table) -> io::Result<File>,
        host: impl Fn(Table) -> io::Result<File>,
    ) -> Result<Entries, NotFound> {
        Ok(Entries {
            passwd: self.in_passwd(&own, &host)?,
            group: self.in_group(&own)?,
        })
    }

    /// The user, and the group where one is named.
    fn parts(&self) -> (&str, Option<&str>) {
        match self.name.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (self.name, None),
        }
    }

    fn in_passwd(&self, own: &Open<'_>, host: &Open<'_>) -> Result<String, NotFound> {
        let (user, group) = self.parts();
        let Some(uid) = id(user) else {
            return Ok(String::new());
        };
        if line(Table::Passwd, user, own)?.is_some() {
            return Ok(String::new());
        }
        let gid = match group.filter(|group| !group.is_empty()) {
            Some(group) => gid(group, own)?,
            None => 0,
        };
        let home = self.work_dir;
        if !self.asked.passwd.is_empty() {
            let (uid, gid) = (uid.to_string(), gid.to_string());
            let values = [
                ("$USERNAME", uid.as_str()),
                ("$UID", uid.as_str()),
                ("$GID", gid.as_str()),
                ("$NAME", CONTAINER_USER),
                ("$HOME", home),
            ];
            return Ok(filled(&self.asked.passwd, &values));
        }
        let on_host = line(Table::Passwd, user, host)?;
        let field = |at: usize| on_host.as_ref()?.get(at).cloned();
        let name = field(0).unwrap_or_else(|| uid.to_string());
        let full = field(4).map(|gecos| gecos.split(',').next().unwrap_or_default().to_owned());
        let full = full.unwrap_or_else(|| CONTAINER_USER.to_owned());
        Ok(format!("{name}:*:{uid}:{gid}:{full}:{home}:/bin/sh\n"))
    }

    /// Without a group it is root's, which only an image without files has not.
    fn in_group(&self, own: &Open<'_>) -> Result<String, NotFound> {
        let (user, group) = self.parts();
        let group = group.unwrap_or("0");
        let asked_for = !self.name.is_empty() || !self.asked.group.is_empty();
        let Some(gid) = id(group).filter(|_| asked_for) else {
            return Ok(String::new());
        };
        if line(Table::Group, group, own)?.is_some() {
            return Ok(String::new());
        }
        let number = gid.to_string();
        match self.asked.group.as_str() {
            "" => Ok(format!("{gid}:x:{gid}:{user}\n")),
            // Podman knows neither a name nor members of a group that is not there
            asked => Ok(filled(
                asked,
                &[
                    ("$GROUPNAME", ""),
                    ("$GID", number.as_str()),
                    ("$USERLIST", ""),
                ],
            )),
        }
    }
}

type Open<'a> = dyn Fn(Table) -> io::Result<File> + 'a;

/// The full name of a user that has none.
const CONTAINER_USER: &str = "container user";

fn gid(group: &str, own: &Open<'_>) -> Result<u32, NotFound> {
    let found = accounts::groups(&[group.to_owned()], own);
    let found = found.map_err(|error| NotFound {
        message: format!("unable to get gid {group} from group file: {}", error.cause),
        cause: error.cause,
    })?;
    Ok(found.first().copied().unwrap_or_default())
}

/// A line with values in the place of words, one after the other as Podman puts them in.
fn filled(asked: &str, values: &[(&str, &str)]) -> String {
    let mut text = asked.to_owned();
    for (word, value) in values {
        text = text.replace(word, value);
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(passwd: &str, group: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("passwd"), passwd).unwrap();
        fs::write(folder.path().join("group"), group).unwrap();
        folder
    }

    fn open(folder: &tempfile::TempDir, table: Table) -> io::Result<File> {
        let name = table.path().trim_start_matches("/etc/");
        File::open(folder.path().join(name))
    }

    fn added(name: &str, asked: &UserEntries) -> Result<Entries, NotFound> {
        let own = folder(
            "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/w:/bin/sh\n",
            "root:x:0:\nweb:x:1000:\n",
        );
        let host = folder("me:x:1234:5:Me,room 1,,:/home/me:/bin/bash\n", "");
        let user = User {
            name,
            work_dir: "/srv",
            asked,
        };
        user.missing(|table| open(&own, table), |table| open(&host, table))
    }

    /// The lines were read in containers of Podman 5.8.6.
    #[test]
    fn a_user_and_a_group_by_number_are_added_as_podman_adds_them() {
        for (name, passwd, group) in [
            ("", "", ""),
            ("0", "", ""),
            ("1000", "", ""),
            ("web", "", ""),
            ("web:55", "", "55:x:55:web\n"),
            ("4321", "4321:*:4321:0:container user:/srv:/bin/sh\n", ""),
            (
                "4321:55",
                "4321:*:4321:55:container user:/srv:/bin/sh\n",
                "55:x:55:4321\n",
            ),
            (
                "4321:web",
                "4321:*:4321:1000:container user:/srv:/bin/sh\n",
                "",
            ),
            ("1234", "me:*:1234:0:Me:/srv:/bin/sh\n", ""),
        ] {
            let added = added(name, &UserEntries::default()).unwrap();
            assert_eq!(
                (added.passwd.as_str(), added.group.as_str()),
                (passwd, group),
                "{name}"
            );
        }
    }

    #[test]
    fn asked_lines_take_the_place_of_podmans_own() {
        let asked = UserEntries {
            passwd: "u-$UID:*:$UID:$GID:$NAME of $USERNAME:$HOME:/bin/x".to_owned(),
            group: "g-$GID:x:$GID:$USERLIST$GROUPNAME".to_owned(),
            ..UserEntries::default()
        };
        let lines = added("1234:55", &asked).unwrap();
        assert_eq!(
            lines.passwd,
            "u-1234:*:1234:55:container user of 1234:/srv:/bin/x\n"
        );
        assert_eq!(lines.group, "g-55:x:55:\n");
        assert_eq!(added("web:web", &asked).unwrap(), Entries::default());
    }

    #[test]
    fn who_has_a_name_and_a_group_by_name_misses_nothing() {
        let asked = UserEntries::default();
        for (name, may) in [
            ("", false),
            ("web:web", false),
            ("web", true),
            ("5:web", true),
            ("web:5", true),
        ] {
            let user = User {
                name,
                work_dir: "/",
                asked: &asked,
            };
            assert_eq!(user.may_be_missing(), may, "{name}");
        }
    }

    #[test]
    fn a_group_by_name_has_to_be_there() {
        let error = added("4321:nosuch", &UserEntries::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unable to get gid nosuch from group file: no matching entries in group file"
        );
    }
}
