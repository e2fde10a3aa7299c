//! A sandbox without a network, which CRI has not: the runtime connects each that has a network namespace of its own.
//! Before anything runs in it, all links but the loopback are taken out of its namespace again, from the host's side.
//!
//! Before it is stopped it is given one with its name and addresses again, which leads nowhere: CNI's bridge plugin takes back
//! what it has put into the host's firewall by the addresses that it finds, and leaves it where the link is gone (measured).

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use model::Error;
use model::observed::SandboxStatus;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, recv, send,
    socket_with,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::netlink::{self, attribute, name};

/// Bytes of an acknowledgement: a header, a number and the header of the question.
const ANSWER_MAX: usize = 1024;
const LOOPBACK: &str = "lo";
/// The link that CRI-O and containerd have CNI make for a sandbox.
const LINK: &str = "eth0";

/// Takes a sandbox's links away, where it has any. Blocks.
///
/// # Errors
/// Where its namespace is not known, or is the host's; where a way out of it stays.
pub(crate) fn disconnect(status: &SandboxStatus) -> Result<(), Error> {
    let place = namespace_of(status).ok_or_else(|| {
        Error::unsupported(
            "the network none",
            "the runtime does not say where the sandbox's network namespace is",
        )
    })?;
    inside(&place, Namespace::disconnect).map_err(|error| {
        let place = place.display();
        Error::Internal(format!("taking the network of {place} away: {error}"))
    })
}

/// Gives a sandbox that is to be stopped a link with its addresses, where it has none and its namespace is there yet. Blocks.
///
/// # Errors
/// The kernel's refusal.
pub(crate) fn give_link_back(status: &SandboxStatus) -> Result<(), Error> {
    let place = namespace_of(status).filter(|place| place.exists());
    let addresses: Vec<IpAddr> = status
        .addresses
        .iter()
        .filter_map(|address| address.parse().ok())
        .collect();
    let Some(place) = place.filter(|_| !addresses.is_empty()) else {
        return Ok(());
    };
    let done = inside(&place, move |namespace| namespace.connect(&addresses));
    done.map_err(|error| {
        let place = place.display();
        Error::Internal(format!("giving {place} a link for its end: {error}"))
    })
}

/// Its file, or that of the pause process while this is sure to be it.
fn namespace_of(status: &SandboxStatus) -> Option<PathBuf> {
    let named = status.netns.as_deref().filter(|path| !path.is_empty());
    let pause = status.pid.filter(|_| status.ready);
    let of_pause = || Some(format!("/proc/{}/ns/net", pause?).into());
    named.map(PathBuf::from).or_else(of_pause)
}

/// Does something in a network namespace other than the host's, on a thread of its own, for that stays in there.
fn inside(
    place: &Path,
    act: impl FnOnce(&Namespace) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let namespace = File::open(place)?;
    let own = fs::metadata("/proc/thread-self/ns/net")?;
    let found = namespace.metadata()?;
    if (own.dev(), own.ino()) == (found.dev(), found.ino()) {
        return Err(io::Error::other("it is the host's"));
    }
    let thread = std::thread::spawn(move || act(&Namespace::enter(&namespace)?));
    let ended = thread.join().map_err(|_| io::Error::other("a panic"));
    ended.and_then(|done| done)
}

/// The network namespace that this thread is in.
struct Namespace {
    /// A socket for messages about links (`NETLINK_ROUTE`).
    socket: OwnedFd,
}

