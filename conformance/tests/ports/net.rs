//! Traffic inside a test's host.

use std::{fs::File, net::UdpSocket, os::fd::AsFd as _, process::Stdio};

use anyhow::{Context, Result, bail, ensure};
use conformance::{
    Lab,
    scenario::{Api, IMAGE, PATIENCE, eventually},
};
use cri_api::v1::{
    LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceMode, NamespaceOption,
    PodSandboxConfig, PodSandboxMetadata, PodSandboxState, PortMapping,
};
use cri_client::Client;
use rustix::thread::LinkNameSpaceType;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// An address of the test's host beside 127.0.0.1; it is in no network.
const ADDRESS: &str = "192.0.2.10";

/// The same of IPv6.
pub(crate) const ADDRESS_V6: &str = "2001:db8::10";

/// A container that answers `NAME 80`, `NAME 81` and `NAME 82` on these ports.
pub(crate) fn server(name: &str, ports: &Value) -> Value {
    let script = format!(
        "for p in 80 81 82; do mkdir -p /www/$p; echo {name} $p >/www/$p/index.html; httpd -p $p -h /www/$p; done; \
         exec sleep 1000"
    );
    json!({
        "name": name, "image": IMAGE, "portmappings": ports, "stop_timeout": 0,
        "command": ["sh", "-c", script],
    })
}

/// The network of a test's host, as seen by a program there.
pub(crate) struct Net<'a> {
    lab: &'a Lab,
    pub(crate) address: String,
}

impl<'a> Net<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Result<Self> {
        lab.host.shell(&format!(
            "ip address replace {ADDRESS}/32 dev lo; ip address replace {ADDRESS_V6}/128 dev lo nodad"
        ))?;
        Ok(Self {
            lab,
            address: ADDRESS.to_owned(),
        })
    }

    /// The host's address in a container's network.
    pub(crate) async fn gateway(&self, api: &Api, name: &str) -> Result<String> {
        let found = api.inspect(name).await?.context("it is there")?;
        let pid = &found["State"]["Pid"];
        let routes = self
            .lab
            .host
            .shell(&format!("nsenter -t {pid} -n ip route show default"))?;
        let gateway = routes.split_whitespace().nth(2);
        gateway.map(ToOwned::to_owned).context(routes.clone())
    }

    /// What an HTTP server answers to `GET /`. Debian's static busybox cannot look names up, so it is the shell that asks.
    fn get(&self, inside: &str, host: &str, port: u16) -> Result<String> {
        let ask = format!(
            r"exec 3<>/dev/tcp/{host}/{port}; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3"
        );
        let line = format!("{inside} timeout 3 bash -c \"{ask}\"");
        let answer = self.lab.host.shell(&line)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim());
        body.map(ToOwned::to_owned).context(answer.clone())
    }

    async fn hears_at(&self, inside: &str, host: &str, port: u16, expected: &str) -> Result<()> {
        eventually(format_args!("{inside} {host}:{port}"), async || {
            let answer = self.get(inside, host, port)?;
            ensure!(
                answer == expected,
                "it answers {answer:?} instead of {expected:?}"
            );
            Ok(())
        })
        .await
    }

    /// A TCP port answers this.
    pub(crate) async fn hears(&self, host: &str, port: u16, expected: &str) -> Result<()> {
        self.hears_at("", host, port, expected).await
    }

    /// The same from the network of a process.
    pub(crate) async fn hears_in(
        &self,
        pid: &Value,
        host: &str,
        port: u16,
        expected: &str,
    ) -> Result<()> {
        let inside = format!("nsenter -t {pid} -n");
        self.hears_at(&inside, host, port, expected).await
    }

    /// What is sent to a UDP port of 127.0.0.1 arrives at port 53 of a process's network, and its answer comes back.
    pub(crate) async fn echoes_udp(&self, pid: &Value, port: u16) -> Result<()> {
        let path = format!("/proc/{pid}/ns/net");
        let server = std::thread::spawn(move || -> Result<()> {
            let network = File::open(path)?;
            let kind = Some(LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(network.as_fd(), kind)?;
            let socket = UdpSocket::bind("0.0.0.0:53")?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let mut received = [0; 16];
            let (length, from) = socket.recv_from(&mut received)?;
            socket.send_to(&received[..length], from)?;
            Ok(())
        });
        eventually(format_args!("udp {port}"), async || {
            let ask = format!("exec 3<>/dev/udp/127.0.0.1/{port}; echo x >&3; head -n 1 <&3");
            let answer = self.lab.host.shell(&format!("timeout 2 bash -c '{ask}'"))?;
            ensure!(answer == "x\n", "it answers {answer:?}");
            Ok(())
        })
        .await?;
        server.join().expect("the server has not panicked")
    }

    /// Nobody answers there.
    pub(crate) fn hears_nothing(&self, host: &str, port: u16) -> Result<()> {
        match self.get("", host, port) {
            Ok(answer) => bail!("{host}:{port} answers {answer:?}"),
            Err(_) => Ok(()),
        }
    }

    /// From the network of a process: what listens on the host's 127.0.0.1 alone cannot be had by sending for it to
    /// the host.
    pub(crate) fn guards_loopback(&self, pid: &Value, gateway: &str) -> Result<()> {
        let program = "busybox httpd -f -p 127.0.0.1:7070 & s=$!; sleep 0.3";
        let ask = "timeout 2 bash -c 'exec 3<>/dev/tcp/127.0.0.1/7070 && echo heard'";
        // 127.0.0.1 is routed to the host in place of the container's own
        let route = format!(
            "ip route del local 127.0.0.1 table local; ip route del local 127.0.0.0/8 table local; \
             ip route add 127.0.0.1 via {gateway}; echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet"
        );
        let inside = format!("nsenter -t {pid} -n sh -c \"{route}; {ask}\"");
        let line = format!("{program}; echo inside $({inside}); echo outside $({ask}); kill $s");
        let heard = self.lab.host.shell(&line)?;
        ensure!(heard == "inside\noutside heard\n", "{heard:?}");
        Ok(())
    }

    /// The runtime's network gives IPv6 addresses to new containers from now on.
    pub(crate) async fn gives_ipv6(&self, api: &Api) -> Result<()> {
        let file = self.lab.runtime.private().paths().network_file();
        let mut network: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let ipam = &mut network["plugins"][0]["ipam"];
        for (list, item) in [
            ("ranges", json!([{ "subnet": "fd00:9::/64" }])),
            ("routes", json!({ "dst": "::/0" })),
        ] {
            let list = ipam[list].as_array_mut().context("a list")?;
            list.push(item);
        }
        std::fs::write(&file, network.to_string())?;
        eventually("an IPv6 address", async || {
            api.create(&server("probe", &json!([]))).await?;
            api.start("probe").await?;
            let found = api.inspect("probe").await?.context("probe")?;
            api.remove("probe").await?;
            let address = &found["NetworkSettings"]["GlobalIPv6Address"];
            ensure!(address != "", "{}", found["NetworkSettings"]);
            Ok(())
        })
        .await
    }

    /// Takes the rules away, as a reload of somebody's firewall does; the network plugin's own ones stay, because it
    /// cannot take a container's network down without them.
    pub(crate) fn flush(&self) -> Result<()> {
        let line = "nft list tables | grep podman_cri | while read t; do nft delete $t; done";
        self.lab.host.shell(line).map(drop)
    }

    /// Nothing is published.
    pub(crate) fn has_no_rules(&self) -> Result<()> {
        let tables = self.lab.host.shell("nft list tables")?;
        ensure!(!tables.contains("podman_cri"), "{tables}");
        Ok(())
    }

    /// A program that listens on a port; an error where it cannot.
    pub(crate) async fn listens(&self, port: u16) -> Result<Program> {
        let mut command = Command::from(self.lab.host.command("busybox"));
        command.args(["httpd", "-f", "-p", &format!("0.0.0.0:{port}")]);
        let mut program = Program(command.stderr(Stdio::null()).kill_on_drop(true).spawn()?);
        let pid = format!("pid={},", program.0.id().unwrap_or_default());
        eventually(format_args!("a program on {port}"), async || {
            let up = self.lab.host.shell("ss -ltnp")?.contains(&pid);
            ensure!(up || program.0.try_wait()?.is_some(), "it does not listen");
            Ok(())
        })
        .await?;
        match program.0.try_wait()? {
            Some(status) => bail!("it ended: {status}"),
            None => Ok(program),
        }
    }
}

