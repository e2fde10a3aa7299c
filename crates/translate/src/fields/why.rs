//! Reasons and remarks that several rows share, or that a refusal beside the tables gives too.

/// Why a field without a way of its own is refused.
pub(crate) const NOT_YET: &str = "it is not carried out yet; leave it out";
/// Of artifacts as mounts.
pub(crate) const ARTIFACTS: &str = "containerd has no artifacts, and CRI-O tells of none which files it has: neither Podman's choice of one nor its name can be made";
/// The host's address `::1` of a published port.
pub(crate) const LOOPBACK_V6: &str = "Linux routes nothing from ::1 to a container; publish on 127.0.0.1, or on an address of the host";
/// How a health check is carried out, in both bodies.
pub(super) const HEALTH_CHECK: &str = "the daemon runs it by CRI's ExecSync, and no more often than once a second; the runtime ends one that takes too long, in \
     whole seconds; 16 run at once";
pub(crate) const HEALTH_LOG: &str =
    "what health checks said is kept with the record (local), and nowhere else";
/// Of what the gate would do.
pub(crate) const NO_GATE: &str =
    "CRI has no field for it, and the program that does it before the command lies below /dev";
pub(super) const POD_SHM: &str =
    "the containers of a pod share one /dev/shm; give the size to the pod";
pub(super) const HOST_DEVICES: &str =
    "Podman fills it in by itself; name the devices, or use a privileged container";
/// Of a device of the Container Device Interface.
pub(crate) const CDI_DEVICES: &str = "CRI-O looks them up; containerd 1.6 does not, and whether a later one does cannot be seen: name the device's nodes";
pub(crate) const DEVICE_REQUESTS: &str = "devices are requested by the driver cdi and their names (DeviceIDs: VENDOR/CLASS=NAME), and no other way";
pub(super) const NETWORKS: &str = "there is the runtime's default network (bridge), the host's, none, and for a container another one's, and no other yet";
/// Of a network namespace by its path.
pub(crate) const NETNS_PATH: &str = "CRI takes no namespace by its path: the runtime makes the sandbox's own, and takes it down with what CNI has put into it";
/// Of what is asked for beside `container:x`.
pub(crate) const OF_THE_JOINED: &str = "it is the sandbox's, which is that of the container whose namespaces are joined; ask for it there";
pub(super) const HOST_USERS: &str = "CRI runtimes look the user up in the image's files, which have no account of the host's; give the user by number, with passwd_entry";
/// Of user namespaces.
pub(crate) const USERNS: &str = "CRI makes a sandbox a user namespace of given ids and takes none that is there: host, private, auto, keep-id and that of a container whose network is joined";
/// Of a runtime that tells no features.
pub(crate) const USERNS_OF_RUNTIME: &str = "this runtime does not tell whether it makes user namespaces, as containerd 2 and CRI-O do (features in its Status)";
/// Of containerd from 2 on.
pub(crate) const USERNS_OF_CONTAINERD: &str = "containerd maps the owners of an image's files where it mounts them, which the daemon, that reads and writes layers beside it, does not do";
/// Of CRI-O before 1.25.
pub(crate) const USERNS_OF_OLD_CRIO: &str = "CRI-O before 1.25 does not read userns_options: the container would be in the host's user namespace";
/// Of a handler that cannot.
pub(crate) const USERNS_OF_HANDLER: &str = "the runtime says that this handler makes none (user_namespaces in its Status): its OCI runtime has to map the ids of mounts, as runc from 1.2 and crun from 1.9 on do";
/// Of mounts whose ids are mapped.
pub(crate) const IDMAP_OF_HANDLER: &str = "the runtime says that this handler maps no ids of mounts (user_namespaces in its Status), as runc from 1.2 and crun from 1.9 on do";
/// Of namespaces of the host beside a user namespace.
pub(crate) const USERNS_OF_HOST: &str = "the kernel lets it mount neither /proc nor /dev/mqueue of the host's, and CRI runtimes bind neither; leave one of both out";
/// Of devices in a user namespace.
pub(crate) const USERNS_DEVICES: &str = "no nodes are made in it: the OCI runtime binds that of the host's at the same path; name the same path";
/// Of more than one range.
pub(crate) const SEVERAL_RANGES: &str = "no runtime but CRI-O is known to take more than one range of users and one of groups; give one of each";
/// Of user namespaces of sandboxes that are virtual machines.
pub(super) const VM_USERNS: &str = "the VM has a kernel of its own; not tried";
/// Of ids without a namespace for them.
pub(crate) const IDS_WITHOUT_USERNS: &str =
    "ids are those of a user namespace; ask for one (userns private or auto)";
