//! The table as nft reads it. Pure.

use std::net::IpAddr;

use model::port::PublishedPort;
use model::{Error, Id};

/// A sandbox: its id, its ports and its addresses.
pub(super) type Sandbox<'a> = (&'a Id, &'a [PublishedPort], &'a [IpAddr]);

/// Before the rules of the runtime and of Podman, whose priority this is.
const BEFORE: i32 = 5;

/// Refuses a port for which the sandbox has no address of its family.
///
/// # Errors
/// The port, by its number.
pub(super) fn check(ports: &[PublishedPort], addresses: &[IpAddr]) -> Result<(), Error> {
    for port in ports {
        if targets(port, addresses).next().is_none() {
            let family = match port.is_v4() {
                Some(true) => "IPv4 ",
                Some(false) => "IPv6 ",
                None => "",
            };
            return Err(Error::Plain(format!(
                "host port {}/{} cannot be published: the container's network gave it no {family}address",
                port.host_port,
                port.protocol.word()
            )));
        }
    }
    Ok(())
}

/// The first address of each family that a port can lead to.
fn targets<'a>(
    port: &PublishedPort,
    addresses: &'a [IpAddr],
) -> impl Iterator<Item = IpAddr> + use<'a> {
    let wanted = port.is_v4();
    [true, false].into_iter().filter_map(move |v4| {
        let fits = |address: &&IpAddr| address.is_ipv4() == v4;
        let address = addresses.iter().find(fits).copied();
        address.filter(|_| wanted.is_none_or(|wanted| wanted == v4))
    })
}

/// A script that makes the table what it is to be, or takes it away where nothing is published. `subnet` gives the
/// network that an address is reached in.
pub(super) fn table(
    name: &str,
    sandboxes: &[Sandbox<'_>],
    subnet: impl Fn(IpAddr) -> Option<String>,
) -> String {
    let without = format!("add table inet {name}\ndelete table inet {name}\n");
    if sandboxes.is_empty() {
        return without;
    }
    let (mut forward, mut back) = (Vec::new(), Vec::new());
    for (id, ports, addresses) in sandboxes {
        forward.push(format!("# {id}"));
        for port in *ports {
            forward.extend(targets(port, addresses).map(|address| lead(port, address)));
        }
        let answers = addresses
            .iter()
            .map(|address| masquerade(*address, subnet(*address)));
        back.extend(answers);
    }
    let (forward, back) = (forward.join("\n    "), back.join("\n    "));
    format!(
        "{without}table inet {name} {{
  chain ports {{
    {forward}
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat - {BEFORE}; policy accept;
    fib daddr type local jump ports
  }}
  chain output {{
    type nat hook output priority -{output}; policy accept;
    fib daddr type local jump ports
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat - {BEFORE}; policy accept;
    {back}
  }}
  chain input {{
    type filter hook input priority filter - {BEFORE}; policy accept;
    # `route_localnet`, which 127.0.0.1 needs, would let containers reach what listens there
    iifname != \"lo\" ip daddr 127.0.0.0/8 ct status & dnat == 0 drop
  }}
}}
",
        output = 100 + BEFORE,
    )
}

/// From the host's ports to those of an address. Nothing is routed from `::1`.
fn lead(port: &PublishedPort, address: IpAddr) -> String {
    let family = if address.is_ipv4() { "ip" } else { "ip6" };
    let to = match port.host_ip.filter(|host| !host.is_unspecified()) {
        Some(host) => format!("{family} daddr {host}"),
        None if address.is_ipv4() => "meta nfproto ipv4".to_owned(),
        None => "ip6 daddr != ::1".to_owned(),
    };
    let protocol = port.protocol.word();
    let numbers = match port.range {
        1 => port.host_port.to_string(),
        _ => format!("{}-{}", port.host_port, port.last_host_port()),
    };
    let host = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let target = if port.host_port == port.container_port {
        address.to_string() // the number stays
    } else if port.range == 1 {
        format!("{host}:{}", port.container_port)
    } else {
        let pairs: Vec<_> = port
            .pairs()
            .map(|(from, to)| format!("{from} : {}", to.number))
            .collect();
        format!("{host} : {protocol} dport map {{ {} }}", pairs.join(", "))
    };
    format!("{to} {protocol} dport {numbers} dnat {family} to {target}")
}

