//! The program of a sandbox's own container: it sleeps, reaps, and ends on SIGTERM or SIGINT.
//!
//! No registry and no compiler is at hand where a private runtime starts, so on `x86_64` the
//! program is written here as it is (221 bytes; a few KiB of memory when it runs). Elsewhere a
//! busybox shell does the same.

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// The ELF header and one program header.
const HEADERS: u64 = 64 + 56;

/// Its instructions for `x86_64`:
///
/// ```text
/// block SIGINT, SIGTERM and SIGCHLD      rt_sigprocmask(SIG_BLOCK, set, 0, 8)
/// 1: wait for one of them                rt_sigtimedwait(set, 0, 0, 8)
///    SIGCHLD: reap all, then 1           wait4(-1, 0, WNOHANG, 0) while > 0
///    EINTR: 1
///    else end                            exit(0)
/// set: .quad 0x14002
/// ```
const X86_64: [u8; 0x65] = [
    0xb8, 0x0e, 0x00, 0x00, 0x00, // mov $14, %eax          rt_sigprocmask
    0x31, 0xff, // xor %edi, %edi
    0x48, 0x8d, 0x35, 0x4f, 0x00, 0x00, 0x00, // lea set(%rip), %rsi
    0x31, 0xd2, // xor %edx, %edx
    0x41, 0xba, 0x08, 0x00, 0x00, 0x00, // mov $8, %r10d
    0x0f, 0x05, // syscall
    0xb8, 0x80, 0x00, 0x00, 0x00, // 1: mov $128, %eax      rt_sigtimedwait
    0x48, 0x8d, 0x3d, 0x39, 0x00, 0x00, 0x00, // lea set(%rip), %rdi
    0x31, 0xf6, // xor %esi, %esi
    0x31, 0xd2, // xor %edx, %edx
    0x41, 0xba, 0x08, 0x00, 0x00, 0x00, // mov $8, %r10d
    0x0f, 0x05, // syscall
    0x83, 0xf8, 0x11, // cmp $17, %eax                      SIGCHLD
    0x74, 0x0e, // je 2f
    0x83, 0xf8, 0xfc, // cmp $-4, %eax                      EINTR
    0x74, 0xde, // je 1b
    0x31, 0xff, // xor %edi, %edi
    0xb8, 0x3c, 0x00, 0x00, 0x00, // mov $60, %eax          exit
    0x0f, 0x05, // syscall
    0xb8, 0x3d, 0x00, 0x00, 0x00, // 2: mov $61, %eax       wait4
    0x83, 0xcf, 0xff, // or $-1, %edi
    0x31, 0xf6, // xor %esi, %esi
    0xba, 0x01, 0x00, 0x00, 0x00, // mov $1, %edx
    0x45, 0x31, 0xd2, // xor %r10d, %r10d
    0x0f, 0x05, // syscall
    0x85, 0xc0, // test %eax, %eax
    0x7f, 0xe8, // jg 2b
    0xeb, 0xbb, // jmp 1b
    0x02, 0x40, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, // set: .quad 0x14002
];

/// The program for this machine, where there is one.
pub(crate) fn program() -> Option<Vec<u8>> {
    cfg!(target_arch = "x86_64").then(|| elf(&X86_64, 62))
}

/// What a busybox shell is told where there is none.
pub(crate) const SHELL: &str = "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done";

/// An ELF program of one segment.
fn elf(code: &[u8], machine: u16) -> Vec<u8> {
    let size = HEADERS + u64::try_from(code.len()).unwrap_or_default();
    let mut out = Vec::new();
    out.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    out.extend(2_u16.to_le_bytes()); // an executable
    out.extend(machine.to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    out.extend((BASE + HEADERS).to_le_bytes()); // starts here
    out.extend(64_u64.to_le_bytes()); // program headers follow
    out.extend(0_u64.to_le_bytes()); // no sections
    out.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        out.extend(half.to_le_bytes());
    }
    out.extend(1_u32.to_le_bytes()); // loaded
    out.extend(5_u32.to_le_bytes()); // readable, executable
    for word in [0, BASE, BASE, size, size, 0x1000] {
        out.extend(word.to_le_bytes());
    }
    out.extend_from_slice(code);
    out
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt, process::Command, thread, time::Duration};

    #[test]
    fn it_sleeps_until_it_is_told_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pause");
        fs::write(&file, program().unwrap()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new(&file).spawn().unwrap();
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .unwrap();
        thread::sleep(Duration::from_millis(50));
        rustix::process::kill_process(pid, rustix::process::Signal::CHILD).unwrap();
        thread::sleep(Duration::from_millis(50));
        assert!(
            child.try_wait().unwrap().is_none(),
            "SIGCHLD does not end it"
        );
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
