//! The text of `/etc/resolv.conf`.

use std::net::Ipv4Addr;
use std::path::Path;

/// Name servers where the host has none that a container could reach, as in Podman.
const PUBLIC_V4: [&str; 2] = ["8.8.8.8", "8.8.4.4"];
/// In addition where the container has IPv6.
const PUBLIC_V6: [&str; 2] = ["2001:4860:4860::8888", "2001:4860:4860::8844"];

/// What a container's `/etc/resolv.conf` is made of. Podman mounts none with `--dns=none` and with
/// `--network=none`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resolv<'a> {
    /// The host's file; see [`behind_local_resolver`] for which one. Empty where there is none.
    pub host: &'a str,
    /// The container has a network namespace of its own, so the host's loopback name servers and
    /// zones mean nothing in it.
    pub private: bool,
    /// The container has an IPv6 address.
    pub ipv6: bool,
    /// Name servers instead of the host's: those of the container's networks, where these have
    /// names, go before `--dns`, which such a network's own server then asks.
    pub nameservers: &'a [String],
    /// Search domains that the container's networks bring (`dns.podman`): before the host's.
    pub network_searches: &'a [String],
    /// `--dns-search`: instead of the host's and the networks'. A `.` means none.
    pub searches: &'a [String],
    /// `--dns-option`: instead of the host's.
    pub options: &'a [String],
}

/// The file with the real name servers, where the host's `/etc/resolv.conf` names only a resolver
/// that listens on loopback: systemd-resolved or `NetworkManager`. Where that file exists, it is read
/// in its place for a container with a network of its own.
pub fn behind_local_resolver(host: &str) -> Option<&'static Path> {
    match nameservers(host).as_slice() {
        [only] if only == "127.0.0.53" => Some(Path::new("/run/systemd/resolve/resolv.conf")),
        [only] if only == "127.0.0.1" => Some(Path::new("/run/NetworkManager/no-stub-resolv.conf")),
        _ => None,
    }
}

/// The text of `/etc/resolv.conf`.
pub fn resolv_conf(wanted: &Resolv<'_>) -> String {
    let nameservers = if wanted.nameservers.is_empty() {
        host_nameservers(wanted)
    } else {
        wanted.nameservers.to_vec()
    };
    let searches = if wanted.searches.is_empty() {
        let mut searches = wanted.network_searches.to_vec();
        searches.extend(last_line(wanted.host, "search"));
        searches
    } else if wanted.searches.iter().any(|search| search == ".") {
        Vec::new()
    } else {
        wanted.searches.to_vec()
    };
    let options = if wanted.options.is_empty() {
        last_line(wanted.host, "options")
    } else {
        wanted.options.to_vec()
    };
    let mut text = String::new();
    let searches = searches.join(" ");
    if !searches.is_empty() && searches.trim_matches(' ') != "." {
        text.extend(["search ", &*searches, "\n"]);
    }
    for nameserver in nameservers {
        text.extend(["nameserver ", &*nameserver, "\n"]);
    }
    let options = options.join(" ");
    if !options.trim_matches(' ').is_empty() {
        text.extend(["options ", &*options, "\n"]);
    }
    text
}

fn host_nameservers(wanted: &Resolv<'_>) -> Vec<String> {
    if !wanted.private {
        return nameservers(wanted.host);
    }
    let reachable: String = wanted
        .host
        .lines()
        .filter(|line| !unreachable_from_inside(line, wanted.ipv6))
        .flat_map(|line| [line, "\n"])
        .collect();
    let found = nameservers(&reachable);
    if !found.is_empty() {
        return found;
    }
    let v6 = if wanted.ipv6 { &PUBLIC_V6[..] } else { &[] };
    PUBLIC_V4.iter().chain(v6).map(|&ip| ip.into()).collect()
}

