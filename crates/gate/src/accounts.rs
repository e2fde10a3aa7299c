//! Users and groups, as Podman finds them in the container's `/etc/passwd` and `/etc/group`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::Path;

use crate::failure::Failure;

/// The largest file that is read: a container's own, which may be anything.
const MAX_BYTES: u64 = 16 << 20;
/// The largest number that a user or group has (Podman's bound too).
const MAX_ID: u32 = i32::MAX as u32;

/// Who a command is executed as.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// Empty for one that `/etc/passwd` does not have.
    pub(crate) home: String,
}

/// `user[:group[:group,…]]` by the files below `etc`. A user without a group has its own and those that list it; a
/// user with one has that alone, and beside it those that are named behind it.
pub(crate) fn resolve(asked: &str, etc: &Path) -> Result<Account, Failure> {
    let mut parts = asked.splitn(3, ':');
    let user = parts.next().unwrap_or_default();
    let group = parts.next().filter(|group| !group.is_empty());
    let more = parts.next().filter(|more| !more.is_empty());
    let mut account = Account::default();
    let name = find_user(&mut account, user, etc)?;
    match (group, name) {
        (Some(group), _) => account.gid = group_id(group, etc)?,
        (None, Some(name)) => account.groups = groups_of(&name, etc)?,
        (None, None) => {}
    }
    if let Some(more) = more {
        let ids = more.split(',').map(|group| group_id(group, etc));
        account.groups = ids.collect::<Result<_, _>>()?;
    }
    Ok(account)
}

/// Fills in what `/etc/passwd` has of a user; the name it has there. "" is root.
fn find_user(account: &mut Account, user: &str, etc: &Path) -> Result<Option<String>, Failure> {
    let wanted = if user.is_empty() { "0" } else { user };
    let number = id(wanted);
    let entry = find_line(&etc.join("passwd"), |fields| {
        let [name, _, uid, ..] = fields else {
            return false;
        };
        *name == user || (number.is_some() && id(uid) == number)
    })?;
    match (entry, number) {
        (Some(entry), _) => {
            let field = |at: usize| entry.get(at).map(String::as_str).unwrap_or_default();
            account.uid = id(field(2)).unwrap_or_default();
            account.gid = id(field(3)).unwrap_or_default();
            field(5).clone_into(&mut account.home);
            Ok(Some(field(0).to_owned()))
        }
        (None, Some(uid)) => {
            account.uid = uid;
            Ok(None)
        }
        (None, None) => Err(Failure::other(format!(
            "unable to find user {user}: no matching entries in passwd file"
        ))),
    }
}

fn group_id(group: &str, etc: &Path) -> Result<u32, Failure> {
    let number = id(group);
    let entry = find_line(&etc.join("group"), |fields| {
        let [name, _, gid, ..] = fields else {
            return false;
        };
        *name == group || (number.is_some() && id(gid) == number)
    })?;
    let found = entry.and_then(|entry| id(entry.get(2)?));
    found.or(number).ok_or_else(|| {
        Failure::other(format!(
            "unable to find group {group}: no matching entries in group file"
        ))
    })
}

/// The groups that list a user.
fn groups_of(name: &str, etc: &Path) -> Result<Vec<u32>, Failure> {
    let mut groups = Vec::new();
    find_line(&etc.join("group"), |fields| {
        if let [_, _, gid, members] = fields
            && members.split(',').any(|member| member == name)
        {
            groups.extend(id(gid));
        }
        false
    })?;
    Ok(groups)
}

fn id(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|_| digits)?;
    (id <= MAX_ID).then_some(id)
}

/// The fields of the first line that is meant. A file that is not there has none.
fn find_line(
    path: &Path,
    mut meant: impl FnMut(&[&str]) -> bool,
) -> Result<Option<Vec<String>>, Failure> {
    let failed = |error| Failure::other(format!("{}: {error}", path.display()));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    for line in BufReader::new(file.take(MAX_BYTES)).split(b'\n') {
        let line = line.map_err(failed)?;
        let line = String::from_utf8_lossy(&line);
        let fields: Vec<_> = line.trim().split(':').collect();
        if meant(&fields) {
            return Ok(Some(fields.into_iter().map(ToOwned::to_owned).collect()));
        }
    }
    Ok(None)
}
