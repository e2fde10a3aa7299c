//! Ports that rules of this machine forward already: a runtime's host ports, CNI's portmap, a cluster's node ports. No
//! socket shows them.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::LazyLock;

use model::port::{Protocol, PublishedPort};
use regex::{Captures, Regex};

use super::nft;

/// A rule that takes a row of ports of this machine, and where it stands.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    port: PublishedPort,
    place: String,
}

/// The first of these ports that a rule of this machine forwards, but for those of `own`; from which port on, and where it
/// stands.
pub(super) fn find(ports: &[PublishedPort], own: &str) -> Option<(PublishedPort, u16, String)> {
    let mut rules = nft::ruleset()
        .map(|text| of_nft(&text, own))
        .unwrap_or_default();
    if let Some(text) = nft::output("iptables-save", &["-t", "nat"]) {
        rules.extend(of_iptables(&text));
    }
    let local = |address: IpAddr| UdpSocket::bind(SocketAddr::new(address, 0)).is_ok();
    rules.retain(|rule| rule.port.host_ip.is_none_or(local));
    ports.iter().find_map(|port| {
        let rule = rules.iter().find(|rule| rule.port.overlaps(port))?;
        let place = format!("forwarded by {}", rule.place);
        Some((*port, rule.port.host_port, place))
    })
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a fixed pattern that its tests read")
}

/// A rule: `ip daddr 192.0.2.1 tcp dport 8080 … dnat to …`, or a jump to one that does it.
static NFT_RULE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(tcp|udp|sctp|th) dport (\{[^}]*\}|[0-9-]+) .*\b(?:dnat|redirect|jump|goto)\b")
});
static NFT_DADDR: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bip6? daddr (!= )?(\S+)"));
/// An element of a map from ports to targets: `tcp . 8080 : 10.88.0.5 . 80`, `192.0.2.1 . tcp . 8080 comment "…" : goto …`.
static NFT_ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?:([0-9a-fA-F.:]+) \. )?\b(tcp|udp|sctp) \. ([0-9-]+)(?: (?:comment "[^"]*"|timeout \S+|expires \S+))* : "#,
    )
});
static IPTABLES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"-p (tcp|udp|sctp) .*--(?:dports?|destination-ports?) ([0-9:,]+).* -j (\S+)")
});
static IPTABLES_DADDR: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(! )?-d ([0-9.]+)(?:/32)?(?: |$)"));

/// What `nft list ruleset` shows.
fn of_nft(text: &str, own: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut table = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("table ") {
            table = rest.trim_end_matches([' ', '{']);
        }
        if table.split(' ').nth(1) == Some(own) {
            continue;
        }
        let place = format!("table {table}");
        if let Some(found) = NFT_RULE.captures(line) {
            match destination(NFT_DADDR.captures(line)) {
                Destination::Address(address) => rules.extend(ports_of(&found, address, &place)),
                Destination::Elsewhere => {}
            }
        }
        for found in NFT_ELEMENT.captures_iter(line) {
            let address = found.get(1).map(|address| address.as_str().parse());
            let Ok(address) = address.transpose() else {
                continue;
            };
            rules.extend(rows(&found[3], '-', &[&found[2]], address, &place));
        }
    }
    rules
}

/// What `iptables-save -t nat` shows.
fn of_iptables(text: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("-A ")) {
        let Some(found) = IPTABLES.captures(line) else {
            continue;
        };
        if ["RETURN", "ACCEPT", "MARK", "MASQUERADE", "LOG"].contains(&&found[3]) {
            continue;
        }
        let Destination::Address(address) = destination(IPTABLES_DADDR.captures(line)) else {
            continue;
        };
        let chain = line.split(' ').nth(1).unwrap_or_default();
        let place = format!("iptables chain {chain}");
        rules.extend(rows(&found[2], ':', &[&found[1]], address, &place));
    }
    rules
}

/// Which destination a rule is for.
enum Destination {
    Address(Option<IpAddr>),
    /// A network, a set, or all but some: not one of this machine's addresses by itself.
    Elsewhere,
}

/// From `ip daddr X` or `-d X`, where the first group is a negation.
fn destination(found: Option<Captures<'_>>) -> Destination {
    let Some(found) = found else {
        return Destination::Address(None);
    };
    match (found.get(1), found[2].parse()) {
        (None, Ok(address)) => Destination::Address(Some(address)),
        // all but one address are all
        (Some(_), _) => Destination::Address(None),
        (None, Err(_)) => Destination::Elsewhere,
    }
}

