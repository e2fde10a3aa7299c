//! CNI: the runtime's word for it, the plugins, the configuration.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::report::Line;
use super::seen::RuntimeSeen;

/// Configuration files looked at in the runtime's folder.
const MAX_FILES: usize = 256;

/// What the runtime's CNI folders hold.
#[derive(Debug, Default)]
pub(super) struct Cni {
    config_folder: PathBuf,
    /// The first of the folder, which is the one in use, and the plugins it names.
    config: Option<(PathBuf, Vec<String>)>,
    plugin_folders: Vec<PathBuf>,
}

impl Cni {
    pub(super) fn read(seen: &RuntimeSeen) -> Self {
        let config_folder = ["/crio/network/network_dir", "/cni/confDir"];
        let config_folder = config_folder.iter().find_map(|path| seen.text(path));
        let config_folder = PathBuf::from(config_folder.unwrap_or("/etc/cni/net.d"));
        Self {
            config: first_config(&config_folder),
            config_folder,
            plugin_folders: plugin_folders(seen),
        }
    }

    fn missing(&self) -> Vec<&str> {
        let named = self.config.iter().flat_map(|(_, plugins)| plugins);
        let there = |plugin: &str| {
            let mut folders = self.plugin_folders.iter();
            folders.any(|folder| folder.join(plugin).is_file())
        };
        named
            .map(String::as_str)
            .filter(|plugin| !there(plugin))
            .collect()
    }
}

fn plugin_folders(seen: &RuntimeSeen) -> Vec<PathBuf> {
    let lists = ["/crio/network/plugin_dirs", "/cni/binDirs"];
    let listed = lists
        .iter()
        .filter_map(|path| seen.setting(path)?.as_array())
        .flatten()
        .filter_map(Value::as_str);
    let folders: Vec<_> = listed
        .chain(seen.text("/cni/binDir"))
        .map(PathBuf::from)
        .collect();
    match folders.is_empty() {
        true => vec!["/opt/cni/bin".into()],
        false => folders,
    }
}

fn first_config(folder: &Path) -> Option<(PathBuf, Vec<String>)> {
    let wanted = |path: &PathBuf| {
        let extension = path.extension().and_then(OsStr::to_str);
        matches!(extension, Some("conf" | "conflist" | "json"))
    };
    let entries = fs::read_dir(folder).ok()?.take(MAX_FILES);
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let path = paths.filter(wanted).min()?;
    let document: Value = serde_json::from_slice(&fs::read(&path).ok()?).unwrap_or_default();
    let several = document.get("plugins").and_then(Value::as_array);
    let plugins = match several {
        Some(several) => several.iter().filter_map(name_of).collect(),
        None => name_of(&document).into_iter().collect(),
    };
    Some((path, plugins))
}

fn name_of(plugin: &Value) -> Option<String> {
    Some(plugin.get("type")?.as_str()?.to_owned())
}

pub(super) fn line(seen: &RuntimeSeen, cni: &Cni) -> Line {
    let check = "network";
    let folder = cni.config_folder.display();
    let not_ready = seen
        .conditions
        .iter()
        .find(|(kind, ready, _)| kind == "NetworkReady" && !ready);
    if let Some((_, _, why)) = not_ready {
        return Line::problem(
            check,
            format!("the runtime has no network: {why}"),
            format!("put a CNI configuration into {folder}; until then only --network host works"),
        );
    }
    let missing = cni.missing();
    let folders: Vec<_> = cni
        .plugin_folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    match &cni.config {
        _ if !missing.is_empty() => Line::problem(
            check,
            format!(
                "{folder}: plugins that are not in {}: {}",
                folders.join(", "),
                missing.join(", ")
            ),
            "install the CNI plugins (package containernetworking-plugins)",
        ),
        Some((path, plugins)) => Line::ok(
            check,
            format!("{} ({})", path.display(), plugins.join(", ")),
        ),
        None => Line::note(
            check,
            format!("ready, and no configuration is in {folder}"),
            "put one there before the runtime starts again, unless it has its network from elsewhere",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_network_is_judged_by_the_runtimes_word_and_by_its_plugins() {
        let place = tempfile::tempdir().unwrap();
        let (config, plugins) = (place.path().join("net.d"), place.path().join("bin"));
        for folder in [&config, &plugins] {
            fs::create_dir(folder).unwrap();
        }
        let mut seen = super::super::tests::crio();
        seen.config =
            json!({"crio": {"network": {"network_dir": config, "plugin_dirs": [plugins]}}});
        let look = |seen: &RuntimeSeen| line(seen, &Cni::read(seen));
        assert_eq!(look(&seen).mark, Mark::Note, "no configuration");
        let list = json!({"name": "n", "plugins": [{"type": "bridge"}, {"type": "portmap"}]});
        fs::write(config.join("10-n.conflist"), list.to_string()).unwrap();
        fs::write(config.join("20-m.conf"), json!({"type": "ptp"}).to_string()).unwrap();
        fs::write(plugins.join("bridge"), "").unwrap();
        let missing = look(&seen);
        assert_eq!(missing.mark, Mark::Problem);
        assert!(missing.found.ends_with(": portmap"), "{missing:?}");
        fs::write(plugins.join("portmap"), "").unwrap();
        let good = look(&seen);
        assert_eq!(good.mark, Mark::Ok);
        assert!(
            good.found.contains("10-n.conflist (bridge, portmap)"),
            "{good:?}"
        );
        seen.conditions = vec![("NetworkReady".to_owned(), false, "no CNI".to_owned())];
        let down = look(&seen);
        assert_eq!(
            (down.mark, down.found.contains("no CNI")),
            (Mark::Problem, true)
        );
    }
}
