//! A container's time zone: a file of the host's, copied for it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use model::Error;

/// The host's own.
const OF_HOST: &str = "/etc/localtime";
/// Where a host has the files, in Go's order, and so Podman's.
const FOLDERS: [&str; 4] = [
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/usr/lib/locale/TZ",
    "/etc/zoneinfo",
];

/// Whether this host knows a time zone.
///
/// # Errors
/// Podman's words (recorded): no such zone, or no name of one.
pub(crate) fn check_timezone(name: &str) -> Result<(), Error> {
    let found = match name {
        "local" | "Local" | "UTC" => return Ok(()),
        name if is_a_name(name) => file_of(name, &FOLDERS.map(Path::new)),
        _ => Err("time: invalid location name".to_owned()),
    };
    let refused = |why| Error::Plain(why).behind("finding timezone");
    let found = found.map(drop).map_err(refused);
    found.map_err(|error| error.behind("running container create option"))
}

/// What is to be a container's `/etc/localtime`; `None` where the host has no file for it, which is UTC.
///
/// # Errors
/// The zone is not there any more, or cannot be read.
pub(super) fn localtime(name: &str) -> Result<Option<Vec<u8>>, Error> {
    check_timezone(name)?;
    let file = match name {
        "local" | "Local" => PathBuf::from(OF_HOST),
        name => match file_of(name, &FOLDERS.map(Path::new)) {
            Ok(file) => file,
            Err(_) => return Ok(None),
        },
    };
    match fs::read(&file) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(super::files::about(&file, error)),
    }
}

/// A name leads nowhere but into the folders of zones.
fn is_a_name(name: &str) -> bool {
    !name.contains("..") && !name.starts_with(['/', '\\'])
}

/// The file of a zone, or why there is none.
fn file_of(name: &str, folders: &[&Path]) -> Result<PathBuf, String> {
    for folder in folders {
        let file = folder.join(name);
        match file.metadata() {
            Ok(found) if found.is_dir() => return Err("is a directory".to_owned()),
            Ok(_) => return Ok(file),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("unknown time zone {name}"))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_looked_for_in_one_folder_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("a"), dir.path().join("b"));
        for file in [first.join("Sea/Here"), second.join("Sea/There")] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "zone").unwrap();
        }
        let find = |name: &str| file_of(name, &[&first, &second]);
        assert_eq!(find("Sea/Here"), Ok(first.join("Sea/Here")));
        assert_eq!(find("Sea/There"), Ok(second.join("Sea/There")));
        assert_eq!(find("Sea"), Err("is a directory".to_owned()));
        for name in ["Sea/Nowhere", "Sea/Here/below"] {
            assert_eq!(find(name), Err(format!("unknown time zone {name}")));
        }
    }

    #[test]
    fn what_is_no_name_of_a_zone_is_told_in_podmans_words() {
        for name in ["/etc/passwd", "../../etc/passwd", "a/../b", "\\x"] {
            let error = check_timezone(name).unwrap_err();
            assert_eq!(error.cause(), "time: invalid location name", "{name}");
        }
        let words = "running container create option: finding timezone: unknown time zone Nope/X";
        assert_eq!(check_timezone("Nope/X").unwrap_err().to_string(), words);
        for name in ["local", "UTC"] {
            check_timezone(name).unwrap();
        }
    }
}
