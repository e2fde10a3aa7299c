//! Messages of netlink, one question and its answer. Numbers are the machine's.

use rustix::io::Errno;

/// `NLM_F_REQUEST`.
pub(super) const REQUEST: u16 = 1;
/// `NLM_F_ACK`: there is an answer where nothing is asked.
pub(super) const ACK: u16 = 4;
/// `NLM_F_CREATE` and `NLM_F_EXCL`: there is to be none yet.
pub(super) const CREATE: u16 = 0x600;
/// `NLMSG_ERROR`: a negated number of an error follows, or 0 for none.
pub(super) const ERROR: u16 = 2;
/// The lowest of them (`MAX_ERRNO`).
const ERRORS: i32 = -4095;
/// Bytes of a message's header (`nlmsghdr`), and of an attribute's.
pub(super) const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;

/// A message, its parts padded to four bytes; `fixed` is what stands before the attributes.
pub(super) fn message(kind: u16, flags: u16, fixed: &[u8], attributes: &[u8]) -> Vec<u8> {
    let length = HEADER + fixed.len() + attributes.len();
    let mut message = Vec::with_capacity(length);
    message.extend(u32::from(short(length)).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]); // sequence, port
    message.extend(fixed);
    message.extend(attributes);
    message
}

/// An attribute, padded to four bytes; its value may be attributes.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = ATTRIBUTE_HEADER + value.len();
    let mut attribute = Vec::with_capacity(length.next_multiple_of(4));
    attribute.extend(short(length).to_ne_bytes());
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(value);
    attribute.resize(length.next_multiple_of(4), 0);
    attribute
}

/// An attribute that is a name.
pub(super) fn name(kind: u16, name: &str) -> Vec<u8> {
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    attribute(kind, &text)
}

/// What is sent is short.
fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// The kind of an answer.
///
/// # Errors
/// The kernel's refusal; an answer that is none is `EBADMSG`.
pub(super) fn answered(answer: &[u8]) -> Result<u16, Errno> {
    let number = |from: usize, to: usize| answer.get(from..to);
    let kind = number(4, 6).and_then(|bytes| bytes.try_into().ok());
    let kind = kind.map(u16::from_ne_bytes).ok_or(Errno::BADMSG)?;
    if kind != ERROR {
        return Ok(kind);
    }
    let code = number(HEADER, HEADER + 4).and_then(|bytes| bytes.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(kind),
        Some(code @ ERRORS..0) => Err(Errno::from_raw_os_error(-code)),
        _ => Err(Errno::BADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_length_and_whole_words() {
        for text in ["t", "podman_cri_0123456789ab", "abc"] {
            let message = message(1, REQUEST, &[0; 4], &name(1, text));
            assert_eq!(message.len() % 4, 0);
            let length = u32::try_from(message.len()).unwrap();
            assert_eq!(message[..4], length.to_ne_bytes());
            assert_eq!(message[24..24 + text.len()], *text.as_bytes());
        }
    }

    #[test]
    fn an_acknowledgement_is_no_error() {
        let mut answer = vec![0; HEADER + 4];
        answer[4..6].copy_from_slice(&ERROR.to_ne_bytes());
        assert_eq!(answered(&answer), Ok(ERROR));
        answer[HEADER..].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(answered(&answer), Err(Errno::PERM));
    }
}
