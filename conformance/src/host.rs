//! A network, mount and cgroup namespace of its own for one test, in one folder.
//!
//! The runtime, the daemon and the clients of a test share it; the test process stays outside and
//! reaches their unix sockets through the folder, which lies at the same path inside. `/run`,
//! `/etc` and `/var/lib` are overlays there: the host's files show, and what is written lies in the
//! folder, where the leak check sees it.
//!
//! A process cannot move its threads into namespaces safely, so a shell holds them open, and
//! programs enter by `nsenter`. When the test process dies, however it dies, the shell sees the end
//! of its input and kills all that is inside.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context, Result, anyhow, bail};
use private_runtime::{
    host::{Hierarchy, cgroup_hierarchies},
    process::{self, Process},
};

use crate::place::{
    KILL_TIMEOUT, PREFIX, base_folder, delegate, in_cgroup, inherit_cpuset, lock, remove_place,
    sweep,
};

/// The address of the "host" a test lives on.
pub const HOST_ADDRESS: &str = "192.0.2.10";
/// The folders of the host that a test writes to without touching them.
pub(crate) const OVERLAYS: [(&str, &str); 3] =
    [("/run", "run"), ("/etc", "etc"), ("/var/lib", "var-lib")];

/// The place where one test happens. Dropping it takes everything down.
#[derive(Debug)]
pub struct TestHost {
    dir: PathBuf,
    name: String,
    hierarchies: Vec<Hierarchy>,
    holder: Option<(Child, ChildStdin)>,
    /// Tells later tests that this folder is in use.
    _lock: File,
}

impl TestHost {
    /// Makes the folder and the namespaces; needs root.
    pub fn new() -> Result<Self> {
        let base = base_folder()?;
        sweep(&base);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(8)
            .tempdir_in(&base)
            .with_context(|| format!("cannot make a folder in {}", base.display()))?
            .keep();
        let name = dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let lock = lock(&dir)?.ok_or_else(|| anyhow!("{} is locked", dir.display()))?;
        let mut host = Self {
            dir,
            name,
            hierarchies: cgroup_hierarchies(),
            holder: None,
            _lock: lock,
        };
        host.make_cgroups()?;
        host.hold()?;
        Ok(host)
    }

    /// The folder of everything this test makes.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The process that holds the namespaces.
    pub fn holder(&self) -> u32 {
        self.holder.as_ref().map_or(0, |(child, _)| child.id())
    }

    /// The words before a command that run it inside; the command keeps the pid.
    pub fn prefix(&self) -> Vec<OsString> {
        vec!["/bin/sh".into(), self.dir.join("enter").into()]
    }

