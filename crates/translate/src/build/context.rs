//! The Containerfiles of a build's context: a tar, as it is or compressed, by itself or as the first part
//! of a form.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Error, Read};

use tar::{Archive, Entry, EntryType, PaxExtensions};

/// Bytes of one Containerfile that are read; the largest that people generate have some hundred KiB.
const FILE_MAX: u64 = 1 << 20;
/// Containerfiles read at most.
const FILES_MAX: usize = 64;
/// Bytes of an entry with a long name (a path has 4,096), and its other extensions.
const NAME_MAX: u64 = 64 << 10;
/// Bytes of the head of a form's part: a few lines.
const PART_HEAD_MAX: u64 = 16 << 10;

/// Which Containerfiles are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    names: Vec<String>,
    /// The first that is there counts; else all of them.
    first: bool,
}

impl Wanted {
    /// All of these paths.
    pub fn all_of(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            names: names
                .into_iter()
                .take(FILES_MAX)
                .map(|name| plain(&name))
                .collect(),
            first: false,
        }
    }

    /// The first of these paths that is there.
    pub fn first_of(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|name| plain(name)).collect(),
            first: true,
        }
    }
}

/// The wanted Containerfiles of a context, read until the last of them is found. `form`: the body is
/// `multipart/form-data`; podman-remote sends the context as its first part.
///
/// # Errors
/// The body is not what it should be.
pub fn containerfiles(body: impl Read, form: bool, wanted: &Wanted) -> Result<Vec<Vec<u8>>, Error> {
    let mut body = BufReader::new(body);
    if form {
        skip_part_head(&mut body)?;
    }
    from_tar(compression::undone(body)?, wanted)
}

/// The boundary and the head of a form's first part; the tar behind it ends by itself.
fn skip_part_head(body: &mut impl BufRead) -> Result<(), Error> {
    let mut head = body.take(PART_HEAD_MAX);
    let mut line = Vec::new();
    while head.read_until(b'\n', &mut line)? > 0 {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        line.clear();
    }
    Err(Error::other(
        "a form whose first part has no end of its head",
    ))
}

fn from_tar(tar: impl Read, wanted: &Wanted) -> Result<Vec<Vec<u8>>, Error> {
    let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    // where a wanted name leads, as far as links were seen
    let mut leads: BTreeMap<String, String> = wanted
        .names
        .iter()
        .map(|name| (name.clone(), name.clone()))
        .collect();
    let mut archive = Archive::new(tar);
    let mut names = Names::default();
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if names.read(&mut entry, kind)? {
            continue;
        }
        let (path, target) = std::mem::take(&mut names).of(&entry);
        let Some(name) = wanted_name(&leads, &path) else {
            continue;
        };
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let mut text = Vec::new();
                entry.by_ref().take(FILE_MAX).read_to_end(&mut text)?;
                found.insert(name, text);
            }
            EntryType::Symlink => {
                leads.insert(name, plain(&format!("{}{target}", parent(&path))));
            }
            EntryType::Link => {
                leads.insert(name, plain(&target));
            }
            _ => {}
        }
        if enough(&found, wanted) {
            break;
        }
    }
    let texts = wanted.names.iter().filter_map(|name| found.remove(name));
    let most = if wanted.first { 1 } else { FILES_MAX };
    Ok(texts.take(most).collect())
}

/// Names too long for an entry's own header: they stand in entries before it, which are read here because
/// the archive's reader takes them of any length.
#[derive(Default)]
struct Names {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl Names {
    /// Reads an entry that has a name of the next one; false for any other entry.
    fn read(&mut self, entry: &mut Entry<'_, impl Read>, kind: EntryType) -> Result<bool, Error> {
        let mut bytes = Vec::new();
        let special = [
            EntryType::GNULongName,
            EntryType::GNULongLink,
            EntryType::XHeader,
        ];
        if !special.contains(&kind) {
            return Ok(kind == EntryType::XGlobalHeader);
        }
        entry.take(NAME_MAX).read_to_end(&mut bytes)?;
        let text = |bytes: &[u8]| bytes.split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
        match kind {
            EntryType::GNULongName => self.path = text(&bytes),
            EntryType::GNULongLink => self.target = text(&bytes),
            _ => {
                for extension in PaxExtensions::new(&bytes).flatten() {
                    match extension.key_bytes() {
                        b"path" => self.path = Some(extension.value_bytes().to_vec()),
                        b"linkpath" => self.target = Some(extension.value_bytes().to_vec()),
                        _ => {}
                    }
                }
            }
        }
        Ok(true)
    }

