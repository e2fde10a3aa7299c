//! Processes of a container, as the kernel of this host shows them, or that of the container's virtual machine.

use jiff::Timestamp;

/// Every process of a container at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// By their numbers.
    pub list: Vec<Process>,
    /// When they were looked at.
    pub taken_at: Timestamp,
    /// Unix seconds at which that kernel was started; times of processes count from there.
    pub booted_at: i64,
    /// Clock ticks in a second, the unit of processes' times.
    pub ticks_per_second: u64,
    /// Bytes of that kernel's memory.
    pub memory_bytes: u64,
    /// The container numbers its processes itself, beside this host's numbers; else it sees this host's, or they are none here.
    pub own_numbers: bool,
}

/// One process. Its numbers are those inside of the container, and 0 for a process outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub ppid: i32,
    /// That of its process group.
    pub pgid: i32,
    /// That of its session.
    pub sid: i32,
    /// It leads its session.
    pub leads_session: bool,
    /// Its group is in the foreground of its terminal.
    pub in_foreground: bool,
    /// Its terminal as the container's `/dev` has it (`pts/0`); none where it has none there.
    pub terminal: Option<String>,
    /// Name of the program, 15 bytes at most.
    pub name: String,
    /// Arguments, the program's name first; none for a zombie.
    pub arguments: Vec<String>,
    /// The kernel's letter: `S`, `R`, `Z`, …
    pub state: char,
    /// Who it is, by the container's accounts.
    pub inside: Identity,
    /// Who it is on the host.
    pub host: HostIdentity,
    /// Clock ticks of processor time, in user and kernel mode.
    pub used_ticks: u64,
    /// Clock ticks from the host's start to the process's.
    pub started_ticks: u64,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Threads.
    pub threads: u32,
    /// Bytes of address space.
    pub virtual_bytes: u64,
    /// KiB in memory.
    pub resident_kib: u64,
    /// KiB locked in memory.
    pub locked_kib: u64,
    /// The kernel's number of its seccomp mode; none where it was built without.
    pub seccomp: Option<u8>,
    /// Its capabilities.
    pub capabilities: CapabilitySets,
    /// Its security label; none where the kernel has none.
    pub label: Option<String>,
}

/// Who a process is inside of its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Effective user.
    pub user: Account,
    /// Real user.
    pub real_user: Account,
    /// Effective group.
    pub group: Account,
    /// Real group.
    pub real_group: Account,
    /// Supplementary groups.
    pub groups: Vec<Account>,
}

/// Who a process is on the host; in a virtual machine, for that one's kernel, by the container's accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostIdentity {
    /// Its number there.
    pub pid: i32,
    /// Effective user.
    pub user: Account,
    /// Real user.
    pub real_user: Account,
    /// Effective group.
    pub group: Account,
    /// Real group.
    pub real_group: Account,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// A user or a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: u32,
    /// Its name, or the number as text where it has none.
    pub name: String,
}

/// Sets of capabilities, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    /// Inheritable.
    pub inheritable: u64,
    /// Permitted.
    pub permitted: u64,
    /// Effective.
    pub effective: u64,
    /// Bounding.
    pub bounding: u64,
    /// Ambient.
    pub ambient: u64,
}
