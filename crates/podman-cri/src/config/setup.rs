//! `podman-cri setup`, as written and as meant.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::FalseyValueParser;

use super::{ConfigError, DevRuntime, absolute, given};

#[derive(Debug, ClapArgs)]
pub(super) struct SetupArgs {
    /// Runtime handler to configure, repeatable; without it those whose program is installed
    #[arg(long, env = "PODMAN_CRI_SETUP_HANDLER", value_name = "NAME[=PROGRAM][,config=FILE]", action = clap::ArgAction::Append)]
    handler: Vec<String>,
    /// Runtime to configure; without it each that is installed
    #[arg(long, env = "PODMAN_CRI_SETUP_RUNTIME", value_enum)]
    runtime: Option<DevRuntime>,
    /// Show what would be written, and change nothing
    #[arg(long, env = "PODMAN_CRI_SETUP_DRY_RUN", value_parser = FalseyValueParser::new())]
    dry_run: bool,
    /// Remove what setup has written
    #[arg(long, env = "PODMAN_CRI_SETUP_UNINSTALL", value_parser = FalseyValueParser::new())]
    uninstall: bool,
    /// Folder of the host's files: an image that is being made
    #[arg(
        long,
        env = "PODMAN_CRI_SETUP_ROOT",
        value_name = "DIR",
        default_value = "/"
    )]
    root: String,
}

/// `podman-cri setup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// What is done.
    pub does: Does,
    /// Handlers that were named; empty: those whose program is installed.
    pub handlers: Vec<HandlerAsked>,
    /// The runtime; `None` is each that is installed.
    pub runtime: Option<DevRuntime>,
    /// Folder below which the host's files lie.
    pub root: PathBuf,
}

/// What `setup` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Writes.
    Write,
    /// Shows what it would write.
    Show,
    /// Removes what it has written.
    Remove,
}

/// A handler as the command line writes it: `NAME[=PROGRAM][,config=FILE]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerAsked {
    /// Its name.
    pub name: String,
    /// Its OCI runtime or shim; `None` is looked for by the name.
    pub program: Option<PathBuf>,
    /// Kata's configuration; `None` is looked for.
    pub config: Option<PathBuf>,
}

impl HandlerAsked {
    /// Reads one.
    ///
    /// # Errors
    /// What in the text cannot be meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split(',');
        let first = words.next().unwrap_or_default();
        let (name, program) = match first.split_once('=') {
            Some((name, program)) => (name, Some(program)),
            None => (first, None),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("{text:?}: {name:?} is no name of a handler"));
        }
        let mut config = None;
        for word in words {
            config = word.strip_prefix("config=");
            if config.is_none() {
                return Err(format!("{text:?}: {word:?} is not config="));
            }
        }
        let path = |path: Option<&str>| match path.map(PathBuf::from) {
            Some(path) if !path.is_absolute() => {
                Err(format!("{text:?}: the paths must be absolute"))
            }
            path => Ok(path),
        };
        Ok(Self {
            name: name.to_owned(),
            program: path(program)?,
            config: path(config)?,
        })
    }
}

impl fmt::Display for HandlerAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(program) = &self.program {
            write!(f, "={}", program.display())?;
        }
        match &self.config {
            Some(config) => write!(f, ",config={}", config.display()),
            None => Ok(()),
        }
    }
}

impl SetupArgs {
    pub(super) fn into_config(self) -> Result<Setup, ConfigError> {
        let Self {
            handler,
            runtime,
            dry_run,
            uninstall,
            root,
        } = self;
        let words = handler.iter().flat_map(|value| value.split_whitespace());
        let handlers: Vec<_> = words
            .map(|word| HandlerAsked::parse(word).map_err(|why| ConfigError::new("--handler", why)))
            .collect::<Result<_, _>>()?;
        let does = match (dry_run, uninstall) {
            (true, true) => return Err(ConfigError::new("--dry-run", "--uninstall is given too")),
            (true, false) => Does::Show,
            (false, true) => Does::Remove,
            (false, false) => Does::Write,
        };
        if does == Does::Remove && !handlers.is_empty() {
            let why = "--uninstall removes all that setup has written";
            return Err(ConfigError::new("--handler", why));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = handlers.iter().find(|one| !seen.insert(&one.name)) {
            let why = format!("{} is named twice", twice.name);
            return Err(ConfigError::new("--handler", why));
        }
        Ok(Setup {
            does,
            handlers,
            runtime,
            root: absolute("--root", given(root).unwrap_or_else(|| "/".to_owned()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::{Args, Config};

    fn setup(words: &[&str]) -> Result<Setup, String> {
        let words = ["podman-cri", "setup"].iter().chain(words);
        let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
        match args.into_config().map_err(|error| error.to_string())? {
            Config::Setup(setup) => Ok(setup),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn handlers_are_read_as_they_are_written() {
        let words = [
            "--handler",
            "crun kata-remote=/a/shim,config=/k.toml",
            "--handler=x=/b",
        ];
        let asked = setup(&words).unwrap();
        let text: Vec<_> = asked.handlers.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["crun", "kata-remote=/a/shim,config=/k.toml", "x=/b"]);
        assert_eq!(
            asked.handlers[1],
            HandlerAsked::parse("kata-remote=/a/shim,config=/k.toml").unwrap()
        );
        assert_eq!(asked.handlers[1].config, Some("/k.toml".into()));
        assert_eq!(setup(&[]).unwrap().handlers, []);
    }

    #[test]
    fn it_writes_shows_or_removes() {
        let does = |words: &[&str]| setup(words).map(|setup| setup.does);
        assert_eq!(does(&[]), Ok(Does::Write));
        assert_eq!(does(&["--dry-run"]), Ok(Does::Show));
        assert_eq!(does(&["--uninstall"]), Ok(Does::Remove));
        assert_eq!(
            setup(&["--root=/image"]).unwrap().root,
            PathBuf::from("/image")
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [
            &["--dry-run", "--uninstall"][..],
            &["--uninstall", "--handler=crun"],
            &["--handler=crun", "--handler=crun"],
            &["--handler=a/b"],
            &["--handler==/x"],
            &["--handler=crun=bin/crun"],
            &["--handler=kata,mode=1"],
            &["--handler=kata,config=k.toml"],
            &["--runtime=docker"],
            &["--root=image"],
        ] {
            assert!(setup(words).is_err(), "{words:?}");
        }
    }
}