    /// A command inside; its home is in the folder.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .arg(self.dir.join("enter"))
            .arg(program.into())
            .stdin(Stdio::null());
        command.env("HOME", self.dir.join("home"));
        command
    }

    /// Runs a shell line inside and gives its output.
    pub fn shell(&self, line: &str) -> Result<String> {
        let output = self.command("sh").args(["-c", line]).output()?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("`{line}` failed ({}): {}", output.status, errors.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Registries that are asked without TLS, for CRI-O and skopeo inside.
    pub fn allow_plain_registry(&self, address: &str) -> Result<()> {
        let text = format!("[[registry]]\nlocation = \"{address}\"\ninsecure = true\n");
        let line = format!(
            "mkdir -p /etc/containers/registries.conf.d && cat > /etc/containers/registries.conf.d/{}.conf <<'E'\n{text}E\n",
            address.replace([':', '/'], "-")
        );
        self.shell(&line).map(drop)
    }

    /// The processes of this test: all that its cgroup holds, the holder left out.
    pub fn processes(&self) -> BTreeSet<Process> {
        let holder = self.holder();
        in_cgroup(&self.name)
            .into_iter()
            .filter(|p| p.pid != holder)
            .collect()
    }

    /// The cgroups of this test, relative to its own.
    pub fn cgroups(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for hierarchy in &self.hierarchies {
            let root = hierarchy.mount.join(&self.name);
            private_runtime::walk_folders(&root, &mut |path| {
                let relative = path.strip_prefix(&root).unwrap_or(path);
                found.insert(relative.to_string_lossy().into_owned());
            });
        }
        found
    }

    /// Takes everything down and names what is left on the host.
    pub fn finish(mut self) -> Vec<String> {
        self.end();
        self.left_on_host()
    }

    fn make_cgroups(&self) -> Result<()> {
        for hierarchy in &self.hierarchies {
            let own = hierarchy.mount.join(&self.name);
            if hierarchy.fs_type == "cgroup2" {
                delegate(&hierarchy.mount);
            }
            for folder in [&own, &own.join("harness")] {
                fs::create_dir(folder)
                    .with_context(|| format!("cannot make {}", folder.display()))?;
                inherit_cpuset(folder)?;
            }
        }
        Ok(())
    }

    /// Starts the shell that holds the namespaces.
    fn hold(&mut self) -> Result<()> {
        let host = self.dir.join("host");
        for folder in ["keep", "home"] {
            fs::create_dir_all(host.join(folder))?;
        }
        fs::create_dir_all(self.dir.join("home"))?;
        for (_, name) in OVERLAYS {
            fs::create_dir_all(host.join(name).join("upper"))?;
            fs::create_dir_all(host.join(name).join("work"))?;
        }
        for file in ["hosts", "hostname", "resolv.conf"] {
            let text = fs::read(Path::new("/etc").join(file)).unwrap_or_default();
            fs::write(host.join("keep").join(file), text)?;
        }
        script(&host.join("hold"), &self.hold_script())?;
        script(&host.join("init"), &self.init_script())?;
        let mut child = Command::new("/bin/sh")
            .arg(host.join("hold"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the holder of the namespaces")?;
        let stdin = child.stdin.take().context("the holder has an input")?;
        let stdout = child.stdout.take().context("the holder has an output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != "ready" {
            let mut errors = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                stderr.read_to_string(&mut errors)?;
            }
            child.wait()?;
            bail!(
                "cannot make the namespaces of a test (root? PODMAN_CRI_TEST_DIR on a file system that \
                 can hold an overlay?): {}",
                errors.trim()
            );
        }
        script(&self.dir.join("enter"), &self.enter_script(child.id()))?;
        self.holder = Some((child, stdin));
        Ok(())
    }

    fn joins(&self, cgroup: &str) -> String {
        let join = |h: &Hierarchy| {
            let procs = h.mount.join(cgroup).join("cgroup.procs");
            format!("echo $$ > {}\n", quoted(&procs))
        };
        self.hierarchies.iter().map(join).collect()
    }

    /// Joins the test's cgroups, so that the new cgroup namespace begins there.
    fn hold_script(&self) -> String {
        format!(
            "#!/bin/sh\nset -e\n{joins}exec unshare --mount --net --cgroup --propagation private -- /bin/sh {init}\n",
            joins = self.joins(&self.name),
            init = quoted(&self.dir.join("host/init")),
        )
    }

    /// Runs inside: cgroups, overlays, network; then waits for the end of the test process.
    fn init_script(&self) -> String {
        let host = self.dir.join("host");
        let cgroups: Vec<String> = self
            .hierarchies
            .iter()
            .map(|h| {
                let options = if h.options.is_empty() {
                    "rw"
                } else {
                    &h.options
                };
                let mount = quoted(&h.mount);
                format!(
                    "umount {mount}; mount -t {} -o {options} none {mount}\n",
                    h.fs_type
                )
            })
            .collect();
        let overlays: Vec<String> = OVERLAYS
            .iter()
            .map(|(path, name)| {
                let of = |part| host.join(name).join(part).display().to_string();
                format!(
                    "mount -t overlay -o 'lowerdir={path},upperdir={},workdir={}' overlay {path}\n",
                    of("upper"),
                    of("work")
                )
            })
            .collect();
        let procs = self
            .hierarchies
            .last()
            .map(|h| quoted(&h.mount))
            .unwrap_or_default();
        format!(
            r#"#!/bin/sh
# Written by the test harness: the inside of one test.
set -e
{cgroups}{joins}{overlays}for file in hosts hostname resolv.conf; do
  cmp -s {keep}/$file /etc/$file || cat {keep}/$file > /etc/$file
done
# ids for containers with a user namespace, as Podman's documentation has them
for file in subuid subgid; do
  echo containers:2147483647:2147483648 > /etc/$file
done
ip link set lo up
ip link add host0 type dummy 2>/dev/null || ip link add host0 type bridge
ip address add {HOST_ADDRESS}/24 dev host0
ip link set host0 up
ip route add default via 192.0.2.1
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
exec > /dev/null 2>&1
read -r _ || true
for round in 1 2 3; do
  find {procs} -name cgroup.procs -exec cat {{}} + | while read -r pid; do
    [ "$pid" = $$ ] || kill -9 "$pid"
  done
done
"#,
            cgroups = cgroups.concat(),
            overlays = overlays.concat(),
            joins = self.joins("harness"), // the namespace begins at the test's own cgroup
            keep = quoted(&host.join("keep")),
        )
    }

    fn enter_script(&self, holder: u32) -> String {
        let joins = self.joins(&format!("{}/harness", self.name));
        format!(
            "#!/bin/sh\n{joins}exec nsenter --target {holder} --mount --net --cgroup -- \"$@\"\n"
        )
    }

    /// Kills all that is inside, then the holder; removes cgroups and the folder.
    fn end(&mut self) {
        let Some((mut child, stdin)) = self.holder.take() else {
            return;
        };
        for _ in 0..3 {
            let inside: BTreeSet<_> = in_cgroup(&self.name)
                .into_iter()
                .filter(|p| p.pid != child.id())
                .collect();
            if inside.is_empty() {
                break;
            }
            process::kill_all(&inside, KILL_TIMEOUT);
        }
        drop(stdin);
        if let Err(error) = child.wait() {
            report(&format!("the holder of the namespaces: {error}"));
        }
        for problem in remove_place(&self.dir, &self.name, &self.hierarchies) {
            report(&problem);
        }
    }

    fn left_on_host(&self) -> Vec<String> {
        let mut left = Vec::new();
        let text = self.dir.to_string_lossy();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let lines = mounts.lines().filter(|line| line.contains(&*text));
        left.extend(lines.map(|line| format!("mount on the host: {line}")));
        let own = std::process::id();
        let named = |p: &Process| p.pid != own && p.command_line().contains(&*text);
        let processes = process::all().into_iter().filter(named);
        left.extend(
            processes.map(|p| format!("process on the host: {} {}", p.pid, p.command_line())),
        );
        let cgroups = self.hierarchies.iter().map(|h| h.mount.join(&self.name));
        let folders = cgroups
            .chain([self.dir.clone()])
            .filter(|path| path.exists());
        left.extend(folders.map(|path| format!("folder on the host: {}", path.display())));
        left
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes a script. It is run as `sh FILE`: executing a file just written fails with "text file
/// busy" when another thread starts a program at that moment.
fn script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A path as a word of a shell script.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

/// A line for whoever reads the test's output.
#[allow(
    clippy::print_stderr,
    reason = "a test harness speaks to a terminal, not to a log"
)]
pub(crate) fn report(line: &str) {
    eprintln!("harness: {line}");
}