/// Of a user namespace of a pod without infra.
pub(crate) const POD_USERNS: &str =
    "it would be the infra container's, which the others are in with it";
pub(super) const PID_MODE: &str = "a container has a PID namespace of its own, the host's, or with the network of another container that one's; in a pod what the pod says, or that of another container of it; and no other yet";
pub(super) const IPC_MODE: &str = "the IPC namespace is the sandbox's, which is with the network of another container that one's, or the host's, in a pod the pod's, and no other yet";
pub(super) const POD_PID_MODE: &str = "the containers of a pod have PID namespaces of their own or share one, which may be the host's, and no other is carried out yet";
/// Of the host's PID namespace for a pod that does not share it.
pub(crate) const POD_HOST_PID: &str =
    "only the containers that share it would be there; share pid too, or leave it out";
pub(super) const POD_IPC_MODE: &str = "the containers of a pod share an IPC namespace or are in the host's, and no other is carried out yet";
pub(super) const UTS_MODE: &str = "CRI has no field for it: the UTS namespace is the sandbox's, which is with the network of another container that one's, and with the host's network the host's";
pub(super) const CGROUPS: &str = "CRI has no field for it: a runtime makes a cgroup for each container where it makes all of them";
pub(super) const CGROUP_NAMESPACE: &str = "CRI has no field for it: runtimes give a cgroup namespace of its own with cgroup v2, and the host's with v1";
pub(super) const POD_CGROUPS: &str =
    "a container in a pod lies in the pod's cgroup; give the parent to the pod";
pub(super) const POD_SYSCTLS: &str =
    "sysctls belong to the sandbox, which is the pod's; give them to the pod";
/// Of the label of files.
pub(crate) const SELINUX_FILES: &str =
    "CRI has labels of processes alone (disable, user, role, type, level)";
pub(super) const LABEL_NESTED: &str = "CRI has no field for it; use label=disable, or a type";
/// Of hidden paths of a privileged container.
pub(crate) const PRIVILEGED_MASK: &str = "CRI runtimes hide nothing from a privileged container";
/// Of `envmerge`.
pub(crate) const MERGED: &str = "quotes, backslashes and what stands in another variable's place but - and + are not carried out; give the variable with its value";
pub(super) const ROOTFS: &str =
    "CRI makes a container's root of an image's layers, and of no folder; commit or build an image";
pub(super) const LOGS: &str = "the log is a file (k8s-file, json-file; max-size, max-file) or none, and no other driver, path or option is carried out";
pub(super) const NO_CONMON: &str =
    "there is neither conmon nor systemd between daemon and container";
pub(super) const INFRA: &str = "the sandbox is the runtime's own, and so is its image";
/// Of another platform than the host's, in pulls too.
pub const PLATFORM: &str = "CRI pulls and runs images of the host's platform alone";
/// Of a file below `/etc` that Podman does not make then.
pub(super) const OF_IMAGE: &str =
    "what the image has there is bound over what the runtime makes; empty where it has none";
/// How a user comes into files that CRI-O makes.
pub(super) const BOUND_ENTRIES: &str =
    "CRI-O binds such files itself: there the daemon's are bound, and are in no commit";
/// How a limit is carried out that CRI has no field for.
pub(super) const BY_CGROUP: &str = "written into the container's control group while the gate holds the command; refused where the kernel has no file for it";
/// The same of what Podman leaves out with a warning where it cannot be.
pub(super) const OF_V1: &str = "written into the container's control group while the gate holds the command; left out with a warning with cgroup v2, \
     which has none; refused where another kernel has no file for it";
/// Of weights of leaves.
pub(crate) const BLOCK_LEAVES: &str =
    "no kernel has weights of leaves any more (leafWeight); give the weight";