/// What comes from this machine itself or from the container's own network needs an answer that comes back this way.
fn masquerade(address: IpAddr, subnet: Option<String>) -> String {
    let (family, own) = match address {
        IpAddr::V4(_) => ("ip", Some("127.0.0.0/8".to_owned())),
        IpAddr::V6(_) => ("ip6", Some(address.to_string())),
    };
    let from: Vec<_> = match subnet {
        Some(subnet) if address.is_ipv6() => vec![subnet],
        subnet => own.into_iter().chain(subnet).collect(),
    };
    let from = from.join(", ");
    format!("{family} daddr {address} {family} saddr {{ {from} }} ct status dnat masquerade")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::port::Protocol;

    fn port(host_ip: &str, host_port: u16, container_port: u16, range: u16) -> PublishedPort {
        PublishedPort {
            host_ip: host_ip.parse().ok(),
            host_port,
            container_port,
            range,
            protocol: Protocol::Tcp,
        }
    }

    #[test]
    fn a_port_leads_to_an_address_of_its_family() {
        let (v4, v6) = ("10.9.0.2".parse().unwrap(), "fd00::2".parse().unwrap());
        let table = [
            (
                port("", 8080, 80, 1),
                v4,
                "meta nfproto ipv4 tcp dport 8080 dnat ip to 10.9.0.2:80",
            ),
            (
                port("0.0.0.0", 80, 80, 1),
                v4,
                "meta nfproto ipv4 tcp dport 80 dnat ip to 10.9.0.2",
            ),
            (
                port("127.0.0.1", 8080, 80, 1),
                v4,
                "ip daddr 127.0.0.1 tcp dport 8080 dnat ip to 10.9.0.2:80",
            ),
            (
                port("", 80, 80, 3),
                v4,
                "meta nfproto ipv4 tcp dport 80-82 dnat ip to 10.9.0.2",
            ),
            (
                port("", 8080, 80, 2),
                v4,
                "meta nfproto ipv4 tcp dport 8080-8081 dnat ip to 10.9.0.2 : tcp dport map { 8080 : 80, 8081 : 81 }",
            ),
            (
                port("", 8080, 80, 1),
                v6,
                "ip6 daddr != ::1 tcp dport 8080 dnat ip6 to [fd00::2]:80",
            ),
            (
                port("fd00::1", 80, 80, 1),
                v6,
                "ip6 daddr fd00::1 tcp dport 80 dnat ip6 to fd00::2",
            ),
        ];
        for (port, address, rule) in table {
            assert_eq!(lead(&port, address), rule);
        }
    }

    #[test]
    fn a_port_without_an_address_of_its_family_is_refused() {
        let v4 = ["10.9.0.2".parse().unwrap()];
        assert!(check(&[port("", 80, 80, 1)], &v4).is_ok());
        assert!(check(&[port("127.0.0.1", 80, 80, 1)], &v4).is_ok());
        let refused = check(&[port("fd00::1", 80, 80, 1)], &v4).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "host port 80/tcp cannot be published: the container's network gave it no IPv6 address"
        );
        assert!(check(&[port("", 80, 80, 1)], &[]).is_err());
    }

    #[test]
    fn a_table_without_ports_goes() {
        let script = table("t", &[], |_| None);
        assert_eq!(script, "add table inet t\ndelete table inet t\n");
    }

    #[test]
    fn answers_come_back_from_the_networks_that_need_it() {
        let subnet = Some("10.9.0.0/24".to_owned());
        assert_eq!(
            masquerade("10.9.0.2".parse().unwrap(), subnet),
            "ip daddr 10.9.0.2 ip saddr { 127.0.0.0/8, 10.9.0.0/24 } ct status dnat masquerade"
        );
        assert_eq!(
            masquerade("fd00::2".parse().unwrap(), None),
            "ip6 daddr fd00::2 ip6 saddr { fd00::2 } ct status dnat masquerade"
        );
    }
}