/// Podman looks only at lines that start with the keyword; an indented one stays.
fn unreachable_from_inside(line: &str, ipv6: bool) -> bool {
    let Some(rest) = line.strip_prefix("nameserver") else {
        return false;
    };
    let Some(address) = rest.split_whitespace().next() else {
        return false;
    };
    if !rest.starts_with(char::is_whitespace) {
        return false;
    }
    let loopback = address
        .parse::<Ipv4Addr>()
        .is_ok_and(|address| address.is_loopback());
    loopback || rest.trim() == "::1" || is_v6(address) && (!ipv6 || address.contains('%'))
}

/// The addresses on `nameserver` lines.
fn nameservers(text: &str) -> Vec<String> {
    lines(text)
        .filter_map(|line| line.strip_prefix("nameserver"))
        .map(str::trim)
        .filter(|address| address.parse::<Ipv4Addr>().is_ok() || is_v6(address))
        .map(str::to_owned)
        .collect()
}

/// As wide as Podman takes it: groups of hex digits with two to seven colons, perhaps a zone.
fn is_v6(address: &str) -> bool {
    let (groups, zone) = match address.split_once('%') {
        Some((groups, zone)) => (groups, Some(zone)),
        None => (address, None),
    };
    let colons = groups.bytes().filter(|byte| *byte == b':').count();
    let group = |group: &str| group.len() <= 4 && group.bytes().all(|b| b.is_ascii_hexdigit());
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (2..=7).contains(&colons)
        && groups.split(':').all(group)
        && zone.is_none_or(|zone| !zone.is_empty() && zone.bytes().all(word))
}

