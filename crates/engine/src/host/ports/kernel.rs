//! One question to the kernel's nftables, by netlink: is there this table? A process for it (`nft list table`) takes
//! milliseconds, and this is asked every time the loop looks; a message takes some 10 µs (measured).

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink as kernel, recv, send,
    socket_with,
};

use crate::host::netlink;

/// `NFNL_SUBSYS_NFTABLES` and in it `NFT_MSG_NEWTABLE`, the answer, and `NFT_MSG_GETTABLE`, the question.
const NEW_TABLE: u16 = 10 << 8;
const GET_TABLE: u16 = NEW_TABLE | 1;
/// `NFPROTO_INET`.
const INET: u8 = 1;
/// `NFTA_TABLE_NAME`.
const TABLE_NAME: u16 = 1;
/// Bytes of an answer; a table's are some 100.
const ANSWER_MAX: usize = 4096;

/// Whether the table `inet NAME` is there.
///
/// # Errors
/// The kernel's; an answer that is none to this question is `EBADMSG`.
pub(super) fn has_table(name: &str) -> Result<bool, Errno> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(kernel::NETFILTER),
    )?;
    send(&socket, &question(name), SendFlags::empty())?;
    let mut answer = [0_u8; ANSWER_MAX];
    // the kernel answers while it takes the question, so nothing is waited for
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    read(answer.get(..length).unwrap_or_default())
}

/// The message: family, version and resource, then the name.
fn question(name: &str) -> Vec<u8> {
    let named = netlink::name(TABLE_NAME, name);
    netlink::message(GET_TABLE, netlink::REQUEST, &[INET, 0, 0, 0], &named)
}

fn read(answer: &[u8]) -> Result<bool, Errno> {
    match netlink::answered(answer) {
        Ok(NEW_TABLE) => Ok(true),
        Ok(_) => Err(Errno::BADMSG),
        Err(Errno::NOENT) => Ok(false),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::netlink::{ERROR, HEADER};

    fn refusal(code: i32) -> Vec<u8> {
        let mut answer = vec![0; HEADER];
        answer[4..6].copy_from_slice(&ERROR.to_ne_bytes());
        answer.extend(code.to_ne_bytes());
        answer
    }

    #[test]
    fn the_kernels_answer_is_read() {
        let mut table = vec![0; HEADER];
        table[4..6].copy_from_slice(&NEW_TABLE.to_ne_bytes());
        assert_eq!(read(&table), Ok(true));
        assert_eq!(read(&refusal(-2)), Ok(false));
        assert_eq!(read(&refusal(-1)), Err(Errno::PERM));
        assert_eq!(read(&refusal(0)), Err(Errno::BADMSG));
        assert_eq!(read(&refusal(i32::MIN)), Err(Errno::BADMSG));
        for odd in [&[][..], &[1; 5], &[0; 20], &refusal(-2)[..HEADER]] {
            assert_eq!(read(odd), Err(Errno::BADMSG), "{odd:?}");
        }
    }
}
