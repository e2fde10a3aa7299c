//! What a container sees of itself, as text in sections.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};
use conformance::{
    Http, Lab, frames,
    scenario::{Api, IMAGE, LIBPOD, eventually, next_folder},
};
use serde_json::{Value, json};

/// Where the container finds `/etc` of its host.
const HOST_ETC: &str = "/host-etc";

/// Where it finds the shared memory of its host.
const HOST_SHM: &str = "/host-shm";

/// Run by the container.
const SCRIPT: &str = r#"
section() { echo "== $*"; }
section hosts; cat /etc/hosts
section hosts of the host; cat /host-etc/hosts
section resolv.conf; cat /etc/resolv.conf
section resolv.conf of the host; cat /host-etc/resolv.conf
section hostname file; cat /etc/hostname
section hostname of the host; cat /host-etc/hostname
section hostname; hostname
section address; ip -o -4 address show dev eth0 2>/dev/null | sed 's/.* inet //; s,/.*,,'
section links; sed -n 's/ *\([^ ]*\):.*/\1/p' /proc/net/dev | sort
section at the loopback; grep "^127.0.0.1.*$(hostname) " /etc/hosts
section gateway; ip route 2>/dev/null | sed -n 's/^default via \([^ ]*\) .*/\1/p'
section way out; ip route get 198.51.100.1 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p'
section user; echo "$(id -u):$(id -g)"; pwd
section groups; id -G
section process; sed -n -E 's/^((Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):)\t/\1 /p' /proc/self/status
section first; [ "$(tr '\0\n' '  ' < /proc/1/cmdline | cut -c 1-5)" = "sh -c" ] && echo pid 1
section readable
for path in /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi \
    /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap /sys/firmware /sys/fs/selinux; do
  if [ -d $path ]; then [ -z "$(ls -A $path)" ] || echo $path
  elif [ -e $path ]; then [ -z "$(head -c 1 $path 2>/dev/null | od -A n -t x1)" ] || echo $path
  fi
done
section writable
for path in /probe /tmp/probe /run/probe /var/tmp/probe /dev/shm/probe; do
  mkdir -p "${path%/*}" 2>/dev/null; touch $path 2>/dev/null && echo "${path%/*}"
done
for path in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/default_smp_affinity; do
  [ -e $path ] && (cat $path > $path) 2>/dev/null && echo $path
done
section devices; ls /dev
section shared memory; df -k /dev/shm | awk 'NR == 2 { print $2 }'
section allowed
unshare -m true 2>/dev/null && echo unshare
mkdir -p /tmp/mnt; mount -t tmpfs none /tmp/mnt 2>/dev/null && echo mount && umount /tmp/mnt
mknod /tmp/node b 1 1 2>/dev/null && echo mknod
chroot / true 2>/dev/null && echo chroot
chown 1:1 /tmp/probe 2>/dev/null && echo chown
ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1 && echo ping
section limits
first() { for path; do [ -e $path ] && cat $path && return; done; }
c=/sys/fs/cgroup
first $c/memory.max $c/memory/memory.limit_in_bytes
first $c/cpu.max $c/cpu/cpu.cfs_quota_us
section init; [ "$(tr '\0\n' '  ' < /proc/1/cmdline | cut -c 1-25)" = "/run/podman-init -- sh -c" ] && echo child of $PPID
section zone; date +%Z; [ -f /etc/localtime ] && echo by its file
section umask; umask
section few files; [ "$(ulimit -Hn)" -le 200 ] 2>/dev/null && ulimit -n && ulimit -Hn
section environment; env | grep -v -E '^(HOME|SHLVL|OLDPWD|PWD|container)=' | sort
section hidden; for path in /proc/keys /sys/firmware /home; do grep -q " $path " /proc/mounts && echo $path; done
section given; for path in /dev/given/* /dev/given-*; do [ -c $path ] && echo ${path#/dev/}; done
section opened
if [ -c /dev/given-fuse ]; then
  (exec 3< /dev/given-fuse) 2>/dev/null && echo to read
  (exec 3>> /dev/given-fuse) 2>/dev/null && echo to write
fi
section kernel parameters; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/fs/mqueue/msg_max
section shared with the host; [ "$(stat -c %d /dev/shm)" = "$(stat -c %d /host-shm)" ] && echo memory
section end
"#;

/// The sections by their names.
pub(crate) type Seen = BTreeMap<String, String>;

/// Where a looker is made: the daemon under test, or a real Podman.
pub(crate) enum Place<'a> {
    Here(&'a Lab),
    Podman(&'a Http),
}

impl Place<'_> {
    pub(crate) fn api(&self) -> Api {
        match self {
            Self::Here(lab) => Api::new(lab.http()),
            Self::Podman(http) => Api::new((*http).clone()),
        }
    }

    /// What a container made with these fields sees; its id comes with it.
    pub(crate) async fn look(&self, name: &str, fields: &Value) -> Result<(String, Seen)> {
        let api = self.api();
        let mut body = json!({ "name": name, "image": IMAGE });
        let etc =
            json!({ "type": "bind", "source": "/etc", "destination": HOST_ETC, "options": ["ro"] });
        let shm = json!({ "type": "bind", "source": "/dev/shm", "destination": HOST_SHM, "options": ["ro"] });
        let mut mounts = vec![etc, shm];
        let mut script = SCRIPT.to_owned();
        let out = match self {
            Self::Here(lab) => Some(next_folder(&lab.host)?),
            Self::Podman(_) => None,
        };
        if let Some(out) = &out {
            mounts.push(json!({ "type": "bind", "source": out, "destination": "/out" }));
            fs::set_permissions(out, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
            script = format!("{{ {SCRIPT} }} > /out/.seen; mv /out/.seen /out/seen");
        }
        if let (Some(body), Some(fields)) = (body.as_object_mut(), fields.as_object()) {
            body.extend(fields.clone());
        }
        body["command"] = json!(["sh", "-c", script]);
        body["mounts"] = json!(mounts);
        let seen = async {
            let id = api.create(&body).await?;
            api.start(name).await?;
            ensure!(api.wait(name).await? == 0, "the looker failed");
            let text = match &out {
                Some(out) => fs::read_to_string(out.join("seen")).context("what it saw")?,
                None => logged(&api, name).await?,
            };
            Ok((id, sections(&text)))
        };
        let seen = seen.await;
        api.remove(name).await?;
        seen
    }
}

/// What a container of Podman has said.
async fn logged(api: &Api, name: &str) -> Result<String> {
    let path = format!("{LIBPOD}/containers/{name}/logs?stdout=true");
    eventually("its output", async || {
        let answer = api.http.get(&path).await?.expect(200)?;
        let text = frames::text(&answer.body)?;
        ensure!(text.contains("== end"), "not all is there: {text}");
        Ok(text)
    })
    .await
}

fn sections(text: &str) -> Seen {
    let mut seen = Seen::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("== ") {
            next.clone_into(&mut name);
            continue;
        }
        let section = seen.entry(name.clone()).or_default();
        section.push_str(line);
        section.push('\n');
    }
    seen
}
