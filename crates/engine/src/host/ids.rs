//! Ids of user namespaces: those that this machine has to give, and those that a container's files name.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use accounts::Table;
use model::Error;
use model::userns::{IdMappings, IdRange};

use super::volumes::ImageTree;

/// Whose ranges are given to containers (Podman's `root-auto-userns-user`).
pub(crate) const GIVER: &str = "containers";

/// Ids of the host that follow each other: the first, and behind the last.
pub(crate) type Span = std::ops::Range<u64>;

/// The ids of the host that containers may be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subordinate {
    pub(crate) uids: Vec<Span>,
    pub(crate) gids: Vec<Span>,
}

impl Subordinate {
    /// Those that `/etc/subuid` and `/etc/subgid` give to [`GIVER`]; none where they name no such user.
    ///
    /// # Errors
    /// A file that cannot be read, or has a line that is none.
    pub(crate) fn read() -> Result<Self, Error> {
        let number = accounts::names(Table::Passwd, |table| File::open(table.path()));
        let mut number = number.unwrap_or_default().into_iter();
        let number = number.find(|(_, name)| name == GIVER);
        let number = number.map(|(number, _)| number.to_string());
        let spans = |file: &str| {
            let text = match fs::read_to_string(file) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
                other => other.map_err(|error| Error::Internal(format!("{file}: {error}"))),
            };
            spans_of(&text?, &[Some(GIVER), number.as_deref()]).ok_or_else(|| {
                Error::Plain(format!(
                    "cannot parse subuid/gid information: Format not correct for {file} file"
                ))
            })
        };
        Ok(Self {
            uids: spans("/etc/subuid")?,
            gids: spans("/etc/subgid")?,
        })
    }
}

/// The ranges of these users, from the lowest; `None` where a line is none.
fn spans_of(text: &str, users: &[Option<&str>]) -> Option<Vec<Span>> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut found = Vec::new();
    for line in lines {
        let [user, first, count] = line.split(':').collect::<Vec<_>>().try_into().ok()?;
        if users.contains(&Some(user)) {
            let (first, count) = (first.parse::<u32>().ok()?, count.parse::<u32>().ok()?);
            found.push(u64::from(first)..u64::from(first) + u64::from(count));
        }
    }
    found.sort_unstable_by_key(|span: &Span| span.start);
    Some(found)
}

/// The ids that the daemon itself has, each as itself: all of the machine's, unless it lives in a user namespace.
///
/// # Errors
/// A kernel without user namespaces.
pub(crate) fn own_ids() -> Result<IdMappings, Error> {
    let read = |file: &str| {
        let text = fs::read_to_string(file);
        let text = text.map_err(|error| Error::Internal(format!("{file}: {error}")))?;
        let as_themselves = |range: IdRange| IdRange {
            host: range.container,
            ..range
        };
        Ok(ranges_of(&text).into_iter().map(as_themselves).collect())
    };
    Ok(IdMappings {
        uids: read("/proc/self/uid_map")?,
        gids: read("/proc/self/gid_map")?,
    })
}

/// The ranges of a user namespace, as `/proc/PID/uid_map` says them.
pub(crate) fn ranges_of(text: &str) -> Vec<IdRange> {
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        Some(IdRange {
            container: numbers.next()?.ok()?,
            host: numbers.next()?.ok()?,
            length: numbers.next()?.ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

/// How many ids an image names in its `/etc/passwd` and `/etc/group`.
///
/// # Errors
/// Its layers cannot be mounted over each other.
pub(crate) fn ids_named(folders: &[std::path::PathBuf], at: &Path) -> Result<u32, Error> {
    let tree = ImageTree::new(folders, at)?;
    let open = |table: Table| -> io::Result<File> { tree.file(table.path()) };
    Ok(accounts::ids_named(open).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_a_user_are_read_by_name_or_number() {
        let text = "# x\n\nother:1:5\ncontainers:300000:10\n77:100000:65536\n containers:5:1 \n";
        let spans = spans_of(text, &[Some("containers"), Some("77")]).unwrap();
        assert_eq!(spans, [5..6, 100_000..165_536, 300_000..300_010]);
        assert_eq!(spans_of(text, &[Some("nobody"), None]).unwrap(), []);
        for wrong in ["containers:1", "containers:x:1", "a:b:c:d"] {
            assert_eq!(spans_of(wrong, &[Some("containers")]), None, "{wrong}");
        }
    }

    #[test]
    fn the_kernels_table_is_read() {
        let text = "         0     100000       1000\n      1000          7          1\n";
        let shown: Vec<_> = ranges_of(text).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["0:100000:1000", "1000:7:1"]);
    }
}
