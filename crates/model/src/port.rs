//! Ports of containers, and how they are published on the host.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The protocol of a port.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, where none was named.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Podman's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// The protocol of a word in any case; `""` is TCP.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "" | "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            "sctp" => Some(Self::Sctp),
            _ => None,
        }
    }
}

/// A port of a container; as text `80/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// Its number, not 0.
    pub number: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

impl Port {
    /// Docker's `80/tcp`, `80` and `8000-8010/udp`; `None` for what is no port.
    pub fn parse_range(text: &str) -> Option<Vec<Self>> {
        let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = Protocol::parse(protocol)?;
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        (first > 0 && first <= last).then(|| {
            let port = |number| Self { number, protocol };
            (first..=last).map(port).collect()
        })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol.word())
    }
}

/// Ports of a container in a row, published on ports of the host in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The host's address; `None` is every one.
    pub host_ip: Option<IpAddr>,
    /// First port of the host; in a request 0 where the engine is to choose.
    pub host_port: u16,
    /// First port of the container.
    pub container_port: u16,
    /// How many in a row, at least 1.
    pub range: u16,
    /// The protocol.
    pub protocol: Protocol,
}

impl PublishedPort {
    /// Each pair of a host's port and the container's.
    pub fn pairs(&self) -> impl Iterator<Item = (u16, Port)> {
        let Self {
            host_port,
            container_port,
            range,
            protocol,
            ..
        } = *self;
        (0..range).map(move |offset| {
            let port = Port {
                number: container_port.saturating_add(offset),
                protocol,
            };
            (host_port.saturating_add(offset), port)
        })
    }

    /// Last port of the host.
    pub fn last_host_port(&self) -> u16 {
        self.host_port.saturating_add(self.range.saturating_sub(1))
    }

    /// Whether both want some port of the same address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.protocol == other.protocol
            && self.host_port <= other.last_host_port()
            && other.host_port <= self.last_host_port()
            && share_an_address(self.host_ip, other.host_ip)
    }

    /// Whether it covers that port of the container.
    pub fn covers(&self, port: Port) -> bool {
        let last = self
            .container_port
            .saturating_add(self.range.saturating_sub(1));
        self.protocol == port.protocol && (self.container_port..=last).contains(&port.number)
    }

    /// Whether it is of IPv4 (`Some(true)`), IPv6 (`Some(false)`), or of both.
    pub fn is_v4(&self) -> Option<bool> {
        self.host_ip.map(|address| address.is_ipv4())
    }
}

fn share_an_address(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    match (one, other) {
        (None, _) | (_, None) => true,
        (Some(one), Some(other)) => {
            one == other
                || (one.is_ipv4() == other.is_ipv4()
                    && (one.is_unspecified() || other.is_unspecified()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(host_ip: &str, host_port: u16, range: u16) -> PublishedPort {
        PublishedPort {
            host_ip: host_ip.parse().ok(),
            host_port,
            container_port: 80,
            range,
            protocol: Protocol::Tcp,
        }
    }

    #[test]
    fn ports_overlap_on_one_address() {
        let table = [
            (published("", 80, 1), published("", 80, 1), true),
            (published("", 80, 1), published("", 81, 1), false),
            (published("", 80, 5), published("", 84, 1), true),
            (published("", 80, 5), published("", 85, 1), false),
            (published("127.0.0.1", 80, 1), published("", 80, 1), true),
            (
                published("127.0.0.1", 80, 1),
                published("0.0.0.0", 80, 1),
                true,
            ),
            (
                published("127.0.0.1", 80, 1),
                published("10.0.0.1", 80, 1),
                false,
            ),
            (published("127.0.0.1", 80, 1), published("::", 80, 1), false),
            (published("::1", 80, 1), published("::", 80, 1), true),
            (published("", 65535, 1), published("", 65530, 6), true),
        ];
        for (one, other, overlap) in table {
            assert_eq!(one.overlaps(&other), overlap, "{one:?} {other:?}");
            assert_eq!(other.overlaps(&one), overlap, "{other:?} {one:?}");
        }
        let udp = PublishedPort {
            protocol: Protocol::Udp,
            ..published("", 80, 1)
        };
        assert!(!udp.overlaps(&published("", 80, 1)));
    }

    #[test]
    fn pairs_go_on_together() {
        let pairs: Vec<_> = published("", 8080, 2)
            .pairs()
            .map(|(host, port)| format!("{host} {port}"))
            .collect();
        assert_eq!(pairs, ["8080 80/tcp", "8081 81/tcp"]);
    }
}
