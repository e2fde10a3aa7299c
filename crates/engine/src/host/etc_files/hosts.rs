//! The text of `/etc/hosts`.

use std::collections::HashSet;

/// Stands for the host's own address in an asked entry.
const HOST_GATEWAY: &str = "host-gateway";

/// The names of the host's own address.
const HOST_NAMES: [&str; 2] = ["host.containers.internal", "host.docker.internal"];

/// One line: an address and its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The address, as text.
    pub ip: String,
    /// One name at least.
    pub names: Vec<String>,
}

impl HostEntry {
    /// From parts.
    pub fn new<N: Into<String>>(ip: impl Into<String>, names: impl IntoIterator<Item = N>) -> Self {
        Self {
            ip: ip.into(),
            names: names.into_iter().map(Into::into).collect(),
        }
    }

    fn line(&self) -> String {
        format!("{}\t{}\n", self.ip, self.names.join(" "))
    }
}

/// What a container's `/etc/hosts` is made of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hosts<'a> {
    /// `--add-host`: `name:ip` or `name;name:ip`, the address may be `host-gateway`.
    pub asked: &'a [String],
    /// The text to start from: the host's own `/etc/hosts`, or the image's with
    /// `--hosts-file=image`, or nothing with `--hosts-file=none`.
    pub base: &'a str,
    /// The host's address as the container reaches it: the gateway of its bridge network (IPv4
    /// before IPv6), else an address of the host; `None` leaves the names out.
    pub host_ip: Option<&'a str>,
    /// The container's own lines, one per address, each with the names host name and container name
    /// in this order. On a bridge its addresses; without network `127.0.0.1`; with the host's
    /// network none. For a container in another one's network see [`add`].
    pub own: &'a [HostEntry],
}

/// An entry of `--add-host` that cannot be written, in Podman's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostsError {
    /// No colon.
    #[error("unable to parse host entry {0:?}: incorrect format")]
    Format(String),
    /// Nothing before the colon.
    #[error("hostname in host entry {0:?} is empty")]
    NoName(String),
    /// Nothing behind the colon.
    #[error("IP address in host entry {0:?} is empty")]
    NoAddress(String),
    /// `host-gateway` where the host has no address.
    #[error(
        "unable to replace \"host-gateway\" of host entry {0:?}: host containers internal IP \
         address is empty"
    )]
    NoHost(String),
}

/// The text of `/etc/hosts`: the asked entries, then the base, then `localhost`, the host, and the
/// container itself, each only with the names that no line before the last group has.
pub fn hosts(wanted: &Hosts<'_>) -> Result<String, HostsError> {
    let mut first = wanted
        .asked
        .iter()
        .map(|entry| parse_asked(entry, wanted.host_ip))
        .collect::<Result<Vec<_>, _>>()?;
    first.extend(parse(wanted.base));
    let text = first.iter().map(HostEntry::line).collect();
    let mut last = vec![
        HostEntry::new("127.0.0.1", ["localhost"]),
        HostEntry::new("::1", ["localhost"]),
    ];
    last.extend(wanted.host_ip.map(|ip| HostEntry::new(ip, HOST_NAMES)));
    last.extend_from_slice(wanted.own);
    Ok(append(text, &first, &last))
}

/// Adds lines to an existing file, without the names it has already: for a container that joins
/// another one's network (they share the file; it comes with `127.0.0.1`), or a pod's.
pub fn add(text: &str, entries: &[HostEntry]) -> String {
    append(text.to_owned(), &parse(text), entries)
}

/// Adds the lines of a further network to a container's file, which has the lines `present` of those
/// it is in. Nothing changes where somebody removed all of these.
pub fn add_network(text: &str, present: &[HostEntry], entries: &[HostEntry]) -> String {
    if present.is_empty() {
        return add(text, entries);
    }
    let mut text = text.to_owned();
    if parse(&text).iter().any(|line| is_one_of(line, present)) {
        text.extend(entries.iter().map(HostEntry::line));
    }
    text
}

/// Removes every line that has the address and one of the names of an entry. Comments and spacing
/// of the rest are lost, as in Podman.
pub fn remove(text: &str, entries: &[HostEntry]) -> String {
    parse(text)
        .iter()
        .filter(|line| !is_one_of(line, entries))
        .map(HostEntry::line)
        .collect()
}

