//! containerd's configuration as the user has it: the file, and what it imports, in the order of their reading
//! (services/server/config, `LoadConfig`).

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toml::{Table, Value};

use super::host::Host;
use super::plan::down;

pub(crate) const MAIN: &str = "/etc/containerd/config.toml";
/// Where the drop-in lies where nothing else is imported, and what then must be.
pub(crate) const DROP_IN: &str = "/etc/containerd/conf.d/90-podman-cri.toml";
pub(crate) const PATTERN: &str = "/etc/containerd/conf.d/*.toml";
const NAME: &str = "90-podman-cri.toml";
/// The CRI plugin's section.
const VERSION_2: &str = "io.containerd.grpc.v1.cri";
const VERSION_3: &str = "io.containerd.cri.v1.runtime";
/// Its names in `disabled_plugins`.
const DISABLED: [&str; 3] = ["cri", VERSION_2, VERSION_3];
/// More files than this are no configuration.
const FILES: usize = 256;

/// What the user's files say.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// In the order of their reading, without setup's own.
    files: Vec<(PathBuf, Table)>,
    /// How many of them are read before the drop-in.
    before: usize,
    drop_in: PathBuf,
    imported: bool,
    /// There is no configuration, or it is setup's own.
    absent: bool,
}

impl Configuration {
    /// # Errors
    /// A file that cannot be read or is no TOML.
    pub(crate) fn read(host: &Host) -> anyhow::Result<Self> {
        let main = host.read(Path::new(MAIN))?;
        let absent = main.is_none_or(|text| text == super::containerd::main_text());
        let mut read = Self {
            files: Vec::new(),
            before: 0,
            drop_in: DROP_IN.into(),
            imported: false,
            absent,
        };
        read.follow(host)?;
        Ok(read)
    }

    fn follow(&mut self, host: &Host) -> anyhow::Result<()> {
        let mut pending = VecDeque::from([PathBuf::from(MAIN)]);
        let mut seen = BTreeSet::new();
        while let Some(path) = pending.pop_front() {
            anyhow::ensure!(seen.len() < FILES, "{MAIN} imports too many files");
            if !seen.insert(path.clone()) {
                continue;
            }
            if self.imported && path == self.drop_in {
                self.before = self.files.len();
                continue;
            }
            let Some(table) = self.table(host, &path)? else {
                continue;
            };
            for pattern in imports(&path, &table) {
                pending.extend(self.matches(host, &pattern)?);
            }
            self.files.push((path, table));
        }
        Ok(())
    }

    /// Where the user has no configuration it is read as setup writes it: files that nothing imported so far count then.
    fn table(&self, host: &Host, path: &Path) -> anyhow::Result<Option<Table>> {
        match self.absent && path == Path::new(MAIN) {
            true => Ok(Some(super::containerd::main_text().parse()?)),
            false => host.table(path),
        }
    }

    /// The files of a pattern in their order, the drop-in among them though it is not there yet.
    fn matches(&mut self, host: &Host, pattern: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let text = pattern.to_string_lossy();
        if !text.contains('*') {
            let own = pattern.file_name().is_some_and(|name| name == NAME);
            self.import(own.then(|| pattern.to_path_buf()));
            return Ok(vec![pattern.to_path_buf()]);
        }
        let shown = || format!("containerd imports {text}, which is no pattern of files");
        let own = pattern.with_file_name(NAME);
        let fits = glob::Pattern::new(&text).with_context(shown)?;
        let fits = fits.matches_path(&own) && !own.to_string_lossy().contains('*');
        self.import(fits.then(|| own.clone()));
        let root = glob::Pattern::escape(&host.at(Path::new("/")).to_string_lossy());
        let below = format!("{}{text}", root.trim_end_matches('/'));
        let found = glob::glob(&below).with_context(shown)?.flatten();
        let mut found: Vec<_> = found.map(|path| host.of(&path)).collect();
        if self.imported && self.drop_in == own && !found.contains(&own) {
            found.push(own);
        }
        found.sort();
        Ok(found)
    }

    /// The first place that is imported is the drop-in's.
    fn import(&mut self, place: Option<PathBuf>) {
        if let (false, Some(place)) = (self.imported, place) {
            self.drop_in = place;
            self.imported = true;
        }
    }

    pub(crate) fn drop_in(&self) -> &Path {
        &self.drop_in
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.absent
    }

    /// That of the first file; setup's own has 2, which every containerd from 1.3 on reads.
    pub(crate) fn version(&self) -> i64 {
        let main = self.files.first().map(|(_, table)| table);
        let version = main.and_then(|table| table.get("version")?.as_integer());
        version.unwrap_or(1)
    }

