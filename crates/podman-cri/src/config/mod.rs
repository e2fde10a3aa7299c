//! Flags and environment, as written ([`Args`]) and as meant ([`Config`]).
//!
//! Scripts rely on the command line: flags are added, never changed, and one appears when it works.
//! Every flag has an environment twin; an empty one counts as unset.

mod doctor;
mod endpoints;
mod explain;
mod guest_registry;
mod listen;
mod setup;

use std::net::SocketAddrV4;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use cri_client::Endpoint;
use engine::{Adopt, OnKubeletNode};

pub use doctor::Doctor;
use doctor::DoctorArgs;
use endpoints::{EndpointArgs, Endpoints};
use explain::ExplainArgs;
pub use explain::{Explain, Explained};
pub use listen::Listen;
use setup::SetupArgs;
pub use setup::{Does, HandlerAsked, Setup};

/// Where the API is served unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/podman-cri/podman.sock";
/// Where the store lies unless told otherwise.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/podman-cri";

/// The command line as written.
#[derive(Debug, Parser)]
#[command(
    name = "podman-cri",
    version,
    about = "The Podman API in front of CRI-O, containerd or any CRI runtime"
)]
#[command(disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the Podman API on a unix socket
    Serve(ServeArgs),
    /// Start a private runtime, network and image store under one folder, then serve
    Dev(DevArgs),
    /// Tell what becomes of each field of a container or of a create request
    Explain(ExplainArgs),
    /// Say what is found, what works, and what to do about the rest
    Doctor(DoctorArgs),
    /// Write runtime handlers into the runtime's configuration, beside what stands there
    Setup(SetupArgs),
}

#[derive(Debug, ClapArgs)]
struct ServeArgs {
    /// Socket to serve, repeatable
    #[arg(long, env = "PODMAN_CRI_ENDPOINT", value_name = "unix:///PATH[,mode=0660,uid=N,gid=N,handler=NAME]", action = clap::ArgAction::Append)]
    listen: Vec<String>,
    /// Socket that serves only what reads, repeatable
    #[arg(long, env = "PODMAN_CRI_LISTEN_READONLY", value_name = "unix:///PATH", action = clap::ArgAction::Append)]
    listen_readonly: Vec<String>,
    #[command(flatten)]
    endpoints: EndpointArgs,
    /// Runtime handler of what names none and came through a socket without one; without it the runtime's own
    #[arg(long, env = "PODMAN_CRI_HANDLER", value_name = "NAME")]
    handler: Option<String>,
    /// Take over what the owner UUID made at the runtime; without UUID the only one whose daemon is gone
    #[arg(long, env = "PODMAN_CRI_ADOPT", num_args = 0..=1, require_equals = true, default_missing_value = "",
          value_name = "UUID")]
    adopt: Option<String>,
    /// Let what others made be stopped, killed and removed
    #[arg(long, env = "PODMAN_CRI_MANAGE_FOREIGN", value_parser = clap::builder::FalseyValueParser::new())]
    manage_foreign: bool,
    /// Whether commands may be run in what others made
    #[arg(
        long,
        env = "PODMAN_CRI_FOREIGN_EXEC",
        value_enum,
        default_value = "allow"
    )]
    foreign_exec: ForeignExec,
    /// What happens to create and start where a kubelet serves the runtime
    #[arg(
        long,
        env = "PODMAN_CRI_ON_KUBELET_NODE",
        value_enum,
        default_value = "refuse"
    )]
    on_kubelet_node: KubeletNode,
    /// Address to offer images of this host at to virtual machines that pull theirs by themselves
    #[arg(long, env = "PODMAN_CRI_GUEST_REGISTRY", value_name = "ADDRESS:PORT")]
    guest_registry: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, ClapArgs)]
struct DevArgs {
    /// Folder of everything
    #[arg(long, env = "PODMAN_CRI_DEV_DIR")]
    dir: Option<String>,
    /// Runtime to start; without it CRI-O where it is installed, else containerd
    #[arg(long, env = "PODMAN_CRI_DEV_RUNTIME", value_enum)]
    runtime: Option<DevRuntime>,
    /// Podman's socket, for builds; without it one is started where Podman is installed
    #[arg(long, env = "PODMAN_ENDPOINT", value_name = "unix:///PATH")]
    podman: Option<String>,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, ClapArgs)]
struct LogArgs {
    /// How the log is written to standard error
    #[arg(
        long,
        env = "PODMAN_CRI_LOG_FORMAT",
        value_enum,
        default_value = "text"
    )]
    log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object to a line.
    Json,
}

