//! Values for the fields of the three requests, that the tables are tried with.

use super::*;

/// What has to stand beside a field, for it to be meant.
pub(super) fn beside(request: Request, name: &str) -> Vec<(&'static str, Value)> {
    match (request, name) {
        (Request::Libpod | Request::Pod, "restart_tries") => {
            vec![("restart_policy", json!("on-failure"))]
        }
        (Request::Libpod, "resource_limits.memory.swap") => {
            vec![("resource_limits.memory.limit", json!(1_000_000))]
        }
        (Request::Compat, "HostConfig.MemorySwap") => {
            vec![("HostConfig.Memory", json!(1_000_000))]
        }
        (Request::Libpod, "init_container_type") => vec![("pod", json!("p"))],
        (Request::Libpod, "removeImage") => vec![("remove", json!(true))],
        (Request::Libpod, "init_path") => vec![("init", json!(true))],
        (Request::Pod, "pidns") => {
            vec![("shared_namespaces", json!(["ipc", "net", "uts", "pid"]))]
        }
        _ => Vec::new(),
    }
}

/// A value that is carried out, for the rows that say so.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn carried(request: Request, name: &str) -> Value {
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    match last.as_str() {
        "name" | "pod" | "hostname" | "oci_runtime" | "runtime" => json!("other"),
        "image" => json!("alpine"),
        "dependencycontainers" => json!(["other"]),
        "labels" | "annotations" => json!({"a": "b"}),
        "containercreatecommand" | "pod_create_command" | "entrypoint" => {
            json!(["a", "b"])
        }
        "env" if request == Request::Compat => json!(["A=b"]),
        "env" => json!({"A": "b"}),
        "log_configuration" => {
            json!({"driver": "json-file", "size": 5000, "options": {"max-file": "2"}})
        }
        "logconfig" => json!({"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}),
        "restart_policy" | "systemd" => json!("always"),
        "restartpolicy" => json!({"Name": "always"}),
        "stop_signal" | "stopsignal" => json!("SIGUSR1"),
        "init_path" | "base_hosts_file" | "hostsfile" => json!("/x"),
        "personality" => json!({"domain": "LINUX32"}),
        "seccomp_policy" => json!("image"),
        "manage_password" => json!(false),
        "passwd_entry" | "group_entry" => json!("$UID"),
        "chroot_directories" => json!(["/x"]),
        "restart_tries"
        | "stop_timeout"
        | "stoptimeout"
        | "timeout"
        | "health_check_on_failure_action"
        | "healthmaxlogcount"
        | "healthmaxlogsize" => json!(3),
        "image_volume_mode" => json!("tmpfs"),
        "work_dir" | "workingdir" => json!("/srv"),
        "mounts" if request == Request::Compat => {
            json!([{"Type": "bind", "Source": "/srv", "Target": "/w"}])
        }
        "mounts" => json!([{"type": "bind", "source": "/srv", "destination": "/w"}]),
        "volumes" if request == Request::Compat => json!({"/w": {}}),
        "volumes" => json!([{"Name": "v", "Dest": "/w"}]),
        "overlay_volumes" => json!([{"source": "/srv", "destination": "/w", "options": ["O"]}]),
        "image_volumes" => json!([{"Source": "i", "Destination": "/w"}]),
        "volumes_from" | "volumesfrom" => json!(["c:ro"]),
        "binds" => json!(["/srv:/w"]),
        "tmpfs" => json!({"/w": "size=1m"}),
        "groups" | "groupadd" => json!(["5"]),
        "cap_add" | "capadd" => json!(["NET_ADMIN"]),
        "cap_drop" | "capdrop" => json!(["CHOWN"]),
        "seccomp_profile_path" => json!("/p.json"),
        "apparmor_profile" => json!("mine"),
        "selinux_opts" => json!(["type:spc_t", "level:s0"]),
        "mask" => json!(["/data"]),
        "unmask" => json!(["ALL"]),
        "procfs_opts" => json!(["hidepid=2"]),
        "securityopt" => json!([
            "no-new-privileges",
            "seccomp=unconfined",
            "apparmor=unconfined",
            "label=disable",
            "mask=/data",
            "unmask=ALL",
            "proc-opts=hidepid=2"
        ]),
        "devices" if request == Request::Compat => {
            json!([{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}])
        }
        "devices" if name.contains("resource_limits") => {
            json!([{"allow": false, "type": "c", "major": 10, "access": "rw"}])
        }
        "pod_devices" => json!(["/dev/null:/dev/x:r", "vendor.com/class=one"]),
        "security_opt" => json!(["no-new-privileges", "label=disable"]),
        "init_container_type" => json!("once"),
        "resource_limits" => json!({"memory": {"limit": 64_000_000}}),
        "devices" => json!([{"path": "/dev/null:/dev/x:r"}, {"path": "vendor.com/class=one"}]),
        "devicerequests" => json!([{"Driver": "cdi", "DeviceIDs": ["vendor.com/class=one"]}]),
        "r_limits" => json!([{"type": "nofile", "soft": 10, "hard": 20}]),
        "timezone" => json!("Europe/Berlin"),
        "umask" => json!("0027"),
        "secret_env" => json!({"A": "s"}),
        "secrets" => json!([{"Source": "s", "Mode": 292}]),
        "envmerge" => json!(["X=$PATH:/x"]),
        "unsetenv" => json!(["PATH"]),
        "ulimits" => json!([{"Name": "nofile", "Soft": 10, "Hard": 20}]),
        "shm_size_systemd" | "shm_size" | "shmsize" => json!(1_000_000),
        "sysctl" | "sysctls" => json!({"net.ipv4.ip_forward": "1"}),
        "cgroup_parent" | "cgroupparent" => json!("/mine"),
        "netns" | "pidns" | "ipcns" => json!({"nsmode": "host"}),
        "portmappings" => json!([{"container_port": 80, "host_port": 8080}]),
        "portbindings" => json!({"80/tcp": [{"HostPort": "8080"}]}),
        "expose" => json!({"80": "tcp"}),
        "exposedports" => json!({"80/tcp": {}}),
        "networkmode" | "pidmode" | "ipcmode" => json!("host"),
        "hostadd" | "extrahosts" => json!(["a:10.0.0.1"]),
        "dns_server" | "dns" => json!(["10.0.0.2"]),
        "dns_search" | "dns_option" | "dnssearch" | "dnsoptions" => json!(["a.example"]),
        "blockio" => json!({"weight": 100}),
        "weightdevice" => json!({"/dev/loop0": {"weight": 100}}),
        "throttlereadbpsdevice"
        | "throttlewritebpsdevice"
        | "throttlereadiopsdevice"
        | "throttlewriteiopsdevice" => json!({"/dev/loop0": {"rate": 1000}}),
        "blkioweightdevice" => json!([{"Path": "/dev/loop0", "Weight": 100}]),
        "blkiodevicereadbps"
        | "blkiodevicewritebps"
        | "blkiodevicereadiops"
        | "blkiodevicewriteiops" => json!([{"Path": "/dev/loop0", "Rate": 1000}]),
        "swappiness" | "memoryswappiness" | "burst" => json!(30),
        "idle" => json!(1),
        "device_cgroup_rule" => json!([{"allow": true, "type": "c", "major": 10, "access": "rw"}]),
        "devicecgrouprules" => json!(["c 10:* rw"]),
        "hugepagelimits" => json!([{"pageSize": "2MB", "limit": 4_194_304}]),
        "network" => json!({"classID": 5}),
        "rdma" => json!({"mlx5_0": {"hcaHandles": 2}}),
        "unified" => json!({"memory.high": "max"}),
        "limit" if name.contains("pids") => json!(50),
        "limit" | "memory" => json!(64_000_000),
        "swap" | "memoryswap" => json!(-1),
        "cpus" | "mems" | "cpusetcpus" | "cpusetmems" => json!("0"),
        "oom_score_adj" | "oomscoreadj" | "blkioweight" => json!(100),
        "healthconfig" | "healthcheck" | "startuphealthconfig" => json!({"Test": ["CMD", "true"]}),
        "exit_policy" => json!("stop"),
        "shared_namespaces" => json!(["ipc", "net", "uts", "pid"]),
        "nanocpus" => json!(500_000_000),
        "realtimeruntime" | "realtimeperiod" | "cpurealtimeruntime" | "cpurealtimeperiod"
        | "kerneltcp" | "reservation" | "memoryreservation" | "cpu_period" | "cpu_quota"
        | "shares" | "quota" | "period" | "cpushares" | "cpuquota" | "cpuperiod" | "pidslimit" => {
            json!(50_000)
        }
        // the flags
        _ => json!(true),
    }
}

/// What is set beside a field and the value it gets: several where one does not reach all that others reach.
pub(super) fn ways(request: Request, name: &str) -> Vec<(Vec<(&'static str, Value)>, Value)> {
    let alone = |value: Value| (Vec::new(), value);
    match name.to_ascii_lowercase().as_str() {
        "user" => vec![alone(json!("1000:7")), alone(json!("web"))],
        "command" => vec![
            alone(json!(["a"])),
            (vec![("entrypoint", json!(["e"]))], json!(["a"])),
        ],
        "seccomp_profile_path" | "apparmor_profile" => {
            vec![alone(json!("/p.json")), alone(json!("unconfined"))]
        }
        "hostconfig.securityopt" => vec![
            alone(carried(request, name)),
            alone(json!(["seccomp=/p.json", "apparmor=mine"])),
        ],
        "cmd" => vec![
            alone(json!(["a"])),
            (vec![("Entrypoint", json!(["e"]))], json!(["a"])),
        ],
        "netns" | "hostconfig.networkmode" if request != Request::Pod => {
            both(request, name, Vec::new())
        }
        "pidns" | "ipcns" if request == Request::Libpod => {
            both(request, name, vec![("netns", of_another(request))])
        }
        "userns" => userns_ways(request, name),
        "hostconfig.usernsmode" => vec![
            alone(json!("keep-id")),
            (
                vec![("HostConfig.NetworkMode", of_another(request))],
                of_another(request),
            ),
        ],
        "idmappings" => vec![(vec![("userns", json!({"nsmode": "auto"}))], ids())],
        "hostconfig.pidmode" | "hostconfig.ipcmode" => {
            let network = ("HostConfig.NetworkMode", of_another(request));
            both(request, name, vec![network])
        }
        _ => vec![(beside(request, name), carried(request, name))],
    }
}

/// The ids of a user namespace.
fn ids() -> Value {
    let ranges = json!([{"container_id": 0, "host_id": 100_000, "size": 1_000}]);
    json!({"AutoUserNs": true, "AutoUserNsOpts": {"AdditionalUIDMappings": ranges}})
}

fn userns_ways(request: Request, name: &str) -> Vec<(Vec<(&'static str, Value)>, Value)> {
    let mut ways = vec![(Vec::new(), json!({"nsmode": "keep-id"}))];
    if request == Request::Libpod {
        ways.extend(both(request, name, vec![("netns", of_another(request))]).pop());
    }
    ways
}

/// A namespace of the host's, and beside something that of another container.
fn both(
    request: Request,
    name: &str,
    beside_it: Vec<(&'static str, Value)>,
) -> Vec<(Vec<(&'static str, Value)>, Value)> {
    vec![
        (beside(request, name), carried(request, name)),
        (beside_it, of_another(request)),
    ]
}

fn of_another(request: Request) -> Value {
    match request {
        Request::Compat => json!("container:x"),
        Request::Libpod | Request::Pod => json!({"nsmode": "container", "value": "x"}),
    }
}

/// Values of every type, of which those that a field's type can hold ask for something.
pub(super) fn any(request: Request, name: &str) -> Vec<Value> {
    match (request, name) {
        // their parts have rows of their own
        (Request::Libpod, "resource_limits")
        | (Request::Compat, "HostConfig" | "NetworkingConfig") => {
            vec![json!({})]
        }
        (Request::Libpod, "resource_limits.memory.checkBeforeUpdate") => vec![json!(true)],
        _ => vec![
            json!(true),
            json!(7),
            json!("x"),
            json!(["x"]),
            json!({"x": "y"}),
            json!({"x": {}}),
            json!([{"x": "y"}]),
            json!({"80/tcp": [{"HostPort": "80"}]}),
        ],
    }
}

/// Part of the message of a refused field.
pub(super) fn reason(row: &Row) -> &'static str {
    match row.name {
        // Podman's own words, as recorded
        "HostConfig.Links" => "link is not supported",
        _ => row.refused,
    }
}

/// Values that ask for what happens anyway.
pub(super) fn anyway(request: Request, name: &str) -> Vec<Value> {
    let fields = request.table().fields;
    let field = fields.iter().find(|field| field.name == name).unwrap();
    let mut all: Vec<Value> = field
        .defaults
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    all.extend(match last.as_str() {
        "pidns" | "utsns" | "cgroupns" => vec![json!({"nsmode": "private"})],
        "ipcns" => vec![json!({"nsmode": "private"}), json!({"nsmode": "shareable"})],
        "utsmode" | "cgroupnsmode" => vec![json!("private")],
        "networks" => vec![json!({"podman": {}}), json!({"default": {}})],
        "endpointsconfig" => vec![json!({"podman": {}}), json!({"bridge": null})],
        "httpproxy" | "volatile" => vec![json!(true), json!(false)],
        _ => Vec::new(),
    });
    all
}

/// A value that asks for something else; `None` where the type has none.
pub(super) fn otherwise(name: &str) -> Option<Value> {
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    Some(match last.as_str() {
        "httpproxy" | "volatile" => return None,
        "pidns" | "ipcns" | "utsns" | "cgroupns" => {
            json!({"nsmode": "path", "value": "/x"})
        }
        "cgroups_mode" => json!("disabled"),
        "networks" | "endpointsconfig" => json!({"other": {}}),
        "share_parent" => json!(false),
        // words
        _ => json!("other"),
    })
}

/// A value that a row refuses although it carries others out, and what stands beside it.
pub(super) fn not_carried(request: Request, name: &str) -> (Value, Vec<(&'static str, Value)>) {
    let last = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
    let value = match last.as_str() {
        "envmerge" => json!(["A='b'"]),
        "image_volume_mode" => json!("ignore"),
        "log_configuration" => json!({"driver": "journald"}),
        "logconfig" => json!({"Config": {"tag": "x"}}),
        "mounts" if request == Request::Compat => {
            json!([{"Type": "npipe", "Source": "x", "Target": "/w"}])
        }
        "mounts" => {
            json!([{"type": "bind", "source": "/srv", "destination": "/w", "options": ["no-dereference"]}])
        }
        "volumes" => json!([{"Name": "v", "Dest": "/w", "Options": ["no-dereference"]}]),
        "overlay_volumes" => {
            json!([{"source": "/srv", "destination": "/w", "options": ["no-dereference"]}])
        }
        "binds" => json!(["/srv:/w:no-dereference"]),
        "groups" => json!(["keep-groups"]),
        "blockio" => json!({"leafWeight": 100}),
        "cap_add" => return (json!(["NET_ADMIN"]), vec![("user", json!("1000"))]),
        "capadd" => return (json!(["NET_ADMIN"]), vec![("User", json!("1000"))]),
        "seccomp_profile_path" => {
            return (json!("/p.json"), vec![("privileged", json!(true))]);
        }
        "portmappings" => json!([{"container_port": 80, "host_ip": "::1"}]),
        "portbindings" => json!({"80/tcp": [{"HostIp": "::1"}]}),
        "securityopt" | "security_opt" => json!(["label=filetype:usr_t"]),
        "resource_limits" => json!({"blockIO": {"leafWeight": 100}}),
        "apparmor_profile" => return (json!("mine"), vec![("privileged", json!(true))]),
        "selinux_opts" => json!(["filetype:usr_t"]),
        "mask" => return (json!(["/data"]), vec![("privileged", json!(true))]),
        "devicerequests" => json!([{"Driver": "nvidia", "Count": -1}]),
        "sysctl" | "shm_size" | "cgroup_parent" => {
            return (carried(request, name), vec![("pod", json!("p"))]);
        }
        "userns" if request == Request::Pod => {
            return (json!({"nsmode": "auto"}), vec![("no_infra", json!(true))]);
        }
        "netns" => json!({"nsmode": "slirp4netns"}),
        "pidns" | "ipcns" | "userns" => json!({"nsmode": "path", "value": "/x"}),
        "idmappings" => json!({"AutoUserNs": true}),
        "networkmode" => json!("slirp4netns"),
        "pidmode" | "ipcmode" | "usernsmode" => json!("ns:/x"),
        "hostname" if request == Request::Compat => {
            return (json!("a"), vec![("HostConfig.NetworkMode", json!("host"))]);
        }
        "hostname" => return (json!("a"), vec![("netns", json!({"nsmode": "host"}))]),
        "shared_namespaces" => json!(["ipc", "net", "uts", "cgroup"]),
        _ => carried(request, name),
    };
    (value, Vec::new())
}