    pub(crate) fn plugin(&self) -> &'static str {
        match self.version() {
            ..=2 => VERSION_2,
            _ => VERSION_3,
        }
    }

    /// Only containerd 2 reads versions from 3 on.
    pub(crate) fn sections_are_taken_whole(&self) -> bool {
        self.version() == 2
    }

    fn sections(&self) -> impl DoubleEndedIterator<Item = (&Path, &Table)> {
        let plugin = self.plugin();
        self.files.iter().filter_map(move |(file, table)| {
            let section = down(table, &["plugins", plugin])?;
            Some((file.as_path(), section))
        })
    }

    /// The CRI plugin's section that counts where they are taken whole.
    pub(crate) fn section(&self) -> Option<(&Path, &Table)> {
        self.sections().next_back()
    }

    /// The sections that count, the last first.
    fn counting(&self) -> impl Iterator<Item = (&Path, &Table)> {
        let most = match self.sections_are_taken_whole() {
            true => 1,
            false => usize::MAX,
        };
        self.sections().rev().take(most)
    }

    /// The user's file that has a handler.
    pub(crate) fn file_with(&self, handler: &str) -> Option<&Path> {
        let found = self.handler(handler)?;
        Some(found.0)
    }

    fn handler(&self, name: &str) -> Option<(&Path, &Table)> {
        self.counting().find_map(|(file, section)| {
            let handler = down(section, &["containerd", "runtimes", name])?;
            Some((file, handler))
        })
    }

    pub(crate) fn default_handler(&self) -> &str {
        let named = self.counting().find_map(|(_, section)| {
            let containerd = down(section, &["containerd"])?;
            containerd.get("default_runtime_name")?.as_str()
        });
        named.unwrap_or("runc")
    }

    /// The default handler's settings, as far as the user has written them.
    pub(crate) fn default_settings(&self) -> Option<&Table> {
        Some(self.handler(self.default_handler())?.1)
    }

    /// Why nothing can be written beside these files; empty where it can.
    pub(crate) fn cannot_be_written_beside(&self) -> Vec<String> {
        if let Some(file) = self.switched_off() {
            return vec![format!(
                "{} switches the CRI plugin off (disabled_plugins): take it out there, then run setup again",
                file.display()
            )];
        }
        // config migrate is of containerd 2, and forgets sections of version 1 (2.1.9)
        if self.version() < 2 {
            return vec![format!(
                "{MAIN} is of version 1, which imports no file of another version: let containerd 1 rewrite it (it prints it \
                 anew by: containerd config dump), then run setup again"
            )];
        }
        let mixed = self.mixed_versions();
        match mixed.is_empty() {
            true => self.read_later(),
            false => mixed,
        }
    }

    /// The CRI plugin's section has one name up to version 2 and another from 3 on, and containerd 2.1 reads one of them
    /// alone, that of the version it met last (seen on 2.1.9; 2.3.4 reads both): a drop-in would switch off what the user has
    /// in the other. A file without a version is read as one of the first's.
    fn mixed_versions(&self) -> Vec<String> {
        let main = self.version();
        let other = self.files.iter().find_map(|(file, table)| {
            let version = table.get("version")?.as_integer()?;
            ((version > 2) != (main > 2)).then_some((file, version))
        });
        let Some((file, version)) = other else {
            return Vec::new();
        };
        let file = file.display();
        vec![match self.absent {
            true => format!(
                "{file} is of version {version}: write {MAIN} with version = {version} and imports = [\"{PATTERN}\"], then \
                 run setup again"
            ),
            false => format!(
                "{file} is of version {version}, {MAIN} of version {main}: not every containerd reads both. Write them in \
                 one (containerd config migrate shows how), then run setup again"
            ),
        }]
    }

    /// The file that switches the CRI plugin off, as that of Docker's packages does.
    pub(crate) fn switched_off(&self) -> Option<&Path> {
        let off = |table: &Table| {
            let names = table.get("disabled_plugins").and_then(Value::as_array);
            let mut names = names.into_iter().flatten().filter_map(Value::as_str);
            names.any(|name| DISABLED.contains(&name))
        };
        let file = self.files.iter().find(|(_, table)| off(table));
        file.map(|(path, _)| path.as_path())
    }

    /// A later file's section would be taken instead of the drop-in's.
    fn read_later(&self) -> Vec<String> {
        let later = self.files.get(self.before..).unwrap_or_default();
        let mut later = later
            .iter()
            .filter(|(_, table)| down(table, &["plugins", self.plugin()]).is_some());
        match later.next() {
            Some((file, _)) if self.imported && self.sections_are_taken_whole() => vec![format!(
                "{} is read after {} and its section of the CRI plugin taken instead: give it a name before {NAME}",
                file.display(),
                self.drop_in.display()
            )],
            _ => Vec::new(),
        }
    }

    /// What the user has to add, for the drop-in to be read.
    pub(crate) fn to_be_added(&self) -> Vec<String> {
        let has = self
            .files
            .first()
            .is_some_and(|(_, table)| table.contains_key("imports"));
        match (self.imported, has) {
            (true, _) => Vec::new(),
            (false, true) => vec![format!("add \"{PATTERN}\" to imports in {MAIN}")],
            (false, false) => vec![format!(
                "add this line to {MAIN}, before its first table: imports = [\"{PATTERN}\"]"
            )],
        }
    }
}

/// What a file imports, as absolute paths and patterns.
fn imports(file: &Path, table: &Table) -> Vec<PathBuf> {
    let written = table.get("imports").and_then(Value::as_array);
    let written = written.into_iter().flatten().filter_map(Value::as_str);
    let folder = file.parent().unwrap_or(Path::new("/"));
    // join keeps what is absolute
    written.map(|path| folder.join(path)).collect()
}
