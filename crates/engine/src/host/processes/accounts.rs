//! Names of users and groups, of a container and of the host.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use ::accounts::Table;
use model::process::{Account, HostIdentity, Identity};
use model::userns::{IdRange, OVERFLOW_ID};

use super::super::ids::ranges_of;
use super::super::inside::{Inside, text_of};

type Names = HashMap<u32, String>;

/// The accounts that processes of a container are named by.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: Names,
    groups: Names,
    host_users: Names,
    host_groups: Names,
    user_map: IdMap,
    group_map: IdMap,
}

impl Accounts {
    /// Those of a container, by the folder of its process, and the host's. A file that cannot be read has no names.
    pub(super) fn read(process: &Path, files: Option<&Inside>) -> Self {
        let inside = |table| names(table, |path| file_in(files, path));
        let host = |table| names(table, |path| File::open(path));
        Self {
            users: inside(Table::Passwd),
            groups: inside(Table::Group),
            host_users: host(Table::Passwd),
            host_groups: host(Table::Group),
            user_map: IdMap::read(&process.join("uid_map")),
            group_map: IdMap::read(&process.join("gid_map")),
        }
    }

    /// Those of a container whose kernel is its own, by its files: what that kernel numbers has the container's names.
    pub(super) fn of_guest(passwd: &str, group: &str) -> Self {
        let (users, groups) = (::accounts::names_of(passwd), ::accounts::names_of(group));
        Self {
            host_users: users.clone(),
            host_groups: groups.clone(),
            users,
            groups,
            ..Self::default()
        }
    }

    pub(super) fn host_user(&self, id: u32) -> Account {
        account(&self.host_users, id)
    }

    pub(super) fn host_group(&self, id: u32) -> Account {
        account(&self.host_groups, id)
    }

    /// Who somebody is in the container.
    pub(super) fn inside(&self, host: &HostIdentity) -> Identity {
        let user = |on_host: &Account| account(&self.users, self.user_map.inside(on_host.id));
        let group = |on_host: u32| account(&self.groups, self.group_map.inside(on_host));
        Identity {
            user: user(&host.user),
            real_user: user(&host.real_user),
            group: group(host.group.id),
            real_group: group(host.real_group.id),
            groups: host.groups.iter().copied().map(group).collect(),
        }
    }
}

fn account(names: &Names, id: u32) -> Account {
    let name = names.get(&id).cloned();
    Account {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
    }
}

fn names(table: Table, open: impl Fn(&str) -> io::Result<File>) -> Names {
    ::accounts::names(table, |table| open(table.path())).unwrap_or_default()
}

fn file_in(files: Option<&Inside>, path: &str) -> io::Result<File> {
    let files = files.ok_or(io::ErrorKind::NotFound)?;
    files.file(Path::new(path))
}

/// Which ids of the host a user namespace has, as `/proc/PID/uid_map` says it. Without lines it has each as it is.
#[derive(Debug, Default)]
struct IdMap(Vec<IdRange>);

impl IdMap {
    fn read(file: &Path) -> Self {
        let text = File::open(file).ok().and_then(text_of);
        Self(ranges_of(&text.unwrap_or_default()))
    }

    fn inside(&self, on_host: u32) -> u32 {
        if self.0.is_empty() {
            return on_host;
        }
        let mut ranges = self.0.iter();
        let inside = ranges.find_map(|range| range.inside(on_host));
        inside.unwrap_or(OVERFLOW_ID)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_host_are_those_of_the_namespace() {
        let map = IdMap(ranges_of(
            "         0     100000       1000\n      1000          7          1\n",
        ));
        let found = [100_000, 100_999, 101_000, 7, 8, 0].map(|id| map.inside(id));
        assert_eq!(found, [0, 999, OVERFLOW_ID, 1000, OVERFLOW_ID, OVERFLOW_ID]);
        let all = IdMap(ranges_of("         0          0 4294967295\n"));
        assert_eq!([0, 12, 65_534].map(|id| all.inside(id)), [0, 12, 65_534]);
        assert_eq!(IdMap::default().inside(12), 12);
    }

    #[test]
    fn who_has_no_name_is_shown_by_number() {
        let accounts = Accounts {
            users: HashMap::from([(0, "root".to_owned())]),
            groups: HashMap::from([(10, "wheel".to_owned())]),
            user_map: IdMap(ranges_of("0 5000 10")),
            ..Accounts::default()
        };
        let host = HostIdentity {
            user: accounts.host_user(5000),
            real_user: accounts.host_user(5003),
            groups: vec![10, 11],
            ..HostIdentity::default()
        };
        let inside = accounts.inside(&host);
        assert_eq!((inside.user.name.as_str(), inside.user.id), ("root", 0));
        assert_eq!(inside.real_user.name, "3");
        let groups: Vec<_> = inside.groups.iter().map(|group| &group.name).collect();
        assert_eq!(groups, ["wheel", "11"]);
        assert_eq!(host.user.name, "5000");
    }
}