/// Whether commands may be run in what others made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ForeignExec {
    /// They are run.
    Allow,
    /// They are refused.
    Deny,
}

/// What happens to create and start where a kubelet serves the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KubeletNode {
    /// They are refused.
    Refuse,
    /// They are done, though the kubelet removes what it does not know.
    Allow,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Columns for people.
    #[default]
    Text,
    /// For scripts.
    Json,
}

/// A runtime that `dev` can start and `setup` can configure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DevRuntime {
    /// CRI-O.
    Crio,
    /// containerd.
    Containerd,
}

/// What is to be done.
#[derive(Debug)]
pub enum Config {
    /// Serve a runtime that is there.
    Serve(Serve),
    /// Start one and serve it.
    Dev(Dev),
    /// Tell what becomes of fields.
    Explain(Explain),
    /// Look at what is there.
    Doctor(Doctor),
    /// Configure a runtime.
    Setup(Setup),
}

/// `podman-cri serve`.
#[derive(Clone, Debug)]
pub struct Serve {
    /// Sockets to make; empty where none was named.
    pub listen: Vec<Listen>,
    /// The runtime; `None` looks for one.
    pub runtime: Option<Endpoint>,
    /// The image service; `None` is the runtime's.
    pub images: Option<Endpoint>,
    /// Podman; `None` is the usual one.
    pub podman: Option<Endpoint>,
    /// Folder of the store.
    pub state_dir: PathBuf,
    /// Runtime handler of what names none; `None` is the runtime's own.
    pub handler: Option<String>,
    /// Which owner a new store takes over.
    pub adopt: Adopt,
    /// What happens to create and start where a kubelet serves the runtime.
    pub on_kubelet_node: OnKubeletNode,
    /// What others made may be stopped, killed and removed.
    pub manage_foreign: bool,
    /// Commands may be run in what others made.
    pub foreign_exec: bool,
    /// Where images are offered to guests that pull theirs by themselves; `None`: nowhere.
    pub guest_registry: Option<SocketAddrV4>,
    /// Form of the log.
    pub log: LogFormat,
}

/// `podman-cri dev`.
#[derive(Clone, Debug)]
pub struct Dev {
    /// Folder of everything; `None` is the default.
    pub dir: Option<PathBuf>,
    /// The runtime; `None` is what is installed.
    pub runtime: Option<DevRuntime>,
    /// Podman; `None` starts one where it is installed.
    pub podman: Option<Endpoint>,
    /// Form of the log.
    pub log: LogFormat,
}

/// A value that cannot be meant, and where it stands.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {why}")]
pub struct ConfigError {
    flag: &'static str,
    why: String,
}

impl ConfigError {
    fn new(flag: &'static str, why: impl std::fmt::Display) -> Self {
        Self {
            flag,
            why: why.to_string(),
        }
    }
}

impl Args {
    /// What the arguments mean.
    ///
    /// # Errors
    /// A value that cannot be meant.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        match self.command {
            Command::Serve(args) => args.into_config().map(Config::Serve),
            Command::Doctor(args) => args.into_config().map(Config::Doctor),
            Command::Dev(DevArgs {
                dir,
                runtime,
                podman,
                log,
            }) => Ok(Config::Dev(Dev {
                dir: dir.and_then(given).map(PathBuf::from),
                runtime,
                podman: endpoint("--podman", podman)?,
                log: log.log_format,
            })),
            Command::Explain(args) => args.into_config().map(Config::Explain),
            Command::Setup(args) => args.into_config().map(Config::Setup),
        }
    }
}

impl ServeArgs {
    fn into_config(self) -> Result<Serve, ConfigError> {
        let Self {
            listen,
            listen_readonly,
            endpoints,
            handler,
            adopt,
            on_kubelet_node,
            manage_foreign,
            foreign_exec,
            guest_registry,
            log,
        } = self;
        let mut sockets = sockets("--listen", &listen, false)?;
        sockets.extend(self::sockets("--listen-readonly", &listen_readonly, true)?);
        listen::all_differ(&sockets).map_err(|why| ConfigError::new("--listen", why))?;
        let Endpoints {
            runtime,
            images,
            podman,
            state_dir,
        } = endpoints.read()?;
        Ok(Serve {
            listen: sockets,
            runtime,
            images,
            podman,
            state_dir,
            handler: handler.and_then(given),
            adopt: self::adopt(adopt)?,
            manage_foreign,
            foreign_exec: foreign_exec == ForeignExec::Allow,
            guest_registry: guest_registry::parse(guest_registry)?,
            on_kubelet_node: match on_kubelet_node {
                KubeletNode::Refuse => OnKubeletNode::Refuse,
                KubeletNode::Allow => OnKubeletNode::Allow,
            },
            log: log.log_format,
        })
    }
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Several sockets stand in one value too, separated by spaces: the environment has but one.
fn sockets(
    flag: &'static str,
    values: &[String],
    read_only: bool,
) -> Result<Vec<Listen>, ConfigError> {
    let words = values.iter().flat_map(|value| value.split_whitespace());
    words
        .map(|word| Listen::parse(word, read_only).map_err(|why| ConfigError::new(flag, why)))
        .collect()
}

fn endpoint(flag: &'static str, value: Option<String>) -> Result<Option<Endpoint>, ConfigError> {
    let parsed = value.and_then(given).map(|value| value.parse());
    parsed
        .transpose()
        .map_err(|error| ConfigError::new(flag, error))
}

fn absolute(flag: &'static str, path: String) -> Result<PathBuf, ConfigError> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(ConfigError::new(flag, "the path must be absolute"))
    }
}

