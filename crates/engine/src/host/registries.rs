//! The host's rules for image names without a registry: `registries.conf` and its drop-ins.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use model::reference::ShortNames;
use serde::Deserialize;

const FILES: &str = "/etc/containers/registries.conf";
const DROP_INS: &str = "/etc/containers/registries.conf.d";

/// The part of containers-registries.conf(5) that names without a registry need.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Registries {
    unqualified_search_registries: Option<Vec<String>>,
    aliases: BTreeMap<String, String>,
}

/// Reads the rules; Docker's registry where the host has none.
pub fn short_names() -> ShortNames {
    let mut texts = vec![fs::read_to_string(FILES).unwrap_or_default()];
    texts.extend(drop_ins(Path::new(DROP_INS)));
    rules(&texts)
}

/// Texts of the drop-ins, in the order of their names.
fn drop_ins(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "conf"))
        .collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

/// A later file's search list replaces an earlier one's; aliases add up.
fn rules(texts: &[String]) -> ShortNames {
    let mut rules = ShortNames::default();
    for text in texts {
        let Ok(file) = toml::from_str::<Registries>(text) else {
            tracing::warn!("a registries.conf cannot be read and is passed over");
            continue;
        };
        if let Some(search) = file.unqualified_search_registries {
            rules.search = search;
        }
        rules.aliases.extend(file.aliases);
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_files_win_and_aliases_add_up() {
        let one = "unqualified-search-registries = [\"quay.io\"]\n[aliases]\n\"a\" = \"r.io/a\"\n";
        let two = "[aliases]\n\"b\" = \"r.io/b\"\n[[registry]]\nlocation = \"x\"\n";
        let rules = rules(&[one.to_owned(), two.to_owned(), "not toml [".to_owned()]);
        assert_eq!(rules.search, ["quay.io"]);
        assert_eq!(rules.aliases.len(), 2);
        assert_eq!(rules_of_nothing().search, ["docker.io"]);
    }

    fn rules_of_nothing() -> ShortNames {
        rules(&[])
    }
}
