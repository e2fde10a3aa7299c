//! Commands in a virtual machine with a user, a folder or an environment of their own: CRI's `Exec` takes a command alone, and
//! neither the gate nor an OCI runtime of this host is there. Programs of the container's own do it:
//!
//! ```text
//! setpriv … | chroot --userspec … | su …   sh: cd FOLDER   env NAME=VALUE …   COMMAND
//! ```

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

use accounts::{Account, NotFound, Table};
use model::Error;
use model::exec::ExecSpec;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::ask::Answer;
use crate::system::Inner;

/// Which of the programs work, and the container's accounts. A busybox's `setpriv` and `chroot` become nobody.
const PROGRAMS: &str = r"tell users /etc/passwd
tell groups /etc/group
ids='--reuid=0 --regid=0 --clear-groups'
if setpriv $ids -- /bin/sh -c : 2>/dev/null; then tell setpriv
elif chroot --userspec=0:0 --groups=0 / /bin/sh -c : 2>/dev/null; then tell chroot
elif command -v su >/dev/null; then tell su; fi
if env A=b /bin/sh -c : 2>/dev/null; then tell env; fi";

/// Goes to the folder `$1`, where there is one, and executes what follows `$2`, a name to be looked for unless it is empty. The
/// words are the gate's, the codes Podman's.
const ENTER: &str = r#"if [ -n "$1" ] && ! cd -- "$1" 2>/dev/null; then
printf 'chdir to cwd ("%s"): ' "$1" >&2
[ -d "$1" ] && { echo 'permission denied' >&2; exit 126; }
echo 'no such file or directory' >&2; exit 127
fi
if [ -n "$2" ] && ! command -v "$2" >/dev/null; then
printf 'exec: "%s": executable file not found in $PATH\n' "$2" >&2; exit 127
fi
shift 2; exec "$@""#;

/// A command in a virtual machine, and what it is to have beside itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) command: Vec<String>,
    /// `user[:group]`, where it is somebody else.
    pub(super) user: Option<String>,
    pub(super) work_dir: String,
    /// `KEY=VALUE`, beside the container's environment.
    pub(super) env: Vec<String>,
}

/// How somebody becomes somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Becoming {
    Setpriv(Account),
    Chroot(Account),
    /// By name alone.
    Su(String),
}

impl Inside {
    /// The same as it was asked for; `user` where that is somebody else.
    pub(super) fn of(spec: &ExecSpec, user: Option<&String>, env: Vec<String>) -> Self {
        Self {
            command: spec.command.clone(),
            user: user.cloned(),
            work_dir: spec.work_dir.clone(),
            env,
        }
    }

    /// The option that is refused where the container has not got what it needs.
    fn option(&self) -> &'static str {
        match (&self.user, self.work_dir.is_empty()) {
            (Some(_), _) => "User",
            (None, false) => "WorkingDir",
            (None, true) => "Env",
        }
    }

    fn refused(&self, why: &str) -> Error {
        let text = format!(
            "CRI's Exec has no field for it, and in a virtual machine the container's own programs do it: {why}"
        );
        Error::unsupported(self.option(), text)
    }

    /// How its user becomes that.
    fn becoming(&self, found: &Found) -> Result<Option<Becoming>, Error> {
        let Some(user) = &self.user else {
            return Ok(None);
        };
        let open = |table| found.open(table);
        let resolved = accounts::resolve(user, open);
        let account =
            resolved.map_err(|NotFound { message, cause }| Error::Failed { message, cause })?;
        match found.program {
            Some("setpriv") => Ok(Some(Becoming::Setpriv(account))),
            Some("chroot") => Ok(Some(Becoming::Chroot(account))),
            Some("su") => {
                let named = accounts::line(Table::Passwd, user, open).ok().flatten();
                let name = named.and_then(|fields| fields.into_iter().next());
                let why = "its su takes users by name alone, without a group, and it has neither setpriv nor a chroot with --userspec";
                name.map(|name| Some(Becoming::Su(name)))
                    .ok_or_else(|| self.refused(why))
            }
            _ => Err(self.refused("it has no setpriv, no chroot with --userspec and no su")),
        }
    }

    /// The arguments for CRI.
    fn argv(&self, becoming: Option<&Becoming>) -> Vec<String> {
        let mut argv: Vec<String> = becoming.map(Becoming::argv).unwrap_or_default();
        let names = |name: &str| {
            self.env
                .iter()
                .any(|pair| pair.split('=').next() == Some(name))
        };
        let first = self.command.first().map(String::as_str).unwrap_or_default();
        let looked_for = match first.contains('/') || names("PATH") {
            true => "",
            false => first,
        };
        let enter = ["/bin/sh", "-c", ENTER, "sh", &self.work_dir, looked_for];
        argv.extend(enter.map(ToOwned::to_owned));
        let mut env = self.env.clone();
        if let Some(home) = becoming.and_then(Becoming::home).filter(|_| !names("HOME")) {
            env.push(format!("HOME={home}"));
        }
        if !env.is_empty() {
            argv.push("env".to_owned());
            argv.extend(env);
            if first.contains('=') {
                let alone = ["/bin/sh", "-c", r#"exec "$@""#, "sh"];
                argv.extend(alone.map(ToOwned::to_owned));
            }
        }
        argv.extend(self.command.iter().cloned());
        argv
    }
}

