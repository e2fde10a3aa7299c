//! The sockets that hold published ports, and free ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use model::Error;
use model::port::{Protocol, PublishedPort};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with, sockopt,
};

/// Nobody is ever let in.
const BACKLOG: i32 = 1;
/// How often a free range is looked for; Podman's number.
const TRIES: usize = 15;

/// Binds every port, each as Podman does.
///
/// # Errors
/// Podman's text for the first port that cannot be bound.
pub(super) fn hold(ports: &[PublishedPort]) -> Result<Vec<OwnedFd>, Error> {
    let mut held = Vec::new();
    for port in ports {
        for (host_port, _) in port.pairs() {
            match hold_one(port, host_port) {
                Ok(socket) => held.extend(socket),
                Err((call, errno)) => return Err(failed(port, host_port, call, &text(errno))),
            }
        }
    }
    Ok(held)
}

/// One socket; none for SCTP, as with Podman.
fn hold_one(
    port: &PublishedPort,
    host_port: u16,
) -> Result<Option<OwnedFd>, (&'static str, Errno)> {
    let address = SocketAddr::new(
        port.host_ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        host_port,
    );
    let kind = match port.protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
        Protocol::Sctp => return Ok(None),
    };
    let socket = new_socket(address.ip(), kind).map_err(|errno| ("socket", errno))?;
    if port.protocol == Protocol::Tcp {
        sockopt::set_socket_reuseaddr(&socket, true).map_err(|errno| ("setsockopt", errno))?;
    }
    bind(&socket, &address).map_err(|errno| ("bind", errno))?;
    if port.protocol == Protocol::Tcp {
        listen(&socket, BACKLOG).map_err(|errno| ("listen", errno))?;
    }
    Ok(Some(socket))
}

fn new_socket(address: IpAddr, kind: SocketType) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

/// A first host port from which on as many ports are free as are wanted, none of them in `used`.
///
/// # Errors
/// Podman's text where none is found.
pub(crate) fn free_range(wanted: &PublishedPort, used: &[PublishedPort]) -> Result<u16, Error> {
    for _ in 0..TRIES {
        let Some(host_port) = some_free_port() else {
            continue;
        };
        let candidate = PublishedPort {
            host_port,
            ..*wanted
        };
        let fits = host_port.checked_add(wanted.range - 1).is_some();
        if fits && !used.iter().any(|used| used.overlaps(&candidate)) && hold(&[candidate]).is_ok()
        {
            return Ok(host_port);
        }
    }
    let range = match wanted.range {
        1 => String::new(),
        range => format!("with range {range} "),
    };
    Err(Error::Plain(format!(
        "failed to find an open port to expose container port {} {range}on the host",
        wanted.container_port
    )))
}

/// A port that the kernel chooses.
fn some_free_port() -> Option<u16> {
    let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
    let socket = new_socket(any.ip(), SocketType::STREAM).ok()?;
    bind(&socket, &any).ok()?;
    let bound: SocketAddr = getsockname(&socket).ok()?.try_into().ok()?;
    Some(bound.port())
}

/// Podman's error for a port that somebody has from `taken` on: `by` is who, where that is known.
pub(super) fn in_use(port: &PublishedPort, taken: u16, by: Option<&str>) -> Error {
    let what = match by {
        Some(by) => format!("{by}: {}", text(Errno::ADDRINUSE)),
        None => text(Errno::ADDRINUSE),
    };
    failed(port, port.host_port.max(taken), "bind", &what)
}

fn failed(port: &PublishedPort, host_port: u16, call: &str, cause: &str) -> Error {
    let protocol = port.protocol.word();
    let address = match port.host_ip {
        None => format!(":{host_port}"),
        Some(address) => SocketAddr::new(address, host_port).to_string(),
    };
    let family = match port.is_v4() {
        Some(false) => '6',
        Some(true) | None => '4',
    };
    let name = protocol.to_uppercase();
    let innermost = cause.rsplit(": ").next().unwrap_or_default().to_owned();
    Error::Failed {
        message: format!(
            "cannot listen on the {name} port: listen {protocol}{family} {address}: {call}: {cause}"
        ),
        cause: innermost,
    }
}

/// Go's texts for these.
fn text(errno: Errno) -> String {
    match errno {
        Errno::ADDRINUSE => "address already in use".to_owned(),
        Errno::ADDRNOTAVAIL => "cannot assign requested address".to_owned(),
        Errno::ACCESS => "permission denied".to_owned(),
        Errno::MFILE => "too many open files".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_loopback(protocol: Protocol, host_port: u16) -> PublishedPort {
        PublishedPort {
            host_ip: Some(Ipv4Addr::LOCALHOST.into()),
            host_port,
            container_port: 80,
            range: 1,
            protocol,
        }
    }

    #[test]
    fn a_held_port_is_taken_for_others_with_podmans_text() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let free = free_range(&on_loopback(protocol, 0), &[]).unwrap();
            let port = on_loopback(protocol, free);
            let held = hold(&[port]).unwrap();
            assert_eq!(held.len(), 1);
            let word = protocol.word();
            let Error::Failed { message, cause } = hold(&[port]).unwrap_err() else {
                panic!("a failure with its cause")
            };
            assert_eq!(cause, "address already in use");
            assert_eq!(
                message,
                format!(
                    "cannot listen on the {} port: listen {word}4 127.0.0.1:{free}: bind: address already in use",
                    word.to_uppercase()
                )
            );
            drop(held);
            assert!(hold(&[port]).is_ok());
        }
    }

    #[test]
    fn an_address_of_another_machine_cannot_be_had() {
        let port = PublishedPort {
            host_ip: Some(Ipv4Addr::new(198, 51, 100, 1).into()),
            ..on_loopback(Protocol::Tcp, 8080)
        };
        assert_eq!(
            hold(&[port]).unwrap_err().to_string(),
            "cannot listen on the TCP port: listen tcp4 198.51.100.1:8080: bind: cannot assign requested address"
        );
    }

    #[test]
    fn a_free_range_leaves_out_what_is_used() {
        let wanted = PublishedPort {
            range: 3,
            ..on_loopback(Protocol::Tcp, 0)
        };
        let first = free_range(&wanted, &[]).unwrap();
        let all = PublishedPort {
            host_ip: None,
            host_port: 1,
            container_port: 1,
            range: u16::MAX,
            protocol: Protocol::Tcp,
        };
        assert!(first > 0);
        assert_eq!(
            free_range(&wanted, &[all]).unwrap_err().to_string(),
            "failed to find an open port to expose container port 80 with range 3 on the host"
        );
    }
}