fn ports_of(found: &Captures<'_>, address: Option<IpAddr>, place: &str) -> Vec<Rule> {
    let protocols: &[&str] = match &found[1] {
        "th" => &["tcp", "udp", "sctp"],
        one => &[one],
    };
    rows(
        found[2].trim_matches(['{', '}', ' ']),
        '-',
        protocols,
        address,
        place,
    )
}

/// `8080`, `8000-8010`, several with commas.
fn rows(
    numbers: &str,
    to: char,
    protocols: &[&str],
    host_ip: Option<IpAddr>,
    place: &str,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for numbers in numbers.split(',').map(str::trim) {
        let (first, last) = numbers.split_once(to).unwrap_or((numbers, numbers));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
            continue;
        };
        let protocols = protocols.iter().filter_map(|word| Protocol::parse(word));
        rules.extend(protocols.map(|protocol| Rule {
            port: PublishedPort {
                host_ip,
                host_port: first,
                container_port: first,
                range: last.saturating_sub(first).saturating_add(1),
                protocol,
            },
            place: place.to_owned(),
        }));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rules: &[Rule]) -> Vec<String> {
        let one = |rule: &Rule| {
            let PublishedPort {
                host_ip,
                host_port,
                range,
                protocol,
                ..
            } = rule.port;
            let host = host_ip
                .map(|address| address.to_string())
                .unwrap_or_default();
            format!(
                "{host} {host_port}+{range}/{} {}",
                protocol.word(),
                rule.place
            )
        };
        rules.iter().map(one).collect()
    }

    #[test]
    fn rules_and_maps_of_nftables_are_read() {
        let text = r#"
table ip crio-hostports {
	map hostports {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 8080 comment "ABCDEFGH" : 10.88.0.5 . 80,
			     udp . 53 comment "ABCDEFGH" : 10.88.0.5 . 53 }
	}
	map hostipports {
		elements = { 192.0.2.1 . tcp . 8443 : 10.88.0.6 . 443 }
	}
}
table inet podman_cri_own {
	chain ports {
		meta nfproto ipv4 tcp dport 1 dnat ip to 10.88.0.9:80
	}
}
table inet netavark {
	chain dnat {
		tcp dport 9090 jump nv_dnat
		ip daddr 127.0.0.1 udp dport 7000-7003 dnat ip to 10.88.0.7:70
		ip daddr 10.96.0.0/12 tcp dport 443 dnat to 10.0.0.1
		tcp dport { 5000, 6000-6001 } redirect to :80
		tcp dport 22 accept
	}
}
"#;
        assert_eq!(
            shown(&of_nft(text, "podman_cri_own")),
            [
                " 8080+1/tcp table ip crio-hostports",
                " 53+1/udp table ip crio-hostports",
                "192.0.2.1 8443+1/tcp table ip crio-hostports",
                " 9090+1/tcp table inet netavark",
                "127.0.0.1 7000+4/udp table inet netavark",
                " 5000+1/tcp table inet netavark",
                " 6000+2/tcp table inet netavark",
            ]
        );
    }

    #[test]
    fn rules_of_iptables_are_read() {
        let text = "\
*nat
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"net\\\"\" -m multiport --dports 8080,8081 -j CNI-DN-0123
-A CNI-DN-0123 -d 127.0.0.1/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.88.0.2:53
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-X
-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080:30082 -j KUBE-EXT-X
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 90 -j DNAT --to-destination 172.17.0.2:90
-A X -p tcp -m tcp --dport 70 -j RETURN
COMMIT
";
        assert_eq!(
            shown(&of_iptables(text)),
            [
                " 8080+1/tcp iptables chain CNI-HOSTPORT-DNAT",
                " 8081+1/tcp iptables chain CNI-HOSTPORT-DNAT",
                "127.0.0.1 53+1/udp iptables chain CNI-DN-0123",
                "10.96.0.1 443+1/tcp iptables chain KUBE-SERVICES",
                " 30080+3/tcp iptables chain KUBE-NODEPORTS",
                " 90+1/tcp iptables chain DOCKER",
            ]
        );
    }
}