impl Becoming {
    /// What stands before the command.
    fn argv(&self) -> Vec<String> {
        let list = |groups: &[u32]| {
            let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
            groups.join(",")
        };
        match self {
            Self::Setpriv(Account {
                uid, gid, groups, ..
            }) => vec![
                "setpriv".to_owned(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                format!("--groups={}", list(groups)),
                "--".to_owned(),
            ],
            Self::Chroot(Account {
                uid, gid, groups, ..
            }) => vec![
                "chroot".to_owned(),
                format!("--userspec={uid}:{gid}"),
                format!("--groups={}", list(groups)),
                "/".to_owned(),
            ],
            Self::Su(name) => {
                let words = [
                    "su",
                    "-s",
                    "/bin/sh",
                    "-c",
                    r#"exec "$@""#,
                    "--",
                    name,
                    "sh",
                ];
                words.map(ToOwned::to_owned).into()
            }
        }
    }

    /// The user's folder, where it is known and not set by the program.
    fn home(&self) -> Option<&str> {
        match self {
            Self::Setpriv(account) | Self::Chroot(account) => {
                Some(account.home.as_str()).filter(|home| !home.is_empty())
            }
            Self::Su(_) => None,
        }
    }
}

/// What a container has for it.
#[derive(Debug, Default)]
struct Found {
    users: String,
    groups: String,
    program: Option<&'static str>,
    env: bool,
}

impl Found {
    fn read(answer: &Answer<'_>) -> Option<Self> {
        let programs = ["setpriv", "chroot", "su"];
        Some(Self {
            users: answer.piece("users")?.to_owned(),
            groups: answer.piece("groups")?.to_owned(),
            program: programs
                .into_iter()
                .find(|name| answer.piece(name).is_some()),
            env: answer.piece("env").is_some(),
        })
    }