    /// Path and link target of the entry behind.
    fn of(self, entry: &Entry<'_, impl Read>) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let header = entry.header();
        let path = self
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let target = self.target.unwrap_or_else(|| {
            let target = header.link_name_bytes();
            target.unwrap_or_default().into_owned()
        });
        (plain(&text(&path)), text(&target))
    }
}

/// The wanted name that leads to a path.
fn wanted_name(leads: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let mut all = leads.iter();
    all.find(|(_, at)| *at == path)
        .map(|(name, _)| name.clone())
}

/// No entry that may still come changes the result (but a second one of the same name, which no client sends).
fn enough(found: &BTreeMap<String, Vec<u8>>, wanted: &Wanted) -> bool {
    match wanted.first {
        true => wanted
            .names
            .first()
            .is_some_and(|first| found.contains_key(first)),
        false => found.len() == wanted.names.len(),
    }
}

/// The folder of a path, its slash included.
fn parent(path: &str) -> &str {
    path.rfind('/')
        .map_or("", |at| path.get(..=at).unwrap_or_default())
}

/// A path without `.`, `..` and double slashes: relative to the context, beyond which none leads.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write as _;

    /// Gives what it has in pieces of these sizes.
    struct Pieces<'a> {
        bytes: &'a [u8],
        sizes: Vec<usize>,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let size = self.sizes.pop().unwrap_or(usize::MAX);
            let size = size.min(into.len()).min(self.bytes.len());
            let (now, later) = self.bytes.split_at(size);
            into[..size].copy_from_slice(now);
            self.bytes = later;
            Ok(size)
        }
    }

    fn tar(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn link(path: &str, target: &str, others: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, path, target).unwrap();
        for (path, text) in others {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    fn form(bytes: &[u8]) -> Vec<u8> {
        let head = b"--x\r\nContent-Disposition: form-data; name=\"MainContext\"; \
                     filename=\"MainContext.tar\"\r\nContent-Type: application/octet-stream\r\n\r\n";
        let end = b"\r\n--x\r\nContent-Disposition: form-data; name=\"build-context-a\"\r\n\r\nB\r\n--x--\r\n";
        [head, bytes, end].concat()
    }

    fn texts(found: Result<Vec<Vec<u8>>, Error>) -> Vec<String> {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        found.unwrap().into_iter().map(text).collect()
    }

    fn read(bytes: &[u8], wanted: &Wanted) -> Vec<String> {
        texts(containerfiles(bytes, false, wanted))
    }

    #[test]
    fn named_files_are_found_wherever_they_lie() {
        let long = "a/".repeat(80) + "Dockerfile";
        let context = tar(&[("x", "no"), ("./sub/C", "one"), (&long, "two"), ("y", "no")]);
        let wanted = Wanted::all_of(["sub/./C".to_owned(), long]);
        assert_eq!(read(&context, &wanted), ["one", "two"]);
        let absent = Wanted::all_of(["nowhere".to_owned()]);
        assert!(read(&context, &absent).is_empty());
    }

    #[test]
    fn without_a_name_the_first_counts() {
        let both = tar(&[("Dockerfile", "d"), ("Containerfile", "c")]);
        let wanted = Wanted::first_of(&["Containerfile", "Dockerfile"]);
        assert_eq!(read(&both, &wanted), ["c"]);
        let one = tar(&[("Dockerfile", "d"), ("sub/Containerfile", "c")]);
        assert_eq!(read(&one, &wanted), ["d"]);
    }

    #[test]
    fn a_link_leads_to_its_file() {
        let wanted = Wanted::all_of(["sub/Dockerfile".to_owned()]);
        let context = link(
            "sub/Dockerfile",
            "../Containerfile",
            &[("Containerfile", "c")],
        );
        assert_eq!(read(&context, &wanted), ["c"]);
        let round = link("sub/Dockerfile", "Dockerfile", &[]);
        assert!(read(&round, &wanted).is_empty());
    }

    #[test]
    fn what_is_compressed_badly_or_no_tar_is_an_error() {
        let wanted = Wanted::first_of(&["Dockerfile"]);
        for broken in [&b"BZh91AY"[..], b"\xfd7zXZ\0\0", b"\x28\xb5\x2f\xfd"] {
            containerfiles(broken, false, &wanted).unwrap_err();
        }
        assert!(containerfiles(&[b'x'; 4096][..], false, &wanted).is_err());
        assert!(containerfiles(&b"no form"[..], true, &wanted).is_err());
        assert!(read(&[], &wanted).is_empty());
    }

    proptest! {
        #[test]
        fn the_pieces_it_comes_in_do_not_matter(
            sizes in proptest::collection::vec(1_usize..700, 0..60),
            compressed: bool,
            in_form: bool,
        ) {
            let context = tar(&[("a", &"x".repeat(3000)), ("Dockerfile", "FROM b"), ("c", "y")]);
            let context = if compressed { gzip(&context) } else { context };
            let context = if in_form { form(&context) } else { context };
            let body = Pieces { bytes: &context, sizes };
            let found = containerfiles(body, in_form, &Wanted::first_of(&["Dockerfile"]));
            prop_assert_eq!(texts(found), ["FROM b"]);
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>, form: bool) {
            // whatever it says, it ends
            drop(containerfiles(&bytes[..], form, &Wanted::first_of(&["Dockerfile"])));
        }
    }
}
