use serde_json::json;

use super::*;

/// Lines `ADDRESS HOST+RANGE:CONTAINER/PROTOCOL`.
fn shown(ports: &[PublishedPort]) -> Vec<String> {
    let one = |port: &PublishedPort| {
        let PublishedPort {
            host_ip,
            host_port,
            container_port,
            range,
            protocol,
        } = port;
        let host = host_ip
            .map(|address| address.to_string())
            .unwrap_or_default();
        format!(
            "{host} {host_port}+{range}:{container_port}/{}",
            protocol.word()
        )
    };
    ports.iter().map(one).collect()
}

fn asked(ports: serde_json::Value) -> Result<Vec<PublishedPort>, Error> {
    published(serde_json::from_value(ports).unwrap())
}

#[test]
fn ports_are_joined_and_sorted_as_podman_does_it() {
    // each was recorded from a Podman 5.8.6
    let table = [
        (
            json!([{"container_port": 80, "host_port": 8081}]),
            vec![" 8081+1:80/tcp"],
        ),
        (
            json!([{"container_port": 80, "host_port": 8081}, {"container_port": 81, "host_port": 8081}]),
            vec![" 8081+1:80/tcp", " 8081+1:81/tcp"],
        ),
        (
            json!([{"container_port": 80, "host_port": 8081}, {"container_port": 80, "host_port": 8081}]),
            vec![" 8081+1:80/tcp"],
        ),
        (
            json!([{"container_port": 80, "host_port": 8081, "range": 3}, {"container_port": 90, "host_port": 8083}]),
            vec![" 8081+3:80/tcp", " 8083+1:90/tcp"],
        ),
        (
            json!([{"container_port": 81, "host_port": 8082}, {"container_port": 80, "host_port": 8081}]),
            vec![" 8081+2:80/tcp"],
        ),
        (
            json!([{"container_port": 80}, {"container_port": 81}, {"container_port": 80, "protocol": "udp"}]),
            vec![" 0+1:80/tcp", " 0+1:81/tcp", " 0+1:80/udp"],
        ),
        (
            json!([{"container_port": 80, "range": 3}, {"container_port": 81}]),
            vec![" 0+3:80/tcp"],
        ),
        (
            json!([{"container_port": 80, "protocol": "TCP,udp,tcp", "host_port": 9000}]),
            vec![" 9000+1:80/tcp", " 9000+1:80/udp"],
        ),
        (
            json!([{"container_port": 80, "host_port": 1, "host_ip": "127.0.0.1"}, {"container_port": 80, "host_port": 1}]),
            vec![" 1+1:80/tcp", "127.0.0.1 1+1:80/tcp"],
        ),
        (
            json!([{"container_port": 65535, "host_port": 65535}]),
            vec![" 65535+1:65535/tcp"],
        ),
    ];
    for (ports, lines) in table {
        assert_eq!(shown(&asked(ports.clone()).unwrap()), lines, "{ports}");
    }
}

#[test]
fn what_is_wrong_is_said_in_podmans_words() {
    let table = [
        (
            json!([{"host_port": 8081}]),
            "container port number must be non-0",
        ),
        (
            json!([{"container_port": 80, "host_ip": "nope"}]),
            "invalid IP address \"nope\" in port mapping",
        ),
        (
            json!([{"container_port": 80, "protocol": "ICMP"}]),
            "unrecognized protocol \"icmp\" in port mapping",
        ),
        (
            json!([{"container_port": 65530, "host_port": 1, "range": 10}]),
            "container port range exceeds maximum allowable port number",
        ),
        (
            json!([{"container_port": 80, "host_port": 65530, "range": 10}]),
            "host port range exceeds maximum allowable port number",
        ),
        (
            json!([{"container_port": 80, "host_port": 8081, "range": 3}, {"container_port": 90, "host_port": 8082}]),
            "conflicting port mappings for host port 8082 (protocol tcp)",
        ),
        (
            json!([{"container_port": 80, "host_port": 8081, "host_ip": "::1"}]),
            "host_ip ::1 is not supported: Linux routes nothing from ::1 to a container; publish on 127.0.0.1, or on an address of the host",
        ),
    ];
    for (ports, text) in table {
        assert_eq!(asked(ports).unwrap_err().to_string(), text);
    }
}

#[test]
fn docker_s_bindings_are_the_same_ports() {
    let read = |bindings: serde_json::Value| {
        super::bindings(serde_json::from_value(bindings).unwrap()).and_then(published)
    };
    let ports = read(json!({
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostPort": ""}],
        "53/udp": [{"HostPort": 53}], "90": null, "91/tcp": [],
    }))
    .unwrap();
    assert_eq!(
        shown(&ports),
        [" 0+1:80/tcp", " 53+1:53/udp", "127.0.0.1 8080+1:80/tcp"]
    );
    let table = [
        (
            json!({"80/tcp": [{"HostPort": "x"}]}),
            "make cli opts(): strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (
            json!({"80/foo": [{"HostPort": "80"}]}),
            "unrecognized protocol \"foo\" in port mapping",
        ),
        (
            json!({"x/tcp": [{"HostPort": "80"}]}),
            "container port number must be non-0",
        ),
        (
            json!({"80/tcp": [{"HostPort": "99999"}]}),
            "HostConfig.PortBindings: 99999 is no port number: invalid argument",
        ),
    ];
    for (bindings, text) in table {
        assert_eq!(read(bindings).unwrap_err().to_string(), text);
    }
}

#[test]
fn exposed_ports_of_both_faces() {
    let read = |ports: serde_json::Value| exposed(&serde_json::from_value(ports).unwrap());
    let ports = read(json!({"80": "tcp,udp", "81": ""})).unwrap();
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["80/tcp", "80/udp", "81/tcp"]);
    assert_eq!(
        read(json!({"0": "tcp"})).unwrap_err().to_string(),
        "cannot expose 0 as it is not a valid port number"
    );
    assert_eq!(
        read(json!({"80": "x"})).unwrap_err().to_string(),
        "validating protocols for exposed port 80: unrecognized protocol \"x\" in port mapping"
    );
    let keys = ["80/tcp".to_owned(), "81".to_owned(), "90-91/udp".to_owned()];
    let ports: Vec<_> = exposed_keys(keys.iter()).unwrap();
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["80/tcp", "81/tcp", "90/udp", "91/udp"]);
    let wrong = ["http".to_owned()];
    assert!(
        exposed_keys(wrong.iter())
            .unwrap_err()
            .to_string()
            .contains("ExposedPorts")
    );
}

#[test]
fn a_container_on_the_hosts_network_publishes_nothing_and_says_so() {
    let mapping = PortMapping {
        container_port: 80,
        host_port: 80,
        ..PortMapping::default()
    };
    for (network, mode) in [(Network::Host, "host"), (Network::None, "none")] {
        let ports = Ports::new(network, vec![mapping.clone()], false, Vec::new()).unwrap();
        assert!(ports.published.is_empty());
        let warning = format!(
            "Port mappings have been discarded because \"{mode}\" network namespace mode does not support them"
        );
        assert_eq!(ports.warnings, [warning]);
        let ports = Ports::new(network, Vec::new(), false, Vec::new()).unwrap();
        assert!(ports.warnings.is_empty());
    }
}