fn is_one_of(line: &HostEntry, entries: &[HostEntry]) -> bool {
    entries.iter().any(|entry| {
        entry.ip == line.ip && entry.names.iter().any(|name| line.names.contains(name))
    })
}

fn append(mut text: String, before: &[HostEntry], entries: &[HostEntry]) -> String {
    let taken: HashSet<&str> = before
        .iter()
        .flat_map(|entry| entry.names.iter().map(String::as_str))
        .collect();
    for entry in entries {
        let free = entry
            .names
            .iter()
            .filter(|name| !taken.contains(name.as_str()));
        let entry = HostEntry::new(entry.ip.as_str(), free.cloned());
        if !entry.names.is_empty() {
            text += &entry.line();
        }
    }
    text
}

/// The lines of a file, without comments and without addresses that have no name.
fn parse(text: &str) -> Vec<HostEntry> {
    text.lines()
        .filter_map(|line| {
            let line = line.split_once('#').map_or(line, |(before, _)| before);
            let mut fields = line.split_whitespace();
            let entry = HostEntry::new(fields.next()?, fields);
            (!entry.names.is_empty()).then_some(entry)
        })
        .collect()
}

fn parse_asked(entry: &str, host_ip: Option<&str>) -> Result<HostEntry, HostsError> {
    let (names, ip) = entry
        .split_once(':')
        .ok_or_else(|| HostsError::Format(entry.to_owned()))?;
    if names.is_empty() {
        return Err(HostsError::NoName(entry.to_owned()));
    }
    let ip = match ip {
        "" => return Err(HostsError::NoAddress(entry.to_owned())),
        HOST_GATEWAY => host_ip.ok_or_else(|| HostsError::NoHost(entry.to_owned()))?,
        ip => ip,
    };
    Ok(HostEntry::new(ip, names.split(';')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host's file, as Debian makes it.
    const DEBIAN: &str = "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n\
        ff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n\n";
    /// Its lines in a container's file.
    const LINES: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
        ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";
    /// A file with comments, the host's own name and the container's name in it.
    const BUSY: &str = "# c\n10.0.0.1 other other2 # x\n10.0.0.9\n\n\
        127.0.1.1 thishost.example thishost\n10.5.5.5 c1\n";
    const HOST: &str = "10.88.0.1\thost.containers.internal host.docker.internal\n";

    fn own(entries: &[(&str, [&str; 2])]) -> Vec<HostEntry> {
        entries
            .iter()
            .map(|(ip, names)| HostEntry::new(*ip, *names))
            .collect()
    }

    fn text(asked: &[&str], base: &str, host_ip: &str, entries: &[(&str, [&str; 2])]) -> String {
        let asked: Vec<_> = asked.iter().map(|entry| (*entry).to_owned()).collect();
        hosts(&Hosts {
            asked: &asked,
            base,
            host_ip: Some(host_ip),
            own: &own(entries),
        })
        .unwrap()
    }

    #[test]
    fn on_a_bridge_it_is_what_podman_wrote() {
        let wanted = format!("{LINES}{HOST}10.88.0.4\t4eebee1a8978 c1\n");
        let own = [("10.88.0.4", ["4eebee1a8978", "c1"])];
        assert_eq!(text(&[], DEBIAN, "10.88.0.1", &own), wanted);
        assert_eq!(wanted.len(), 187, "the size that Podman's file had");
    }

    #[test]
    fn with_two_addresses_it_is_what_podman_wrote() {
        let wanted = format!(
            "{LINES}10.89.1.1\thost.containers.internal host.docker.internal\n\
             10.89.1.2\t30dcb2e0fbe8 c1\nfdc3:f664:1b0a:61f8::2\t30dcb2e0fbe8 c1\n"
        );
        let names = ["30dcb2e0fbe8", "c1"];
        let own = [("10.89.1.2", names), ("fdc3:f664:1b0a:61f8::2", names)];
        assert_eq!(text(&[], DEBIAN, "10.89.1.1", &own), wanted);
    }

    #[test]
    fn with_the_hosts_network_and_without_network_it_is_what_podman_wrote() {
        let host = "192.0.2.10\thost.containers.internal host.docker.internal\n";
        assert_eq!(
            text(&[], DEBIAN, "192.0.2.10", &[]),
            format!("{LINES}{host}")
        );
        assert_eq!(
            text(&["b.example:host-gateway"], DEBIAN, "192.0.2.10", &[]),
            format!("192.0.2.10\tb.example\n{LINES}{host}")
        );
        let none = [("127.0.0.1", ["nn", "c1"])];
        assert_eq!(
            text(&[], DEBIAN, "192.0.2.10", &none),
            format!("{LINES}{host}127.0.0.1\tnn c1\n")
        );
    }

    #[test]
    fn asked_entries_come_first_as_podman_wrote_them() {
        let asked = [
            "a.example:10.1.2.3",
            "b.example:host-gateway",
            "c;d:10.1.2.4",
            "localhost:10.9.9.9",
        ];
        let wanted = format!(
            "10.1.2.3\ta.example\n10.88.0.1\tb.example\n10.1.2.4\tc d\n10.9.9.9\tlocalhost\n\
             {LINES}{HOST}10.88.0.5\tmyhost c1\n"
        );
        let own = [("10.88.0.5", ["myhost", "c1"])];
        assert_eq!(text(&asked, DEBIAN, "10.88.0.1", &own), wanted);
        assert!(text(&["x:::1"], "", "h", &[]).starts_with("::1\tx\n"));
    }

    #[test]
    fn without_a_base_it_is_what_podman_wrote() {
        let wanted =
            format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{HOST}10.88.0.8\tfac54ad77b1a c1\n");
        let own = [("10.88.0.8", ["fac54ad77b1a", "c1"])];
        assert_eq!(text(&[], "", "10.88.0.1", &own), wanted);
    }

    #[test]
    fn names_of_the_base_are_not_written_again() {
        let base = "10.0.0.1\tother other2\n127.0.1.1\tthishost.example thishost\n10.5.5.5\tc1\n\
            127.0.0.1\tlocalhost\n::1\tlocalhost\n";
        let own = [("10.88.0.17", ["c301bf8c7e25", "c1"])];
        assert_eq!(
            text(&[], BUSY, "10.88.0.1", &own),
            format!("{base}{HOST}10.88.0.17\tc301bf8c7e25\n")
        );
        let none = [("127.0.0.1", ["thishost", "c1"])];
        assert_eq!(
            text(&[], BUSY, "10.88.0.1", &none),
            format!("{base}{HOST}"),
            "a line without free names is left out"
        );
        let twice = [("10.88.0.21", ["c1", "c1"])];
        assert!(text(&[], "", "h", &twice).ends_with("10.88.0.21\tc1 c1\n"));
    }

    #[test]
    fn containers_that_share_a_network_share_the_file() {
        let pod = format!("{LINES}{HOST}10.88.0.18\tpp 7a43c97d5a56-infra\n");
        let member = [HostEntry::new("127.0.0.1", ["pp", "c1"])];
        assert_eq!(add(&pod, &member), format!("{pod}127.0.0.1\tc1\n"));
        let joined = [HostEntry::new("127.0.0.1", ["a09f20966fa0", "c1"])];
        let both = format!("{pod}127.0.0.1\ta09f20966fa0 c1\n");
        assert_eq!(add(&pod, &joined), both);
        assert_eq!(remove(&both, &joined), pod);
    }

    #[test]
    fn a_further_network_adds_its_line_unless_the_file_was_changed() {
        let present = [HostEntry::new("10.88.0.2", ["h", "c1"])];
        let more = [HostEntry::new("10.89.0.2", ["h", "c1"])];
        let text = "10.88.0.2\th c1\n";
        assert_eq!(
            add_network(text, &present, &more),
            "10.88.0.2\th c1\n10.89.0.2\th c1\n"
        );
        assert_eq!(add_network("# mine\n", &present, &more), "# mine\n");
        assert_eq!(add_network("", &[], &more), "10.89.0.2\th c1\n");
    }

    #[test]
    fn entries_that_cannot_be_written_are_refused_in_podmans_words() {
        let error = |entry: &str, host_ip| {
            let asked = [entry.to_owned()];
            let wanted = Hosts {
                asked: &asked,
                host_ip,
                ..Hosts::default()
            };
            hosts(&wanted).unwrap_err().to_string()
        };
        assert_eq!(
            error("x", None),
            "unable to parse host entry \"x\": incorrect format"
        );
        assert_eq!(error(":1", None), "hostname in host entry \":1\" is empty");
        assert_eq!(
            error("x:", None),
            "IP address in host entry \"x:\" is empty"
        );
        assert_eq!(
            error("x:host-gateway", None),
            "unable to replace \"host-gateway\" of host entry \"x:host-gateway\": \
             host containers internal IP address is empty"
        );
    }
}