/// The words of the last line with this keyword, even where that line has none.
fn last_line(text: &str, keyword: &str) -> Vec<String> {
    let last = lines(text)
        .filter_map(|line| line.strip_prefix(keyword))
        .next_back();
    last.unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// The lines without comments and indentation.
fn lines(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.lines()
        .map(|line| line.split_once('#').map_or(line, |(before, _)| before))
        .map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of line.
    const ODD: &str = "nameserver 127.0.0.53\nnameserver 127.0.1.1\nnameserver ::1\n\
        nameserver 10.1.1.1\nnameserver fd00::1\nnameserver fe80::1%eth0\n\
        # nameserver 9.9.9.9\nsearch one.example\nsearch two.example\noptions a\noptions b:1\n\
        domain foo.example\nsortlist 1.2.3.4\n;nameserver 8.8.8.8\n  nameserver   10.2.2.2 \n\
        nameserver 10.3.3.3 # c\n";
    const LOCAL: &str = "nameserver 127.0.0.1\nsearch a.example b.example\noptions ndots:2 edns0\n";

    fn words(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    /// A container with a network of its own: host file, `--dns`, `--dns-search`, `--dns-option`.
    fn private(host: &str, dns: &str, search: &str, option: &str) -> String {
        resolv_conf(&Resolv {
            host,
            private: true,
            nameservers: &words(dns),
            searches: &words(search),
            options: &words(option),
            ..Resolv::default()
        })
    }

    #[test]
    fn the_hosts_file_becomes_what_podman_wrote() {
        assert_eq!(
            private(ODD, "", "", ""),
            "search two.example\nnameserver 10.1.1.1\nnameserver 10.2.2.2\nnameserver 10.3.3.3\n\
             options b:1\n"
        );
        assert_eq!(
            private(ODD, "", ".", ""),
            "nameserver 10.1.1.1\nnameserver 10.2.2.2\nnameserver 10.3.3.3\noptions b:1\n"
        );
        let host = Resolv {
            host: ODD,
            ..Resolv::default()
        };
        assert_eq!(
            resolv_conf(&host),
            "search two.example\nnameserver 127.0.0.53\nnameserver 127.0.1.1\nnameserver ::1\n\
             nameserver 10.1.1.1\nnameserver fd00::1\nnameserver fe80::1%eth0\n\
             nameserver 10.2.2.2\nnameserver 10.3.3.3\noptions b:1\n"
        );
        assert_eq!(resolv_conf(&Resolv::default()), "");
    }

    #[test]
    fn lines_that_podman_reads_in_its_own_way_are_read_so() {
        let odd = " nameserver 127.0.0.1\nnameserver10.7.7.7\nsearchfoo.example\n options x\n\
            options\n";
        assert_eq!(
            private(odd, "", "", ""),
            "search foo.example\nnameserver 127.0.0.1\nnameserver 10.7.7.7\n"
        );
    }

    #[test]
    fn where_no_name_server_is_left_there_are_the_public_ones() {
        assert_eq!(
            private(LOCAL, "", "", ""),
            "search a.example b.example\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n\
             options ndots:2 edns0\n"
        );
        assert_eq!(
            private(LOCAL, "", "c.example", ""),
            "search c.example\nnameserver 8.8.8.8\nnameserver 8.8.4.4\noptions ndots:2 edns0\n"
        );
        assert_eq!(
            private(LOCAL, "", "", "attempts:3"),
            "search a.example b.example\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n\
             options attempts:3\n"
        );
        assert_eq!(
            private("", "", "", ""),
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
        );
        let both = Resolv {
            host: "nameserver 127.0.0.1\n",
            private: true,
            ipv6: true,
            ..Resolv::default()
        };
        assert_eq!(
            resolv_conf(&both),
            "nameserver 8.8.8.8\nnameserver 8.8.4.4\nnameserver 2001:4860:4860::8888\n\
             nameserver 2001:4860:4860::8844\n"
        );
    }

    #[test]
    fn a_container_with_ipv6_keeps_such_servers_but_not_those_of_a_link() {
        let both = Resolv {
            host: "nameserver 10.1.1.1\nnameserver fd00::1\nnameserver fe80::1%eth0\n",
            private: true,
            ipv6: true,
            ..Resolv::default()
        };
        assert_eq!(
            resolv_conf(&both),
            "nameserver 10.1.1.1\nnameserver fd00::1\n"
        );
    }

    #[test]
    fn what_was_asked_for_replaces_the_hosts() {
        assert_eq!(
            private(ODD, "9.9.9.9 127.0.0.53", "x.example", "ndots:3"),
            "search x.example\nnameserver 9.9.9.9\nnameserver 127.0.0.53\noptions ndots:3\n"
        );
    }

    #[test]
    fn a_network_with_names_brings_its_server_and_its_domain() {
        let host = "nameserver 10.1.1.1\nsearch host.example\noptions ndots:2\n";
        let (server, domain) = (words("10.89.0.1"), words("dns.podman"));
        let in_network = |searches: &str, options: &str| {
            resolv_conf(&Resolv {
                host,
                private: true,
                nameservers: &server,
                network_searches: &domain,
                searches: &words(searches),
                options: &words(options),
                ..Resolv::default()
            })
        };
        assert_eq!(
            in_network("", ""),
            "search dns.podman host.example\nnameserver 10.89.0.1\noptions ndots:2\n"
        );
        assert_eq!(
            in_network("x.example", "timeout:3"),
            "search x.example\nnameserver 10.89.0.1\noptions timeout:3\n"
        );
        assert_eq!(
            in_network(".", ""),
            "nameserver 10.89.0.1\noptions ndots:2\n"
        );
    }

    #[test]
    fn a_local_resolver_alone_points_to_the_real_servers() {
        let path = |text| behind_local_resolver(text).map(|path| path.to_str().unwrap());
        assert_eq!(
            path("nameserver 127.0.0.53\noptions edns0\n"),
            Some("/run/systemd/resolve/resolv.conf")
        );
        assert_eq!(path(LOCAL), Some("/run/NetworkManager/no-stub-resolv.conf"));
        assert_eq!(path("nameserver 127.0.0.53\nnameserver 10.1.1.1\n"), None);
        assert_eq!(path(""), None);
    }
}
