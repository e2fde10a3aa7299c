//! Users and groups, as Podman finds them in the container's `/etc/passwd` and `/etc/group`.
//!
//! The gate reads them inside of a container, the daemon from outside.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _};

/// The largest file that is read: a container's own, which may be anything.
const MAX_BYTES: u64 = 16 << 20;
/// The largest number that a user or group has (Podman's bound too).
const MAX_ID: u32 = i32::MAX as u32;

/// Who a command is executed as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, the user's own among them, in order.
    pub groups: Vec<u32>,
    /// Empty for one that `/etc/passwd` does not have.
    pub home: String,
}

/// The two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `/etc/passwd`.
    Passwd,
    /// `/etc/group`.
    Group,
}

impl Table {
    /// Its absolute path in a container.
    pub fn path(self) -> &'static str {
        match self {
            Self::Passwd => "/etc/passwd",
            Self::Group => "/etc/group",
        }
    }
}

/// Why somebody was not found: Podman's words, and the innermost part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// The whole text.
    pub message: String,
    /// Its cause.
    pub cause: String,
}

impl NotFound {
    fn new(what: &str, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        let message = format!("{what}: {cause}");
        Self { message, cause }
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NotFound {}

/// `user[:group[:group,…]]` by the container's files. A user without a group has its own and those that list it; a
/// user with one has that alone, and beside it those that are named behind it. The group is one of the supplementary
/// ones too (measured with Podman 5.8).
///
/// `open` opens one of the files; where it answers [`ErrorKind::NotFound`] that one has no lines.
///
/// # Errors
/// A name that is in none of the files, or a file that cannot be read.
pub fn resolve(asked: &str, open: impl Fn(Table) -> io::Result<File>) -> Result<Account, NotFound> {
    let open: &Open<'_> = &open;
    let mut parts = asked.splitn(3, ':');
    let user = parts.next().unwrap_or_default();
    let group = parts.next().filter(|group| !group.is_empty());
    let more = parts.next().filter(|more| !more.is_empty());
    let mut account = Account::default();
    let name = find_user(&mut account, user, open)?;
    match (group, name) {
        (Some(group), _) => account.gid = group_id(group, open)?,
        (None, Some(name)) => account.groups = groups_of(&name, open)?,
        (None, None) => {}
    }
    if let Some(more) = more {
        let ids = more.split(',').map(|group| group_id(group, open));
        account.groups = ids.collect::<Result<_, _>>()?;
    }
    account.groups.push(account.gid);
    account.groups.sort_unstable();
    account.groups.dedup();
    Ok(account)
}

/// The numbers of groups that are named, or numbers already.
///
/// # Errors
/// A name that `/etc/group` does not have, or it cannot be read.
pub fn groups(
    asked: &[String],
    open: impl Fn(Table) -> io::Result<File>,
) -> Result<Vec<u32>, NotFound> {
    let open: &Open<'_> = &open;
    asked.iter().map(|group| group_id(group, open)).collect()
}

/// The fields of the first line with this name or number.
///
/// # Errors
/// The file cannot be read.
pub fn line(
    table: Table,
    asked: &str,
    open: impl Fn(Table) -> io::Result<File>,
) -> Result<Option<Vec<String>>, NotFound> {
    let number = id(asked);
    find_line(&open, table, |fields| {
        let [name, _, its, ..] = fields else {
            return false;
        };
        *name == asked || (number.is_some() && id(its) == number)
    })
}

type Open<'a> = dyn Fn(Table) -> io::Result<File> + 'a;

/// The names of all users or groups by their numbers; of two names for one number the first.
///
/// # Errors
/// The file cannot be read.
pub fn names(
    table: Table,
    open: impl Fn(Table) -> io::Result<File>,
) -> Result<HashMap<u32, String>, NotFound> {
    let mut names = HashMap::new();
    find_line(&open, table, |fields| {
        note_name(&mut names, fields);
        false
    })?;
    Ok(names)
}

/// The same by the text of such a file.
pub fn names_of(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let fields: Vec<_> = line.trim().split(':').collect();
        note_name(&mut names, &fields);
    }
    names
}

fn note_name(names: &mut HashMap<u32, String>, fields: &[&str]) {
    if let [name, _, number, ..] = fields
        && let Some(number) = id(number)
    {
        names.entry(number).or_insert_with(|| (*name).to_owned());
    }
}

/// The users that count for no ids of a container.
const NOBODY: [&str; 2] = ["nobody", "nogroup"];
/// Their number.
const NOBODY_ID: u32 = 65_534;

/// How many ids the two files name, from 0 on, without nobody's: Podman's count for a user namespace.
///
/// # Errors
/// A file cannot be read.
pub fn ids_named(open: impl Fn(Table) -> io::Result<File>) -> Result<u32, NotFound> {
    let mut count = 0;
    let mut look = |fields: &[&str]| {
        let (name, numbers) = match fields {
            [name, _, numbers @ ..] => (*name, numbers.iter().take(2)),
            _ => return false,
        };
        let ids = numbers.filter_map(|number| id(number));
        for id in ids.filter(|id| !NOBODY.contains(&name) && *id != NOBODY_ID) {
            count = count.max(id + 1);
        }
        false
    };
    find_line(&open, Table::Passwd, &mut look)?;
    // behind a group's number stand its members
    find_line(&open, Table::Group, |fields| {
        look(fields.get(..3).unwrap_or(fields))
    })?;
    Ok(count)
}

/// Fills in what `/etc/passwd` has of a user; the name it has there. "" is root.
fn find_user(
    account: &mut Account,
    user: &str,
    open: &Open<'_>,
) -> Result<Option<String>, NotFound> {
    let wanted = if user.is_empty() { "0" } else { user };
    match (line(Table::Passwd, wanted, open)?, id(wanted)) {
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
        (None, None) => Err(NotFound::new(
            &format!("unable to find user {user}"),
            "no matching entries in passwd file",
        )),
    }
}

fn group_id(group: &str, open: &Open<'_>) -> Result<u32, NotFound> {
    let entry = line(Table::Group, group, open)?;
    let found = entry.and_then(|entry| id(entry.get(2)?));
    found.or(id(group)).ok_or_else(|| {
        NotFound::new(
            &format!("unable to find group {group}"),
            "no matching entries in group file",
        )
    })
}

/// The groups that list a user.
fn groups_of(name: &str, open: &Open<'_>) -> Result<Vec<u32>, NotFound> {
    let mut groups = Vec::new();
    find_line(open, Table::Group, |fields| {
        if let [_, _, gid, members] = fields
            && members.split(',').any(|member| member == name)
        {
            groups.extend(id(gid));
        }
        false
    })?;
    Ok(groups)
}

/// A user or group id, as text of digits alone.
pub fn id(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|_| digits)?;
    (id <= MAX_ID).then_some(id)
}

/// The fields of the first line that is meant. A file that is not there has none.
fn find_line(
    open: &Open<'_>,
    table: Table,
    mut meant: impl FnMut(&[&str]) -> bool,
) -> Result<Option<Vec<String>>, NotFound> {
    let failed = |error: io::Error| NotFound::new(table.path(), error.to_string());
    let file = match open(table) {
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

#[cfg(test)]
mod tests;
