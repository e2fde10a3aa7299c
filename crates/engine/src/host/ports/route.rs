//! How this machine reaches a container: the network it lies in, and the link that leads there.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A route of the kernel's main table.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    link: String,
    network: IpAddr,
    prefix: u8,
}

/// The network in which an address is reached, as `10.88.0.0/16`.
pub(super) fn subnet(address: IpAddr) -> Option<String> {
    let route = route_to(address)?;
    Some(format!("{}/{}", route.network, route.prefix))
}

/// Lets packets from 127.0.0.1 go out by the links that lead to these addresses (`route_localnet`), as Podman's
/// network and CNI's portmap do. Our table keeps what comes in there from reaching 127.0.0.1.
pub(super) fn allow_loopback(addresses: &[IpAddr]) {
    for address in addresses.iter().filter(|address| address.is_ipv4()) {
        let Some(Route { link, .. }) = route_to(*address) else {
            continue;
        };
        let switch = format!("/proc/sys/net/ipv4/conf/{link}/route_localnet");
        if let Err(error) = fs::write(&switch, "1") {
            tracing::warn!(switch, %error, "published ports do not answer on 127.0.0.1");
        }
    }
}

/// The narrowest route to an address, but the default one.
fn route_to(address: IpAddr) -> Option<Route> {
    let routes = match address {
        IpAddr::V4(_) => v4(&fs::read_to_string("/proc/thread-self/net/route").ok()?),
        IpAddr::V6(_) => v6(&fs::read_to_string("/proc/thread-self/net/ipv6_route").ok()?),
    };
    let leads = routes
        .into_iter()
        .filter(|route| route.prefix > 0 && contains(route, address));
    leads.max_by_key(|route| route.prefix)
}

fn contains(route: &Route, address: IpAddr) -> bool {
    match (route.network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(route.prefix))
                .unwrap_or(0);
            u32::from(network) == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(route.prefix))
                .unwrap_or(0);
            u128::from(network) == u128::from(address) & mask
        }
        _ => false,
    }
}

/// Lines of `/proc/net/route`: link, destination, gateway, flags, …, mask; addresses in hexadecimal, as they lie in memory.
fn v4(text: &str) -> Vec<Route> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
        let mask = number(7)?;
        Some(Route {
            link: (*fields.first()?).to_owned(),
            network: Ipv4Addr::from(number(1)?.to_ne_bytes()).into(),
            prefix: u8::try_from(mask.count_ones()).ok()?,
        })
    };
    text.lines().skip(1).filter_map(read).collect()
}

/// Lines of `/proc/net/ipv6_route`: destination, its prefix, …, link last. Those of the loopback are the local table.
fn v6(text: &str) -> Vec<Route> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let network = u128::from_str_radix(fields.first()?, 16).ok()?;
        Some(Route {
            link: (*fields.last()?).to_owned(),
            network: Ipv6Addr::from(network).into(),
            prefix: u8::from_str_radix(fields.get(1)?, 16).ok()?,
        })
    };
    text.lines()
        .filter_map(read)
        .filter(|route| route.link != "lo")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn routes_are_read_as_the_kernel_writes_them() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    cni0\t0000580A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        let routes = v4(text);
        assert_eq!(
            routes.last(),
            Some(&Route {
                link: "cni0".to_owned(),
                network: "10.88.0.0".parse().unwrap(),
                prefix: 16
            })
        );
        assert!(contains(&routes[1], "10.88.7.1".parse().unwrap()));
        assert!(!contains(&routes[1], "10.89.0.1".parse().unwrap()));
        assert!(!contains(&routes[1], "fd00::1".parse().unwrap()));
    }

    #[test]
    fn routes_of_ipv6_too() {
        let text = "fd000009000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     cni0\n\
                    00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001       lo\n";
        let routes = v6(text);
        assert_eq!(
            routes,
            [Route {
                link: "cni0".to_owned(),
                network: "fd00:9::".parse().unwrap(),
                prefix: 64
            }]
        );
        assert!(contains(&routes[0], "fd00:9::2".parse().unwrap()));
    }
}
