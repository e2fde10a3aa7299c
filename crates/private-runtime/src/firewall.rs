//! Taking back the firewall rules of containers that no runtime will remove any more.

use std::{collections::BTreeSet, path::Path};

use crate::command;

/// CRI-O's table of published ports: one for all CRI-Os of a network namespace.
const CRIO_TABLE: [&str; 2] = ["ip", "crio-hostports"];
/// Its maps and sets.
const CRIO_SETS: [&str; 3] = ["hostports", "hostipports", "hairpins"];

/// The CNI plugins write the network's name into a comment of each rule they make in the nat
/// table, and keep a container's rules in chains only those rules jump to.
pub(crate) fn remove_cni_rules(network: &str) {
    let iptables = |arguments: &[&str]| {
        let mut all = vec!["-w", "-t", "nat"];
        all.extend_from_slice(arguments);
        command::output(Path::new("iptables"), &all)
    };
    let Ok(rules) = iptables(&["-S"]) else {
        return;
    };
    let mut chains = BTreeSet::new();
    for rule in rules.lines().filter(|rule| rule.contains(network)) {
        let words = shell_words(rule);
        let jump = words.iter().skip_while(|w| *w != "-j").nth(1);
        chains.extend(jump.filter(|chain| chain.starts_with("CNI-")).cloned());
        chains.extend(
            words
                .get(1)
                .filter(|c| c.starts_with("CNI-") && is_own(c))
                .cloned(),
        );
        let mut delete: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Some(first) = delete.first_mut() {
            *first = "-D";
        }
        if let Err(error) = iptables(&delete) {
            tracing::debug!(rule, %error, "rule not removed");
        }
    }
    for chain in chains.iter().filter(|chain| is_own(chain)) {
        for action in ["-F", "-X"] {
            if let Err(error) = iptables(&[action, chain]) {
                tracing::debug!(%chain, %error, "chain not removed");
            }
        }
    }
}

/// One container's chain ends in a hash; the plugins' common ones do not.
fn is_own(chain: &str) -> bool {
    !chain.starts_with("CNI-HOSTPORT")
}

/// The words of a line as iptables prints it: blanks separate, double quotes hold together.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in line.chars() {
        match character {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            ' ' if !quoted && !escaped => words.push(String::new()),
            other => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.push(other)),
        }
        escaped = false;
    }
    words
}

/// Removes the ports CRI-O published for addresses that begin so. Another CRI-O's stay.
pub(crate) fn remove_crio_ports(subnet: &str) {
    let nft = |arguments: &[&str]| command::output(Path::new("nft"), arguments);
    let [family, table] = CRIO_TABLE;
    let Ok(text) = nft(&["list", "table", family, table]) else {
        return; // no CRI-O ever published a port here
    };
    for set in CRIO_SETS {
        for key in keys_of(&text, set, subnet) {
            let element = format!("{{ {key} }}");
            if let Err(error) = nft(&["delete", "element", family, table, set, &element]) {
                tracing::debug!(%key, %error, "port not removed");
            }
        }
    }
}

/// The keys of a map's or set's elements that name an address of the subnet.
fn keys_of(table: &str, set: &str, subnet: &str) -> Vec<String> {
    let named = |kind| table.split_once(&format!("{kind} {set} {{"));
    let Some((_, rest)) = named("map").or_else(|| named("set")) else {
        return Vec::new();
    };
    let own = rest.split_once("\n\t}").map_or(rest, |(own, _)| own);
    let Some((_, elements)) = own.split_once("elements = {") else {
        return Vec::new();
    };
    let elements = elements.split('}').next().unwrap_or_default().split(',');
    elements
        .filter(|element| element.contains(subnet))
        .filter_map(|element| element.split(" : ").next()?.split(" comment ").next())
        .map(|key| key.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_one_subnet() {
        let table = "table ip crio-hostports {\n\tset hairpins {\n\t\ttype ipv4_addr . ipv4_addr\n\t\t\
                     elements = { 10.9.1.2 . 10.9.1.2,\n\t\t\t     10.8.1.2 . 10.8.1.2 comment \"Y\" }\n\t}\n\n\tmap hostports {\n\t\t\
                     elements = { tcp . 80 comment \"X\" : 10.9.1.2 . 8080, udp . 53 : 10.8.1.2 . 53 }\n\t}\n}\n";
        assert_eq!(keys_of(table, "hostports", "10.9.1."), ["tcp . 80"]);
        assert_eq!(
            keys_of(table, "hairpins", "10.8.1."),
            ["10.8.1.2 . 10.8.1.2"]
        );
        assert!(keys_of(table, "hostipports", "10.9.1.").is_empty());
    }

    #[test]
    fn words_of_a_rule() {
        let rule = r#"-A POSTROUTING -s 10.1.0.2/32 -m comment --comment "name: \"n\" id: \"x\"" -j CNI-1"#;
        let words = shell_words(rule);
        assert_eq!(words[7], r#"name: "n" id: "x""#);
        assert_eq!(words[9], "CNI-1");
    }
}