fn adopt(value: Option<String>) -> Result<Adopt, ConfigError> {
    let Some(owner) = value.and_then(given) else {
        return Ok(Adopt::default());
    };
    let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
    if owner.chars().all(plain) {
        Ok(Adopt::Owner(owner.to_ascii_lowercase()))
    } else {
        Err(ConfigError::new(
            "--adopt",
            format!("{owner:?} is not a UUID"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(words: &[&str]) -> Result<Serve, String> {
        let words = ["podman-cri", "serve"].iter().chain(words);
        let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
        match args.into_config().map_err(|error| error.to_string())? {
            Config::Serve(serve) => Ok(serve),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn sockets_come_one_by_one_or_in_one_value() {
        let config = serve(&[
            "--listen",
            "unix:///a.sock unix:///b.sock,mode=0660",
            "--listen=unix:///c.sock",
        ])
        .unwrap();
        let paths: Vec<_> = config
            .listen
            .iter()
            .map(|listen| listen.path.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["/a.sock", "/b.sock", "/c.sock"]);
        assert_eq!(serve(&[]).unwrap().listen, []);
        assert!(
            serve(&[
                "--listen",
                "unix:///a.sock",
                "--listen-readonly",
                "unix:///a.sock"
            ])
            .is_err()
        );
    }

    #[test]
    fn adopt_takes_an_owner_or_none() {
        assert_eq!(serve(&["--adopt"]).unwrap().adopt, Adopt::Only);
        let owner = "f5dd6a3c-b79c-45d3-b7c3-aa7e498f9a47";
        assert_eq!(
            serve(&[&format!("--adopt={owner}")]).unwrap().adopt,
            Adopt::Owner(owner.to_owned())
        );
        assert!(serve(&["--adopt=../x"]).is_err());
    }

    #[test]
    fn others_objects_are_left_alone_unless_told() {
        assert!(!serve(&[]).unwrap().manage_foreign);
        assert!(serve(&["--manage-foreign"]).unwrap().manage_foreign);
        assert_eq!(serve(&[]).unwrap().handler, None);
        let kata = serve(&["--handler=kata"]).unwrap();
        assert_eq!(kata.handler.as_deref(), Some("kata"));
        assert!(serve(&[]).unwrap().foreign_exec);
        assert!(!serve(&["--foreign-exec=deny"]).unwrap().foreign_exec);
    }

    #[test]
    fn a_kubelets_node_is_refused_unless_forced() {
        let asked = |words: &[&str]| serve(words).unwrap().on_kubelet_node;
        assert_eq!(asked(&[]), OnKubeletNode::Refuse);
        assert_eq!(asked(&["--on-kubelet-node=allow"]), OnKubeletNode::Allow);
        assert!(serve(&["--on-kubelet-node=maybe"]).is_err());
    }

    #[test]
    fn what_cannot_be_meant_names_its_flag() {
        for (words, flag) in [
            (&["--listen", "tcp://127.0.0.1:80"][..], "--listen"),
            (&["--runtime-endpoint", "crio.sock"], "--runtime-endpoint"),
            (&["--state-dir", "relative"], "--state-dir"),
            (&["--log-format", "xml"], "--log-format"),
            (&["--podman", "tcp://127.0.0.1:80"], "--podman"),
            (&["--foreign-exec=perhaps"], "--foreign-exec"),
        ] {
            let error = serve(words).unwrap_err();
            assert!(error.contains(flag), "{error}");
        }
        for words in [
            &["podman-cri"][..],
            &["podman-cri", "doctor", "--format=xml"],
            &["podman-cri", "install"],
        ] {
            assert!(Args::try_parse_from(words).is_err());
        }
    }
}