/// Of all limits of a pod.
pub(super) const POD_LIMITS: &str = "files of the control group that the pod's containers lie in, written before the first of them is made; rules of \
     devices (devices) are refused: the groups of the pod's containers lie below it; give the rules to each container";
/// Of rules of devices: the kernel takes none for all devices where groups lie below.
pub(crate) const POD_DEVICE_RULES: &str =
    "the groups of the pod's containers lie below it; give the rules to each container";
pub(super) const KERNEL_MEMORY: &str =
    "kernels from 5.4 on have no such limit, although they show its file; use the memory limit";
pub(super) const STORAGE: &str =
    "CRI has no options of a container's storage; set them in the runtime's configuration";
pub(super) const OF_4_3: &str = "only Podman 4.3 knows it; use resource_limits.cpu";

/// Of a group that is not a number.
pub(crate) const GROUP_NAMES: &str =
    "CRI takes numbers only, and this runtime does not show the image's /etc/group";
/// Of `keep-groups`.
pub(crate) const KEEP_GROUPS: &str = "the daemon's groups are not the user's; name them";
/// Of added capabilities for another user than root.
pub(crate) const AMBIENT: &str =
    "CRI runtimes give added capabilities to root alone, for they set no ambient ones";
/// Of a privileged container of another user on CRI-O.
pub(crate) const PRIVILEGED_USER: &str =
    "CRI-O would give that user all capabilities, which Podman does not";
/// Of profiles of a privileged container.
pub(crate) const PRIVILEGED_PROFILES: &str = "not every CRI runtime applies one to a privileged container; name the capabilities and devices instead of privileged";
/// Of a host name beside the host's network.
pub(crate) const HOST_NAME: &str =
    "CRI takes the host name from the host together with its network";
/// Of types of mounts.
pub(crate) const MOUNT_TYPES: &str = "glob is a word of Podman's client, which finds the paths itself, npipe is Windows' and cluster is swarm's; name each path";
/// Of options of mounts.
pub(crate) const MOUNT_OPTIONS: &str = "CRI mounts read-only or not, with a propagation and a label, and what its source leads to; what the host can do beforehand is done, and no other option";
/// Of `SecurityOpt`.
pub(crate) const SECURITY_OPT: &str = "CRI has labels of processes alone, none of files";
/// Of `image_volume_mode=ignore`.
pub(crate) const IGNORED_VOLUMES: &str =
    "containerd mounts a folder of its own there; name a mount for each path";
/// Of hidden paths of a whole pod.
pub(crate) const POD_MASKS: &str =
    "Podman gives them to the infra container alone; give them to each container";
/// Of the namespaces of a pod.
pub(crate) const SHARED: &str =
    "CRI shares ipc, net, uts and pid among the containers of a pod, and no other";

pub(super) const VM_FOLDERS: &str =
    "a local VM shares the host's folder; a remote one (peer pod) does not have it";
pub(super) const VM_TMPFS: &str =
    "memory of the host behind a shared folder; a remote VM does not have it";
pub(super) const VM_FILES: &str =
    "a file of the host: a VM without shared folders gets a copy at start and sees no later change";
pub(super) const VM_SIZE: &str =
    "limits inside the VM; its size comes from the handler's configuration";
pub(super) const VM_SIGNALS: &str = "signals that the daemon sends by process id do not reach a VM";
pub(super) const VM_LAYER: &str = "what the container wrote is lost when it starts again";
pub(super) const VM_NETWORK: &str =
    "the VM has a kernel of its own: the host's network is not there";
pub(super) const VM_SECCOMP: &str =
    "only where the handler's configuration has seccomp in the guest on";
pub(super) const VM_DEVICES: &str = "the VM's devices, not the host's";
pub(super) const VM_IMAGE: &str = "where the guest pulls, it pulls from the registry: an image that only the host has is not found";
pub(super) const VM_CONTROL_GROUPS: &str =
    "refused at the start: the control groups of what runs in it are the guest's";
pub(super) const VM_SYSTEMD: &str =
    "refused at the start: the control group that systemd writes to is the guest's";
pub(super) const VM_CGROUPS: &str = "the cgroup of the VM, not of what runs in it";
pub(super) const VM_NAMESPACES: &str =
    "the VM has a kernel of its own: the host's namespace is not there";
pub(super) const VM_MAC: &str = "not applied where the guest has none";
