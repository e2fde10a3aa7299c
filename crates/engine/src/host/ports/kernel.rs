//! One question to the kernel's nftables, by netlink: is there this table? A process for it (`nft list table`) takes
//! milliseconds, and this is asked every time the loop looks; a message takes some 10 µs (measured).

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// `NFNL_SUBSYS_NFTABLES` and in it `NFT_MSG_NEWTABLE`, the answer, and `NFT_MSG_GETTABLE`, the question.
const NEW_TABLE: u16 = 10 << 8;
const GET_TABLE: u16 = NEW_TABLE | 1;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `NLMSG_ERROR`: a negated number of an error follows.
const ERROR: u16 = 2;
/// The lowest of them (`MAX_ERRNO`).
const ERRORS: i32 = -4095;
/// `NFPROTO_INET`.
const INET: u8 = 1;
/// `NFTA_TABLE_NAME`.
const TABLE_NAME: u16 = 1;
/// Bytes of a message's header (`nlmsghdr`), and of an attribute's.
const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
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
        Some(netlink::NETFILTER),
    )?;
    send(&socket, &question(name), SendFlags::empty())?;
    let mut answer = [0_u8; ANSWER_MAX];
    // the kernel answers while it takes the question, so nothing is waited for
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    read(answer.get(..length).unwrap_or_default())
}

/// The message, its parts padded to four bytes; numbers are the machine's.
fn question(name: &str) -> Vec<u8> {
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    let of_attribute = short(ATTRIBUTE_HEADER + text.len());
    text.resize(text.len().next_multiple_of(4), 0);
    // family, version, resource
    let subsystem = [INET, 0, 0, 0];
    let length = HEADER + subsystem.len() + ATTRIBUTE_HEADER + text.len();
    let mut message = Vec::with_capacity(length);
    message.extend(u32::from(short(length)).to_ne_bytes());
    message.extend(GET_TABLE.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]); // sequence, port
    message.extend(subsystem);
    message.extend(of_attribute.to_ne_bytes());
    message.extend(TABLE_NAME.to_ne_bytes());
    message.extend(text);
    message
}

/// A table's name is short.
fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn read(answer: &[u8]) -> Result<bool, Errno> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
    match kind.map(u16::from_ne_bytes) {
        Some(NEW_TABLE) => Ok(true),
        Some(ERROR) => {
            let code = answer.get(HEADER..HEADER + 4);
            let code = code.and_then(|bytes| bytes.try_into().ok());
            match code.map_or(0, i32::from_ne_bytes) {
                code @ ERRORS..0 => match Errno::from_raw_os_error(-code) {
                    Errno::NOENT => Ok(false),
                    other => Err(other),
                },
                _ => Err(Errno::BADMSG),
            }
        }
        _ => Err(Errno::BADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_question_has_its_length_and_whole_words() {
        for name in ["t", "podman_cri_0123456789ab", "abc"] {
            let message = question(name);
            assert_eq!(message.len() % 4, 0);
            assert_eq!(
                message[..4],
                u32::try_from(message.len()).unwrap().to_ne_bytes()
            );
            assert_eq!(message[24..24 + name.len()], *name.as_bytes());
        }
    }
}