/// A program that listens.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) async fn end(mut self) -> Result<()> {
        self.0.kill().await?;
        Ok(())
    }
}

/// Stops every sandbox at the runtime, as somebody else may do it.
pub(crate) async fn stop_sandboxes(lab: &Lab) -> Result<()> {
    let cri = lab.runtime.cri()?;
    let ready = i32::from(PodSandboxState::SandboxReady);
    for sandbox in cri.list_pod_sandbox(None).await? {
        if sandbox.state == ready {
            cri.stop_pod_sandbox(&sandbox.id).await?;
        }
    }
    Ok(())
}

/// A pod of somebody else for which the runtime itself publishes a port.
pub(crate) struct Foreign {
    cri: Client,
    id: String,
}

/// Makes one.
pub(crate) async fn pod_with_host_port(lab: &Lab, port: u16) -> Result<Foreign> {
    let cri = lab.runtime.cri()?;
    let config = PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: "theirs".to_owned(),
            uid: "uid-of-theirs".to_owned(),
            namespace: "default".to_owned(),
            attempt: 0,
        }),
        log_directory: lab.host.dir().join("home/theirs").display().to_string(),
        port_mappings: vec![PortMapping {
            container_port: 80,
            host_port: i32::from(port),
            ..PortMapping::default()
        }],
        linux: Some(LinuxPodSandboxConfig {
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(NamespaceOption {
                    pid: NamespaceMode::Container.into(),
                    ..NamespaceOption::default()
                }),
                ..LinuxSandboxSecurityContext::default()
            }),
            ..LinuxPodSandboxConfig::default()
        }),
        ..PodSandboxConfig::default()
    };
    let id = cri.run_pod_sandbox(config, "").await?;
    Ok(Foreign { cri, id })
}

impl Foreign {
    pub(crate) async fn take_down(self) -> Result<()> {
        self.cri.stop_pod_sandbox(&self.id).await?;
        Ok(self.cri.remove_pod_sandbox(&self.id).await?)
    }
}