    /// One of the container's files, as far as it was told.
    fn open(&self, table: Table) -> io::Result<File> {
        let text = match table {
            Table::Passwd => &self.users,
            Table::Group => &self.groups,
        };
        let mut file = File::from(memfd_create("accounts", MemfdFlags::CLOEXEC)?);
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        Ok(file)
    }
}

impl Inner {
    /// The arguments for CRI of a command in a virtual machine.
    ///
    /// # Errors
    /// There is no such user, in Podman's words; the container has not got what it needs: the option is refused by name.
    pub(super) async fn argv_inside(
        &self,
        cri_id: &str,
        inside: &Inside,
    ) -> Result<Vec<String>, Error> {
        let found = self.ask(cri_id, PROGRAMS, Found::read).await;
        let found = found.map_err(|why| inside.refused(&format!("its sh and cat: {why}")))?;
        if !inside.env.is_empty() && !found.env {
            return Err(inside.refused("it has no env"));
        }
        let becoming = inside.becoming(&found)?;
        Ok(inside.argv(becoming.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(program: &'static str) -> Found {
        Found {
            users: "root:x:0:0::/root:\nweb:x:33:33::/home/web:\n".to_owned(),
            groups: "web:x:33:\nlog:x:4:web\n".to_owned(),
            program: Some(program).filter(|program| !program.is_empty()),
            env: true,
        }
    }

    fn asked(user: &str) -> Inside {
        Inside {
            command: vec!["id".to_owned()],
            user: Some(user.to_owned()).filter(|user| !user.is_empty()),
            work_dir: "/w".to_owned(),
            env: Vec::new(),
        }
    }

    fn line(inside: &Inside, program: &'static str) -> String {
        let becoming = inside.becoming(&found(program)).unwrap();
        inside
            .argv(becoming.as_ref())
            .join(" ")
            .replace(ENTER, "ENTER")
    }

    #[test]
    fn a_user_is_become_by_what_there_is() {
        let enter = "/bin/sh -c ENTER sh /w id";
        let by = |user: &str, program| line(&asked(user), program);
        assert_eq!(by("", ""), format!("{enter} id"));
        let ids = "--reuid=33 --regid=33 --groups=4,33";
        let wanted = format!("setpriv {ids} -- {enter} env HOME=/home/web id");
        assert_eq!(by("web", "setpriv"), wanted);
        let wanted = format!("chroot --userspec=7:4 --groups=4 / {enter} id");
        assert_eq!(by("7:log", "chroot"), wanted);
        let wanted = format!("su -s /bin/sh -c exec \"$@\" -- web sh {enter} id");
        assert_eq!(by("33", "su"), wanted);
    }

    #[test]
    fn what_cannot_be_become_is_refused_by_name_and_nobody_in_podmans_words() {
        let error = |user: &str, program| {
            asked(user)
                .becoming(&found(program))
                .unwrap_err()
                .to_string()
        };
        for (user, program, why) in [
            ("web", "", "it has no setpriv"),
            ("7", "su", "by name alone"),
            ("web:log", "su", "by name alone"),
        ] {
            let text = error(user, program);
            assert!(
                text.starts_with("User is not supported") && text.contains(why),
                "{text}"
            );
        }
        assert!(error("nobody-there", "setpriv").contains("no matching entries"));
    }

    #[test]
    fn variables_and_names_are_the_commands_own() {
        let mut inside = asked("");
        inside.env = vec!["A.b=c d".to_owned(), "HOME=/x".to_owned()];
        inside.command = vec!["x=y".to_owned()];
        let argv = inside.argv(None);
        assert_eq!(argv[5..8], ["x=y", "env", "A.b=c d"]);
        assert_eq!(argv.last().unwrap(), "x=y");
        assert_eq!(argv[argv.len() - 3], r#"exec "$@""#);
        inside.env = vec!["PATH=/p".to_owned()];
        assert_eq!(inside.argv(None)[5], "");
    }

    #[test]
    fn a_shell_enters_says_why_it_cannot_and_ends_with_podmans_codes() {
        let run = |dir: &str, env: &[&str], command: &[&str]| {
            let inside = Inside {
                command: command.iter().map(ToString::to_string).collect(),
                user: None,
                work_dir: dir.to_owned(),
                env: env.iter().map(ToString::to_string).collect(),
            };
            let argv = inside.argv(None);
            let mut shell = std::process::Command::new(&argv[0]);
            let told = shell.args(&argv[1..]).output().unwrap();
            let text = [told.stdout, told.stderr].concat();
            (
                told.status.code().unwrap(),
                String::from_utf8(text).unwrap(),
            )
        };
        let shown = run("/tmp", &["A=b c"], &["sh", "-c", "pwd; echo $A; exit 3"]);
        assert_eq!(shown, (3, "/tmp\nb c\n".to_owned()));
        let (code, text) = run("/not/there", &[], &["id"]);
        assert_eq!(
            (code, text.as_str()),
            (
                127,
                "chdir to cwd (\"/not/there\"): no such file or directory\n"
            )
        );
        let (code, text) = run("", &["A=b"], &["not-there"]);
        assert_eq!(
            (code, text.as_str()),
            (
                127,
                "exec: \"not-there\": executable file not found in $PATH\n"
            )
        );
        assert_eq!(run("/", &["A=b"], &["/etc/passwd"]).0, 126);
        assert_eq!(run("/", &[], &["/not/there"]).0, 127);
    }

    #[test]
    fn a_container_tells_what_it_has() {
        let asked = crate::ask::question(PROGRAMS, "0f");
        let mut shell = std::process::Command::new(&asked[0]);
        let told = shell.args(&asked[1..]).output().unwrap();
        let text = String::from_utf8(told.stdout).unwrap();
        let found = Found::read(&Answer::parse(&text, "0f").unwrap()).unwrap();
        assert!(found.env && found.program.is_some());
        assert!(found.users.contains("root:"));
    }
}