impl Namespace {
    fn enter(namespace: &File) -> io::Result<Self> {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        let kind = SocketType::RAW;
        let socket = socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket })
    }

    /// Deletes all links but the loopback.
    fn disconnect(&self) -> io::Result<()> {
        for link in links(&seen("dev")?) {
            match self.delete(link) {
                // it went with the one before; the kernel's own tunnels, which lead nowhere, cannot go
                Ok(()) | Err(Errno::NODEV | Errno::OPNOTSUPP) => {}
                Err(errno) => return Err(io::Error::other(format!("{link}: {errno}"))),
            }
        }
        match way_out(&seen("route")?, &seen("ipv6_route").unwrap_or_default()) {
            None => Ok(()),
            Some(link) => Err(io::Error::other(format!("{link} leads out of it still"))),
        }
    }

    /// Makes a link with addresses, whose other end is in here too and which is down.
    fn connect(&self, addresses: &[IpAddr]) -> io::Result<()> {
        match self.make() {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
        let index = netdevice::name_to_index(&self.socket, LINK)?;
        addresses
            .iter()
            .try_for_each(|address| Ok(self.give(index, *address)?))
    }

    fn delete(&self, link: &str) -> Result<(), Errno> {
        /// `RTM_DELLINK`.
        const DELETE_LINK: u16 = 17;
        self.order(DELETE_LINK, 0, &OF_LINK, &name(LINK_NAME, link))
    }

    fn make(&self) -> Result<(), Errno> {
        /// `RTM_NEWLINK`, with `NLM_F_CREATE` and `NLM_F_EXCL`.
        const NEW_LINK: u16 = 16;
        /// `IFLA_LINKINFO`, and in it `IFLA_INFO_KIND`.
        const LINK_INFO: u16 = 18;
        const INFO_KIND: u16 = 1;
        // what CNI's plugins make, so that the kernel has it
        let kind = attribute(LINK_INFO, &name(INFO_KIND, "veth"));
        let attributes = [name(LINK_NAME, LINK), kind].concat();
        self.order(NEW_LINK, netlink::CREATE, &OF_LINK, &attributes)
    }

    fn give(&self, link: u32, address: IpAddr) -> Result<(), Errno> {
        /// `RTM_NEWADDR`.
        const NEW_ADDRESS: u16 = 20;
        /// `IFA_ADDRESS` and `IFA_LOCAL`.
        const ADDRESS: u16 = 1;
        const LOCAL: u16 = 2;
        let (family, bytes) = match address {
            IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
            IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
        };
        let family = u8::try_from(family.as_raw()).unwrap_or_default();
        let whole = u8::try_from(bytes.len() * 8).unwrap_or_default();
        // ifaddrmsg: family, length of the prefix, flags, scope, link
        let fixed = [&[family, whole, 0, 0][..], &link.to_ne_bytes()].concat();
        let attributes = [attribute(LOCAL, &bytes), attribute(ADDRESS, &bytes)].concat();
        self.order(NEW_ADDRESS, netlink::CREATE, &fixed, &attributes)
    }

    fn order(&self, kind: u16, flags: u16, fixed: &[u8], attributes: &[u8]) -> Result<(), Errno> {
        let flags = netlink::REQUEST | netlink::ACK | flags;
        let message = netlink::message(kind, flags, fixed, attributes);
        send(&self.socket, &message, SendFlags::empty())?;
        let mut answer = [0_u8; ANSWER_MAX];
        // the kernel answers while it takes the question
        let (length, _) = recv(&self.socket, &mut answer, RecvFlags::DONTWAIT)?;
        netlink::answered(answer.get(..length).unwrap_or_default()).map(drop)
    }
}

/// An `ifinfomsg` with nothing in it, for the link is named.
const OF_LINK: [u8; 16] = [0; 16];
/// `IFLA_IFNAME`.
const LINK_NAME: u16 = 3;

/// A file of the namespace that this thread is in.
fn seen(name: &str) -> io::Result<String> {
    fs::read_to_string(Path::new("/proc/thread-self/net").join(name))
}

/// The names in `/proc/net/dev` but the loopback's: two lines of titles, then `NAME: numbers`.
fn links(dev: &str) -> Vec<&str> {
    let lines = dev.lines().skip(2);
    let names = lines.filter_map(|line| Some(line.split_once(':')?.0.trim()));
    names.filter(|name| *name != LOOPBACK).collect()
}

/// A link that some route leads to: first in a line of `/proc/net/route` (after its titles), last in one of
/// `/proc/net/ipv6_route`.
fn way_out<'a>(v4: &'a str, v6: &'a str) -> Option<&'a str> {
    let v4 = v4
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    let v6 = v6.lines().filter_map(|line| line.split_whitespace().last());
    v4.chain(v6).find(|link| *link != LOOPBACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_ways_out_are_read_from_the_kernels_tables() {
        let dev = "Inter-|   Receive   |  Transmit\n face |bytes    packets\n    lo:  0 0\n  eth0: 1 2\nnet.1: 3\n";
        assert_eq!(links(dev), ["eth0", "net.1"]);
        let titles = "Iface\tDestination\tGateway\n";
        let v4 = format!("{titles}eth0\t00000000\t0100000A\n");
        let lo = "00000000000000000000000000000001 80 0 00 0 0 00000000 00000002 00000000 80200001       lo\n";
        let v6 = lo.replace("  lo", "  eth1");
        assert_eq!(way_out(titles, lo), None);
        assert_eq!(way_out(&v4, ""), Some("eth0"));
        assert_eq!(way_out(titles, &v6), Some("eth1"));
    }

    fn of(netns: Option<&str>, pid: Option<i32>, ready: bool) -> SandboxStatus {
        SandboxStatus {
            netns: netns.map(str::to_owned),
            pid,
            ready,
            addresses: vec!["10.0.0.2".to_owned()],
            ..SandboxStatus::default()
        }
    }

    #[test]
    fn the_hosts_namespace_is_left_alone() {
        let own = i32::try_from(std::process::id()).unwrap();
        for status in [
            of(Some("/proc/self/ns/net"), None, true),
            of(Some(""), Some(own), true),
        ] {
            for done in [disconnect(&status), give_link_back(&status)] {
                let error = done.unwrap_err().to_string();
                assert!(error.ends_with("it is the host's"), "{error}");
            }
        }
    }

    #[test]
    fn a_namespace_that_is_gone_is_given_nothing() {
        let own = i32::try_from(std::process::id()).unwrap();
        for status in [
            of(Some("/nowhere"), None, true),
            of(None, None, true),
            of(None, Some(own), false), // the number may be another process's by now
        ] {
            give_link_back(&status).unwrap();
            assert!(disconnect(&status).is_err());
        }
    }
}
